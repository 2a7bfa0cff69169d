/** Measured seconds of a scenario: as asked for, else its own, or a few for a quick look. */
export function secondsOf(context, own, quick = 4) {
  return context.seconds ?? (context.quick ? quick : own);
}

/** Bytes that the floor writes before its turn and then goes round in: its own, or an eighth for a quick look, whose loads are short. */
export function circleBytes(context, own) {
  return context.quick ? own / 8 : own;
}
