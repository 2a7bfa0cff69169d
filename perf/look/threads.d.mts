export interface ThreadCounters {
  readonly userSeconds: number;
  readonly systemSeconds: number;
  readonly queuedSeconds: number;
  readonly voluntary: number;
  readonly involuntary: number;
}
export interface Look {
  readonly atMs: number;
  readonly threads: ReadonlyMap<number, ThreadCounters>;
}
export function parseStat(stat: string): { comm: string; userSeconds: number; systemSeconds: number };
export function parseSwitches(status: string): { voluntary: number; involuntary: number };
export class Names {
  constructor(text: string);
  readonly byThreadId: ReadonlyMap<number, string>;
  of(id: number): string;
}
export function ratesByKind(before: Look, after: Look, names: Names): ({ name: string; threads: number } & ThreadCounters)[];
