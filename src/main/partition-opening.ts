/**
 * Opens partitions in their shards. A shard may refuse (its journal is full and so is the disk): the partition is offline then and tried again until a shard
 * takes it, so that it comes back by itself once there is room. Main only.
 */
import type { PartitionState } from '../log/partition-state.ts';
import type { PartitionView } from './partition-view.ts';
import { partitionConfig, type ShardCalls } from './shard-calls.ts';

/** Between two tries. */
const RETRY_MS = 3000;

/** What opening needs of the topic lifecycle. */
export interface PartitionOpeningParts {
  readonly calls: ShardCalls;
  /** Something went wrong that no client is told of. */
  readonly onProblem: (text: string) => void;
  readonly later: (delayMs: number, run: () => void) => void;
  /** Runs alone among the operations on a topic. */
  readonly inTurn: (name: string, run: () => Promise<void>) => Promise<void>;
}

/** A partition that no shard has. */
export interface Unopened {
  readonly state: PartitionState;
  readonly recovered: boolean;
}

/** See the file header. */
export class PartitionOpening {
  private readonly parts: PartitionOpeningParts;
  private readonly refused = new Map<PartitionView, Unopened>();
  private isRetryDue = false;

  constructor(parts: PartitionOpeningParts) {
    this.parts = parts;
  }

  /** What was to be opened of a partition that its shard refused; undefined for any other. */
  unopened(view: PartitionView): Unopened | undefined {
    return this.refused.get(view);
  }

  /** Opens a partition in the shard of its view and makes the view online, or offline when the shard refuses. Returns why it does, or null. */
  async open(view: PartitionView, state: PartitionState, recovered: boolean): Promise<string | null> {
    const config = partitionConfig(view.topic.config);
    const { handle, leaderEpoch } = view;
    const { error } = await this.parts.calls.call(view.link, { kind: 'open', handle, state, config, leaderEpoch, recovered });
    const wasRefused = this.refused.delete(view);
    if (view.topic.deleted) return error;
    if (error === null) view.becomeState('online');
    else {
      if (!wasRefused) this.parts.onProblem(`partition ${view.topic.name}-${view.partition} is offline, and is tried again: ${error}`);
      this.refused.set(view, { state, recovered });
      view.becomeState('offline');
      this.retryLater();
    }
    return error;
  }

  private retryLater(): void {
    if (this.isRetryDue) return;
    this.isRetryDue = true;
    this.parts.later(RETRY_MS, () => {
      this.isRetryDue = false;
      for (const name of new Set([...this.refused.keys()].map((view) => view.topic.name)))
        void this.parts.inTurn(name, () => this.retry(name));
    });
  }

  private async retry(name: string): Promise<void> {
    const again: Promise<unknown>[] = [];
    for (const [view, { state, recovered }] of this.refused) {
      if (view.topic.deleted) this.refused.delete(view);
      else if (view.topic.name === name) again.push(this.open(view, state, recovered));
    }
    await Promise.all(again);
  }
}
