/** `GET /health`: 200 while the broker takes requests and every shard takes appends, otherwise 503 and why. */
import type { PageSource } from './source.ts';

/** What the page says beside what main told. */
export interface HealthFacts {
  readonly version: string;
  readonly nodeId: number;
  readonly uptimeSeconds: number;
  /** Room on the disk of the data folder; null: unknown. */
  readonly disk: { readonly totalBytes: number; readonly usableBytes: number } | null;
}

/** Status code and body. */
export function healthPage(source: PageSource, { version, nodeId, uptimeSeconds, disk }: HealthFacts): { status: number; body: string } {
  const shards = [...source.shards.values()].map(({ name, failure }) => ({
    name,
    state: failure === null ? 'running' : 'failed',
    ...(failure === null ? {} : { reason: failure }),
  }));
  const failed = shards.filter(({ state }) => state === 'failed');
  const state = source.state === 'running' && failed.length > 0 ? 'failed' : source.state;
  const reason = source.reason ?? (failed.length > 0 ? failed.map(({ name, reason: why }) => `shard ${name}: ${why}`).join('; ') : null);
  const page = {
    status: state,
    ...(reason === null ? {} : { reason }),
    version,
    nodeId,
    uptimeSeconds: Math.round(uptimeSeconds),
    shards,
    disk,
  };
  return { status: source.isWell ? 200 : 503, body: `${JSON.stringify(page)}\n` };
}
