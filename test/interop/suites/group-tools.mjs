/** Kafka's console consumer as a member of a group, and kafka-consumer-groups. Part of the `console` suite. */

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { start } from '../lib/command.mjs';
import { checkCompacted } from '../lib/compacted-topic.mjs';
import { checkGroupOfThree } from '../lib/group-of-three.mjs';
import { kafkaTool, QUICK_START } from '../lib/kafka-tool.mjs';

const TOPIC = 'console-group-lines';
const GROUP = 'console-group';
const LINES = 100;
const TIME_MS_MAX = 60_000;

const lines = (count, from = 1) => Array.from({ length: count }, (_, index) => `line ${from + index}\n`).join('');

class Groups {
  constructor(console) {
    this.console = console;
  }

  must(...args) {
    return this.console.must('ConsumerGroupCommand', ...args);
  }

  /** What it says, also when it fails. */
  async say(...args) {
    const { stdout, stderr } = await this.console.tool('ConsumerGroupCommand', ...args)();
    return `${stdout}${stderr}`;
  }

  reset(...how) {
    return this.say('--group', GROUP, '--reset-offsets', '--topic', TOPIC, ...how);
  }

  /** The columns of a description, of each line below the heads. */
  async describe(group, ...args) {
    const said = await this.must('--describe', '--group', group, ...args);
    const [heads, ...rows] = said.split('\n').filter((line) => /^(GROUP|console-)/.test(line));
    const names = heads.trim().split(/\s{2,}|\s(?=[A-Z#])/);
    return rows.map((row) =>
      Object.fromEntries(
        row
          .trim()
          .split(/\s+/)
          .map((cell, index) => [names[index], cell]),
      ),
    );
  }
}

async function withMember(console, body) {
  const [command, args] = kafkaTool('ConsoleConsumer', '--bootstrap-server', console.broker.address, '--topic', TOPIC, '--group', GROUP);
  const { child, ended } = start(command, [...args, '--command-property', 'client.id=console-member'], { env: QUICK_START });
  try {
    await body();
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

async function checkConsumer(console) {
  const consume = (...args) => console.must('ConsoleConsumer', '--topic', TOPIC, '--group', GROUP, '--timeout-ms', '10000', ...args);
  await console.check('from-beginning', 'kafka-console-consumer --group --from-beginning', async () => {
    await console.produce(TOPIC, lines(LINES));
    assert.equal(await consume('--from-beginning', '--max-messages', String(LINES)), lines(LINES));
  });
  await console.check('group-commits', 'kafka-console-consumer --group: the next one goes on where that one stopped', async () => {
    await console.produce(TOPIC, lines(5, LINES + 1));
    assert.equal(await consume('--from-beginning', '--max-messages', '5'), lines(5, LINES + 1));
  });
  const settings = {
    'auto.offset.reset': 'earliest',
    'session.timeout.ms': 6000,
    'heartbeat.interval.ms': 1000,
    'auto.commit.interval.ms': 500,
  };
  const properties = Object.entries(settings).flatMap(([name, value]) => ['--command-property', `${name}=${value}`]);
  const format = ['print.partition', 'print.offset'].flatMap((name) => ['--formatter-property', `${name}=true`]);
  const shape = [...format, '--formatter-property', 'print.value=false'];
  const member = {
    command: 'java',
    args: (topic, group) =>
      kafkaTool(
        'ConsoleConsumer',
        '--bootstrap-server',
        console.broker.address,
        '--topic',
        topic,
        '--group',
        group,
        ...properties,
        ...shape,
      )[1],
    env: QUICK_START,
    byTerm: true,
  };
  await checkGroupOfThree(console.report, 'console', console.broker, member);
  await checkCompacted(console.report, 'console', console.broker, member);
}

async function checkGroupCommand(console) {
  const groups = new Groups(console);
  await console.check('list-groups', 'kafka-consumer-groups --list, --list --state; kafka-groups --list', async () => {
    assert.match(await groups.must('--list'), new RegExp(`^${GROUP}$`, 'm'));
    assert.match(await groups.must('--list', '--state', 'Empty'), new RegExp(`^${GROUP} +Empty`, 'm'));
    assert.doesNotMatch(await groups.must('--list', '--state', 'Stable'), new RegExp(`^${GROUP} `, 'm'));
    assert.match(await console.must('GroupsCommand', '--list'), new RegExp(`^${GROUP} +Classic +consumer`, 'm'));
  });
  await console.check('list-groups', '--describe with members: offsets and lag, members, state', async () => {
    await withMember(console, async () => {
      for (const endMs = Date.now() + TIME_MS_MAX; ; await sleep(200)) {
        if ((await groups.must('--describe', '--group', GROUP, '--state')).includes('Stable')) break;
        assert.ok(Date.now() < endMs, 'no member joined in time');
      }
      const [row] = await groups.describe(GROUP, '--offsets');
      const found = [row.TOPIC, row['CURRENT-OFFSET'], row['LOG-END-OFFSET'], row.LAG, row['CLIENT-ID']];
      assert.deepEqual(found, [TOPIC, String(LINES + 5), String(LINES + 5), '0', 'console-member']);
      assert.match(
        await groups.must('--describe', '--group', GROUP, '--members', '--verbose'),
        new RegExp(`/127\\.0\\.0\\.1 +console-member +1 .*${TOPIC}.*0`),
      );
      assert.match(await groups.must('--describe', '--group', GROUP, '--state'), / range +Stable +1/);
      assert.match(await groups.reset('--to-earliest', '--execute'), /inactive/);
      assert.match(await groups.say('--delete', '--group', GROUP), /GroupNotEmptyException/);
    });
  });
  await console.check('list-groups', '--describe of a group without members, and of none', async () => {
    await console.produce(TOPIC, lines(3));
    const [row] = await groups.describe(GROUP, '--offsets');
    assert.deepEqual([row['CURRENT-OFFSET'], row['LOG-END-OFFSET'], row.LAG], [String(LINES + 5), String(LINES + 8), '3']);
    assert.match(await groups.say('--describe', '--group', 'console-no-group'), /GroupIdNotFoundException|does not exist/);
  });
  await console.check(
    'group-offsets',
    '--reset-offsets: to earliest, to latest, to an offset, by a shift, by a time; a dry run changes nothing',
    async () => {
      const current = async () => (await groups.describe(GROUP, '--offsets'))[0]['CURRENT-OFFSET'];
      await groups.reset('--to-earliest', '--dry-run');
      assert.equal(await current(), String(LINES + 5));
      for (const [how, expected] of [
        [['--to-earliest'], 0],
        [['--to-offset', '42'], 42],
        [['--shift-by', '8'], 50],
        [['--shift-by', '-20'], 30],
        [['--to-latest'], LINES + 8],
        [['--to-datetime', '2020-01-01T00:00:00.000'], 0],
      ]) {
        assert.match(await groups.reset(...how, '--execute'), new RegExp(`${GROUP} +${TOPIC} +0 +${String(expected)}\\b`), how.join(' '));
        assert.equal(await current(), String(expected), how.join(' '));
      }
    },
  );
  await console.check('group-offsets', '--delete-offsets', async () => {
    assert.match(await groups.must('--delete-offsets', '--group', GROUP, '--topic', TOPIC), new RegExp(`${TOPIC} +0 +Successful`));
    assert.doesNotMatch(await groups.say('--describe', '--group', GROUP, '--offsets'), new RegExp(TOPIC));
  });
  await console.check('delete-groups', '--delete: it is gone; a second time it is not there', async () => {
    await groups.reset('--to-earliest', '--execute');
    assert.match(await groups.must('--delete', '--group', GROUP), /successful/);
    assert.doesNotMatch(await groups.must('--list'), new RegExp(`^${GROUP}$`, 'm'));
    assert.match(await groups.say('--delete', '--group', GROUP), /GroupIdNotFoundException|does not exist/);
  });
}

export async function checkGroupTools(console) {
  await checkConsumer(console);
  await checkGroupCommand(console);
  for (const feature of ['group-pause', 'static-members', 'cooperative']) console.report.cannot('console', feature, 'has no option for it');
}
