import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * Sends without pause until it is told to stop by a line on stdin; meanwhile the broker is restarted. Says "ready" when it is under way. What was acknowledged has to be
 * at its offset afterwards, for a consumer that was there from the beginning.
 */
final class Restart {
  private static final int READY_AT = 200;

  private Restart() {}

  public static void main(String[] args) throws Exception {
    Map<Long, String> delivered = new ConcurrentHashMap<>();
    Map<Long, String> read = new HashMap<>();
    AtomicInteger errors = new AtomicInteger();
    int sent = 0;
    try (Client client = new Client(args[0], "java-restart"); KafkaConsumer<byte[], byte[]> consumer = client.consumer()) {
      TopicPartition place = new TopicPartition(client.topic(), 0);
      consumer.assign(List.of(place));
      consumer.seekToBeginning(List.of(place));
      try (KafkaProducer<byte[], byte[]> producer = client.producer()) {
        while (!isTold()) {
          String value = Integer.toString(sent++);
          producer.send(new ProducerRecord<>(place.topic(), value.getBytes()), (metadata, problem) -> {
            if (problem == null) delivered.put(metadata.offset(), value);
            else errors.incrementAndGet();
          });
          for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(5))) read.put(record.offset(), new String(record.value()));
          if (sent == READY_AT) System.out.println("ready");
        }
      }
      for (ConsumerRecord<byte[], byte[]> record : Client.readToEnd(consumer, place)) read.put(record.offset(), new String(record.value()));
    }
    long lost = delivered.entrySet().stream().filter(entry -> !Objects.equals(read.get(entry.getKey()), entry.getValue())).count();
    System.out.println("{\"sent\":" + sent + ",\"delivered\":" + delivered.size() + ",\"left\":0,\"errors\":" + (errors.get() == 0 ? "[]" : "[\"" + errors.get() + " errors\"]") + ",\"lost\":" + lost + "}");
  }

  private static boolean isTold() throws IOException {
    return System.in.available() > 0;
  }
}
