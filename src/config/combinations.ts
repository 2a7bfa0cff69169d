/** Rules over several broker settings: each would otherwise show only later, as a broker that stands still. */
import { ConfigError } from './errors.ts';
import type { ConfiguredValue } from './layers.ts';

/** What is held against each other, as the broker's configuration has it. */
export interface CombinedSettings {
  readonly groupSessionTimeoutMsMin: number;
  readonly groupSessionTimeoutMsMax: number;
  readonly socketRequestBytesMax: number;
  readonly journalFileBytes: number;
  readonly journalBytesMax: number;
  readonly checkpointIntervalBytes: number;
  readonly referenceBytesMin: number;
  readonly groupBatchesMax: number;
}

/** An append's entry in the journal; a group has one for each batch. */
const JOURNAL_ENTRY_BYTES = 72;

/** Throws {@link ConfigError}, with what was set where. */
export function checkTogether(config: CombinedSettings, values: ReadonlyMap<string, ConfiguredValue>): void {
  const must = (holds: boolean, less: string, more: string, why: string): void => {
    if (holds) return;
    throw new ConfigError(`${less} (${shownWithPlace(values, less)}) must be at most ${more} (${shownWithPlace(values, more)}): ${why}.`);
  };
  must(
    config.groupSessionTimeoutMsMin <= config.groupSessionTimeoutMsMax,
    'group.min.session.timeout.ms',
    'group.max.session.timeout.ms',
    'no member could join a group',
  );
  const largestBatch = values.get('message.max.bytes')!.value as number;
  must(largestBatch <= config.socketRequestBytesMax, 'message.max.bytes', 'socket.request.max.bytes', 'a larger batch could never arrive');
  must(
    2 * config.journalFileBytes <= config.journalBytesMax,
    'ringlog.journal.file.bytes',
    'ringlog.journal.bytes',
    'a journal needs two files or more',
  );
  must(
    config.checkpointIntervalBytes <= config.journalBytesMax,
    'ringlog.checkpoint.interval.bytes',
    'ringlog.journal.bytes',
    'the journal would be full before a checkpoint is due',
  );
  // What a group needs in the journal beside the batches it gathers (JournalWriter.overhead) must leave most of a file to those.
  const overhead = config.referenceBytesMin + JOURNAL_ENTRY_BYTES * config.groupBatchesMax;
  if (overhead > config.journalFileBytes / 4) {
    throw new ConfigError(
      `ringlog.journal.file.bytes (${config.journalFileBytes}) is too small: ringlog.reference.bytes.min (${config.referenceBytesMin}) and ` +
        `${JOURNAL_ENTRY_BYTES} bytes for each of ringlog.group.batches.max (${config.groupBatchesMax}) must together fit in a quarter of it.`,
    );
  }
}

/** The value, and who set it, if somebody did. */
function shownWithPlace(values: ReadonlyMap<string, ConfiguredValue>, name: string): string {
  const { text, place } = values.get(name)!;
  return place === '' ? text : `${text} by ${place}`;
}
