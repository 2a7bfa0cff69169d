/** `ringlog doctor`. */
import type { Command } from 'commander';
import { EXIT_FAILED, EXIT_OK } from '../exit.ts';
import type { Check } from '../doctor/check.ts';
import { plural, printJson, printLine, type Terminal } from '../terminal.ts';
import { collect } from '../values.ts';

const EXAMPLES = `
Examples:
  ringlog doctor                                        with the settings of a plain "ringlog start"
  ringlog doctor --data-dir /var/lib/ringlog --port 9192
  ringlog doctor --json | jq '.[] | select(.status != "ok")'

Give it the flags that "ringlog start" gets. It writes and removes a small file, to see how long the disk takes to sync, and changes nothing else.
It ends with 1 when something keeps a broker from running or from keeping its promises; a warning is no failure.`;

const MARKS = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL' } as const;

interface Options {
  readonly port?: string;
  readonly host?: string;
  readonly dataDir?: string;
  readonly httpPort?: string;
  readonly config?: string;
  readonly set?: readonly string[];
  readonly json?: boolean;
}

export function addDoctor(ringlog: Command, terminal: Terminal): void {
  ringlog
    .command('doctor')
    .description('Say what is wrong with this machine or these settings, and what to do.')
    .option('-p, --port <port>', 'port to listen on')
    .option('--host <host>', 'address to listen on')
    .option('-d, --data-dir <folder>', 'where data lies')
    .option('--http-port <port>', 'port of GET /metrics and GET /health; -1 for none')
    .option('-c, --config <file>', 'settings from a YAML or JSON file (default: the one that RINGLOG_CONFIG names, if any)')
    .option('-s, --set <name=value>', 'any setting; may be given several times', collect)
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => doctor(options, terminal));
}

async function doctor({ json, ...flags }: Options, terminal: Terminal): Promise<void> {
  const checks = await examine(flags, terminal);
  if (json) printJson(terminal, checks);
  else for (const line of lines(checks)) printLine(terminal, line);
  terminal.exitCode = checks.some(({ status }) => status === 'fail') ? EXIT_FAILED : EXIT_OK;
}

async function examine(flags: Omit<Options, 'json'>, { environment }: Terminal): Promise<Check[]> {
  const [machine, disk, broker] = await Promise.all([
    import('../doctor/machine.ts'),
    import('../doctor/disk.ts'),
    import('../doctor/broker.ts'),
  ]);
  const { config, check } = await broker.checkSettings(flags, environment);
  const folder = disk.nearestFolder(config.dataDir);
  return [
    machine.checkNode(),
    machine.checkProcessors(),
    machine.checkMemory(config),
    machine.checkOpenFiles(),
    machine.checkClock(Date.now(), disk.lastBegun(config.dataDir)),
    check,
    await broker.checkDataFolder(config.dataDir),
    await broker.checkPort(config),
    await broker.checkHttpPort(config),
    await disk.checkSpace(folder),
    ...disk.checkFileSystem(disk.mountOf(folder, disk.readMountinfo())),
    disk.checkSync(folder),
  ];
}

function lines(checks: readonly Check[]): string[] {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const failures = checks.filter(({ status }) => status === 'fail').length;
  const warnings = checks.filter(({ status }) => status === 'warn').length;
  return [
    ...checks.flatMap(({ name, status, found, advice }) => [
      `${MARKS[status]}  ${name.padEnd(width)}  ${found}`,
      ...(advice === '' ? [] : [`${' '.repeat(width + 8)}→ ${advice}`]),
    ]),
    failures + warnings === 0 ? 'All is well.' : `${plural(failures, 'failure')}, ${plural(warnings, 'warning')}.`,
  ];
}
