/** A consumer with an incremental fetch session on a {@link ReadBench}: it counts epochs as clients do, and may be told to get them wrong. */
import { fetch } from '../../src/protocol/apis/01-fetch.ts';
import { FakeConnection, FakeRequest, type FetchAnswer, type FetchAsk, type ReadBench } from './read-bench.ts';

export interface SessionAsk {
  /** Partitions asked for anew, by topic. */
  readonly ask?: Readonly<Record<string, readonly FetchAsk[]>>;
  /** Partitions to drop, by topic. */
  readonly forget?: Readonly<Record<string, readonly number[]>>;
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly version?: number;
  readonly sessionId?: number;
  readonly sessionEpoch?: number;
}

type Told = FetchAnswer['responses'][number]['partitions'][number];

/** See the file header. */
export class SessionClient {
  sessionId = 0;
  sessionEpoch = 0;
  readonly connection = new FakeConnection();
  /** Topics that are gone keep their id. */
  readonly ids = new Map<string, string>();
  private readonly bench: ReadBench;
  private readonly version: number;

  constructor(bench: ReadBench, version = 12) {
    this.bench = bench;
    this.version = version;
  }

  /** Sends the next fetch of the session. */
  begin(options: SessionAsk = {}): FakeRequest {
    const { maxWaitMs = 0, minBytes = 1, maxBytes = 50 << 20, version = this.version } = options;
    const sessionId = options.sessionId ?? this.sessionId;
    const sessionEpoch = options.sessionEpoch ?? this.sessionEpoch;
    const nameOf = (topic: string) => (version >= 13 ? { topicId: this.idOf(topic) } : { topic });
    const topics = Object.entries(options.ask ?? {}).map(([topic, asks]) => ({
      ...nameOf(topic),
      partitions: asks.map(({ partition = 0, offset, maxBytes: partitionMaxBytes = 1 << 20, leaderEpoch = -1 }) => ({
        partition,
        fetchOffset: offset,
        partitionMaxBytes,
        currentLeaderEpoch: leaderEpoch,
      })),
    }));
    const forgottenTopicsData = Object.entries(options.forget ?? {}).map(([topic, partitions]) => ({
      ...nameOf(topic),
      partitions: [...partitions],
    }));
    const body = { maxWaitMs, minBytes, maxBytes, isolationLevel: 0, sessionId, sessionEpoch, topics, forgottenTopicsData, rackId: '' };
    const request = new FakeRequest(fetch, version, body, this.connection);
    this.bench.side.fetch.handle(request);
    return request;
  }

  /** The answer of a fetch that was begun; it is drained, and the session goes on as the broker says. */
  async end(request: FakeRequest): Promise<FetchAnswer> {
    await request.answered();
    const answer = request.decode(fetch);
    request.drain();
    if (answer.errorCode === 0) {
      this.sessionEpoch = answer.sessionId === 0 ? 0 : answer.sessionId === this.sessionId ? this.sessionEpoch + 1 : 1;
      this.sessionId = answer.sessionId;
    }
    return answer;
  }

  async fetch(options: SessionAsk = {}): Promise<FetchAnswer> {
    return this.end(this.begin(options));
  }

  /** Partitions that the next fetch told, as `topic-partition`, in their order. */
  async told(options: SessionAsk = {}): Promise<string[]> {
    return [...this.partitionsOf(await this.fetch(options)).keys()];
  }

  /** The partitions of an answer by `topic-partition`. */
  partitionsOf(answer: FetchAnswer): Map<string, Told> {
    const partitions = new Map<string, Told>();
    for (const { topic, topicId, partitions: told } of answer.responses) {
      const name = topic !== '' ? topic : [...this.ids].find(([, id]) => id === topicId)?.[0];
      for (const each of told) partitions.set(`${name}-${each.partitionIndex}`, each);
    }
    return partitions;
  }

  private idOf(topic: string): string {
    const id = this.ids.get(topic) ?? this.bench.router.topicByName(topic)?.id ?? Buffer.alloc(16, 0xee).toString('base64url');
    this.ids.set(topic, id);
    return id;
  }
}
