import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.errors.UnknownMemberIdException;

/** Consumer groups, and what the admin client says of them and does to them. A group of three is in the suite itself, out of processes. */
final class GroupChecks {
  private static final int COUNT = 1000;
  private static final Duration SHORT = Duration.ofMillis(100);
  private static final long TIME_NS_MAX = Duration.ofSeconds(60).toNanos();

  private final Client client;

  GroupChecks(Client client) {
    this.client = client;
  }

  void run() {
    Checks.check("from-beginning", "a group: auto.offset.reset=earliest", this::fromBeginning);
    Checks.check("from-end", "a group: auto.offset.reset=latest sees only what comes later", this::fromEnd);
    Checks.check("seek", "a member of a group: back and forth in what it has", this::seek);
    Checks.check("group-commits", "synchronous, asynchronous, with metadata; read back; the next member resumes there", this::commits);
    Checks.check("group-pause", "what is paused does not come, for longer than a session, and goes on where it was", this::pause);
    Checks.check("static-members", "comes back in its session without a rebalance; a second of its name ends the first; removed by the admin client", this::staticMembers);
    Checks.check("cooperative", "CooperativeStickyAssignor: who keeps a partition does not lose it when another joins", this::cooperative);
    Checks.check("list-groups", "listed by state, described with members, assignment and assignor", this::listGroups);
    Checks.check("delete-groups", "not while it has members; then with all its offsets; a second time it is not there", this::deleteGroups);
    Checks.check("group-offsets", "altered and deleted where nobody is in the group, refused where somebody is", this::groupOffsets);
  }

  private String numbered(int partitions) throws Exception {
    String topic = client.topic(partitions, Map.of());
    for (int partition = 0; partition < partitions; partition++) client.produce(Client.numbered(topic, partition, COUNT, 0));
    return topic;
  }

  private KafkaConsumer<byte[], byte[]> member(String topic, String group, String reset, Object... settings) {
    List<Object> all = new ArrayList<>(List.of("group.id", group, "auto.offset.reset", reset, "enable.auto.commit", false));
    all.addAll(List.of("session.timeout.ms", 6000, "heartbeat.interval.ms", 1000));
    all.addAll(List.of(settings));
    KafkaConsumer<byte[], byte[]> consumer = client.consumer(all.toArray());
    consumer.subscribe(List.of(topic));
    return consumer;
  }

  private static void until(BooleanSupplier holds, Runnable step) {
    for (long end = System.nanoTime() + TIME_NS_MAX; !holds.getAsBoolean(); step.run()) {
      if (System.nanoTime() > end) throw new AssertionError("not in time");
    }
  }

  /** At least {@code count} of partition 0, whose numbers are the offsets. */
  private static List<Integer> take(KafkaConsumer<byte[], byte[]> consumer, int count) {
    List<Integer> got = new ArrayList<>();
    until(() -> got.size() >= count, () -> {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(SHORT)) got.add(Integer.valueOf(new String(record.value())));
    });
    return got;
  }

  private static List<Integer> range(int from, int to) {
    return IntStream.range(from, to).boxed().toList();
  }

  private static void untilAssigned(int partitions, List<KafkaConsumer<byte[], byte[]>> all) {
    until(
        () -> all.stream().noneMatch(each -> each.assignment().isEmpty()) && all.stream().mapToInt(each -> each.assignment().size()).sum() == partitions,
        () -> all.forEach(each -> each.poll(SHORT)));
  }

  private void fromBeginning() throws Exception {
    try (KafkaConsumer<byte[], byte[]> consumer = member(numbered(1), "java-begins", "earliest")) {
      Checks.same(range(0, COUNT), take(consumer, COUNT));
    }
  }

  private void fromEnd() throws Exception {
    String topic = numbered(1);
    try (KafkaConsumer<byte[], byte[]> consumer = member(topic, "java-ends", "latest")) {
      untilAssigned(1, List.of(consumer));
      Checks.same((long) COUNT, consumer.position(new TopicPartition(topic, 0)));
      client.produce(Client.numbered(topic, 0, 1, 0));
      Checks.same(List.of(0), take(consumer, 1));
    }
  }

  private void seek() throws Exception {
    String topic = numbered(1);
    try (KafkaConsumer<byte[], byte[]> consumer = member(topic, "java-seeks", "earliest")) {
      take(consumer, COUNT);
      for (int offset : new int[] {COUNT - 10, 3}) {
        consumer.seek(new TopicPartition(topic, 0), offset);
        Checks.same(range(offset, COUNT), take(consumer, COUNT - offset));
      }
    }
  }

  private void commits() throws Exception {
    String topic = numbered(1);
    TopicPartition place = new TopicPartition(topic, 0);
    try (KafkaConsumer<byte[], byte[]> first = member(topic, "java-commits", "earliest")) {
      take(first, 1);
      Checks.same(null, first.committed(Set.of(place)).get(place));
      OffsetAndMetadata commit = new OffsetAndMetadata(100, "a hundred");
      first.commitSync(Map.of(place, commit));
      Checks.same(commit, first.committed(Set.of(place)).get(place));
    }
    try (KafkaConsumer<byte[], byte[]> second = member(topic, "java-commits", "earliest")) {
      Checks.same(range(100, COUNT), take(second, COUNT - 100));
      List<Object> done = new ArrayList<>();
      second.commitAsync((offsets, problem) -> done.add(problem == null ? offsets.get(place).offset() : problem));
      until(() -> !done.isEmpty(), () -> second.poll(SHORT));
      Checks.same(List.of((long) COUNT), done);
    }
    Checks.same((long) COUNT, offsetsOf("java-commits").get(place).offset());
  }

  private void pause() throws Exception {
    String topic = numbered(1);
    try (KafkaConsumer<byte[], byte[]> consumer = member(topic, "java-pauses", "earliest", "max.poll.records", 100)) {
      int got = take(consumer, 1).size();
      consumer.pause(consumer.assignment());
      for (long end = System.nanoTime() + Duration.ofSeconds(8).toNanos(); System.nanoTime() < end;) Checks.same(0, consumer.poll(SHORT).count());
      consumer.resume(consumer.assignment());
      Checks.same(range(got, COUNT), take(consumer, COUNT - got));
    }
  }

  private void staticMembers() throws Exception {
    String topic = numbered(4);
    String group = "java-static";
    List<Integer> rebalances = new ArrayList<>();
    KafkaConsumer<byte[], byte[]> other = member(topic, group, "latest", "group.instance.id", "b", "session.timeout.ms", 30_000);
    other.subscribe(List.of(topic), new Counting(rebalances, new ArrayList<>()));
    KafkaConsumer<byte[], byte[]> one = member(topic, group, "latest", "group.instance.id", "a", "session.timeout.ms", 30_000);
    untilAssigned(4, List.of(one, other));
    Set<TopicPartition> before = new HashSet<>(one.assignment());
    int countBefore = rebalances.size();
    one.close();
    try (KafkaConsumer<byte[], byte[]> again = member(topic, group, "latest", "group.instance.id", "a", "session.timeout.ms", 30_000)) {
      untilAssigned(4, List.of(again, other));
      Checks.same(before, again.assignment());
      Checks.same(countBefore, rebalances.size());
      try (KafkaConsumer<byte[], byte[]> second = member(topic, group, "latest", "group.instance.id", "a", "session.timeout.ms", 30_000)) {
        Checks.fails(FencedInstanceIdException.class, () -> until(() -> false, () -> List.of(second, again, other).forEach(each -> each.poll(SHORT))));
      }
    }
    other.close();
    Checks.same(2, describe(group).members().size());
    client.admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("a")))).all().get();
    Checks.same(List.of("b"), describe(group).members().stream().map(each -> each.groupInstanceId().orElse("")).toList());
    client.admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions()).all().get();
    Checks.same(GroupState.EMPTY, describe(group).groupState());
  }

  private void cooperative() throws Exception {
    String topic = numbered(4);
    Object[] settings = {"partition.assignment.strategy", CooperativeStickyAssignor.class.getName()};
    List<Integer> revoked = new ArrayList<>();
    try (KafkaConsumer<byte[], byte[]> first = member(topic, "java-cooperative", "latest", settings)) {
      first.subscribe(List.of(topic), new Counting(new ArrayList<>(), revoked));
      untilAssigned(4, List.of(first));
      try (KafkaConsumer<byte[], byte[]> second = member(topic, "java-cooperative", "latest", settings)) {
        untilAssigned(4, List.of(first, second));
        Checks.same(List.of(2), revoked);
      }
    }
  }

  private ConsumerGroupDescription describe(String group) throws Exception {
    return client.admin.describeConsumerGroups(List.of(group)).all().get().get(group);
  }

  private List<String> listed(Set<GroupState> states) throws Exception {
    return client.admin.listGroups(new ListGroupsOptions().inGroupStates(states)).all().get().stream().map(GroupListing::groupId).toList();
  }

  private void listGroups() throws Exception {
    String topic = numbered(2);
    try (KafkaConsumer<byte[], byte[]> consumer = member(topic, "java-described", "latest", "client.id", "java-client")) {
      untilAssigned(2, List.of(consumer));
      Checks.require(listed(Set.of()).contains("java-described"), "not listed");
      Checks.require(listed(Set.of(GroupState.STABLE)).contains("java-described"), "not among the stable ones");
      Checks.require(!listed(Set.of(GroupState.EMPTY)).contains("java-described"), "among the empty ones");
      ConsumerGroupDescription described = describe("java-described");
      Checks.same(GroupState.STABLE, described.groupState());
      Checks.same("range", described.partitionAssignor());
      MemberDescription member = described.members().iterator().next();
      Checks.same("java-client", member.clientId());
      Checks.require(member.host().endsWith("127.0.0.1"), member.host());
      Checks.same(2, member.assignment().topicPartitions().size());
    }
    Checks.same(GroupState.EMPTY, describe("java-described").groupState());
    Checks.fails(GroupIdNotFoundException.class, () -> describe("java-no-group"));
  }

  private void deleteGroups() throws Exception {
    String topic = numbered(1);
    TopicPartition place = new TopicPartition(topic, 0);
    try (KafkaConsumer<byte[], byte[]> consumer = member(topic, "java-deleted", "earliest")) {
      take(consumer, 1);
      consumer.commitSync(Map.of(place, new OffsetAndMetadata(10)));
      Checks.fails(GroupNotEmptyException.class, () -> client.admin.deleteConsumerGroups(List.of("java-deleted")).all().get());
    }
    client.admin.deleteConsumerGroups(List.of("java-deleted")).all().get();
    Checks.fails(GroupIdNotFoundException.class, () -> client.admin.deleteConsumerGroups(List.of("java-deleted")).all().get());
    Checks.require(!listed(Set.of()).contains("java-deleted"), "still listed");
  }

  private Map<TopicPartition, OffsetAndMetadata> offsetsOf(String group) throws Exception {
    return client.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
  }

  private void alter(String group, TopicPartition place, long offset) throws Exception {
    client.admin.alterConsumerGroupOffsets(group, Map.of(place, new OffsetAndMetadata(offset))).all().get();
  }

  private void groupOffsets() throws Exception {
    String topic = numbered(2);
    TopicPartition place = new TopicPartition(topic, 0);
    String group = "java-altered";
    alter(group, place, 900);
    alter(group, new TopicPartition(topic, 1), COUNT);
    Checks.same(900L, offsetsOf(group).get(place).offset());
    try (KafkaConsumer<byte[], byte[]> consumer = member(topic, group, "earliest")) {
      Checks.same(range(900, COUNT), take(consumer, COUNT - 900));
      Checks.fails(UnknownMemberIdException.class, () -> alter(group, place, 5));
      Checks.fails(GroupSubscribedToTopicException.class, () -> client.admin.deleteConsumerGroupOffsets(group, Set.of(place)).all().get());
    }
    client.admin.deleteConsumerGroupOffsets(group, Set.of(place)).all().get();
    Checks.same(Set.of(new TopicPartition(topic, 1)), offsetsOf(group).keySet());
  }

  /** Counts what comes and what goes. */
  private record Counting(List<Integer> assigned, List<Integer> revoked) implements ConsumerRebalanceListener {
    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      assigned.add(partitions.size());
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      if (!partitions.isEmpty()) revoked.add(partitions.size());
    }
  }
}
