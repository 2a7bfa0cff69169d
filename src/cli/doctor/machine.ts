/** Looks at what a broker finds on this machine, wherever its data lies: Node.js, memory, processors, file descriptors, clock. */
import { availableParallelism, freemem, totalmem } from 'node:os';
import type { BrokerConfig } from '../../config/broker-config.ts';
import { openFilesMax } from '../../config/open-files.ts';
import { bytesText, countText } from '../terminal.ts';
import { fail, ok, warn, type Check } from './check.ts';

/** Oldest Node.js that the package says it runs on. */
const NODE_MIN = [20, 19] as const;
const FILES_WARN = 10_000;
const FILES_FAIL = 256;
/** What a broker takes beside its receive and fetch memory, about, bytes. */
const BASE_BYTES = 256 * 1024 ** 2;
/** A clock may be put right by so much. */
const CLOCK_SLACK_MS = 60_000;
/** No clock of today is before this. */
const CLOCK_MIN_MS = Date.UTC(2025, 0, 1);

export function checkNode(version = process.versions.node): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1]);
  if (isOld) return fail('Node.js', version, `Install Node.js ${NODE_MIN.join('.')} or newer.`);
  return ok('Node.js', `${version} on ${process.platform} ${process.arch}`);
}

/** @param bytes what this process may use: the machine's memory, or the limit of its container */
export function checkMemory(
  config: Pick<BrokerConfig, 'receiveMemoryBytes' | 'fetchMemoryBytes'>,
  bytes = Math.min(totalmem(), process.constrainedMemory() || Infinity),
): Check {
  const needed = config.receiveMemoryBytes + config.fetchMemoryBytes + BASE_BYTES;
  const found = `${bytesText(bytes)}, ${bytesText(freemem())} of the machine's free; a broker may use about ${bytesText(needed)}`;
  const advice = 'Give it more memory, or make ringlog.receive.memory.bytes and ringlog.fetch.memory.bytes smaller (--set).';
  if (needed > bytes) return fail('memory', found, advice);
  // What is left is the page cache, from which consumers are served.
  return needed > bytes / 2 ? warn('memory', found, `Little is left for the page cache. ${advice}`) : ok('memory', found);
}

export function checkProcessors(count = availableParallelism()): Check {
  if (count < 2) return warn('processors', '1', 'The threads of a broker take turns on a single processor: give it two.');
  return ok('processors', String(count));
}

export function checkOpenFiles(max = openFilesMax()): Check {
  if (max === Infinity) return ok('open files', 'no limit, or none that can be told');
  const found = `${countText(max)} at most: ${countText(max / 2)} connections`;
  const advice = 'Raise the hard limit: "ulimit -Hn 100000", LimitNOFILE=100000 of a systemd unit, --ulimit nofile=100000 of a container.';
  if (max < FILES_FAIL) return fail('open files', found, advice);
  return max < FILES_WARN ? warn('open files', found, advice) : ok('open files', found);
}

/** @param writtenMs when the broker last began in its data folder; undefined when it never did */
export function checkClock(nowMs = Date.now(), writtenMs?: number): Check {
  const found = nowMs > 8.64e15 || nowMs < -8.64e15 ? String(nowMs) : new Date(nowMs).toISOString();
  if (writtenMs !== undefined && writtenMs > nowMs + CLOCK_SLACK_MS)
    return warn(
      'clock',
      `${found}, and the data folder was written ${new Date(writtenMs).toISOString()}`,
      'The clock went back: records get its time. Keep it right (chrony, systemd-timesyncd).',
    );
  if (nowMs >= CLOCK_MIN_MS) return ok('clock', found);
  return fail(
    'clock',
    found,
    'The clock is wrong: records get its time, and retention deletes by it. Set it, and keep it right (chrony, systemd-timesyncd).',
  );
}
