export function readAgain(
  read: () => Promise<unknown>,
  seconds: number,
): Promise<{
  readonly passes: number;
  readonly seconds: number;
  readonly bytes: number;
  readonly mb_per_s: number;
  readonly interval_mb: readonly number[];
}>;
