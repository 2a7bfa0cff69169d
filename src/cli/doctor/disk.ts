/** Looks at the disk below a data folder: room, file system, mount options, and how long it takes to make something durable. */
import { closeSync, existsSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { folderSpace } from '../../config/data-folder.ts';
import { bytesText } from '../terminal.ts';
import { fail, ok, warn, type Check } from './check.ts';

const FREE_FAIL_BYTES = 256 * 1024 ** 2;
const FREE_WARN_BYTES = 5 * 1024 ** 3;
const FREE_WARN_PART = 0.05;
/** File systems that keep what was synced, when the disk does. */
const SOUND_TYPES = new Set(['ext4', 'ext3', 'xfs', 'btrfs', 'zfs', 'f2fs', 'apfs', 'bcachefs']);
const NETWORK_TYPES = /^(nfs|cifs|smb|9p|fuse|ceph|gluster|lustre|vboxsf|virtiofs|drvfs)/;
const SYNC_ROUNDS = 50;
const SYNC_BYTES = 4096;
/** More than this and a waiting producer notices. */
const SYNC_WARN_MS = 10;
const SYNC_FAIL_MS = 200;
/** No disk is as quick as that: something below says "done" too early, or it is memory. */
const SYNC_TOO_QUICK_MS = 0.02;

/** A mounted file system, as `/proc/self/mountinfo` has it. */
export interface Mount {
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** The folder itself, or the nearest one above it that is there. */
export function nearestFolder(folder: string): string {
  let at = resolve(folder);
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}

export async function checkSpace(folder: string): Promise<Check> {
  const space = await folderSpace(folder);
  if (space === null) return warn('disk space', 'cannot be told', `Look for yourself: df -h ${folder}`);
  const { totalBytes, usableBytes } = space;
  const found = `${bytesText(usableBytes)} of ${bytesText(totalBytes)} free`;
  const advice = 'Make room, or keep less (log.retention.bytes, log.retention.hours): a full disk refuses records.';
  if (usableBytes < FREE_FAIL_BYTES) return fail('disk space', found, advice);
  if (usableBytes < FREE_WARN_BYTES || usableBytes < totalBytes * FREE_WARN_PART) return warn('disk space', found, advice);
  return ok('disk space', found);
}

/** When the broker last began in this folder, ms since the epoch; undefined when it never did. */
export function lastBegun(folder: string): number | undefined {
  return statSync(join(folder, 'CURRENT'), { throwIfNoEntry: false })?.mtimeMs;
}

/** The mount that holds `folder`, by the text of mountinfo; undefined when none does. */
export function mountOf(folder: string, mountinfo: string): Mount | undefined {
  let best: Mount | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const fields = before.split(' ');
    const [type = '', , superOptions = ''] = after.split(' ');
    const point = (fields[4] ?? '').replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const isAbove = point !== '' && (folder === point || folder.startsWith(point.endsWith('/') ? point : `${point}/`));
    // Of two mounts at one place the later one hides the other.
    if (isAbove && point.length >= (best?.point.length ?? 0))
      best = { point, type, options: [...(fields[5] ?? '').split(','), ...superOptions.split(',')] };
  }
  return best;
}

export function checkFileSystem(mount: Mount | undefined): Check[] {
  if (mount === undefined)
    return [warn('file system', 'cannot be told here', 'Use a local disk; on a network file system a sync may not mean what it says.')];
  const { type, point, options } = mount;
  const found = `${type} at ${point}`;
  const checks: Check[] = [];
  if (options.includes('ro'))
    checks.push(fail('file system', `${found}, mounted read-only`, 'Mount it for writing, or choose another folder (--data-dir).'));
  else if (type === 'tmpfs' || type === 'ramfs')
    checks.push(
      warn(
        'file system',
        found,
        'This is memory: everything is gone after a restart of the machine, whatever was synced. Choose a folder on a disk (--data-dir).',
      ),
    );
  else if (NETWORK_TYPES.test(type))
    checks.push(
      warn(
        'file system',
        found,
        'A network or shared file system may lose what it called synced. Choose a folder on a local disk (--data-dir).',
      ),
    );
  else if (type === 'overlay')
    checks.push(
      warn('file system', found, 'This is the inside of a container and goes with it. Mount a volume for the data folder (--data-dir).'),
    );
  else if (SOUND_TYPES.has(type)) checks.push(ok('file system', found));
  else checks.push(warn('file system', found, 'ringlog was not tried on it; ext4 and xfs are known to do what they promise.'));
  if (options.includes('discard'))
    checks.push(
      warn(
        'discard',
        `${point} is mounted with discard`,
        'Deleting a large file then delays syncs of others by tens of milliseconds. Mount without it, and run fstrim from time to time.',
      ),
    );
  if (options.includes('nobarrier') || options.includes('barrier=0'))
    checks.push(
      fail(
        'barriers',
        `${point} is mounted without write barriers`,
        'A loss of power then loses what was acknowledged. Mount it with barriers.',
      ),
    );
  return checks;
}

/** The mounts of this machine, or nothing where the system has no such list. */
export function readMountinfo(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return '';
  }
}

/** Writes and syncs a small file over and over in `folder`; leaves nothing behind. */
export function checkSync(folder: string): Check {
  let place: string | undefined;
  try {
    place = mkdtempSync(join(folder, '.ringlog-doctor-'));
    return judgeSync(measureSync(join(place, 'sync')));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return fail(
      'sync',
      `cannot write in ${folder}: ${code}`,
      'Give this user the right to write there, or choose another folder (--data-dir).',
    );
  } finally {
    if (place !== undefined) rmSync(place, { recursive: true, force: true });
  }
}

/** Times of `fdatasync` in ms, ascending. */
function measureSync(path: string): number[] {
  const file = openSync(path, 'w');
  const block = Buffer.alloc(SYNC_BYTES, 0x5a);
  const timesMs: number[] = [];
  try {
    for (let round = 0; round < SYNC_ROUNDS; round++) {
      writeSync(file, block, 0, SYNC_BYTES, round * SYNC_BYTES);
      const beganMs = performance.now();
      fdatasyncSync(file);
      timesMs.push(performance.now() - beganMs);
    }
  } finally {
    closeSync(file);
  }
  return timesMs.toSorted((a, b) => a - b);
}

/** @param timesMs ascending, at least one */
export function judgeSync(timesMs: readonly number[]): Check {
  const median = timesMs[Math.floor(timesMs.length / 2)] as number;
  const found = `4 KiB are on disk after ${median.toFixed(2)} ms (median of ${timesMs.length}), the slowest after ${(timesMs.at(-1) as number).toFixed(2)} ms`;
  if (median > SYNC_FAIL_MS) return fail('sync', found, 'With durability fsync every acknowledgement waits that long. Use a faster disk.');
  if (median > SYNC_WARN_MS)
    return warn(
      'sync',
      found,
      'With durability fsync every acknowledgement waits that long. Use a faster disk, or ringlog.durability=page-cache for topics that can bear it.',
    );
  if (median < SYNC_TOO_QUICK_MS)
    return warn(
      'sync',
      found,
      'That is quicker than any disk: it is memory, or something below says "done" too early. After a loss of power records may be missing.',
    );
  return ok('sync', found);
}
