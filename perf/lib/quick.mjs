/** Measured seconds of a scenario: as asked for, else its own, or a few for a quick look. */
export function secondsOf(context, own, quick = 4) {
  return context.seconds ?? (context.quick ? quick : own);
}
