import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What all checks use: topics, a producer that waits for its acknowledgements, a consumer that reads a partition to its end. */
final class Client implements AutoCloseable {
  private static final Duration READ_MAX = Duration.ofSeconds(60);

  final String bootstrap;
  final Admin admin;
  private final String prefix;
  private int topics = 0;

  Client(String bootstrap, String prefix) {
    this.prefix = prefix;
    this.bootstrap = bootstrap;
    this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "default.api.timeout.ms", "30000"));
  }

  @Override
  public void close() {
    admin.close();
  }

  /** A fresh topic. */
  String topic(int partitions, Map<String, String> settings) throws Exception {
    String name = prefix + "-" + topics++;
    admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(settings))).all().get();
    return name;
  }

  String topic() throws Exception {
    return topic(1, Map.of());
  }

  /** Settings come in pairs. With acks=all, the default, a Java producer is idempotent. */
  KafkaProducer<byte[], byte[]> producer(Object... settings) {
    Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", 20, "delivery.timeout.ms", 60000));
    for (int i = 0; i < settings.length; i += 2) all.put((String) settings[i], settings[i + 1]);
    return new KafkaProducer<>(all, new ByteArraySerializer(), new ByteArraySerializer());
  }

  /** Sends all, and returns what was acknowledged, in their order. Throws the first error. */
  List<RecordMetadata> produce(List<ProducerRecord<byte[], byte[]>> records, Object... settings) throws Exception {
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    try (KafkaProducer<byte[], byte[]> producer = producer(settings)) {
      for (ProducerRecord<byte[], byte[]> record : records) sent.add(producer.send(record));
    }
    List<RecordMetadata> acknowledged = new ArrayList<>();
    for (Future<RecordMetadata> one : sent) acknowledged.add(one.get());
    return acknowledged;
  }

  KafkaConsumer<byte[], byte[]> consumer(Object... settings) {
    Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "none", "default.api.timeout.ms", 30000));
    for (int i = 0; i < settings.length; i += 2) all.put((String) settings[i], settings[i + 1]);
    return new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  /** A partition from an offset to its end. */
  List<ConsumerRecord<byte[], byte[]>> read(String topic, int partition, long offset, Object... settings) {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer(settings)) {
      TopicPartition place = new TopicPartition(topic, partition);
      consumer.assign(List.of(place));
      consumer.seek(place, offset);
      return readToEnd(consumer, place);
    }
  }

  List<ConsumerRecord<byte[], byte[]>> read(String topic) {
    return read(topic, 0, 0);
  }

  /** From where the consumer stands to the end as it is now. */
  static List<ConsumerRecord<byte[], byte[]>> readToEnd(KafkaConsumer<byte[], byte[]> consumer, TopicPartition place) {
    List<ConsumerRecord<byte[], byte[]>> read = new ArrayList<>();
    long end = consumer.endOffsets(List.of(place)).get(place);
    long until = System.nanoTime() + READ_MAX.toNanos();
    while (consumer.position(place) < end) {
      if (System.nanoTime() > until) throw new AssertionError("stopped at " + consumer.position(place) + " of " + end);
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) read.add(record);
    }
    return read;
  }

  /** The numbers from 0 on as values; number n has timestamp begin + 10 n. */
  static List<ProducerRecord<byte[], byte[]>> numbered(String topic, int partition, int count, long beginMs) {
    List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
    for (int n = 0; n < count; n++) records.add(new ProducerRecord<>(topic, partition, beginMs + 10L * n, null, Integer.toString(n).getBytes()));
    return records;
  }

  static List<Integer> numbers(List<ConsumerRecord<byte[], byte[]>> records) {
    return records.stream().map(record -> Integer.valueOf(new String(record.value()))).toList();
  }
}
