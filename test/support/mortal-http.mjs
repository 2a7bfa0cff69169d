// Stands for the HTTP thread in tests of main's end. Cell 0 counts its lives, cell 1 the messages that it got. It dies in its first life after the first message.
import { workerData } from 'node:worker_threads';

const { control, main, port } = workerData;
const cells = new Float64Array(main);
cells[0]++;
control.on('message', () => {
  cells[1]++;
  if (cells[0] === 1) throw new Error('it was my time');
});
control.postMessage(port === 1 ? { kind: 'refused', code: 'EADDRINUSE' } : { kind: 'listening', port: port === 0 ? 4711 : port });
