/** The errors of configuration and data folder: things a person can put right. The command line prints `message` alone, without a stack. */

/** A setting that cannot be used. `message` is one line: which setting, which value, what would be right. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** A data folder that must not or cannot be opened. `message` is one line and names the folder. */
export class DataFolderError extends Error {
  override name = 'DataFolderError';
}
