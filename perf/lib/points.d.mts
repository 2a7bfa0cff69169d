export function pointsOf(context: { readonly points?: readonly number[] }, all: readonly number[]): number[];
