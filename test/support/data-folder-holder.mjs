// Takes the data folder given as argument, says so, and holds it until it is killed.
import { openDataFolder } from '../../build/config/data-folder.js';

await openDataFolder(process.argv[2], { nodeId: 1, initialize: async () => undefined });
process.stdout.write('held\n');
setInterval(() => undefined, 60_000);
