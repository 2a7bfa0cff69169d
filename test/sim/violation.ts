/** A promise that broke in a simulated run. */
export class Violation extends Error {
  override name = 'Violation';
}

export function check(condition: boolean, text: string): void {
  if (!condition) throw new Violation(text);
}
