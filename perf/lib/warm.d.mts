export const PARTS_QUICK: number;

export function warmUntilFlat(
  pid: number,
  seconds: number,
  load: (seconds: number) => Promise<{ readonly bytes: number }>,
  options?: { readonly partsMax?: number; readonly cpuSeconds?: (pid: number) => number },
): Promise<{ readonly seconds: number; readonly isFlat: boolean }>;

export function settle(load: (seconds: number) => Promise<{ readonly mb_per_s: number }>): Promise<boolean>;
