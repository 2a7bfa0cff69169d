/** Fetch: everything is in main/fetch.ts; this is its place in the table of handlers. */
import type { FetchEngine } from '../fetch.ts';
import type { Handler } from '../requests.ts';

/** See the file header. */
export function fetchHandler(engine: FetchEngine): Handler {
  return engine.handle;
}
