/**
 * A thread that is started before its data is known. To start a thread and to load what it runs takes tens of ms, mostly on a processor of its own: whoever knows
 * that it will be needed, and not yet what for, starts it first. It waits, and does not keep the process up, until it is given its data.
 */
import { once } from 'node:events';
import { parentPort, Worker, workerData, type MessagePort } from 'node:worker_threads';
import { assert } from '../lib/assert.ts';

/** What it is started with: nothing but what it will be, for those who look at threads from inside (Node 20 does not tell a thread its name). */
interface EarlyData {
  readonly early: string;
}

/** Main's end. */
export class EarlyThread {
  /** What it died of before anyone wanted it. */
  death: string | null = null;
  private readonly worker: Worker;
  private readonly onError = (error: unknown): void => {
    this.death ??= error instanceof Error ? (error.stack ?? error.message) : String(error);
  };
  private readonly onExit = (code: number): void => {
    this.death ??= `exited with code ${code}`;
  };

  constructor(entry: URL, name: string) {
    this.worker = new Worker(entry, { workerData: { early: name } satisfies EarlyData, name });
    this.worker.on('error', this.onError).on('exit', this.onExit);
    this.worker.unref();
  }

  /** Hands over its data and itself. Throws what it died of, if it has. */
  give(data: object, ports: readonly MessagePort[]): Worker {
    const { worker } = this;
    if (this.death !== null) throw new Error(this.death);
    worker.off('error', this.onError).off('exit', this.onExit);
    worker.ref();
    worker.postMessage(data, ports);
    return worker;
  }

  /** Ends it. */
  async stop(): Promise<void> {
    await this.worker.terminate();
  }
}

/** The thread's end: what it was started with, or is given later. */
export async function threadData<Data>(): Promise<Data> {
  if (!isEarly(workerData)) return workerData as Data;
  assert(parentPort !== null, 'no thread');
  const [data] = (await once(parentPort, 'message')) as [Data];
  return data;
}

function isEarly(data: unknown): data is EarlyData {
  return typeof data === 'object' && data !== null && 'early' in data;
}
