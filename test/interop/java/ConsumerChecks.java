import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.TopicPartition;

/** Consuming by assign: where to begin, seek, times, the ends of a partition. */
final class ConsumerChecks {
  private static final long BEGIN_MS = 1_700_000_000_000L;
  private static final int COUNT = 1000;

  private final Client client;

  ConsumerChecks(Client client) {
    this.client = client;
  }

  void run() {
    Checks.check("from-beginning", "seekToBeginning", this::fromBeginning);
    Checks.check("from-end", "seekToEnd sees only what comes later, at once", this::fromEnd);
    Checks.check("from-offset", "an offset in the middle of a batch, and the end itself", this::fromOffset);
    Checks.check("from-offset", "out of range: an error, or what auto.offset.reset says", this::outOfRange);
    Checks.check("from-tail", "the last 7: end offset minus 7", this::fromTail);
    Checks.check("from-timestamp", "offsetsForTimes: first at or after, before all, after all", this::forTimes);
    Checks.check("seek", "back and forth", this::seek);
    Checks.check("seek", "pause and resume; several partitions in one consumer", this::pause);
    Checks.check("watermarks", "beginningOffsets, endOffsets, currentLag", this::watermarks);
    Checks.check("partitions", "partitionsFor, listTopics", this::partitionsFor);
  }

  private TopicPartition numbered() throws Exception {
    TopicPartition place = new TopicPartition(client.topic(), 0);
    client.produce(Client.numbered(place.topic(), 0, COUNT, BEGIN_MS), "batch.size", 4000);
    return place;
  }

  private static List<Integer> range(int from) {
    return IntStream.range(from, COUNT).boxed().toList();
  }

  private void fromBeginning() throws Exception {
    TopicPartition place = numbered();
    try (KafkaConsumer<byte[], byte[]> consumer = client.consumer()) {
      consumer.assign(List.of(place));
      consumer.seekToBeginning(List.of(place));
      Checks.same(range(0), Client.numbers(Client.readToEnd(consumer, place)));
    }
  }

  private void fromEnd() throws Exception {
    TopicPartition place = numbered();
    try (KafkaConsumer<byte[], byte[]> consumer = client.consumer("fetch.max.wait.ms", 60_000, "request.timeout.ms", 90_000)) {
      consumer.assign(List.of(place));
      consumer.seekToEnd(List.of(place));
      Checks.same((long) COUNT, consumer.position(place));
      Checks.require(consumer.poll(Duration.ofMillis(300)).isEmpty(), "something from before");
      client.produce(Client.numbered(place.topic(), 0, 1, BEGIN_MS));
      long sentAt = System.nanoTime();
      ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofSeconds(60));
      Checks.same(1, records.count());
      Checks.same((long) COUNT, records.iterator().next().offset());
      Checks.require(System.nanoTime() - sentAt < 30_000_000_000L, "a waiting fetch was not answered before its time was up");
    }
  }

  private void fromOffset() throws Exception {
    TopicPartition place = numbered();
    for (int offset : new int[] {0, 1, 537, COUNT - 1, COUNT}) Checks.same(range(offset), Client.numbers(client.read(place.topic(), 0, offset)));
  }

  private void outOfRange() throws Exception {
    TopicPartition place = numbered();
    for (String reset : List.of("none", "earliest")) {
      try (KafkaConsumer<byte[], byte[]> consumer = client.consumer("auto.offset.reset", reset)) {
        consumer.assign(List.of(place));
        consumer.seek(place, COUNT + 5);
        if (reset.equals("none")) {
          Checks.fails(OffsetOutOfRangeException.class, () -> consumer.poll(Duration.ofSeconds(20)));
          continue;
        }
        while (consumer.position(place) > COUNT) consumer.poll(Duration.ofMillis(100));
        consumer.seekToBeginning(List.of(place));
        Checks.same(range(0), Client.numbers(Client.readToEnd(consumer, place)));
      }
    }
  }

  private void fromTail() throws Exception {
    TopicPartition place = numbered();
    try (KafkaConsumer<byte[], byte[]> consumer = client.consumer()) {
      consumer.assign(List.of(place));
      consumer.seek(place, consumer.endOffsets(List.of(place)).get(place) - 7);
      Checks.same(range(COUNT - 7), Client.numbers(Client.readToEnd(consumer, place)));
    }
  }

  private void forTimes() throws Exception {
    TopicPartition place = numbered();
    try (KafkaConsumer<byte[], byte[]> consumer = client.consumer()) {
      long[][] asked = {{0, 0}, {BEGIN_MS, 0}, {BEGIN_MS + 1, 1}, {BEGIN_MS + 5000, 500}, {BEGIN_MS + 10L * (COUNT - 1), COUNT - 1}};
      for (long[] ask : asked) {
        OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(place, ask[0])).get(place);
        Checks.same(ask[1], found.offset());
        Checks.same(BEGIN_MS + 10 * ask[1], found.timestamp());
      }
      Checks.same(null, consumer.offsetsForTimes(Map.of(place, BEGIN_MS + 10L * COUNT)).get(place));
    }
  }

  private void seek() throws Exception {
    TopicPartition place = numbered();
    try (KafkaConsumer<byte[], byte[]> consumer = client.consumer()) {
      consumer.assign(List.of(place));
      Checks.fails(NoOffsetForPartitionException.class, () -> consumer.poll(Duration.ofSeconds(10)));
      for (int offset : new int[] {COUNT - 10, 3, 500, 0}) {
        consumer.seek(place, offset);
        Checks.same(range(offset), Client.numbers(Client.readToEnd(consumer, place)));
      }
    }
  }

  private void pause() throws Exception {
    String topic = client.topic(3, Map.of());
    for (int partition = 0; partition < 3; partition++) client.produce(Client.numbered(topic, partition, COUNT, BEGIN_MS), "batch.size", 4000);
    List<TopicPartition> places = IntStream.range(0, 3).mapToObj(partition -> new TopicPartition(topic, partition)).toList();
    try (KafkaConsumer<byte[], byte[]> consumer = client.consumer()) {
      consumer.assign(places);
      consumer.seekToBeginning(places);
      consumer.pause(List.of(places.get(1)));
      int[] counts = new int[3];
      long until = System.nanoTime() + 120_000_000_000L;
      while (counts[0] + counts[2] < 2 * COUNT && System.nanoTime() < until) consumer.poll(Duration.ofMillis(100)).forEach(record -> counts[record.partition()]++);
      Checks.same("1000 0 1000", counts[0] + " " + counts[1] + " " + counts[2]);
      consumer.resume(places);
      while (counts[1] < COUNT && System.nanoTime() < until) consumer.poll(Duration.ofMillis(100)).forEach(record -> counts[record.partition()]++);
      Checks.same("1000 1000 1000", counts[0] + " " + counts[1] + " " + counts[2]);
    }
  }

  private void watermarks() throws Exception {
    TopicPartition place = numbered();
    try (KafkaConsumer<byte[], byte[]> consumer = client.consumer("max.poll.records", 100)) {
      Checks.same(Map.of(place, 0L), consumer.beginningOffsets(List.of(place)));
      Checks.same(Map.of(place, (long) COUNT), consumer.endOffsets(List.of(place)));
      consumer.assign(List.of(place));
      consumer.seekToBeginning(List.of(place));
      while (consumer.poll(Duration.ofMillis(100)).isEmpty()) Thread.onSpinWait();
      Checks.same((long) COUNT - 100, consumer.currentLag(place).getAsLong());
    }
  }

  private void partitionsFor() throws Exception {
    String topic = client.topic(3, Map.of());
    try (KafkaConsumer<byte[], byte[]> consumer = client.consumer()) {
      Checks.same(3, consumer.partitionsFor(topic).size());
      Checks.same(3, consumer.listTopics().get(topic).size());
    }
  }
}
