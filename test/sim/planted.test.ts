/**
 * Does the simulator see anything? For each thing that must not happen a bug is planted that makes it happen; some seed must catch it, and the same seed
 * must pass without it.
 */
import { afterEach, test, vi } from 'vitest';
import { readBatchHead, readIntactBatch } from '../../src/log/batch-reader.ts';
import type { Disk } from '../../src/log/disk.ts';
import { Journal } from '../../src/log/journal.ts';
import { JobStatus } from '../../src/log/messages.ts';
import { OwedSyncs } from '../../src/log/owed-syncs.ts';
import { SegmentPool } from '../../src/log/pool.ts';
import { EntryType, GROUP_ALIGNMENT } from '../../src/log/journal-layout.ts';
import { segmentPath } from '../../src/log/layout.ts';
import type { Recovered } from '../../src/log/recovery.ts';
import { Replay } from '../../src/log/replay.ts';
import { PartitionView } from '../../src/main/partition-view.ts';
import { CompletionFlag } from '../../src/ring/completion.ts';
import { Checkpointer } from '../../src/shard/checkpointer.ts';
import { ShardControl } from '../../src/shard/control.ts';
import { Retention } from '../../src/shard/retention.ts';
import { SegmentWriter } from '../../src/shard/segment-writer.ts';
import { Shard } from '../../src/shard/shard.ts';
import type { FakeDisk } from './fake-disk.ts';
import { SimFiles } from './files.ts';
import { expectCaught, replace, type Planted } from './planting.ts';
import { DATA, type SimOptions } from './simulation.ts';

/** What a recovery that trusts a scan finds: every intact batch that follows the end, whoever wrote it. */
function trustScan(recovered: Recovered, disk: FakeDisk): void {
  for (const state of recovered.partitions.values()) {
    const segment = state.segments.at(-1);
    if (segment === undefined) continue;
    const path = segmentPath(DATA, state.topicId, state.partition, segment.baseOffset);
    if (!disk.exists(path)) continue;
    const file = disk.open(path, 'read');
    for (;;) {
      const head = readBatchHead(disk, file, segment.endPosition, disk.size(file));
      if (head === null || head.baseOffset !== state.endOffset || readIntactBatch(disk, file, segment.endPosition, head.bytes) === null)
        break;
      segment.endPosition += head.bytes;
      state.endOffset = segment.endOffset = head.lastOffset + 1;
    }
    disk.close(file);
  }
}

/** What a recovery takes for the log that believes the length of the file. */
function trustFileEnd(recovered: Recovered, disk: FakeDisk): void {
  for (const state of recovered.partitions.values()) {
    const segment = state.segments.at(-1);
    const path = segment === undefined ? '' : segmentPath(DATA, state.topicId, state.partition, segment.baseOffset);
    if (segment === undefined || !disk.exists(path)) continue;
    const file = disk.open(path, 'read');
    segment.endPosition = disk.size(file);
    disk.close(file);
  }
}

/** A disk whose segments cannot be written: recovery finds everything in the page cache and leaves it there. */
function withoutRedo(disk: FakeDisk): Disk {
  const segments = new Set<number>();
  return new Proxy<Disk>(disk, {
    get(target, name: keyof Disk) {
      if (name === 'open')
        return (path: string, mode: 'read' | 'write') => {
          const fd = target.open(path, mode);
          if (path.endsWith('.log')) segments.add(fd);
          return fd;
        };
      if (name === 'write')
        return (fd: number, pieces: readonly Uint8Array[], position: number) =>
          segments.has(fd) ? undefined : target.write(fd, pieces, position);
      if (name === 'fdatasync') return (fd: number) => (segments.has(fd) ? undefined : target.fdatasync(fd));
      if (name === 'fdatasyncMany') return (fds: readonly number[]) => target.fdatasyncMany(fds.filter((fd) => !segments.has(fd)));
      return (target[name] as (...args: unknown[]) => unknown).bind(target);
    },
  });
}

/** A disk that does not sync the folders of topics. */
function withoutFolderSyncs(disk: FakeDisk): Disk {
  return new Proxy<Disk>(disk, {
    get(target, name: keyof Disk) {
      if (name === 'syncFolder') return (path: string) => (path.includes('/topics') ? undefined : target.syncFolder(path));
      if (name === 'syncFolders')
        return (paths: readonly string[]) => target.syncFolders(paths.filter((path) => !path.includes('/topics')));
      return (target[name] as (...args: unknown[]) => unknown).bind(target);
    },
  });
}

/** Disks by which recovery is told from a shard that stops: both settle what they owe. */
function markedDisks(): { recoveryDisk: (disk: FakeDisk) => Disk; disks: WeakSet<Disk> } {
  const disks = new WeakSet<Disk>();
  const recoveryDisk = (disk: FakeDisk): Disk => {
    const marked = new Proxy<Disk>(disk, {});
    disks.add(marked);
    return marked;
  };
  return { recoveryDisk, disks };
}

/** Plants a bug in a method of {@link OwedSyncs}, for recovery only. */
function inRecovery(method: string, bug: (this: any) => void): Partial<SimOptions> {
  const { recoveryDisk, disks } = markedDisks();
  replace(OwedSyncs, method, function (this: any, original) {
    if (disks.has(this.disk)) bug.call(this);
    else original();
  });
  return { recoveryDisk };
}

const BUGS: readonly Planted[] = [
  {
    bug: 'stale bytes become valid: recovery trusts a scan behind the end',
    plant: () => ({ afterRecovery: trustScan }),
    says: /never sent|stands twice|cut by a truncation and is back|stands behind/,
  },
  {
    bug: 'stale bytes become valid: the segment ends where its file does',
    plant: () => ({ afterRecovery: trustFileEnd }),
    says: /stands offset|never sent|stands twice|is back|stands behind|ends at/,
  },
  {
    bug: 'a replay undoes a truncation',
    plant: () =>
      replace(Replay, 'control', (original, handle, body, sequence) =>
        body.type === EntryType.truncate ? undefined : original(handle, body, sequence),
      ),
    says: /is gone|is back|stands|was batch|damage reported/,
  },
  {
    bug: 'unsynced bytes are served after recovery: what reads back is not rewritten',
    plant: () => ({ recoveryDisk: withoutRedo }),
    says: /stands offset|is gone|never sent|ends at|damage reported/,
  },
  {
    bug: 'recovery does not sync what it has rewritten',
    plant: () =>
      inRecovery('settleFiles', function (this: any) {
        this.close();
      }),
    says: /stands offset|is gone|never sent|ends at|damage reported/,
  },
  {
    bug: 'recovery never settles what is owed at the end',
    plant: () => inRecovery('settle', () => undefined),
    says: /stands offset|is gone|never sent|ends at|damage reported/,
  },
  {
    bug: 'a clean stop does not sync what its checkpoint names',
    plant: () => {
      const { recoveryDisk, disks } = markedDisks();
      replace(OwedSyncs, 'settle', function (this: any, original) {
        if (disks.has(this.disk)) original();
      });
      return { recoveryDisk };
    },
    says: /stands offset|is gone|never sent|ends at|damage reported/,
  },
  {
    bug: 'a reader sees the new owner of a recycled segment',
    plant: () => ({ recycleBeforeReadersAreDone: true }),
    says: /a slow reader of offset \d+ sees other bytes/,
  },
  {
    bug: 'a segment whose records are deleted is used again although a checkpoint still names it',
    plant: () => ({ recycleBeforeRelease: true }),
    says: /stands offset|never sent|is gone|damage reported|ends at/,
  },
  {
    bug: 'segments are released by a checkpoint that is older than their deletion',
    plant: () => replace(Retention, 'onCheckpoint', (original) => original(Infinity)),
    says: /stands offset|never sent|is gone|damage reported|ends at/,
  },
  {
    bug: 'a replay undoes the deletion of records',
    plant: () =>
      replace(Replay, 'control', (original, handle, body, sequence) =>
        body.type === EntryType.logStart ? undefined : original(handle, body, sequence),
      ),
    says: /that was answered|damage reported/,
  },
  {
    bug: 'a buffered shard promises that records are gone before that is durable',
    plant: () =>
      void vi.spyOn(ShardControl.prototype, 'mustBeDurable', 'get').mockImplementation(function (this: any) {
        return this.cuts;
      }),
    says: /that was answered/,
  },
  {
    bug: 'retention deletes more than it may',
    plant: () =>
      replace(Retention, 'check', function (this: any, original, partition, nowMs, forAge) {
        const { config } = partition;
        partition.config = { ...config, retentionBytes: config.retentionBytes / 2, retentionMs: config.retentionMs / 2 };
        original(partition, nowMs, forAge);
        partition.config = config;
      }),
    says: /bytes are left/,
  },
  {
    bug: 'what a crash left of deleted segments stays on the disk',
    plant: () => void vi.spyOn(SimFiles.prototype, 'giveAwayLeftovers').mockImplementation(() => undefined),
    says: /is still there/,
  },
  {
    bug: 'the file of a quiet partition closes with bytes that the disk does not have',
    plant: () =>
      replace(SegmentWriter, 'closeIdle', function (this: any, original, openMax, mayWait) {
        for (const { active } of this.partitions) active.dirty = active.lent = false;
        original(openMax, mayWait);
      }),
    // Where a segment has a recycled file, the bytes of its owner before stand in their place.
    says: /is gone|stands offset|damage reported|never sent|cut by a truncation and is back/,
  },
  {
    bug: 'acknowledged before the sync: the journal is not synced with the appends it holds',
    plant: () =>
      replace(Shard, 'writeJournal', function (this: any, original, nowMs) {
        // What a cut says is made durable as ever: a lost one is another bug.
        if (this.control.mustBeDurable) return original(nowMs);
        const { disk, journal } = this.ports;
        const { fdatasync } = disk;
        disk.fdatasync = (fd: number): void => void (fd === journal.activeFd || fdatasync.call(disk, fd));
        try {
          original(nowMs);
        } finally {
          disk.fdatasync = fdatasync;
        }
      }),
    says: /is gone|stands offset|damage reported/,
  },
  {
    bug: 'acknowledged before the sync: referenced segments are not synced, only the journal that refers to them',
    plant: () =>
      replace(Shard, 'writeJournal', function (this: any, original, nowMs) {
        const { disk } = this.ports;
        const { fdatasync } = disk;
        const referenced = new Set(
          this.touched.filter((partition: any) => partition.byReference).map((partition: any) => partition.active?.fd),
        );
        disk.fdatasync = (fd: number): void => void (referenced.has(fd) || fdatasync.call(disk, fd));
        try {
          original(nowMs);
        } finally {
          disk.fdatasync = fdatasync;
        }
      }),
    says: /is gone|stands offset|damage reported|never sent/,
  },
  {
    bug: 'a shard vouches for a group before that is synced',
    plant: () =>
      replace(Shard, 'syncGroup', function (this: any, original) {
        this.journalWriter.becomeSynced();
        this.journalWriter.vouch(0);
        original();
      }),
    // What was not synced is taken for damage, or, where only the journal's side of it survived, read as it is.
    says: /damage reported|stands offset/,
  },
  {
    bug: 'a vouch takes the place of the group that it vouches for',
    plant: () =>
      replace(Journal, 'writeVouch', function (this: any, original, vouch) {
        this.position -= Math.min(this.position, GROUP_ALIGNMENT);
        return original(vouch);
      }),
    says: /is gone|damage reported/,
  },
  {
    bug: 'the watermark passes what is secured: readable before the journal has it',
    plant: () =>
      replace(Shard, 'writeJournal', function (this: any, original, nowMs) {
        if (this.replies.length === 0)
          for (const partition of this.touched) if (partition.firstInGroup >= 0) this.publishPartition(partition, CompletionFlag.readable);
        original(nowMs);
      }),
    says: /shown offset \d+ .* is gone|was given out twice|a tailing reader/,
  },
  {
    bug: 'the watermark passes what is written: `memory` batches are readable when they are answered',
    plant: () => replace(Shard, 'publishPartition', (original, partition, flags) => original(partition, flags | CompletionFlag.readable)),
    says: /a tailing reader|ENOENT|stands|is gone/,
  },
  {
    bug: 'a partition that moved out is forgotten by the checkpoints of the shard it left',
    plant: () =>
      replace(ShardControl, 'moveOut', function (this: any, original, handle, moveNumber) {
        original(handle, moveNumber);
        this.shard.movedOut.clear();
      }),
    // With all of it goes what it said of deleted records.
    says: /is gone|that was answered/,
  },
  {
    bug: 'a partition moves out before what it has is synced',
    plant: () => replace(SegmentWriter, 'syncAll', () => undefined),
    says: /is gone|stands offset|damage reported|never sent/,
  },
  {
    bug: 'a shard goes on after a failed sync',
    // What may not be on disk is not served all the same: that it is would be another bug.
    plant: () =>
      replace(Shard, 'fail', function (this: any, _original, _reason, unsecured = []) {
        if (unsecured.length > 0) this.reply({ kind: 'unsecured', ranges: unsecured });
      }),
    // A truncation is as lost as an append.
    says: /is gone|is back|stands offset|damage reported|never sent|ends at|that was answered/,
  },
  {
    bug: 'a checkpoint is written although a sync of its shard failed meanwhile',
    plant: () =>
      replace(Checkpointer, 'pollAfterFailure', function (this: any) {
        const { shard } = this;
        const { failure } = shard;
        if (this.underWay === null) return;
        shard.failure = null;
        this.pollCheckpoint(0);
        shard.failure = failure;
      }),
    says: /is gone|stands offset|damage reported|never sent|ends at|that was answered/,
  },
  {
    bug: 'journal space is given back before the checkpoint that covers it is durable',
    plant: () =>
      replace(Journal, 'write', function (this: any, original, sequence, pieces, bytes) {
        original(sequence, pieces, bytes);
        if (this.position > 64 << 10) this.position = 0;
      }),
    says: /is gone|stands offset|damage reported|ends at|that was answered/,
  },
  {
    bug: 'what a failed sync may have lost is served because it still reads back',
    plant: () => replace(PartitionView, 'onUnsecured', () => undefined),
    says: /a slow reader of offset \d+ sees other bytes/,
  },
  {
    bug: 'a checkpoint goes on although its files could not be synced now',
    plant: () =>
      replace(Checkpointer, 'pollCheckpoint', function (this: any, original, nowMs) {
        const { underWay, results } = this;
        const status = results.statusOf('checkpoint', underWay.job);
        if (status === JobStatus.notDone && underWay.second !== null) results.complete('checkpoint', underWay.job, JobStatus.ok);
        original(nowMs);
      }),
    says: /is gone|stands offset|damage reported|never sent/,
  },
  {
    bug: 'a recovered partition that cannot be opened now is forgotten',
    plant: () =>
      replace(ShardControl, 'open', function (this: any, original, message) {
        original({ ...message, recovered: message.recovered && this.refusal() === null });
      }),
    // Deleted records come back where an older state is found of it.
    says: /is gone|that was answered/,
  },
  {
    bug: 'a truncation of a buffered shard is not made durable before what it cut is overwritten',
    plant: () =>
      void vi.spyOn(ShardControl.prototype, 'mustBeDurable', 'get').mockImplementation(function (this: any) {
        return this.promises;
      }),
    says: /is gone|stands offset|damage reported|is back|never sent|stands behind/,
  },
  {
    bug: 'a partition that moves out leaves names behind that are not on disk',
    plant: () => replace(SegmentWriter, 'syncNames', () => undefined),
    says: /is gone|stands offset|damage reported|never sent/,
  },
  {
    bug: 'recovery leaves names behind that are not on disk',
    plant: () => ({ recoveryDisk: withoutFolderSyncs }),
    says: /is gone|damage reported/,
  },
  {
    bug: 'a recycled segment is taken for a batch that it does not hold',
    plant: () => replace(SegmentPool, 'find', (original, segmentBytes) => original(segmentBytes, 0)),
    says: /was refused with error/,
  },
  {
    bug: 'a shard that found the disk full never tries again',
    plant: () =>
      replace(Checkpointer, 'poll', function (this: any, original, nowMs) {
        if (this.retryAfterMs > 0) this.retryAfterMs = Infinity;
        if (this.unready !== null) this.prepareAfterMs = Infinity;
        original(nowMs);
      }),
    says: /acknowledges nothing any more|takes nothing any more|did not stop|does not come online/,
  },
];

afterEach(() => void vi.restoreAllMocks());

test.for(BUGS)('caught: $bug', (planted) => expectCaught(planted));
