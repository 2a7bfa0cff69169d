import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** An idempotent producer for suites/idempotence.mjs: arguments are address, topic, partitions, count; prints "partition number offset" for each acknowledgement. */
final class Idempotent {
  private Idempotent() {}

  public static void main(String[] args) {
    String topic = args[1];
    int partitions = Integer.parseInt(args[2]);
    int count = Integer.parseInt(args[3]);
    Queue<String> acknowledged = new ConcurrentLinkedQueue<>();
    Queue<Exception> errors = new ConcurrentLinkedQueue<>();
    // Idempotence is the default.
    Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", args[0], "batch.size", 200, "linger.ms", 1, "delivery.timeout.ms", 250_000, "request.timeout.ms", 10_000, "retry.backoff.ms", 20));
    settings.put("reconnect.backoff.ms", 10);
    settings.put("reconnect.backoff.max.ms", 100);
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (int n = 0; n < count; n++) {
        for (int partition = 0; partition < partitions; partition++) {
          String name = partition + " " + n + " ";
          producer.send(new ProducerRecord<>(topic, partition, null, Integer.toString(n).getBytes()), (metadata, problem) -> {
            if (problem == null) acknowledged.add(name + metadata.offset());
            else errors.add(problem);
          });
        }
      }
    }
    for (String line : acknowledged) System.out.println(line);
    if (errors.isEmpty()) return;
    System.err.println(errors.size() + " errors, first " + errors.peek());
    System.exit(1);
  }
}
