/** Completion scripts for shells, made of the tree of commands. The scripts are plain lists: pressing tab starts no process. */
import type { Command, Option } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Level {
  /** Words that lead here, with spaces between them; empty at the top. */
  readonly path: string;
  readonly commands: readonly Command[];
  readonly options: readonly Option[];
}

/** The script that a shell has to read. */
export function completionScript(ringlog: Command, shell: Shell): string {
  const all = levels(ringlog, []);
  switch (shell) {
    case 'bash':
      return bash(all);
    case 'zsh':
      return zsh(all);
    case 'fish':
      return fish(all);
  }
}

function levels(command: Command, path: readonly string[]): Level[] {
  const own = { path: path.join(' '), commands: command.commands, options: command.options.filter(({ hidden }) => !hidden) };
  return [own, ...command.commands.flatMap((each) => levels(each, [...path, each.name()]))];
}

function words({ commands, options }: Level): string[] {
  return [...commands.map((each) => each.name()), ...options.map(({ long, short }) => long ?? short ?? ''), '--help'];
}

/** Lines of a shell's `case` that follow the words typed so far down the tree. */
function descent(all: readonly Level[]): string[] {
  return all
    .filter(({ path }) => path !== '')
    .map(({ path }) => `      ${quoted(path.includes(' ') ? path : ` ${path}`)}) path=${quoted(path)} ;;`);
}

/** Lines of a shell's `case` with the values of options that have a list of them. */
function choices(all: readonly Level[], print: (values: readonly string[]) => string): string[] {
  const found = all.flatMap(({ path, options }) =>
    options.filter(({ argChoices }) => argChoices !== undefined).map((option) => ({ path, option })),
  );
  return found.map(({ path, option }) => {
    const flags = [option.long, option.short].filter((flag) => flag !== undefined).map((flag) => quoted(`${path} ${flag}`));
    return `    ${flags.join('|')}) ${print(option.argChoices ?? [])}; return ;;`;
  });
}

function bash(all: readonly Level[]): string {
  return `# bash completion of ringlog: eval "$(ringlog completion bash)"
_ringlog() {
  local word path='' current="\${COMP_WORDS[COMP_CWORD]}" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$path $word" in
${descent(all).join('\n')}
    esac
  done
  COMPREPLY=()
  case "$path \${COMP_WORDS[COMP_CWORD - 1]}" in
${choices(all, (values) => `COMPREPLY=($(compgen -W ${quoted(values.join(' '))} -- "$current"))`).join('\n')}
  esac
  case "$path" in
${all.map((level) => `    ${quoted(level.path)}) COMPREPLY=($(compgen -W ${quoted(words(level).join(' '))} -- "$current")) ;;`).join('\n')}
  esac
}
complete -o default -F _ringlog ringlog
`;
}

function zsh(all: readonly Level[]): string {
  return `#compdef ringlog
# zsh completion of ringlog: source <(ringlog completion zsh)
_ringlog() {
  local word route='' i
  for ((i = 2; i < CURRENT; i++)); do
    word="\${words[i]}"
    case "$route $word" in
${descent(all).join('\n').replaceAll(' path=', ' route=')}
    esac
  done
  case "$route \${words[CURRENT - 1]}" in
${choices(all, (values) => `compadd -- ${values.map(quoted).join(' ')}`).join('\n')}
  esac
  case "$route" in
${all.map((level) => `    ${quoted(level.path)}) compadd -- ${words(level).map(quoted).join(' ')} ;;`).join('\n')}
  esac
  _files
}
compdef _ringlog ringlog
`;
}

function fish(all: readonly Level[]): string {
  const lines = all.flatMap(({ path, commands, options }) => {
    const when = quoted(condition(path, commands));
    return [
      ...commands.map((each) => `complete -c ringlog -f -n ${when} -a ${quoted(each.name())} -d ${quoted(each.description())}`),
      ...options.map((option) => fishOption(when, option)),
    ];
  });
  return ['# fish completion of ringlog: ringlog completion fish | source', ...lines, ''].join('\n');
}

/** When a level's words fit: all that lead to it were typed, and none that leads further down. */
function condition(path: string, commands: readonly Command[]): string {
  const typed = path.split(' ').filter((word) => word !== '');
  const seen = typed.map((word) => `__fish_seen_subcommand_from ${word}`);
  const below = commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.map((each) => each.name()).join(' ')}`];
  return [...seen, ...below].join('; and ') || 'true';
}

function fishOption(when: string, { long, short, description, required, argChoices }: Option): string {
  const flags = [...(long === undefined ? [] : ['-l', long.slice(2)]), ...(short === undefined ? [] : ['-s', short.slice(1)])];
  const value = argChoices === undefined ? (required ? ['-r'] : []) : ['-x', '-a', quoted(argChoices.join(' '))];
  return ['complete -c ringlog', '-n', when, ...flags, ...value, '-d', quoted(description)].join(' ');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
