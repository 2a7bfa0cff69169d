import type { CallFrame } from './profile.mjs';
export function relativePlace(path: string, root: string): string;
export class Sources {
  constructor(root: string);
  placeOf(frame: CallFrame): string;
}
