/** What `ringlog consume --group` tells its group, by a member of the library that answers when the test says so. */
import { describe, expect, it } from 'vitest';
import type { KafkaClient } from '../../../src/cli/kafka/client.ts';
import { Membership } from '../../../src/cli/kafka/groups.ts';
import type { IncomingRecord } from '../../../src/cli/kafka/types.ts';

interface Commit {
  readonly offsets: readonly string[];
  readonly finish: (error?: Error) => void;
}

function start(): { member: Membership; commits: Commit[] } {
  const commits: Commit[] = [];
  const library = {
    assignments: [{ topic: 't', partitions: [0, 1] }],
    commit: ({ offsets }: { offsets: { partition: number; offset: bigint }[] }) =>
      new Promise<void>((resolve, reject) => {
        const finish = (error?: Error): void => (error === undefined ? resolve() : reject(error));
        commits.push({ offsets: offsets.map(({ partition, offset }) => `${partition}:${offset}`), finish });
      }),
    close: () => Promise.resolve(),
  };
  const client = { bootstrap: ['127.0.0.1:9092'], newMember: () => library } as unknown as KafkaClient;
  const options = { groupId: 'g', topic: 't', otherwise: 'earliest', to: undefined, signal: new AbortController().signal } as const;
  return { member: new Membership(client, options), commits };
}

const record = (partition: number, offset: number) => ({ partition, offset }) as IncomingRecord;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('commits of a member', () => {
  it('the last one waits for one that is under way', async () => {
    const { member, commits } = start();
    member.onDone(record(0, 4));
    const first = member.commit();
    await turn();
    let isOver = false;
    const last = member.commit().then(() => (isOver = true));
    await turn();
    expect([commits.length, isOver]).toEqual([1, false]);
    commits[0]!.finish();
    await Promise.all([first, last]);
    expect(commits.map(({ offsets }) => offsets)).toEqual([['0:5']]);
  });

  it('what one could not tell is told by the next, unless more was dealt with since', async () => {
    const { member, commits } = start();
    member.onDone(record(0, 4));
    member.onDone(record(1, 7));
    const first = member.commit();
    await turn();
    member.onDone(record(1, 8));
    commits[0]!.finish(new Error('the disk is full'));
    await expect(first).rejects.toThrow(/disk is full/);
    const last = member.commit();
    await turn();
    expect(commits[1]!.offsets.toSorted()).toEqual(['0:5', '1:9']);
    commits[1]!.finish();
    await last;
    await member.commit();
    expect(commits.length).toBe(2);
  });

  it('however often it is asked meanwhile, one waits behind the one that is under way', async () => {
    const { member, commits } = start();
    member.onDone(record(0, 4));
    const first = member.commit();
    await turn();
    const asked = Array.from({ length: 100 }, () => member.commit());
    member.onDone(record(0, 9));
    commits[0]!.finish(new Error('a timeout'));
    await expect(first).rejects.toThrow(/a timeout/);
    await turn();
    commits[1]!.finish(new Error('a timeout'));
    for (const failed of await Promise.allSettled(asked)) expect(failed.status).toBe('rejected');
    expect(commits.map(({ offsets }) => offsets)).toEqual([['0:5'], ['0:10']]);
  });

  it('and fails if that fails, too', async () => {
    const { member, commits } = start();
    member.onDone(record(0, 4));
    for (let n = 0; n < 2; n++) {
      const failing = member.commit();
      await turn();
      commits[n]!.finish(new Error('the disk is full'));
      await expect(failing).rejects.toThrow(/disk is full/);
    }
  });
});
