// One pass over a log that fits into the page cache is over in a part of a second: reading it again and again gives something to go by.
const SUMS = ['seconds', 'requests', 'batches', 'records', 'bytes', 'client_cpu_user_s', 'client_cpu_system_s'];

/**
 * Reads all there is until `seconds` have passed, at least once, and gives the sum as one report. The client's start and end between the passes are in none of its figures.
 * @param {() => Promise<any>} read gives the report of one pass
 * @param {number} seconds
 */
export async function readAgain(read, seconds) {
  const until = performance.now() + 1000 * seconds;
  const sum = { mode: 'consume', passes: 0, ...Object.fromEntries(SUMS.map((field) => [field, 0])) };
  do {
    const report = await read();
    for (const field of SUMS) sum[field] += report[field];
    sum.passes++;
  } while (performance.now() < until);
  return { ...sum, mb_per_s: sum.bytes / 1e6 / sum.seconds };
}
