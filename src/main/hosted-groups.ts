/** The groups of one partition of `__consumer_offsets` with what they need on main: loading, and a writer. Main only. */
import type { Instant, Write } from '../coordinator/effects.ts';
import { GroupBudget } from '../coordinator/group-budget.ts';
import type { GroupHost } from '../coordinator/group-context.ts';
import { GroupPartition } from '../coordinator/group-partition.machine.ts';
import { decodeCoordinatorRecord, type CoordinatorRecord } from '../coordinator/group-records.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { MalformedError } from '../protocol/protocol-errors.ts';
import { GroupWriter, type GroupLogAppends, type GroupWriterOwner } from './group-writer.ts';

/** Where records come from. */
export interface GroupLogLoads {
  load(
    partition: number,
    onRecord: (key: Uint8Array | null, value: Uint8Array | null, offset: number) => void,
    done: (errorCode: number) => void,
  ): void;
}

export interface HostedGroupsParts {
  readonly log: GroupLogAppends & GroupLogLoads;
  readonly now: () => Instant;
  /** A batch was settled: there may be answers. */
  readonly onBatchEnd: () => void;
  readonly onProblem: (text: string, details: Readonly<Record<string, unknown>>) => void;
}

/** See the file header. */
export class HostedGroups implements GroupWriterOwner {
  readonly partition: number;
  machine: GroupPartition;
  readonly writer: GroupWriter;
  /** Why no request is taken; NONE: they are. */
  errorCode: number = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS;
  /** Topics that were deleted while the groups were being loaded, and who is to be told. */
  private readonly goneTopics: { readonly topic: string; readonly done: (errorCode: number) => void }[] = [];
  private readonly host: Omit<GroupHost, 'budget'>;
  private readonly parts: HostedGroupsParts;
  private readonly total: GroupBudget;
  private budget: GroupBudget;

  constructor(partition: number, host: Omit<GroupHost, 'budget'>, total: GroupBudget, parts: HostedGroupsParts) {
    this.partition = partition;
    this.host = host;
    this.total = total;
    this.parts = parts;
    this.budget = new GroupBudget(total);
    this.machine = new GroupPartition(partition, { ...host, budget: this.budget });
    this.writer = new GroupWriter(partition, parts.log, this);
  }

  /** Loads the groups anew; `done` once requests are taken, or with what went wrong. */
  load(done: (errorCode: number) => void): void {
    this.errorCode = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS;
    this.budget.discard();
    this.budget = new GroupBudget(this.total);
    this.machine = new GroupPartition(this.partition, { ...this.host, budget: this.budget });
    const now = this.parts.now();
    let isReadable = true;
    const onRecord = (key: Uint8Array | null, value: Uint8Array | null, offset: number): void => {
      if (!isReadable) return;
      try {
        const record = decodeCoordinatorRecord(key, value);
        if (record !== null) this.machine.replay(record, now);
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
        isReadable = false;
        this.parts.onProblem('a record of the groups cannot be read', { partition: this.partition, offset, err: error });
      }
    };
    this.parts.log.load(this.partition, onRecord, (errorCode) => {
      const outcome = isReadable ? errorCode : ErrorCode.UNKNOWN_SERVER_ERROR;
      if (outcome === ErrorCode.NONE) this.becomeActive();
      else this.errorCode = ErrorCode.COORDINATOR_NOT_AVAILABLE;
      done(outcome);
    });
  }

  private becomeActive(): void {
    this.machine.becomeActive(this.parts.now());
    this.errorCode = ErrorCode.NONE;
    for (const { topic, done } of this.goneTopics.splice(0)) this.forgetTopic(topic, done);
  }

  /** The topic is gone: what was committed for it goes, too; `done` once that is secured, or with why it is not. */
  forgetTopic(topic: string, done: (errorCode: number) => void): void {
    if (this.errorCode !== ErrorCode.NONE) {
      this.goneTopics.push({ topic, done });
      return;
    }
    let unsettled = 1;
    let failure: number = ErrorCode.NONE;
    const settle = (errorCode: number): void => {
      if (errorCode !== ErrorCode.NONE) failure = errorCode;
      if (--unsettled === 0) done(failure);
    };
    for (const groupId of this.machine.groupIds()) {
      unsettled++;
      this.machine.forgetTopic(groupId, topic, settle);
    }
    settle(ErrorCode.NONE);
  }

  onSecured(record: CoordinatorRecord): void {
    this.machine.replay(record, this.parts.now());
  }

  onSettled(write: Write, errorCode: number): void {
    write.settle(errorCode, this.parts.now());
  }

  onBatchEnd(): void {
    this.parts.onBatchEnd();
  }
}
