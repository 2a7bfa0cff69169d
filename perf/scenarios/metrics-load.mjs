// Does load on the page of metrics disturb producers? An open loop of produces, alone and with as many scrapers as autocannon makes: what has to wait counts.
import autocannon from 'autocannon';
import { setTimeout as sleep } from 'node:timers/promises';
import { compare } from '../lib/compare.mjs';
import { runKload } from '../lib/kload.mjs';
import { freePort } from '../lib/servers.mjs';
import { atMost, ringlogSide } from '../lib/sides.mjs';
import { secondsOf } from '../lib/quick.mjs';

const PRODUCE = { partitions: 16, connections: 16, inFlight: 100, recordBytes: 1024, batchBytes: 1, rate: 5000, warmup: 2 };
const SCRAPERS = 10;

function sidesOf(context) {
  const load = { ...PRODUCE, seconds: secondsOf(context, 15) };
  const side = (name) => {
    // Filled in when the side starts: brokers of two sides never run at once.
    const settings = [];
    const plain = ringlogSide({ ...context, settings: [] }, { durability: 'fsync', load, name, settings });
    return {
      ...plain,
      async start(dir) {
        const httpPort = await freePort();
        settings.splice(0, settings.length, ...context.settings, `ringlog.http.port=${httpPort}`);
        return { ...(await plain.start(dir)), httpPort };
      },
    };
  };
  const alone = side('alone');
  const scraped = side('scraped');
  return [
    alone,
    {
      ...scraped,
      async measure(server) {
        const cannon = autocannon({
          url: `http://127.0.0.1:${server.httpPort}/metrics`,
          connections: SCRAPERS,
          duration: load.seconds + load.warmup + 60,
        });
        await sleep(500);
        const report = await runKload(server.port, { topic: 'perf', ...load });
        cannon.stop();
        const { requests, latency, non2xx, errors } = await cannon;
        if (requests.total === 0 || non2xx > 0 || errors > 0)
          throw new Error(`scraping failed: ${JSON.stringify({ requests, non2xx, errors })}`);
        return { ...report, scrapes: { perSecond: requests.average, p99Ms: latency.p99 } };
      },
    },
  ];
}

export default {
  name: 'metrics-load',
  summary: 'fsync p99 at 5,000 records/s while ten clients ask for the metrics without pause, against alone',
  steps: (context) => sidesOf(context).length,
  async run(context) {
    return [
      await compare(context, {
        label: 'metrics-load: produce p99 at 5 k/s',
        sides: sidesOf(context),
        figure: (run) => run.report.latency_us.p99,
        unit: 'µs',
        ratios: [{ of: 'scraped', to: 'alone', target: '<= 1.1', holds: atMost(1.1) }],
      }),
    ];
  },
};
