/** Where the entry of the command line is, for commands that start another process of it. */
import { fileURLToPath } from 'node:url';

// The build puts files together, one folder deep: a relative path has to mean the same there, so this is not in the folder of a command.
export const BIN = fileURLToPath(new URL('../bin.js', import.meta.url));
