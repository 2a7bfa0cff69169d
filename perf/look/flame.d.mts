import type { Tree } from './profile.mjs';
export interface Box {
  readonly node: Tree;
  readonly x: number;
  readonly depth: number;
  readonly width: number;
}
export interface Panel {
  readonly name: string;
  readonly note: string;
  readonly tree: Tree;
}
export function escapeXml(text: string): string;
export function boxesOf(tree: Tree, width: number, leastShare: number): Box[];
export function flameGraph(graph: {
  readonly title: string;
  readonly subtitle: string;
  readonly panels: readonly Panel[];
  readonly leastShare?: number;
}): string;
