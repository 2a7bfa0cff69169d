/**
 * The tree of commands. It knows names, flags and help; what a command does is loaded when it is called, so that `ringlog --help` stays quick. Help, completion
 * and docs/CLI.md are made of this tree.
 */
import { Command } from 'commander';
import { VERSION } from '../config/version.ts';
import { addBench } from './commands/bench.ts';
import { addCompletion } from './commands/completion.ts';
import { addConsume } from './commands/consume.ts';
import { addDoctor } from './commands/doctor.ts';
import { addGroupDelete } from './commands/group-delete.ts';
import { addGroupDescribe } from './commands/group-describe.ts';
import { addGroupList } from './commands/group-list.ts';
import { addGroupReset } from './commands/group-reset.ts';
import { addLogDump } from './commands/log-dump.ts';
import { addLogVerify } from './commands/log-verify.ts';
import { addProduce } from './commands/produce.ts';
import { addStart } from './commands/start.ts';
import { addTopicAlter } from './commands/topic-alter.ts';
import { addTopicCreate } from './commands/topic-create.ts';
import { addTopicDelete } from './commands/topic-delete.ts';
import { addTopicDescribe } from './commands/topic-describe.ts';
import { addTopicList } from './commands/topic-list.ts';
import type { OutputStream, Terminal } from './terminal.ts';

/** Columns of help that goes to no terminal. */
const HELP_WIDTH = 80;
const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 called wrongly (nothing was done), 130 interrupted.
"ringlog help COMMAND" and "ringlog COMMAND --help" show flags and examples.`;

/** @param terminal what the commands read, and where they and their help print */
export function program(terminal: Terminal): Command {
  const ringlog = new Command('ringlog');
  ringlog.description('A message queue with the memory of a log; speaks the Apache Kafka protocol.');
  ringlog.version(VERSION, '-V, --version');
  const { stdout, stderr } = terminal;
  ringlog.configureOutput({
    writeOut: (text) => stdout.write(text),
    writeErr: (text) => stderr.write(text),
    getOutHelpWidth: () => widthOf(stdout),
    getErrHelpWidth: () => widthOf(stderr),
  });
  ringlog.exitOverride().configureHelp({ showGlobalOptions: true }).addHelpText('after', EXIT_CODES);
  addStart(ringlog, terminal);
  const topic = ringlog.command('topic').description('Make, show, change and delete topics.');
  addTopicCreate(topic, terminal);
  addTopicList(topic, terminal);
  addTopicDescribe(topic, terminal);
  addTopicAlter(topic, terminal);
  addTopicDelete(topic, terminal);
  addProduce(ringlog, terminal);
  addConsume(ringlog, terminal);
  const group = ringlog.command('group').description('Show, move and delete consumer groups.');
  addGroupList(group, terminal);
  addGroupDescribe(group, terminal);
  addGroupReset(group, terminal);
  addGroupDelete(group, terminal);
  const log = ringlog.command('log').description('Look at a data folder without a broker.');
  addLogVerify(log, terminal);
  addLogDump(log, terminal);
  addDoctor(ringlog, terminal);
  addBench(ringlog, terminal);
  addCompletion(ringlog, terminal);
  return ringlog;
}

/** Columns to fold help to. */
function widthOf({ isTTY, columns }: OutputStream): number {
  return (isTTY ? columns : undefined) ?? HELP_WIDTH;
}
