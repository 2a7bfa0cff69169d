export interface AllocRow {
  readonly name: string;
  readonly main: number;
  readonly shards: number;
}
export interface AllocBudget {
  readonly main: number;
  readonly shards: number;
  readonly why: string;
}
export interface AllocVerdict {
  readonly name: string;
  readonly thread: 'main' | 'shards';
  readonly bytes: number;
  readonly limit: number;
  readonly holds: boolean;
}
export function judge(rows: readonly AllocRow[], budgets: Readonly<Record<string, AllocBudget>>): AllocVerdict[];
