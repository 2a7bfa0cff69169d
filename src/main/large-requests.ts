/**
 * Turns for requests that may need much memory: a few kilobytes can name hundreds of things, and their answer can have megabytes. A turn lasts until the answer is
 * with the kernel, so what such requests hold all together has a limit: {@link AT_ONCE} of them, in the order in which they came. Main only.
 *
 * Who does not take the answer while others wait for a turn loses the connection.
 */
import { ApiKey } from '../protocol/api-versions.ts';
import type { ApiRequest } from './requests.ts';

/** A body of more bytes than this is a large one … */
const LARGE_BODY_BYTES = 32 * 1024;
/** … and of these APIs, whose answers have kilobytes for each thing that is named, one of more than this. */
const LARGE_BODY_BYTES_AMPLIFIED = 1024;
const AMPLIFIED: ReadonlySet<number> = new Set([ApiKey.CREATE_TOPICS, ApiKey.DESCRIBE_CONFIGS]);
/** Turns at a time. */
const AT_ONCE = 4;
const CHECK_MS = 500;
/** While others wait, an answer must be taken within this time, ms … */
const GRACE_MS = 2000;
/** … and what a slow but honest line needs, bytes per ms. */
const PACE = 4096;

/** Whether a request has to wait for a turn. Fetch never has: its memory is its own, and its requests are large again and again. */
export function isLarge({ apiKey, bodyStart, bodyEnd }: ApiRequest): boolean {
  if (apiKey === ApiKey.FETCH) return false;
  return bodyEnd - bodyStart > (AMPLIFIED.has(apiKey) ? LARGE_BODY_BYTES_AMPLIFIED : LARGE_BODY_BYTES);
}

/** See the file header. */
export class LargeRequests {
  /** In order of arrival. */
  private readonly line = new Set<ApiRequest>();
  /** Requests that have a turn; since when their answer is out, ms (0: it is not). */
  private readonly turns = new Map<ApiRequest, number>();
  private readonly run: (request: ApiRequest) => void;
  private readonly nowMs: () => number;
  private checking = false;

  /** @param run begins to handle a request whose turn it is */
  constructor(run: (request: ApiRequest) => void, nowMs: () => number = () => performance.now()) {
    this.run = run;
    this.nowMs = nowMs;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.line.size;
  }

  /** Runs the request when it is its turn, maybe now. */
  add(request: ApiRequest): void {
    this.line.add(request);
    request.onReleased = () => void this.line.delete(request);
    this.next();
  }

  private next(): void {
    for (const request of this.line) {
      if (this.turns.size === AT_ONCE) break;
      this.line.delete(request);
      this.turns.set(request, 0);
      request.onReleased = () => {
        this.turns.delete(request);
        this.next();
      };
      this.run(request);
    }
    if (this.line.size > 0 && !this.checking) this.arm();
  }

  private arm(): void {
    this.checking = true;
    setTimeout(() => this.check(), CHECK_MS).unref();
  }

  private check(): void {
    this.checking = false;
    const nowMs = this.nowMs();
    // A copy: closing a connection ends its turn.
    for (const [request, answeredMs] of [...this.turns]) {
      if (!request.done) continue;
      if (answeredMs === 0) this.turns.set(request, nowMs);
      else if (nowMs - answeredMs > GRACE_MS + request.answerBytes / PACE) request.connection.close('it does not take its answer');
    }
    if (this.line.size > 0) this.arm();
  }
}
