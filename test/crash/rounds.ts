/**
 * Rounds with a death each, some of them on one data folder before there is a new one: what the tests with random deaths have in common. Some deaths come while a broker
 * starts. `CRASH_RANDOM`: how many rounds; `CRASH_SEED`: of what they do.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, test } from 'vitest';
import { Prng } from '../../src/lib/prng.ts';
import { delay, spawnBroker, startBroker, type BrokerProcess } from '../support/broker-process.ts';

/** Then a new folder, so that reading it all back stays quick. */
const ROUNDS_PER_FOLDER = 10;
const SETTINGS = {
  'ringlog.journal.bytes': 64 << 20,
  'ringlog.checkpoint.interval.bytes': 4 << 20,
  'ringlog.checkpoint.interval.ms': 200,
  'log.retention.check.interval.ms': 100,
};

export interface Round {
  /** Runs on the folder; to be killed. */
  readonly broker: BrokerProcess;
  /** The folder is new. */
  readonly fresh: boolean;
  readonly prng: Prng;
  /** The broker of the next life. */
  readonly startNext: () => Promise<BrokerProcess>;
}

/** Makes a test of each round. `play` kills its broker, checks, and resolves with how many records were acknowledged. */
export function testRounds(play: (round: Round) => Promise<number>): void {
  const rounds = Number(process.env['CRASH_RANDOM'] ?? 10);
  const seed = Number(process.env['CRASH_SEED'] ?? 1);
  const root = mkdtempSync(join(tmpdir(), 'ringlog-crash-'));
  const prng = new Prng(seed);
  let passed = 0;
  let acknowledged = 0;

  afterAll(() => {
    rmSync(root, { recursive: true, force: true });
    console.log(`crash: ${passed} passed, ${rounds - passed} failed (${acknowledged} records acknowledged, seed ${seed})`);
  });

  test.for(Array.from({ length: rounds }, (_, n) => n))('round %i', async (round) => {
    const dataDir = join(root, String(Math.floor(round / ROUNDS_PER_FOLDER)));
    const fresh = round % ROUNDS_PER_FOLDER === 0;
    const start = (): Promise<BrokerProcess> => startBroker({ dataDir, settings: SETTINGS });
    // Dying on the way up, once or twice.
    while (prng.chance(fresh ? 0 : 0.4)) {
      const dying = spawnBroker({ dataDir, settings: SETTINGS });
      await delay(prng.below(600));
      await dying.kill();
    }
    acknowledged += await play({ broker: await start(), fresh, prng, startNext: start });
    passed++;
  });
}
