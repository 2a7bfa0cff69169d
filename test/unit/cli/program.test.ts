import { spawnSync } from 'node:child_process';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { completionScript } from '../../../src/cli/completion.ts';
import { processTerminal } from '../../../src/cli/process-terminal.ts';
import { program } from '../../../src/cli/program.ts';

const ringlog = program(processTerminal({}));

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

/** The whole help of a command, as `--help` prints it. */
function help(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (more) => (text += more) });
  command.outputHelp();
  return text;
}

const pathOf = (command: Command): string => (command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`);

describe('the tree of commands', () => {
  it('has every command that is documented', () => {
    expect(leaves(ringlog).map(pathOf)).toEqual([
      'ringlog start',
      'ringlog topic create',
      'ringlog topic list',
      'ringlog topic describe',
      'ringlog topic alter',
      'ringlog topic delete',
      'ringlog produce',
      'ringlog consume',
      'ringlog group list',
      'ringlog group describe',
      'ringlog group reset',
      'ringlog group delete',
      'ringlog log verify',
      'ringlog log dump',
      'ringlog doctor',
      'ringlog bench',
      'ringlog completion',
    ]);
  });

  it.each(leaves(ringlog).map((command) => [pathOf(command), command] as const))(
    '%s explains itself and every option, with examples that are right',
    (path, command) => {
      expect(command.description()).toMatch(/\.$/);
      for (const option of command.options) expect(option.description).not.toBe('');
      const examples = help(command).split('Examples:\n')[1] ?? '';
      const lines = examples.split('\n').filter((line) => line.includes('ringlog '));
      expect(lines.some((line) => line.includes(path))).toBe(true);
      const known = new Set([...command.options.flatMap(({ long, short }) => [long, short]), '--help']);
      // Flags of other programs in a pipe are not ours.
      const ours = lines
        .filter((line) => line.includes(path))
        .map((line) => (line.slice(line.indexOf(path)).split(/ \| |; /)[0] as string).split(/ {3,}/)[0] as string);
      for (const flag of ours.join(' ').match(/(?<= )--?[a-z][a-z-]*(?=[ =]|$)/gi) ?? []) expect(known).toContain(flag);
    },
  );

  it('has no option twice in a command', () => {
    for (const command of leaves(ringlog)) {
      const flags = command.options.flatMap(({ long, short }) => [long, short]).filter((flag) => flag !== undefined);
      expect(new Set(flags).size).toBe(flags.length);
    }
  });
});

describe('completion', () => {
  const complete = (...words: string[]): string[] => {
    const script = `${completionScript(ringlog, 'bash')}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ringlog; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr, status } = spawnSync('bash', ['--noprofile', '--norc', '-c', script, 'bash', 'ringlog', ...words], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    return stdout.split('\n').filter((word) => word !== '');
  };

  it('offers in bash what fits: commands, their commands, options, values', () => {
    expect(complete('')).toEqual([...ringlog.commands.map((command) => command.name()), '--version', '--help']);
    expect(complete('topic', 'de')).toEqual(['describe', 'delete']);
    expect(complete('topic', 'create', 'x', '--part')).toEqual(['--partitions']);
    expect(complete('produce', 'x', '--acks', '')).toEqual(['0', '1', 'all']);
    expect(complete('produce', 'x', '-z', 's')).toEqual(['snappy']);
    expect(complete('completion', '')).toEqual(expect.arrayContaining(['--help']));
  });

  it.each(['zsh', 'fish'] as const)('has every command and option for %s', (shell) => {
    const script = completionScript(ringlog, shell);
    for (const command of leaves(ringlog)) {
      expect(script).toContain(`'${command.name()}'`);
      for (const { long } of command.options) expect(script).toContain(shell === 'fish' ? `-l ${long?.slice(2)} ` : `'${long}'`);
    }
  });
});
