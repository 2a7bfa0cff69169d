/** A clock of dates that moves by more than this against the time that has passed was set, or the machine slept. Milliseconds. */
export const CLOCK_STEP_MS = 30_000;
