import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openDataFolder } from '../../../src/config/data-folder.ts';
import { DataFolderError } from '../../../src/config/errors.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const UID_OF_NOBODY = 65_534;

const initialize = async (metaPath: string): Promise<void> => void mkdirSync(metaPath, { recursive: true });
const open = (path: string, nodeId = 1) => openDataFolder(path, { nodeId, initialize });

async function madeFolder(): Promise<string> {
  const path = join(temporaryFolder(), 'data');
  await (await open(path)).close();
  return path;
}

const refused = (promise: Promise<unknown>, message: RegExp) =>
  expect(promise).rejects.toSatisfy(
    (error: Error) => error instanceof DataFolderError && message.test(error.message) && !error.message.includes('\n'),
  );

describe('a data folder', () => {
  it('gets its identity at the first start and keeps it', async () => {
    const path = join(temporaryFolder(), 'some', 'where');
    const first = await open(path);
    expect(first).toMatchObject({ path, metaPath: join(path, 'meta'), nodeId: 1, fresh: true });
    expect(first.clusterId).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
    await first.close();
    const second = await open(path);
    expect(second).toMatchObject({ clusterId: first.clusterId, fresh: false });
    await second.close();
    expect(JSON.parse(readFileSync(join(path, 'ringlog.json'), 'utf8'))).toEqual({
      formatVersion: 1,
      clusterId: first.clusterId,
      nodeId: 1,
    });
    expect(readdirSync(path).sort()).toEqual(['meta', 'ringlog.json']);
  });

  it('is begun anew after a first start that was interrupted', async () => {
    const path = join(temporaryFolder(), 'data');
    const failing = openDataFolder(path, {
      nodeId: 1,
      initialize: async (metaPath) => {
        await initialize(metaPath);
        throw new Error('crash');
      },
    });
    await expect(failing).rejects.toThrow('crash');
    const folder = await open(path);
    expect(folder.fresh).toBe(true);
    await folder.close();
  });

  it('is given up although somebody who asked for its holder stays connected', async () => {
    const path = join(temporaryFolder(), 'data');
    const folder = await open(path);
    // One that is stopped does not even notice the end.
    const asking = connect({ path: join(path, 'ringlog.lock'), allowHalfOpen: true });
    onTestFinished(() => void asking.destroy());
    let answer = '';
    asking.on('data', (piece) => void (answer += piece.toString()));
    await once(asking, 'data');
    await folder.close();
    expect(answer).toBe(`${process.pid}\n`);
    await (await open(path)).close();
  });

  it('is refused to the process that has it open already', async () => {
    const path = await madeFolder();
    const folder = await open(path);
    await refused(open(path), new RegExp(`The data folder ${path} is in use by this process`));
    await folder.close();
    await (await open(path)).close();
  });

  it('of another broker is refused', async () => {
    const path = await madeFolder();
    await refused(open(path, 2), /belongs to broker 1, and this is broker 2/);
  });

  it('of a newer format is refused by its version', async () => {
    const path = await madeFolder();
    writeFileSync(join(path, 'ringlog.json'), JSON.stringify({ formatVersion: 2, everything: 'else is different' }));
    await refused(open(path), /has format version 2, and this ringlog knows versions up to 1/);
  });

  it.each([
    '',
    '{',
    '[]',
    'null',
    '{}',
    '{"formatVersion":"1"}',
    '{"formatVersion":1,"clusterId":"","nodeId":1}',
    '{"formatVersion":1,"clusterId":"x"}',
  ])('with the identity %j is refused, and the identity stays as it was', async (text) => {
    const path = await madeFolder();
    writeFileSync(join(path, 'ringlog.json'), text);
    await refused(open(path), /ringlog\.json cannot be read as the identity/);
    expect(readFileSync(join(path, 'ringlog.json'), 'utf8')).toBe(text);
  });

  it('is not made of a folder that holds something else', async () => {
    const path = temporaryFolder();
    mkdirSync(join(path, 'topics'));
    writeFileSync(join(path, 'photo.jpg'), '');
    await refused(open(path), /holds other files \(photo\.jpg, topics\) but no ringlog\.json/);
    expect(readdirSync(path).sort()).toEqual(['photo.jpg', 'topics']);
  });

  it('is not made of a file', async () => {
    const path = join(temporaryFolder(), 'file');
    writeFileSync(path, '');
    await refused(open(path), /cannot be opened: it is not a folder/);
    await refused(open(join(path, 'below')), /cannot be opened: it is not a folder/);
  });

  it.skipIf(process.platform !== 'linux')('is not made where the system lets nobody make one', async () => {
    await refused(open('/proc/ringlog-data'), /cannot be opened: a folder above it is missing and cannot be made \(ENOENT\)/);
    await refused(open('/proc/ringlog-data/below'), /cannot be opened: a folder above it is missing and cannot be made \(ENOENT\)/);
  });

  it('whose identity is a folder, or whose links go round in a circle, is refused', async () => {
    const path = await madeFolder();
    unlinkSync(join(path, 'ringlog.json'));
    mkdirSync(join(path, 'ringlog.json'));
    await refused(open(path), /ringlog\.json is a folder and should be a file/);
    const link = join(temporaryFolder(), 'link');
    symlinkSync(link, link);
    await refused(open(link), /cannot be opened: its symbolic links go round in a circle \(ELOOP\)/);
  });

  it('may be let go twice, also one whose name is longer than a socket address', async () => {
    for (const name of ['data', 'long'.repeat(40)]) {
      const path = join(temporaryFolder(), name);
      const folder = await open(path);
      await folder.close();
      const next = await open(path);
      await folder.close();
      await refused(open(path), /in use by this process/);
      await next.close();
    }
  });

  it('that may not be written is refused', async () => {
    const path = temporaryFolder();
    chmodSync(path, 0o500);
    // Root may write anywhere, so it plays somebody else meanwhile.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(UID_OF_NOBODY);
    try {
      await refused(open(path), /this user may not use it/);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});
