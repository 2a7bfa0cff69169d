export type Kind = 'wait' | 'sync' | 'gc' | 'native' | 'ours' | 'node' | 'package';
export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame; readonly children?: readonly number[] }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
  readonly startTime: number;
}
/** Times in microseconds. */
export interface Tree {
  readonly name: string;
  readonly place: string;
  self: number;
  total: number;
  readonly children: Map<string, Tree>;
}
export interface SelfTime {
  readonly name: string;
  readonly place: string;
  readonly kind: Kind;
  self: number;
}
export const SLEEPERS: readonly { readonly name: string; readonly file: string; readonly kind: Kind }[];
export function kindOf(name: string, place: string): Kind;
export function emptyTree(name?: string, place?: string): Tree;
export function foldProfile(
  tree: Tree,
  profile: CpuProfile,
  time: { readonly fromUs: number; readonly toUs: number },
  placeOf: (frame: CallFrame) => string,
): Tree;
export function selfTimes(tree: Tree): SelfTime[];
export function sharesOf(tree: Tree): Record<Kind, number>;
export function longestPauseUs(profile: CpuProfile, time: { readonly fromUs: number; readonly toUs: number }): number;
