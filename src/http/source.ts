/** Everything that the pages are made from, as the HTTP thread knows it: what main told, and memory that others count in. */
import type { BrokerState, SeriesMessage, ShardMessage, ToHttp } from './messages.ts';

/** See the file header. */
export class PageSource {
  state: BrokerState = 'starting';
  /** Why the broker is as it is, where that needs a reason. */
  reason: string | null = null;
  requests: SharedArrayBuffer | null = null;
  readonly shards = new Map<string, ShardMessage>();
  readonly series = new Map<SeriesMessage['table'], SeriesMessage>();

  onMessage(message: ToHttp): void {
    switch (message.kind) {
      case 'state':
        this.state = message.state;
        this.reason = message.reason;
        return;
      case 'requests':
        this.requests = message.memory;
        return;
      case 'shard':
        this.shards.set(message.name, message);
        return;
      case 'series':
        this.series.set(message.table, message);
    }
  }

  /** Whether the broker takes requests and every shard takes appends. */
  get isWell(): boolean {
    return this.state === 'running' && [...this.shards.values()].every((shard) => shard.failure === null);
  }
}
