import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;

/** A member of a consumer group: prints "PARTITION OFFSET" of all it gets, leaves when its stdin ends. Arguments: broker, topic, group, class of the assignor. */
final class Member {
  private Member() {}

  public static void main(String[] args) {
    AtomicBoolean told = new AtomicBoolean();
    Thread watcher = new Thread(() -> untilStdinEnds(told));
    watcher.setDaemon(true);
    watcher.start();
    Object[] settings = {
      "group.id", args[2],
      "partition.assignment.strategy", args[3],
      "auto.offset.reset", "earliest",
      "auto.commit.interval.ms", 500,
      "session.timeout.ms", 6000,
      "heartbeat.interval.ms", 1000
    };
    try (Client client = new Client(args[0], "java-member"); KafkaConsumer<byte[], byte[]> consumer = client.consumer(settings)) {
      consumer.subscribe(List.of(args[1]));
      while (!told.get()) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) System.out.println(record.partition() + " " + record.offset());
      }
    }
  }

  private static void untilStdinEnds(AtomicBoolean told) {
    try {
      while (System.in.read() != -1) Thread.onSpinWait();
    } catch (IOException gone) {
      // The same as its end.
    }
    told.set(true);
  }
}
