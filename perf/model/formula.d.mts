export interface Point {
  readonly name: string;
  readonly measured: number;
  readonly isFitted?: boolean;
  readonly x?: number;
}
export interface Constant {
  readonly unit: string;
  readonly means: string;
  readonly times?: (point: Point) => number;
}
export interface Formula {
  readonly axis: string;
  readonly what: string;
  readonly unit: string;
  readonly text: string;
  readonly constants: Readonly<Record<string, Constant>>;
  readonly predict?: (point: Point, values: Readonly<Record<string, number>>) => number;
}
export interface Row {
  readonly name: string;
  readonly isFitted: boolean;
  readonly predicted: number;
  readonly measured: number;
  readonly error: number;
}
export interface Compared {
  readonly axis: string;
  readonly what: string;
  readonly unit: string;
  readonly text: string;
  readonly constants: readonly { readonly name: string; readonly value: number; readonly unit: string; readonly means: string }[];
  readonly rows: readonly Row[];
}
export function fitFormula(formula: Formula, points: readonly Point[]): Compared;
export function compareWith(formula: Formula, values: Readonly<Record<string, number>>, points: readonly Point[]): Compared;
export function isOff(row: { readonly error: number }): boolean;
