/** The errors of configuration and data folder: things a person can put right. The command line prints `message` alone, without a stack. */

import { UserError } from '../lib/user-error.ts';

/** A setting that cannot be used. `message` is one line: which setting, which value, what would be right. */
export class ConfigError extends UserError {
  override name = 'ConfigError';
}

/** A data folder that must not or cannot be opened. `message` is one line and names the folder. */
export class DataFolderError extends UserError {
  override name = 'DataFolderError';
}
