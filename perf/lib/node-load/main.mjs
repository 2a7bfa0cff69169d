// kload in plain Node: loads any broker that speaks Kafka's protocol and prints one line of JSON. Start reading at produce.mjs.
import { createTopic, deleteTopic } from './admin.mjs';
import { consume } from './consume.mjs';
import { HELP, parseOptions } from './options.mjs';
import { ProduceLoad } from './produce.mjs';
import { reportOf, Result } from './result.mjs';

async function main() {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) return process.stdout.write(HELP);
  if (options.mode === 'create') return createTopic(options);
  if (options.mode === 'delete') return deleteTopic(options);
  const result = new Result();
  const delivered = options.mode === 'consume' ? await consume(options, result) : await new ProduceLoad(options, result).run();
  process.stdout.write(`${JSON.stringify(reportOf(options, result, delivered ?? null))}\n`);
  if (result.failures > 0 || delivered?.failures > 0) process.exitCode = 1;
}

main().catch((error) => {
  process.stderr.write(`node-load: ${error.message}\n`);
  process.exitCode = 1;
});
