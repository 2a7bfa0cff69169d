/** Leader-epoch history: which leader wrote which part of a log (KIP-101, KIP-279). */
import type { EpochStart, PartitionState } from './partition-state.ts';

/** Notes that a batch of `epoch` begins at `offset`; epochs only rise. */
export function noteEpoch(epochs: EpochStart[], epoch: number, offset: number): void {
  const last = epochs[epochs.length - 1];
  if (last === undefined || last.epoch < epoch) epochs.push({ epoch, startOffset: offset });
}

/** Answer to "where does this epoch end in your log?". */
export interface EpochEnd {
  /** The largest epoch in the log that is at most the one asked for; −1 if there is none. */
  readonly epoch: number;
  /** One past its last offset; −1 if there is none. */
  readonly endOffset: number;
}

/**
 * End offset of the largest epoch at most `epoch`, as OffsetForLeaderEpoch answers it: a follower cuts its log there when that is below its own end.
 */
export function endOffsetForEpoch(state: Pick<PartitionState, 'epochs' | 'endOffset'>, epoch: number): EpochEnd {
  for (let i = state.epochs.length - 1; i >= 0; i--) {
    const found = state.epochs[i] as EpochStart;
    if (found.epoch <= epoch) return { epoch: found.epoch, endOffset: state.epochs[i + 1]?.startOffset ?? state.endOffset };
  }
  return { epoch: -1, endOffset: -1 };
}
