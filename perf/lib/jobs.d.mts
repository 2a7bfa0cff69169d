interface Scenario {
  readonly name: string;
  readonly takes?: readonly string[];
  readonly refuses?: readonly string[];
}
export function checkTaken(
  scenarios: ReadonlyMap<string, Scenario>,
  words: readonly string[],
  identity: Readonly<Record<string, unknown>>,
): void;
