/** What the machines of one partition of `__consumer_offsets` work on together. */
import type { TimerWheel } from '../lib/timer-wheel.ts';
import { ClassicGroup } from './classic-group.ts';
import type { Effects, Instant } from './effects.ts';
import type { GroupBudget } from './group-budget.ts';
import type { CoordinatorRecord } from './group-records.ts';
import type { GroupSettings } from './group-settings.ts';

/** What all partitions share. */
export interface GroupHost {
  readonly settings: GroupSettings;
  readonly budget: GroupBudget;
  readonly effects: Effects;
  /** Turned by the host with the clock of `Instant.ms`; it turns no slower than deadlines shall be met. */
  readonly timers: TimerWheel;
  /** Milliseconds since 1970, asked for when a timer fires. */
  readonly date: () => number;
}

/** See the file header. */
export class GroupContext {
  readonly partition: number;
  readonly host: GroupHost;
  readonly groups = new Map<string, ClassicGroup>();

  constructor(partition: number, host: GroupHost) {
    this.partition = partition;
    this.host = host;
  }

  /** The group, made if it is not there. */
  groupOrNew(groupId: string): ClassicGroup {
    const known = this.groups.get(groupId);
    if (known !== undefined) return known;
    const group = new ClassicGroup(groupId, this.host.budget);
    this.groups.set(groupId, group);
    return group;
  }

  /** Writes records of a group. `settle` hears of the outcome; nobody does if it is not given, and what failed is done at the next occasion. */
  write(group: ClassicGroup, records: readonly CoordinatorRecord[], settle?: (errorCode: number, now: Instant) => void): void {
    group.writesUnderWay++;
    this.host.effects.write({
      partition: this.partition,
      records,
      settle: (errorCode, now) => {
        group.writesUnderWay--;
        settle?.(errorCode, now);
        this.maybeForget(group);
      },
    });
  }

  /** Forgets a group of which nothing is left, in memory or in the log. */
  maybeForget(group: ClassicGroup): void {
    if (group.isStored || group.writesUnderWay > 0 || group.state !== 'Empty') return;
    if (group.pendingMembers.size > 0 || !group.offsets.isEmpty) return;
    if (this.groups.get(group.groupId) !== group) return;
    if (group.timer !== null) this.host.timers.cancel(group.timer);
    group.timer = null;
    group.release();
    this.groups.delete(group.groupId);
  }
}
