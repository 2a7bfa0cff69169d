/** Entry of the HTTP thread: tells main whether it listens, and answers from what main tells it and what others count. */
import { setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';
import { folderSpace } from '../config/data-folder.ts';
import { Mailbox } from '../ring/mailbox.ts';
import { healthPage } from './health-page.ts';
import type { FromHttp, HttpWorkerData, ToHttp } from './messages.ts';
import { HttpServer, type Page } from './server.ts';
import { PageSource } from './source.ts';

/** A page serves everybody who asks within this time; main shows its own numbers once a second anyway. */
const PAGE_MS = 500;
/** Less urgent than all that serves the protocol; the highest is 0, the lowest 19. */
const NICENESS = 10;

const data = workerData as HttpWorkerData;
const source = new PageSource();
const mailbox = new Mailbox<FromHttp, ToHttp>(data.control, (message) => source.onMessage(message));

let made: Promise<Page> | null = null;
let madeAtMs = 0;

const server = new HttpServer((path) => {
  if (path === '/health') return health();
  if (path !== '/metrics') return undefined;
  const nowMs = performance.now();
  if (made === null || nowMs - madeAtMs >= PAGE_MS) {
    made = metrics();
    madeAtMs = nowMs;
  }
  return made;
});

server.listen(data.host, data.port).then(
  (port) => {
    mailbox.post({ kind: 'listening', port });
    // Only now: a start waits for this. There, and only there, it means the calling thread and not the process.
    if (process.platform === 'linux') setPriority(0, NICENESS);
  },
  // The mailbox keeps this thread up until main has read why: its end could get there first.
  (error: NodeJS.ErrnoException) => mailbox.post({ kind: 'refused', code: error.code ?? error.message }),
);

async function health(): Promise<Page> {
  const { version, nodeId, dataDir } = data;
  const page = healthPage(source, { version, nodeId, uptimeSeconds: process.uptime(), disk: await folderSpace(dataDir) });
  return { status: page.status, type: 'application/json; charset=utf-8', body: Buffer.from(page.body) };
}

async function metrics(): Promise<Page> {
  // Loaded by the first who asks: most brokers of a test never are.
  const { METRICS_TYPE, metricsPage } = await import('./metrics-page.ts');
  const { user, system } = process.cpuUsage();
  const disk = await folderSpace(data.dataDir);
  let leftOut = 0;
  for (const series of source.series.values()) leftOut += series.leftOut;
  const body = await metricsPage({
    source,
    main: data.main,
    apiNames: data.apiNames,
    process: {
      rss: process.memoryUsage.rss(),
      cpu: (user + system) / 1e6,
      uptime: process.uptime(),
      diskFree: disk?.usableBytes ?? NaN,
      diskTotal: disk?.totalBytes ?? NaN,
      up: source.isWell ? 1 : 0,
      seriesLeftOut: leftOut,
    },
  });
  return { status: 200, type: METRICS_TYPE, body: Buffer.from(body) };
}
