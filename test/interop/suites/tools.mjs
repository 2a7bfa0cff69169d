/** What Kafka's administrative tools ask of a broker, beyond the life of a topic. Part of the `console` suite. */

import assert from 'node:assert/strict';
import { must } from '../lib/command.mjs';
import { kafkaTool, QUICK_START } from '../lib/kafka-tool.mjs';

/** APIs that the tools below rely on, in the highest version of Kafka 4.2. */
const SERVED = {
  Produce: 13,
  Fetch: 18,
  ListOffsets: 11,
  Metadata: 13,
  OffsetCommit: 10,
  OffsetFetch: 10,
  FindCoordinator: 6,
  JoinGroup: 9,
  Heartbeat: 4,
  LeaveGroup: 5,
  SyncGroup: 5,
  DescribeGroups: 6,
  ListGroups: 5,
  DeleteRecords: 2,
  OffsetForLeaderEpoch: 4,
  DescribeConfigs: 4,
  AlterConfigs: 2,
  DescribeLogDirs: 4,
  CreatePartitions: 3,
  IncrementalAlterConfigs: 1,
  ListPartitionReassignments: 0,
  DeleteGroups: 2,
  OffsetDelete: 0,
  DescribeCluster: 2,
  ListConfigResources: 1,
  DescribeTopicPartitions: 0,
};

async function checkPartitions(console) {
  const topic = 'tools-grows';
  await console.check('create-partitions', 'kafka-topics --alter --partitions: more, not fewer, nowhere', async () => {
    await console.must('TopicCommand', '--create', '--topic', topic, '--partitions', '2');
    await console.must('TopicCommand', '--alter', '--topic', topic, '--partitions', '5');
    assert.match(await console.must('TopicCommand', '--describe', '--topic', topic), /PartitionCount: 5\t/);
    const fewer = await console.tool('TopicCommand', '--alter', '--topic', topic, '--partitions', '3')();
    assert.match(`${fewer.stdout}${fewer.stderr}`, /InvalidPartitionsException/);
    const nowhere = await console.tool('TopicCommand', '--alter', '--topic', 'tools-nowhere', '--partitions', '3')();
    assert.match(`${nowhere.stdout}${nowhere.stderr}`, /does not exist/);
  });
  await console.check('create-partitions', 'a new partition takes records and gives them back', async () => {
    await console.produce(topic, 'one\ntwo\n'.repeat(20), '--command-property', 'batch.size=0');
    const ends = (await console.must('GetOffsetShell', '--topic', topic)).trim().split('\n');
    assert.equal(ends.length, 5);
    assert.equal(
      ends.map((line) => Number(line.split(':')[2])).reduce((sum, count) => sum + count),
      40,
    );
  });
  await console.check('list-topics', 'kafka-topics --describe of all, of those under way, of what is missing', async () => {
    assert.match(await console.must('TopicCommand', '--describe'), /Topic: tools-grows\t/);
    assert.equal((await console.must('TopicCommand', '--describe', '--under-replicated-partitions')).trim(), '');
    assert.equal((await console.must('TopicCommand', '--describe', '--unavailable-partitions')).trim(), '');
  });
}

async function checkOffsets(console) {
  const topic = 'tools-times';
  await console.check('list-offsets', 'kafka-get-offsets with every special time there is', async () => {
    await console.produce(topic, 'a\nb\nc\n', '--compression-codec', 'zstd');
    const at = async (time) => (await console.must('GetOffsetShell', '--topic', topic, '--time', time)).trim();
    assert.equal(await at('latest'), `${topic}:0:3`);
    assert.equal(await at('earliest'), `${topic}:0:0`);
    assert.equal(await at('earliest-local'), `${topic}:0:0`);
    assert.match(await at('max-timestamp'), new RegExp(`^${topic}:0:[012]$`));
    assert.equal(await at('1'), `${topic}:0:0`);
    // Nothing is tiered.
    assert.match(await at('latest-tiered'), new RegExp(`^(${topic}:0:(-1)?)?$`));
    assert.match(await at('earliest-pending-upload'), new RegExp(`^(${topic}:0:(-1)?)?$`));
  });
}

async function checkConfigs(console) {
  await console.check('describe-configs', 'kafka-configs --describe of the broker, of its logger, of all brokers', async () => {
    const broker = ['--entity-type', 'brokers', '--describe'];
    assert.match(await console.must('ConfigCommand', ...broker, '--entity-name', '1', '--all'), /node\.id=1 sensitive=false/);
    await console.must('ConfigCommand', ...broker, '--entity-default');
    const logger = ['--entity-type', 'broker-loggers', '--entity-name', '1', '--describe'];
    assert.match(await console.must('ConfigCommand', ...logger), /root=(TRACE|DEBUG|INFO|WARN|ERROR|FATAL|OFF)/);
  });
  await console.check(
    'describe-configs',
    'kafka-configs --describe of topics, client metrics and groups, none of which is named',
    async () => {
      assert.match(
        await console.must('ConfigCommand', '--entity-type', 'topics', '--describe'),
        /Dynamic configs for topic tools-grows are/,
      );
      await console.must('ConfigCommand', '--entity-type', 'client-metrics', '--describe');
    },
  );
  await console.check('describe-configs', 'kafka-configs --describe of a group: the defaults', async () => {
    const group = ['--entity-type', 'groups', '--entity-name', 'tools-group', '--describe', '--all'];
    assert.match(await console.must('ConfigCommand', ...group), /consumer\.session\.timeout\.ms=45000/);
  });
  await console.check('alter-configs', 'kafka-configs --alter of what cannot be is refused clearly', async () => {
    const about = ['--entity-type', 'topics', '--entity-name', 'tools-grows', '--alter', '--add-config'];
    const compression = await console.tool('ConfigCommand', ...about, 'compression.type=nonsense')();
    assert.match(`${compression.stdout}${compression.stderr}`, /InvalidConfigurationException/);
    await console.must('ConfigCommand', ...about, 'min.insync.replicas=2');
    // One broker: all the replicas there are, as Kafka counts them.
    await console.produce('tools-grows', 'still\n', '--command-property', 'acks=all');
  });
}

async function checkBroker(console) {
  await console.check('log-dirs', 'kafka-log-dirs --describe: of all, of one topic', async () => {
    const report = async (...args) =>
      JSON.parse((await console.must('LogDirsCommand', '--describe', ...args)).split('\n').find((line) => line.startsWith('{')));
    const all = await report();
    assert.equal(all.brokers.length, 1);
    assert.equal(all.brokers[0].logDirs[0].error, null);
    const names = (found) => found.brokers[0].logDirs[0].partitions.map(({ partition }) => partition);
    assert.ok(names(all).includes('tools-grows-4'), names(all).join());
    const one = await report('--topic-list', 'tools-times', '--broker-list', '1');
    assert.deepEqual(names(one), ['tools-times-0']);
    assert.ok(one.brokers[0].logDirs[0].partitions[0].size > 60);
  });
  await console.check('api-versions', 'kafka-broker-api-versions: all that is served, at the versions of Kafka 4.2', async () => {
    const said = await console.must('BrokerApiVersionsCommand');
    for (const [name, version] of Object.entries(SERVED)) {
      const [, highest] = new RegExp(`\\b${name}\\(\\d+\\): (?:\\d+ to )?(\\d+) \\[usable`).exec(said) ?? [];
      assert.ok(Number(highest) >= version, `${name}: ${highest}`);
    }
  });
  await console.check('metadata', 'kafka-cluster cluster-id, list-endpoints', async () => {
    // Its verb comes before everything else.
    const cluster = async (verb) => {
      const [command, args] = kafkaTool('ClusterTool', verb, '--bootstrap-server', console.broker.address);
      return (await must(command, args, { env: QUICK_START })).stdout.toString();
    };
    assert.match(await cluster('cluster-id'), /Cluster ID: \S{22}/);
    assert.match(await cluster('list-endpoints'), /127\.0\.0\.1/);
  });
}

export async function checkTools(console) {
  await checkPartitions(console);
  await checkOffsets(console);
  await checkConfigs(console);
  await checkBroker(console);
}
