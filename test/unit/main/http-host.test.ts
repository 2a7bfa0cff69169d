import { describe, expect, it, onTestFinished } from 'vitest';
import { UserError } from '../../../src/lib/user-error.ts';
import { HttpHost } from '../../../src/main/http-host.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { eventually } from '../../support/broker-process.ts';

const ENTRY = new URL('../../support/mortal-http.mjs', import.meta.url);

function hostOn(httpPort: number, portGiven: boolean): { host: HttpHost; lines: string[] } {
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  const host = new HttpHost({ httpHost: '127.0.0.1', httpPort, nodeId: 1, dataDir: '/nowhere' }, portGiven, logger, ENTRY);
  onTestFinished(() => host.stop());
  return { host, lines };
}

describe('the host of the HTTP thread', () => {
  it('starts the thread again on the same port when it dies, and tells it again what it was told', async () => {
    const { host, lines } = hostOn(0, false);
    host.start();
    await host.whenListening();
    expect(host.port).toBe(4711);
    host.tell({ kind: 'state', state: 'running', reason: null });
    await eventually(() => host.main.values[0] === 2 && host.main.values[1] === 2 && host.port === 4711, 'a second life');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'error', reason: expect.stringContaining('it was my time') });
  });

  it('rejects when a port that was asked for is taken, and says what to do', async () => {
    const { host } = hostOn(1, true);
    host.start();
    const rejected = host.whenListening();
    await expect(rejected).rejects.toThrow(UserError);
    await expect(rejected).rejects.toThrow(
      '127.0.0.1:1 is in use by another process. Stop it, choose another port (--http-port), or switch',
    );
  });

  it('goes on without pages when the default port is taken, and says so in one line', async () => {
    const { host, lines } = hostOn(1, false);
    host.start();
    await host.whenListening();
    expect(host.port).toBeNull();
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'warn', host: '127.0.0.1', port: 1, code: 'EADDRINUSE' });
  });

  it('starts nothing with port −1', async () => {
    const { host } = hostOn(-1, true);
    host.start();
    await host.whenListening();
    expect(host.port).toBeNull();
    expect(host.main.values[0]).toBe(0);
  });
});
