import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.TimestampType;

/** Producing: acknowledgements, codecs, sizes, timestamps; what came back has to be what was sent. */
final class ProducerChecks {
  private static final long BEGIN_MS = 1_700_000_000_000L;
  private static final int BINARY_BYTES = 64_000_000;
  private static final int[] VALUE_BYTES = {0, 1, 100, 1000, 10_000, 200_000};

  private final Client client;
  private final Random random = new Random(20_000);

  ProducerChecks(Client client) {
    this.client = client;
  }

  void run() {
    Checks.check("auto-create", "a produce makes the topic, and loses nothing", () -> roundTrip("java-auto", 10));
    Checks.check("produce-consume", "100,000 records come back in order", () -> roundTrip(client.topic(), 100_000));
    for (String[] acks : new String[][] {{"acks-1", "1"}, {"acks-all", "all"}})
      Checks.check(acks[0], "5,000 records come back", () -> roundTrip(client.topic(), 5000, "acks", acks[1]));
    Checks.check("acks-0", "5,000 records come back", this::acksNone);
    for (String codec : List.of("gzip", "snappy", "lz4", "zstd"))
      Checks.check(codec, "50,000 records, sent compressed, come back", () -> roundTrip(client.topic(), 50_000, "compression.type", codec, "batch.size", 300_000));
    Checks.check("delivery-reports", "every record is acknowledged with the offset it is read at", this::offsets);
    Checks.check("partitions", "a key always goes to the same partition", this::partitions);
    Checks.check("partitions", "a partition that is not there: a timeout that says so", this::unknownPartition);
    Checks.check("keys", "text, bytes, empty and no keys", this::keys);
    Checks.check("headers", "in order, twice the same name, empty and null values, bytes", this::headers);
    Checks.check("null-values", "null and empty values stay apart", this::nullValues);
    Checks.check("binary", "random values of 0 to 200 KB, 64 MB in all, over 3 partitions: equal sha256", this::binary);
    Checks.check("big-messages", "as large as max.message.bytes allows", this::big);
    Checks.check("big-messages", "larger: RecordTooLargeException, and the next one goes through", this::tooBig);
    Checks.check("timestamps", "those of the producer come back", this::timestamps);
    Checks.check("append-time", "message.timestamp.type=LogAppendTime: the broker's time, and the client says so", this::appendTime);
    Checks.check("idempotence", "10,000 records, each once and in order", this::idempotence);
    Checks.notServed("transactions", "This broker does not serve transactions", this::transactions);
  }

  private void roundTrip(String topic, int count, Object... settings) throws Exception {
    client.produce(Client.numbered(topic, 0, count, BEGIN_MS), settings);
    Checks.same(IntStream.range(0, count).boxed().toList(), Client.numbers(client.read(topic)));
  }

  private void acksNone() throws Exception {
    String topic = client.topic();
    List<RecordMetadata> sent = client.produce(Client.numbered(topic, 0, 5000, BEGIN_MS), "acks", "0");
    Checks.require(sent.stream().noneMatch(RecordMetadata::hasOffset), "an offset although nothing is acknowledged");
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (client.read(topic).size() < 5000 && System.nanoTime() < until) Thread.sleep(100);
    Checks.same(IntStream.range(0, 5000).boxed().toList(), Client.numbers(client.read(topic)));
  }

  private void offsets() throws Exception {
    String topic = client.topic(3, Map.of());
    List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
    for (int n = 0; n < 3000; n++) records.add(new ProducerRecord<>(topic, n % 3, null, Integer.toString(n).getBytes()));
    List<RecordMetadata> acknowledged = client.produce(records);
    Map<String, String> told = new HashMap<>();
    for (int n = 0; n < 3000; n++) told.put(acknowledged.get(n).partition() + "/" + acknowledged.get(n).offset(), Integer.toString(n));
    Map<String, String> read = new HashMap<>();
    for (int partition = 0; partition < 3; partition++)
      for (ConsumerRecord<byte[], byte[]> record : client.read(topic, partition, 0)) read.put(partition + "/" + record.offset(), new String(record.value()));
    Checks.same(3000, told.size());
    Checks.same(told, read);
  }

  private void partitions() throws Exception {
    String topic = client.topic(4, Map.of());
    List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
    for (int n = 0; n < 2000; n++) records.add(new ProducerRecord<>(topic, ("key " + n % 50).getBytes(), new byte[1]));
    Map<Integer, Integer> partitionOfKey = new HashMap<>();
    List<RecordMetadata> acknowledged = client.produce(records);
    for (int n = 0; n < 2000; n++) {
      Integer before = partitionOfKey.put(n % 50, acknowledged.get(n).partition());
      Checks.require(before == null || before == acknowledged.get(n).partition(), "a key in two partitions");
    }
    Set<Integer> used = new HashSet<>(partitionOfKey.values());
    Checks.same(Set.of(0, 1, 2, 3), used);
  }

  private void unknownPartition() throws Exception {
    String topic = client.topic(2, Map.of());
    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, 9, null, new byte[1]);
    TimeoutException problem = Checks.fails(TimeoutException.class, () -> client.produce(List.of(record), "max.block.ms", 5000));
    Checks.require(problem.getMessage().contains("Partition 9 of topic " + topic), problem.getMessage());
  }

  private void keys() throws Exception {
    String topic = client.topic();
    List<byte[]> wanted = Arrays.asList("text".getBytes(), new byte[] {0, -1, -128}, new byte[0], null);
    client.produce(wanted.stream().map(key -> new ProducerRecord<>(topic, key, new byte[1])).toList());
    List<ConsumerRecord<byte[], byte[]>> read = client.read(topic);
    Checks.same(wanted.size(), read.size());
    for (int i = 0; i < wanted.size(); i++) Checks.require(Arrays.equals(wanted.get(i), read.get(i).key()), "key " + i);
  }

  private void headers() throws Exception {
    String topic = client.topic();
    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, new byte[1]);
    record.headers().add("a", new byte[] {1}).add("b ü", new byte[] {0, -1}).add("a", new byte[] {2}).add("empty", new byte[0]).add("null", null);
    client.produce(List.of(record, new ProducerRecord<>(topic, new byte[1])));
    List<ConsumerRecord<byte[], byte[]>> read = client.read(topic);
    Header[] sent = record.headers().toArray();
    Header[] got = read.get(0).headers().toArray();
    Checks.same(sent.length, got.length);
    for (int i = 0; i < sent.length; i++) Checks.require(sent[i].key().equals(got[i].key()) && Arrays.equals(sent[i].value(), got[i].value()), "header " + i);
    Checks.same(0, read.get(1).headers().toArray().length);
  }

  private void nullValues() throws Exception {
    String topic = client.topic();
    client.produce(List.of(new ProducerRecord<>(topic, new byte[1], null), new ProducerRecord<>(topic, new byte[1], new byte[0])));
    List<ConsumerRecord<byte[], byte[]>> read = client.read(topic);
    Checks.require(read.get(0).value() == null, "not null");
    Checks.same(0, read.get(1).value().length);
  }

  private void binary() throws Exception {
    String topic = client.topic(3, Map.of());
    MessageDigest[] sent = digests();
    MessageDigest[] got = digests();
    try (KafkaProducer<byte[], byte[]> producer = client.producer("compression.type", "none", "batch.size", 200_000)) {
      for (int total = 0; total < BINARY_BYTES; ) {
        byte[] value = new byte[VALUE_BYTES[random.nextInt(VALUE_BYTES.length)]];
        random.nextBytes(value);
        int partition = random.nextInt(3);
        add(sent[partition], value);
        total += value.length + 4;
        producer.send(new ProducerRecord<>(topic, partition, null, value), (metadata, problem) -> {
          if (problem != null) throw new AssertionError(problem);
        });
      }
    }
    for (int partition = 0; partition < 3; partition++) {
      for (ConsumerRecord<byte[], byte[]> record : client.read(topic, partition, 0)) add(got[partition], record.value());
      Checks.require(Arrays.equals(sent[partition].digest(), got[partition].digest()), "partition " + partition + " came back different");
    }
  }

  private static MessageDigest[] digests() throws Exception {
    MessageDigest[] digests = new MessageDigest[3];
    for (int i = 0; i < digests.length; i++) digests[i] = MessageDigest.getInstance("SHA-256");
    return digests;
  }

  private static void add(MessageDigest digest, byte[] value) {
    digest.update(java.nio.ByteBuffer.allocate(4).putInt(value.length).array());
    digest.update(value);
  }

  private void big() throws Exception {
    String topic = client.topic(1, Map.of("max.message.bytes", "8000000"));
    List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
    for (int size : new int[] {7_900_000, 1, 5_000_000}) {
      byte[] value = new byte[size];
      random.nextBytes(value);
      records.add(new ProducerRecord<>(topic, value));
    }
    client.produce(records, "max.request.size", 9_000_000);
    List<ConsumerRecord<byte[], byte[]>> read = client.read(topic);
    Checks.same(records.size(), read.size());
    for (int i = 0; i < read.size(); i++) Checks.require(Arrays.equals(records.get(i).value(), read.get(i).value()), "value " + i);
  }

  private void tooBig() throws Exception {
    String topic = client.topic(1, Map.of("max.message.bytes", "10000"));
    byte[] value = new byte[20_000];
    Checks.fails(RecordTooLargeException.class, () -> client.produce(List.of(new ProducerRecord<>(topic, value))));
    client.produce(List.of(new ProducerRecord<>(topic, "small".getBytes(UTF_8))));
    Checks.same("small", new String(client.read(topic).get(0).value(), UTF_8));
  }

  private void timestamps() throws Exception {
    String topic = client.topic();
    List<Long> wanted = List.of(1_700_000_000_000L, 1_600_000_000_000L, 0L, 1_750_000_000_000L);
    client.produce(wanted.stream().map(ms -> new ProducerRecord<byte[], byte[]>(topic, 0, ms, null, new byte[1])).toList());
    List<ConsumerRecord<byte[], byte[]>> read = client.read(topic);
    Checks.same(wanted, read.stream().map(ConsumerRecord::timestamp).toList());
    Checks.require(read.stream().allMatch(record -> record.timestampType() == TimestampType.CREATE_TIME), "not CREATE_TIME");
  }

  private void appendTime() throws Exception {
    String topic = client.topic(1, Map.of("message.timestamp.type", "LogAppendTime"));
    long beforeMs = System.currentTimeMillis() - 1000;
    List<RecordMetadata> sent = client.produce(Client.numbered(topic, 0, 3, BEGIN_MS));
    for (RecordMetadata metadata : sent) Checks.require(metadata.timestamp() >= beforeMs, metadata.timestamp());
    for (ConsumerRecord<byte[], byte[]> record : client.read(topic)) {
      Checks.same(TimestampType.LOG_APPEND_TIME, record.timestampType());
      Checks.require(record.timestamp() >= beforeMs && record.timestamp() <= System.currentTimeMillis() + 1000, record.timestamp());
    }
  }

  private void idempotence() throws Exception {
    String topic = client.topic();
    List<RecordMetadata> sent = client.produce(Client.numbered(topic, 0, 10_000, BEGIN_MS), "enable.idempotence", true, "batch.size", 300);
    for (int n = 0; n < sent.size(); n++) Checks.same((long) n, sent.get(n).offset());
    Checks.same(IntStream.range(0, 10_000).boxed().toList(), Client.numbers(client.read(topic)));
  }

  private String transactions() {
    try (KafkaProducer<byte[], byte[]> producer = client.producer("enable.idempotence", true, "transactional.id", "t", "max.block.ms", 10_000)) {
      producer.initTransactions();
      return null;
    } catch (Exception problem) {
      return withCauses(problem);
    }
  }

  static String withCauses(Throwable problem) {
    StringBuilder text = new StringBuilder();
    for (Throwable cause = problem; cause != null; cause = cause.getCause()) text.append(cause).append("; ");
    return text.toString();
  }
}
