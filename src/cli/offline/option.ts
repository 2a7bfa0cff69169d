/** The option of every command that looks at a data folder without a broker. */
import type { Command } from 'commander';

export interface FolderOptions {
  readonly dataDir: string;
}

export function withDataDir(command: Command): Command {
  return command.option('-d, --data-dir <folder>', 'the data folder; its broker has to be stopped', './data');
}
