import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** The admin client: the cluster, topics and their settings. */
final class AdminChecks {
  private final Client client;

  AdminChecks(Client client) {
    this.client = client;
  }

  void run() {
    Checks.check("metadata", "describeCluster: the broker, the controller, the cluster id", this::cluster);
    Checks.check("create-topics", "with partitions and settings; twice is TopicExistsException; validateOnly makes nothing", this::create);
    Checks.check("create-topics", "what cannot be is refused by its own exception", this::refused);
    Checks.check("list-topics", "listTopics, describeTopics by name and by id", this::describe);
    Checks.check("unknown-topic", "describing an unknown topic: UnknownTopicOrPartitionException", this::unknown);
    Checks.check("delete-topics", "it is gone, and a new one of that name is another, and empty", this::delete);
    Checks.check("describe-configs", "all settings of a topic, with where each comes from", this::configs);
    Checks.check("describe-configs", "the settings of the broker", this::brokerConfigs);
    Checks.check("alter-configs", "set, delete; what is wrong is refused and changes nothing", this::alter);
    Checks.check("list-offsets", "earliest, latest, of a time, of the largest timestamp", this::offsets);
    Checks.check("list-offsets", "out of compressed batches: the record itself, whatever the codec", this::compressedOffsets);
    Checks.check("create-partitions", "more, which take records; not fewer; not of a topic that is not there", this::grow);
    Checks.check("log-dirs", "the folder, its room, the bytes of a partition", this::logDirs);
    Checks.check("delete-records", "below an offset, up to the end, beyond it", this::deleteRecords);
  }

  private void cluster() throws Exception {
    DescribeClusterResult cluster = client.admin.describeCluster();
    Collection<Node> nodes = cluster.nodes().get();
    Checks.same(1, nodes.size());
    Node node = nodes.iterator().next();
    Checks.same(client.bootstrap, node.host() + ":" + node.port());
    Checks.same(node.id(), cluster.controller().get().id());
    Checks.require(!cluster.clusterId().get().isEmpty(), "no cluster id");
  }

  private void make(String name, int partitions, int replicas, Map<String, String> settings) throws Exception {
    client.admin.createTopics(List.of(new NewTopic(name, partitions, (short) replicas).configs(settings))).all().get();
  }

  private void create() throws Exception {
    NewTopic made = new NewTopic("java-made", 5, (short) 1).configs(Map.of("segment.bytes", "2000000"));
    CreateTopicsResult result = client.admin.createTopics(List.of(made));
    Checks.same(5, result.numPartitions("java-made").get());
    Checks.require(!result.topicId("java-made").get().equals(Uuid.ZERO_UUID), "no topic id");
    Checks.same("2000000", result.config("java-made").get().get("segment.bytes").value());
    Checks.fails(TopicExistsException.class, () -> make("java-made", 1, 1, Map.of()));
    client.admin.createTopics(List.of(new NewTopic("java-not-made", 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get();
    Checks.require(!client.admin.listTopics().names().get().contains("java-not-made"), "validateOnly made it");
  }

  private void refused() {
    Checks.fails(InvalidTopicException.class, () -> make("bad name!", 1, 1, Map.of()));
    Checks.fails(InvalidPartitionsException.class, () -> make("java-zero", 0, 1, Map.of()));
    Checks.fails(InvalidReplicationFactorException.class, () -> make("java-replicas", 1, 3, Map.of()));
    Checks.fails(InvalidConfigurationException.class, () -> make("java-setting", 1, 1, Map.of("no.such.setting", "1")));
    Throwable problem = Checks.fails(InvalidConfigurationException.class, () -> make("java-value", 1, 1, Map.of("segment.bytes", "many")));
    Checks.require(problem.getMessage().contains("segment.bytes"), problem.getMessage());
  }

  private void describe() throws Exception {
    make("java-described", 3, 1, Map.of());
    Checks.require(client.admin.listTopics().names().get().contains("java-described"), "not listed");
    TopicDescription byName = client.admin.describeTopics(List.of("java-described")).allTopicNames().get().get("java-described");
    Checks.same(List.of(0, 1, 2), byName.partitions().stream().map(partition -> partition.partition()).toList());
    Checks.require(byName.partitions().stream().allMatch(partition -> partition.leader() != null && partition.isr().size() == 1), byName);
    Checks.require(!byName.isInternal(), "internal");
    var ids = org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(byName.topicId()));
    Checks.same("java-described", client.admin.describeTopics(ids).allTopicIds().get().get(byName.topicId()).name());
  }

  private void unknown() {
    Checks.fails(UnknownTopicOrPartitionException.class, () -> client.admin.describeTopics(List.of("java-nowhere")).allTopicNames().get());
  }

  private void delete() throws Exception {
    make("java-deleted", 1, 1, Map.of());
    Uuid before = idOf("java-deleted");
    client.produce(List.of(new ProducerRecord<>("java-deleted", "old".getBytes())));
    client.admin.deleteTopics(List.of("java-deleted")).all().get();
    Checks.require(!client.admin.listTopics().names().get().contains("java-deleted"), "still listed");
    Checks.fails(UnknownTopicOrPartitionException.class, () -> client.admin.deleteTopics(List.of("java-deleted")).all().get());
    make("java-deleted", 1, 1, Map.of());
    Checks.require(!idOf("java-deleted").equals(before), "the same id");
    Checks.same(0, client.read("java-deleted").size());
  }

  private Uuid idOf(String topic) throws Exception {
    return client.admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId();
  }

  private Config settingsOf(ConfigResource.Type type, String name) throws Exception {
    ConfigResource resource = new ConfigResource(type, name);
    return client.admin.describeConfigs(List.of(resource)).all().get().get(resource);
  }

  private void configs() throws Exception {
    make("java-settings", 1, 1, Map.of("max.message.bytes", "12345"));
    Config settings = settingsOf(ConfigResource.Type.TOPIC, "java-settings");
    Checks.same("12345", settings.get("max.message.bytes").value());
    Checks.same(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, settings.get("max.message.bytes").source());
    Checks.require(settings.get("segment.bytes").isDefault(), settings.get("segment.bytes"));
    Checks.same(ConfigEntry.ConfigType.INT, settings.get("segment.bytes").type());
    Checks.fails(UnknownTopicOrPartitionException.class, () -> settingsOf(ConfigResource.Type.TOPIC, "java-nowhere"));
  }

  private void brokerConfigs() throws Exception {
    String id = client.admin.describeCluster().nodes().get().iterator().next().idString();
    Config settings = settingsOf(ConfigResource.Type.BROKER, id);
    Checks.same(id, settings.get("node.id").value());
  }

  private void alter(String topic, String name, String value, OpType operation) throws Exception {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    client.admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(name, value), operation)))).all().get();
  }

  private void alter() throws Exception {
    make("java-altered", 1, 1, Map.of());
    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>("java-altered", new byte[6000]);
    alter("java-altered", "max.message.bytes", "5000", OpType.SET);
    Checks.same("5000", settingsOf(ConfigResource.Type.TOPIC, "java-altered").get("max.message.bytes").value());
    Checks.fails(RecordTooLargeException.class, () -> client.produce(List.of(record)));
    alter("java-altered", "max.message.bytes", null, OpType.DELETE);
    Checks.require(settingsOf(ConfigResource.Type.TOPIC, "java-altered").get("max.message.bytes").isDefault(), "not the default");
    client.produce(List.of(record));
    Throwable problem = Checks.fails(InvalidConfigurationException.class, () -> alter("java-altered", "no.such.setting", "1", OpType.SET));
    Checks.require(problem.getMessage().contains("no.such.setting"), problem.getMessage());
  }

  private void offsets() throws Exception {
    String topic = client.topic();
    long begin = 1_700_000_000_000L;
    List<Long> times = List.of(begin, begin + 1000, begin + 5000, begin + 3000);
    client.produce(times.stream().map(ms -> new ProducerRecord<byte[], byte[]>(topic, 0, ms, null, new byte[1])).toList());
    Checks.same(0L, ask(topic, OffsetSpec.earliest()));
    Checks.same(4L, ask(topic, OffsetSpec.latest()));
    Checks.same(1L, ask(topic, OffsetSpec.forTimestamp(begin + 1000)));
    Checks.same(-1L, ask(topic, OffsetSpec.forTimestamp(begin + 5001)));
    Checks.same(2L, ask(topic, OffsetSpec.maxTimestamp()));
  }

  private void compressedOffsets() throws Exception {
    long begin = 1_700_000_000_000L;
    for (String codec : List.of("gzip", "snappy", "lz4", "zstd")) {
      String topic = client.topic();
      List<ProducerRecord<byte[], byte[]>> records = IntStream.range(0, 100).mapToObj(i -> at(topic, begin + i * 10)).toList();
      client.produce(records, "compression.type", codec, "linger.ms", "500");
      Checks.same(37L, ask(topic, OffsetSpec.forTimestamp(begin + 361)));
      Checks.same(99L, ask(topic, OffsetSpec.maxTimestamp()));
    }
  }

  private static ProducerRecord<byte[], byte[]> at(String topic, long ms) {
    return new ProducerRecord<>(topic, 0, ms, null, new byte[50]);
  }

  private void grow() throws Exception {
    make("java-grows", 2, 1, Map.of());
    grow("java-grows", 5);
    TopicDescription grown = client.admin.describeTopics(List.of("java-grows")).allTopicNames().get().get("java-grows");
    Checks.same(5, grown.partitions().size());
    client.produce(List.of(new ProducerRecord<>("java-grows", 4, null, "new".getBytes())));
    Checks.fails(InvalidPartitionsException.class, () -> grow("java-grows", 3));
    Checks.fails(UnknownTopicOrPartitionException.class, () -> grow("java-nowhere", 3));
  }

  private void grow(String topic, int count) throws Exception {
    client.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(count))).all().get();
  }

  private void logDirs() throws Exception {
    String topic = client.topic();
    client.produce(List.of(new ProducerRecord<>(topic, 0, null, new byte[1000])));
    int broker = client.admin.describeCluster().nodes().get().iterator().next().id();
    Map<String, LogDirDescription> folders = client.admin.describeLogDirs(List.of(broker)).allDescriptions().get().get(broker);
    Checks.same(1, folders.size());
    LogDirDescription folder = folders.values().iterator().next();
    Checks.require(folder.error() == null && folder.usableBytes().getAsLong() > 0, folder);
    Checks.require(folder.replicaInfos().get(new TopicPartition(topic, 0)).size() > 1000, folder);
  }

  private void deleteRecords() throws Exception {
    String topic = client.topic();
    client.produce(Collections.nCopies(10, new ProducerRecord<byte[], byte[]>(topic, 0, null, new byte[1])));
    Checks.same(4L, deleteBelow(topic, 4));
    Checks.same(4L, ask(topic, OffsetSpec.earliest()));
    Checks.same(10L, deleteBelow(topic, -1));
    Checks.fails(OffsetOutOfRangeException.class, () -> deleteBelow(topic, 11));
  }

  private long deleteBelow(String topic, long offset) throws Exception {
    TopicPartition place = new TopicPartition(topic, 0);
    return client.admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(offset))).lowWatermarks().get(place).get().lowWatermark();
  }

  private long ask(String topic, OffsetSpec spec) throws Exception {
    TopicPartition place = new TopicPartition(topic, 0);
    return client.admin.listOffsets(Map.of(place, spec)).partitionResult(place).get().offset();
  }
}
