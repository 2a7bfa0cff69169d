export const PAIRS_TO_JUDGE = 5; // fewer turns show a figure, but no verdict

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {number[]} values @returns {{ median: number, min: number, max: number, count: number } | null} null if none is a number */
export function spread(values) {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return null;
  return { median: median(known), min: Math.min(...known), max: Math.max(...known), count: known.length };
}
