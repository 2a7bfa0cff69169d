// One pass over a log that fits into the page cache is over in a part of a second: reading it again and again gives something to go by.
const SUMS = ['seconds', 'requests', 'batches', 'records', 'bytes', 'client_cpu_user_s', 'client_cpu_system_s'];

/**
 * Reads all there is until `seconds` have passed, at least once, and gives the sum as one report, with the rate of each second of reading for a chart. The client's start and
 * end between the passes are in none of its figures.
 * @param {() => Promise<any>} read gives the report of one pass
 * @param {number} seconds
 */
export async function readAgain(read, seconds) {
  const until = performance.now() + 1000 * seconds;
  const sum = { mode: 'consume', passes: 0, ...Object.fromEntries(SUMS.map((field) => [field, 0])) };
  const marks = [{ seconds: 0, bytes: 0 }];
  do {
    const report = await read();
    for (const field of SUMS) sum[field] += report[field];
    sum.passes++;
    marks.push({ seconds: sum.seconds, bytes: sum.bytes });
  } while (performance.now() < until);
  return { ...sum, mb_per_s: sum.bytes / 1e6 / sum.seconds, interval_mb: bySecond(marks) };
}

/** MB of each whole second, out of what had been read when; within a pass it is taken for even. */
function bySecond(marks) {
  const readBy = (second) => {
    const after = marks.findIndex(({ seconds }) => seconds >= second);
    const [from, to] = [marks[after - 1] ?? marks[after], marks[after]];
    const part = to.seconds > from.seconds ? (second - from.seconds) / (to.seconds - from.seconds) : 1;
    return from.bytes + part * (to.bytes - from.bytes);
  };
  const seconds = Math.floor(marks.at(-1).seconds);
  return Array.from({ length: seconds }, (_, second) => Number(((readBy(second + 1) - readBy(second)) / 1e6).toFixed(1)));
}
