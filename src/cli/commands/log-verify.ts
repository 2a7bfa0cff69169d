/** `ringlog log verify`. */
import type { Command } from 'commander';
import { partitionKey, type PartitionState } from '../../log/partition-state.ts';
import type { RecoveryNote } from '../../log/recovery-note.ts';
import { EXIT_FAILED, EXIT_OK } from '../exit.ts';
import { withDataDir, type FolderOptions } from '../offline/option.ts';
import type { OfflineFolder } from '../offline/folder.ts';
import { bar, bytesText, plural, printJson, printLine, Progress, table, type Terminal } from '../terminal.ts';

const EXAMPLES = `
Examples:
  ringlog log verify --data-dir /var/lib/ringlog
  ringlog log verify --topic orders
  ringlog log verify --json | jq .problems

It reads every batch and its checksum, and says what a start of the broker would find. It changes no record, and needs the broker stopped.
It ends with 1 when something that was acknowledged cannot be read. Sizes and times: as fast as the disk reads.`;

interface Options extends FolderOptions {
  readonly topic?: string;
  readonly json?: boolean;
}

export function addLogVerify(log: Command, terminal: Terminal): void {
  withDataDir(log.command('verify'))
    .description('Check a data folder: every batch, every checksum.')
    .option('-t, --topic <topic>', 'only this topic')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => verify(options, terminal));
}

async function verify(options: Options, terminal: Terminal): Promise<void> {
  const { withFolder } = await import('../offline/folder.ts');
  const report = await withFolder(options.dataDir, (folder) => check(folder, options.topic, terminal));
  if (options.json) printJson(terminal, report);
  else printReport(report, terminal);
  terminal.exitCode = report.problems.length > 0 ? EXIT_FAILED : EXIT_OK;
}

type Report = Awaited<ReturnType<typeof check>>;

async function check({ path, disk, clean, topics, notes, strangers }: OfflineFolder, only: string | undefined, terminal: Terminal) {
  const { walkPartition } = await import('../offline/walk.ts');
  const { chosenTopics } = await import('../offline/choice.ts');
  const { leftoversOf } = await import('../offline/leftovers.ts');
  const chosen = chosenTopics(topics, only);
  const total = chosen
    .flatMap(({ partitions }) => partitions.flatMap(({ segments }) => segments))
    .reduce((sum, { endPosition }) => sum + endPosition, 0);
  // What was never acknowledged is no problem, and what recovery says of other topics no answer; of a journal's group nobody knows which topics it was of.
  const others = topics.filter((topic) => !chosen.includes(topic));
  const ours = notes.filter(({ text }) => !others.some(({ topicId }) => text.includes(topicId)));
  const problems = ours.filter(({ kind }) => kind === 'corruption' || kind === 'missing-file').map(({ text }) => text);
  const remarks = ours.filter(({ kind }) => kind === 'torn-tail' || kind === 'quarantine').map(({ text }) => text);
  for (const name of strangers) remarks.push(`topics/${name} belongs to no topic in the metadata; a start moves it to quarantine/`);
  const rows = [];
  let done = 0;
  const progress = new Progress(terminal, () => `${bar(done, total)} ${bytesText(done)} of ${bytesText(total)}`);
  try {
    for (const { name, partitions } of chosen)
      for (const state of partitions) {
        let batches = 0;
        let flaws = 0;
        let bytes = 0;
        let batchesUntilPause = 0;
        for (const found of walkPartition(disk, path, state)) {
          if (found.kind === 'flaw') {
            flaws++;
            problems.push(
              `${name}/${state.partition}: ${found.path === '' ? '' : `${found.path} at byte ${found.position}: `}${found.text}`,
            );
          } else {
            batches++;
            bytes += found.bytes.length;
            done += found.bytes.length;
          }
          // Reading is synchronous: the progress line and Ctrl-C need a turn now and then.
          if (++batchesUntilPause % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        const leftovers = leftoversOf(disk, path, state);
        if (leftovers.length > 0)
          remarks.push(
            `${name}/${state.partition}: ${plural(leftovers.length, 'file')} (${leftovers[0]}${leftovers.length > 1 ? ', …' : ''}) ` +
              'left the log, or never came to be part of it; the next start removes what is left of them',
          );
        const refused = state.damaged.map(({ from, to }) => ({ from, to: to - 1 }));
        for (const range of refused)
          if (!isTold(ours, state, range))
            problems.push(
              `${name}/${state.partition}: offsets ${range.from} to ${range.to} cannot be read: an earlier start found them damaged or lost`,
            );
        rows.push({
          topic: name,
          partition: state.partition,
          startOffset: state.logStartOffset,
          endOffset: state.endOffset,
          batches,
          bytes,
          flaws,
          refused,
        });
      }
  } finally {
    progress.stop();
  }
  return { folder: path, stoppedInOrder: clean, partitions: rows, problems, remarks };
}

/** Whether this recovery speaks of the range: it does of what it found itself, and not of what earlier ones have. */
function isTold(notes: readonly RecoveryNote[], { topicId, partition }: PartitionState, range: { from: number; to: number }): boolean {
  const own = notes.filter(({ text }) => text.startsWith(`${partitionKey(topicId, partition)}:`));
  return own.some(({ kind, text }) => kind === 'missing-file' || text.includes(`offsets ${range.from} to ${range.to} `));
}

function printReport({ folder, stoppedInOrder, partitions, problems, remarks }: Report, terminal: Terminal): void {
  printLine(
    terminal,
    `${folder}: ${stoppedInOrder ? 'the broker was stopped in order' : 'the broker was not stopped in order; its next start recovers'}`,
  );
  const rows = partitions.map(({ topic, partition, startOffset, endOffset, batches, bytes, flaws, refused }) => [
    topic,
    partition,
    startOffset,
    endOffset,
    batches,
    bytesText(bytes),
    flaws + refused.length,
  ]);
  if (rows.length > 0) printLine(terminal, table(['TOPIC', 'PARTITION', 'START', 'END', 'BATCHES', 'SIZE', 'DAMAGE'], rows));
  for (const remark of remarks) printLine(terminal, `note: ${remark}`);
  for (const problem of problems) printLine(terminal, `PROBLEM: ${problem}`);
  printLine(terminal, problems.length === 0 ? 'All that was acknowledged can be read.' : `${plural(problems.length, 'problem')}.`);
}
