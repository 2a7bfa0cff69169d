/**
 * Main's turn: after the socket callbacks of one poll (setImmediate) or when a shard rings, whatever is due is done once for all connections:
 * completions → outcomes of main's own appends → answers, one write per connection → those who wait for rings, slots or memory → new work published. Main only.
 */
import type { Completions } from './completions.ts';
import type { InternalAppends } from './internal-appends.ts';
import type { PendingTable } from './produce.ts';
import type { ReceiveRegions } from './regions.ts';
import type { RequestMetrics } from './request-metrics.ts';
import type { ShardLink } from './shard-link.ts';

/** Rounds of one turn before sockets get theirs: serving those who wait may answer requests at once, which are written in the next round. */
const ROUNDS_MAX = 4;

/** A connection with answers to write. */
export interface DirtyConnection {
  dirty: boolean;
  flush(): void;
}

/** See the file header. */
export class Cycle {
  private readonly links: readonly ShardLink[];
  private readonly completions: Completions;
  private readonly pending: PendingTable;
  private readonly regions: ReceiveRegions;
  private readonly own: InternalAppends;
  private readonly metrics: RequestMetrics;
  private dirty: DirtyConnection[] = [];
  private spare: DirtyConnection[] = [];
  private scheduled = false;
  private readonly onTurn = (): void => {
    this.scheduled = false;
    this.run();
  };

  constructor(
    links: readonly ShardLink[],
    completions: Completions,
    pending: PendingTable,
    regions: ReceiveRegions,
    own: InternalAppends,
    metrics: RequestMetrics,
  ) {
    this.links = links;
    this.completions = completions;
    this.pending = pending;
    this.regions = regions;
    this.own = own;
    this.metrics = metrics;
  }

  /** A turn follows the socket callbacks of this poll. */
  schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.onTurn);
  }

  /** `connection` is flushed in the next turn, in the order of these calls. */
  add(connection: DirtyConnection): void {
    if (connection.dirty) return;
    connection.dirty = true;
    this.dirty.push(connection);
    this.schedule();
  }

  /** A socket was read: shards get their work now if there is much, else after the other sockets of this poll. */
  onLanded(): void {
    for (let index = 0; index < this.links.length; index++) (this.links[index] as ShardLink).maybePublish();
    this.schedule();
  }

  /** One turn. Also called by the doorbell. */
  run(): void {
    this.metrics.tick();
    let more = this.completions.drain();
    if (this.own.isDue) this.own.serve();
    for (let round = 0; round < ROUNDS_MAX; round++) {
      this.flush();
      for (let index = 0; index < this.links.length; index++) (this.links[index] as ShardLink).serve();
      if (this.pending.line.size > 0) this.pending.serve();
      if (this.regions.waiting > 0) this.regions.serve();
      for (let index = 0; index < this.links.length; index++) (this.links[index] as ShardLink).publish();
      if (this.dirty.length === 0) break;
    }
    if (this.dirty.length > 0) more = true;
    if (more) this.schedule();
  }

  private flush(): void {
    const dirty = this.dirty;
    if (dirty.length === 0) return;
    this.dirty = this.spare;
    this.spare = dirty;
    for (let index = 0; index < dirty.length; index++) (dirty[index] as DirtyConnection).flush();
    dirty.length = 0;
  }
}
