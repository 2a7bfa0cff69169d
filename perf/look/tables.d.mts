import type { Tree } from './profile.mjs';
export function markdownTable(heads: readonly string[], rows: readonly (readonly string[])[]): string;
export function topText(tree: Tree): string;
export function callTable(
  counted: { readonly kinds: ReadonlyMap<string, ReadonlyMap<string, { calls: number; errors: number }>>; readonly seconds: number },
  work: { readonly unit: string; readonly perSecond: number },
): string;
