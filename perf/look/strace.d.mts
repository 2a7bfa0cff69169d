export function parseCounts(text: string): Map<string, { calls: number; errors: number }>;
