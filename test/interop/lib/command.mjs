/** Running the foreign clients: to the end, with a limit, and with what they said when they fail. */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { track } from '../../../perf/lib/process.mjs';

const TIMEOUT_MS = 120_000;
/** Whoever starts the client writes to its stdin, and ends it. */
export const LATER = Symbol('later');

const SHOWN_CHARS_MAX = 2000;

const tail = (text) => (text.length > SHOWN_CHARS_MAX ? `…${text.slice(-SHOWN_CHARS_MAX)}` : text);

/**
 * Starts a client. `stdin`: a text, bytes, `{ file }`, `LATER`, or nothing; `onStdout` takes the chunks of stdout,
 * or `stdoutFile` all of it, instead of collecting it.
 * `ended` resolves to how it ended, and never rejects over an exit code.
 */
export function start(command, args, { stdin, timeoutMs = TIMEOUT_MS, env, onStdout, stdoutFile } = {}) {
  const file = stdoutFile === undefined ? undefined : openSync(stdoutFile, 'w');
  const child = track(spawn(command, args, { stdio: ['pipe', file ?? 'pipe', 'pipe'], env: { ...process.env, ...env } }));
  if (file !== undefined) closeSync(file);
  const chunks = [];
  let stderr = '';
  let timedOut = false;
  child.stdout?.on('data', onStdout ?? ((chunk) => chunks.push(chunk)));
  child.stderr.on('data', (chunk) => (stderr = (stderr + chunk.toString()).slice(-64 * 1024)));
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  const fed = feed(child.stdin, stdin);
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      fed.then(() => resolve({ command, args, code: code ?? signal, stdout: Buffer.concat(chunks), stderr, timedOut }), reject);
    });
  });
  return { child, ended };
}

async function feed(stream, stdin) {
  try {
    if (stdin === LATER) return;
    if (stdin?.file !== undefined) await pipeline(createReadStream(stdin.file, { highWaterMark: 1 << 20 }), stream);
    else stream.end(stdin);
  } catch (error) {
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error; // it went away early: its exit code says why
  }
  stream.on('error', () => undefined);
}

export const run = (command, args, options) => start(command, args, options).ended;

/** The end of something that has to succeed. */
export async function must(command, args, options) {
  const ended = await run(command, args, options);
  if (ended.code !== 0) throw new Error(explain(ended));
  return ended;
}

export function explain({ command, args, code, stdout, stderr, timedOut }) {
  const how = timedOut ? 'was stopped: over its time' : `ended with ${code}`;
  return `${command} ${args.join(' ')} ${how}\n${tail(stderr)}${stderr === '' ? tail(stdout.toString()) : ''}`;
}

/**
 * Runs a client that reports its checks as lines of JSON, `{ feature, name, ok, note, seconds, refused? }`, or, for a feature it does not have,
 * `{ feature, cannot }`. That it ran to its end speaks for the row `endsFeature`.
 */
export async function runReporter(report, client, command, args, options) {
  const { endsFeature = 'produce-consume', ...others } = options;
  const { child, ended } = start(command, args, { ...others, onStdout: () => undefined });
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{')) {
      process.stdout.write(`     ${line}\n`);
      continue;
    }
    const { feature, name, ok, note, seconds, refused, cannot } = JSON.parse(line);
    if (cannot !== undefined) {
      report.cannot(client, feature, cannot);
      continue;
    }
    const outcome = ok ? (refused ? 'not-served' : 'works') : 'fails';
    report.add({ client, feature, name, outcome, note, seconds });
    lines += 1;
  }
  const end = await ended;
  await report.check(client, endsFeature, 'the client ran to its end', () => {
    if (end.code !== 0 || lines === 0) throw new Error(explain(end));
  });
}

export async function sha256OfFile(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
