/** Where things are. What is downloaded or built for these tests stays in `.cache/interop`. */

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const interopFolder = dirname(dirname(fileURLToPath(import.meta.url)));
export const root = dirname(dirname(interopFolder));
export const cacheFolder = join(root, '.cache', 'interop');
