export function pointsOf(context: { readonly points?: readonly number[]; readonly quick?: boolean }, all: readonly number[]): number[];
