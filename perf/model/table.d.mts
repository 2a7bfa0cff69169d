import type { Compared } from './formula.mjs';
export function valueText(value: number): string;
export function formulaText(formula: Compared): string;
export function markdown(formulas: readonly Compared[]): string;
export function resultOf(formula: Compared): {
  readonly label: string;
  readonly unit: string;
  readonly notes: readonly string[];
  readonly figures: readonly { readonly name: string; readonly figure: { readonly median: number } }[];
};
