/**
 * How long anything in a test may take that is expected to happen. Only against hanging: no test depends on how fast a machine is or what else runs on it. Well
 * below vitest's own limit for a test, so that what did not happen is named.
 */
export const HANG_MS = 120_000;
