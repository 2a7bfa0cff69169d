// What a figure is worth depends on where it was taken: said with every result.
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

function run(command, args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

/** The mount that holds `path`: type, options. */
export function fileSystemOf(path) {
  const [source = '?', type = '?', options = '?'] = run('findmnt', ['-n', '-o', 'SOURCE,FSTYPE,OPTIONS', '-T', path]).split(/\s+/);
  return `${type} on ${source} (${options})`;
}

/** @param {string} dir where the data goes */
export function describeMachine(dir) {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    fileSystem: fileSystemOf(dir),
    loadAverage: loadavg().map((load) => Number(load.toFixed(2))),
    commit: run('git', ['rev-parse', '--short', 'HEAD']) + (run('git', ['status', '--porcelain']) ? '+changes' : ''),
    time: new Date().toISOString(),
  };
}

/** Bytes written so far to the block device under `dir`, by anybody; null if the device does not say. */
export function deviceBytesWritten(dir) {
  const device = statSync(dir).dev;
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  for (const line of readFileSync('/proc/diskstats', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (Number(fields[0]) === major && Number(fields[1]) === minor) return Number(fields[9]) * 512;
  }
  return null;
}

/** What one process caused to be written, all its threads: pages it made dirty, whenever they are flushed. */
export function processBytesWritten(pid) {
  try {
    return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? NaN);
  } catch {
    return NaN;
  }
}

/** CPU seconds of a process and its threads. */
export function processCpuSeconds(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return NaN;
  }
}

/** Resident memory in MB (10^6), apart by kind. */
export function processMemory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1.024e-3;
  return { rss: of('VmRSS'), anonymous: of('RssAnon'), file: of('RssFile'), shared: of('RssShmem'), peak: of('VmHWM') };
}

/** Everything written so far to the file system of `dir` is on disk afterwards. */
export function syncFileSystem(dir) {
  run('sync', ['-f', dir]);
}
