/** As planted.test.ts, for idempotent producers: each bug that would lose or repeat a batch, or forget or invent what is known of a producer, is seen by some seed. */
import { afterEach, test, vi } from 'vitest';
import { NO_PRODUCERS, ProducerTable } from '../../src/log/producer-table.ts';
import { ProducerHistory } from '../../src/log/producer-history.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { CompletionFlag } from '../../src/ring/completion.ts';
import { ShardPartition } from '../../src/shard/partition.ts';
import { Producers } from '../../src/shard/producers.ts';
import { Retention } from '../../src/shard/retention.ts';
import { Shard } from '../../src/shard/shard.ts';
import { expectCaught, replace, type Planted } from './planting.ts';

const STATE = /batches are remembered|remembered is|have nothing in the log/;

const BUGS: readonly Planted[] = [
  {
    bug: 'producers are lost at a checkpoint',
    plant: () => replace(ShardPartition, 'snapshot', (original) => ({ ...original(), producers: NO_PRODUCERS })),
    says: STATE,
  },
  {
    bug: 'recovery forgets what was appended since the checkpoint',
    plant: () => replace(ProducerHistory, 'append', () => undefined),
    says: STATE,
  },
  {
    bug: 'what recovery cuts off as a torn tail is remembered',
    plant: () => replace(ProducerHistory, 'drop', () => undefined),
    says: STATE,
  },
  {
    bug: 'a batch that was refused is remembered',
    plant: () =>
      replace(ProducerTable, 'rollback', function (this: any) {
        this.commit();
      }),
    says: /answered as appended before at \d+, where it is not|was given out twice|batches are remembered|remembered is|have nothing in the log|is gone/,
  },
  {
    bug: 'a batch that was repeated is acknowledged before the first one is durable',
    plant: () => {
      const early = new Set<number>();
      replace(Shard, 'publish', (original, i, flags) => (early.delete(i) ? undefined : original(i, flags)));
      replace(Shard, 'writeJournal', function (this: any, original, nowMs) {
        const { group } = this;
        if (this.replies.length === 0)
          for (let i = 0; i < group.count; i++) {
            if (group.errorCode[i] !== ErrorCode.DUPLICATE_SEQUENCE_NUMBER) continue;
            this.publish(i, CompletionFlag.answer | CompletionFlag.released);
            early.add(i);
          }
        original(nowMs);
      });
    },
    says: /where it is not/,
  },
  {
    bug: 'a batch that was repeated succeeds although the first one in its group was refused',
    plant: () => replace(Shard, 'refuseDuplicates', () => undefined),
    says: /where it is not/,
  },
  {
    bug: 'a truncation leaves what is known of producers as it was',
    plant: () => replace(Producers, 'replace', () => undefined),
    says: /batches are remembered|remembered is|have nothing in the log|where it is not/,
  },
  {
    bug: 'a replayed truncation leaves what is known of producers as it was',
    plant: () => replace(ProducerHistory, 'truncate', () => undefined),
    says: STATE,
  },
  {
    bug: 'retention takes the producers of the records along',
    plant: () =>
      replace(Retention, 'moveLogStart', (original, partition, offset, firstSegment) => {
        for (const { id, batches } of partition.producers.all())
          if (batches.at(-1).baseOffset < offset) partition.producers.remove(partition.producers.find(id));
        return original(partition, offset, firstSegment);
      }),
    says: /batches are remembered|remembered is|is not known any more|leaves a gap|was acknowledged at \d+ and now at/,
  },
  {
    bug: 'only the last batch of a producer is known again',
    plant: () =>
      replace(ProducerTable, 'judge', function (this: any, original, ...args) {
        const code = original(...args);
        const newest = this.all()
          .find(({ id }: { id: number }) => id === args[0])
          ?.batches.at(-1)?.baseOffset;
        return code === ErrorCode.DUPLICATE_SEQUENCE_NUMBER && this.duplicateOffset !== newest
          ? ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
          : code;
      }),
    says: /is not known any more/,
  },
  {
    bug: 'repeated batches are appended',
    plant: () =>
      replace(ProducerTable, 'judge', (original, ...args) => {
        const code = original(...args);
        return code === ErrorCode.DUPLICATE_SEQUENCE_NUMBER ? ErrorCode.NONE : code;
      }),
    says: /stands twice|stands behind|was acknowledged at \d+ and now at|remembered is|batches are remembered/,
  },
  {
    bug: 'gaps and old epochs are accepted',
    plant: () =>
      replace(ProducerTable, 'judge', (original, ...args) => {
        const code = original(...args);
        return code === ErrorCode.DUPLICATE_SEQUENCE_NUMBER ? code : ErrorCode.NONE;
      }),
    // What came too early counts as the last one, and what should have come before it is refused or stands twice.
    says: /leaves a gap or is of an old epoch|stands behind|is not known any more|was acknowledged at \d+ and now at/,
  },
];

afterEach(() => void vi.restoreAllMocks());

test.for(BUGS)('caught: $bug', (planted) => expectCaught(planted));
