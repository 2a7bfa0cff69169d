/**
 * `ringlog group …` and `ringlog consume --group` as a person calls them. Against a broker of ours, or against another one whose address is in
 * TEST_BOOTSTRAP: they have to work with any.
 */
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { brokerWithCli, cli, commandsFor } from '../support/command-line.ts';
import { batchOf, KafkaClient } from '../support/kafka-client.ts';

/** A new group waits for more members, 3 s by default. */
const SETTINGS = { 'group.initial.rebalance.delay.ms': 0 };

interface Described {
  id: string;
  state: string;
  lag: number;
  members: { memberId: string; clientId: string; assigned: { topic: string; partitions: number[] }[] }[];
  offsets: { topic: string; partition: number; offset: number | null; end: number; lag: number; member: string | null }[];
}

let commands: ReturnType<typeof commandsFor>;
let names = 0;

beforeAll(async () => {
  const other = process.env['TEST_BOOTSTRAP'];
  const own = other === undefined ? await brokerWithCli(SETTINGS) : undefined;
  commands = own ?? commandsFor(other as string);
  return own?.stop;
});

const fresh = (): { topic: string; group: string } => {
  const name = `cli-${process.pid}-${names++}`;
  return { topic: `${name}-topic`, group: `${name}-group` };
};
const numbers = (from: number, to: number): string => Array.from({ length: to - from }, (_, n) => `${from + n}\n`).join('');
const describeGroup = async (group: string): Promise<Described> => (await commands.json<[Described]>(['group', 'describe', group]))[0];

describe('ringlog consume --group', () => {
  it('goes on where the group has come to, and commits what it printed', async () => {
    const { ok } = commands;
    const { topic, group } = fresh();
    await ok(['topic', 'create', topic]);
    await ok(['produce', topic], numbers(0, 10));
    expect(await ok(['consume', topic, '--group', group, '-n', '4'])).toBe(numbers(0, 4));
    expect(await ok(['consume', topic, '--group', group])).toBe(numbers(4, 10));
    expect(await ok(['consume', topic, '--group', group])).toBe('');
    await ok(['produce', topic], numbers(10, 12));
    const { state, lag, offsets } = await describeGroup(group);
    expect({ state, lag, offsets }).toEqual({
      state: 'empty',
      lag: 2,
      offsets: [{ topic, partition: 0, offset: 10, end: 12, lag: 2, member: null }],
    });
    expect(await ok(['consume', topic, '--group', group])).toBe(numbers(10, 12));
  });

  it('shows the times of the broker where the topic has those, and else those of the producer', async () => {
    const { bootstrap, ok } = commands;
    const client = await KafkaClient.connect(Number(bootstrap.split(':')[1]), bootstrap.split(':')[0]);
    onTestFinished(() => client.close());
    const read = async (type: string): Promise<string[]> => {
      const { topic, group } = fresh();
      await ok(['topic', 'create', topic, '--set', `message.timestamp.type=${type}`]);
      await client.produce(topic, 0, batchOf(['a', 'b'], 1_700_000_000_000));
      return Promise.all([['--group', group], []].map((words) => ok(['consume', topic, ...words, '--format', '%T %s;'])));
    };
    expect(await read('CreateTime')).toEqual(['1700000000000 a;1700000000000 b;', '1700000000000 a;1700000000000 b;']);
    const [inGroup, alone] = await read('LogAppendTime');
    expect(inGroup).toMatch(/^(?!1700000000000)([0-9]{13}) a;\1 b;$/);
    expect(inGroup).toBe(alone);
  });

  it('says what to do when the records after its place were deleted', async () => {
    const { bootstrap, ok, run } = commands;
    const client = await KafkaClient.connect(Number(bootstrap.split(':')[1]), bootstrap.split(':')[0]);
    onTestFinished(() => client.close());
    const { topic, group } = fresh();
    await ok(['topic', 'create', topic]);
    await ok(['produce', topic], numbers(0, 10));
    await ok(['consume', topic, '--group', group, '-n', '2']);
    expect((await client.deleteRecords(topic, 0, 6)).errorCode).toBe(0);
    const { code, stderr } = await run(['consume', topic, '--group', group]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ringlog: OFFSET_OUT_OF_RANGE: .*"ringlog group reset <group> --topic <topic> --to-beginning --execute".*\n$/);
    await ok(['group', 'reset', group, '--topic', topic, '--shift-by', '0', '--execute']);
    expect(await ok(['consume', topic, '--group', group])).toBe(numbers(6, 10));
  });

  it('follows as a member that others can see, and leaves the group at Ctrl-C', async () => {
    const { ok, start } = commands;
    const { topic, group } = fresh();
    await ok(['topic', 'create', topic, '-p', '3']);
    await ok(['produce', topic, '-p', '0'], 'one\n');
    const member = start(['consume', topic, '--group', group, '--follow']);
    await member.until('one\n');
    const { state, members } = await describeGroup(group);
    expect(state).toBe('stable');
    expect(members.map(({ clientId, assigned }) => [clientId, assigned])).toEqual([['ringlog-cli', [{ topic, partitions: [0, 1, 2] }]]]);
    // Committed while nothing else comes, and while it goes on: another member would not read it again.
    await expect
      .poll(async () => (await describeGroup(group)).offsets.find(({ partition }) => partition === 0)?.offset, { timeout: 60_000 })
      .toBe(1);
    const refused = await commands.run(['group', 'delete', group]);
    expect(refused).toMatchObject({ code: 1, stderr: 'ringlog: NON_EMPTY_GROUP: The group has members. Stop its consumers first.\n' });
    member.interrupt();
    expect(await member.ended).toMatchObject({ code: 0, stdout: 'one\n', stderr: '' });
    const after = await describeGroup(group);
    expect([after.state, after.members, after.offsets.map(({ partition, offset }) => [partition, offset])]).toEqual([
      'empty',
      [],
      [[0, 1]],
    ]);
  });
});

describe('ringlog group', () => {
  const filled = async (): Promise<{ topic: string; group: string }> => {
    const { ok } = commands;
    const both = fresh();
    await ok(['topic', 'create', both.topic, '-p', '2']);
    for (const partition of ['0', '1']) await ok(['produce', both.topic, '-p', partition], numbers(0, 10));
    await ok(['consume', both.topic, '--group', both.group]);
    return both;
  };
  const offsetsOf = async (group: string): Promise<(number | null)[]> => (await describeGroup(group)).offsets.map(({ offset }) => offset);

  it('lists and describes groups', async () => {
    const { topic, group } = await filled();
    expect(await commands.json(['group', 'list'])).toContainEqual({ id: group, state: 'empty', protocolType: 'consumer' });
    const text = await commands.ok(['group', 'describe', group]);
    expect(text).toMatch(new RegExp(`^${group}: empty, 0 members, lag 0`));
    expect(text).toMatch(new RegExp(`\n${topic} +0 +10 +10 +0 +-\n`));
  });

  it.for([
    [['--to-beginning'], [0, 0]],
    [['--to-end'], [10, 10]],
    [
      ['--to-offset', '4'],
      [4, 4],
    ],
    [
      ['--to-offset', '400'],
      [10, 10],
    ],
    [
      ['--shift-by', '-3'],
      [7, 7],
    ],
    [
      ['--to-time', '1d', '--partition', '1'],
      [10, 0],
    ],
  ] as const)('moves what was committed: %j', async ([args, expected]) => {
    const { topic, group } = await filled();
    const plan = await commands.ok(['group', 'reset', group, '--topic', topic, ...args]);
    expect(plan).toMatch(/Nothing was changed\. Give --execute to do it\.\n$/);
    expect(await offsetsOf(group)).toEqual([10, 10]);
    expect(await commands.ok(['group', 'reset', group, '--topic', topic, ...args, '--execute'])).toMatch(/\nMoved group .*\.\n$/);
    expect(await offsetsOf(group)).toEqual(expected);
  });

  it('deletes a group, or what it committed for a topic', async () => {
    const { topic, group } = await filled();
    await commands.ok(['group', 'delete', group, '--topic', topic]);
    expect(
      ((await commands.json<{ id: string }[]>(['group', 'list'])).map(({ id }) => id).includes(group) ? await offsetsOf(group) : []).length,
    ).toBe(0);
    const second = await filled();
    expect(await commands.ok(['group', 'delete', second.group])).toBe(`Deleted group ${second.group}.\n`);
    expect(await commands.run(['group', 'describe', second.group])).toMatchObject({
      code: 1,
      stderr: `ringlog: There is no group "${second.group}". "ringlog group list" shows what there is.\n`,
    });
  });

  it('is refused where nothing or too much is asked for', async () => {
    for (const args of [[], ['--to-end', '--to-beginning']]) {
      const { code, stderr } = await cli(['group', 'reset', 'g', ...args]);
      expect(stderr).toBe('ringlog: group reset: give one of --to-beginning, --to-end, --to-offset, --to-time and --shift-by.\n');
      expect(code).toBe(2);
    }
  });
});
