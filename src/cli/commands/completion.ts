/** `ringlog completion`. */
import { Argument, type Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion.ts';
import type { Terminal } from '../terminal.ts';

const EXAMPLES = `
Examples:
  eval "$(ringlog completion bash)"                 in ~/.bashrc
  source <(ringlog completion zsh)                  in ~/.zshrc
  ringlog completion fish | source                  in ~/.config/fish/config.fish`;

export function addCompletion(ringlog: Command, terminal: Terminal): void {
  ringlog
    .command('completion')
    .description('Print what a shell needs to complete ringlog commands.')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText('after', EXAMPLES)
    .action((shell: Shell) => void terminal.stdout.write(completionScript(ringlog, shell)));
}
