/**
 * A topic of main's own as the coordinator that lives in it sees it: created at first use, appended to and loaded by partition. Main only; never waits.
 */
import type { NewTopic } from '../cluster/topic-rules.ts';
import { ErrorCode } from '../protocol/errors.ts';
import type { KeyedRecord, OnKeyedRecord } from '../protocol/keyed-batch.ts';
import type { InternalAppends, OnAppended } from './internal-appends.ts';
import type { InternalLoads } from './internal-loads.ts';
import type { PartitionView } from './partition-view.ts';
import type { Router, Topic } from './router.ts';
import type { TopicLifecycle } from './topic-lifecycle.ts';

/** Main's way to write and load a partition of its own. Nothing here calls back before it returns. */
export interface InternalLog {
  /**
   * Appends records as one batch; `done` with the base offset when secured in the topic's durability mode, or an error code (see InternalAppends.append).
   * Calls for one partition complete in order. The records must not change until then.
   */
  append(partition: number, records: readonly KeyedRecord[], done: OnAppended): void;
  /**
   * Reads the partition from its log start to its end, in order, a slice of work at a time; `onRecord` for each record, whose bytes are the callee's to
   * keep; `done` at the end, or with an error code (see InternalLoads.load). Creates the topic where it is missing.
   */
  load(partition: number, onRecord: OnKeyedRecord, done: (errorCode: number) => void): void;
}

export interface InternalTopicLogParts {
  readonly router: Pick<Router, 'topicByName'>;
  readonly lifecycle: Pick<TopicLifecycle, 'createInternalTopic'>;
  readonly appends: Pick<InternalAppends, 'append'>;
  readonly loads: Pick<InternalLoads, 'load'>;
  /** The topic could not be created. */
  readonly onProblem: (text: string, error?: unknown) => void;
}

/** See the file header. */
export class InternalTopicLog implements InternalLog {
  private readonly definition: NewTopic;
  private readonly parts: InternalTopicLogParts;
  /** The creation under way. */
  private creation: Promise<number> | null = null;

  /** @param definition the topic as it is created */
  constructor(definition: NewTopic, parts: InternalTopicLogParts) {
    this.definition = definition;
    this.parts = parts;
  }

  /** Whether the topic was created; there is nothing to load before. */
  get exists(): boolean {
    return this.topic !== undefined;
  }

  /** Partitions of the topic, or those that it would be created with. */
  get partitionCount(): number {
    return this.topic?.partitions.length ?? this.definition.partitions;
  }

  /** Creates the topic where it is missing. Resolves with NONE once it is there, or with COORDINATOR_NOT_AVAILABLE. */
  ensure(): Promise<number> {
    if (this.exists) return Promise.resolve(ErrorCode.NONE);
    this.creation ??= this.create().finally(() => (this.creation = null));
    return this.creation;
  }

  append(partition: number, records: readonly KeyedRecord[], done: OnAppended): void {
    const view = this.view(partition);
    if (view !== undefined) return this.parts.appends.append(view, records, done);
    // Its client comes again, and finds the topic.
    if (!this.exists) void this.ensure();
    setImmediate(done, ErrorCode.COORDINATOR_NOT_AVAILABLE, -1);
  }

  load(partition: number, onRecord: OnKeyedRecord, done: (errorCode: number) => void): void {
    const begin = (errorCode: number): void => {
      const view = this.view(partition);
      if (errorCode !== ErrorCode.NONE) done(errorCode);
      else if (view === undefined) done(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
      else this.parts.loads.load(view, onRecord, done);
    };
    void this.ensure().then(begin);
  }

  private get topic(): Topic | undefined {
    return this.parts.router.topicByName(this.definition.name);
  }

  private view(partition: number): PartitionView | undefined {
    return this.topic?.partitions[partition];
  }

  private async create(): Promise<number> {
    const { name } = this.definition;
    try {
      const created = await this.parts.lifecycle.createInternalTopic(this.definition);
      if (created.ok) return ErrorCode.NONE;
      this.parts.onProblem(`topic ${name} could not be created: ${created.message}`);
    } catch (error) {
      // The metadata store fails, or the broker stops: whoever comes again tries again.
      this.parts.onProblem(`topic ${name} could not be created`, error);
    }
    return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  }
}
