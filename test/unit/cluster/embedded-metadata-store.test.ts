import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EmbeddedMetadataStore } from '../../../src/cluster/embedded-metadata-store.ts';
import { MetadataCorruptError, MetadataStoreError } from '../../../src/cluster/metadata-store.ts';
import { metadataStoreSuite } from '../../support/metadata-store-suite.ts';
import { mountSmall } from '../../support/system-tools.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

metadataStoreSuite('embedded', {
  open: async (clock) => {
    const path = join(temporaryFolder(), 'meta');
    await EmbeddedMetadataStore.create(path);
    return EmbeddedMetadataStore.open(path, clock);
  },
});

/** A store with enough in it that the tree has branches and large values; closed. */
async function filledStore(): Promise<string> {
  const path = join(temporaryFolder(), 'meta');
  await EmbeddedMetadataStore.create(path);
  const store = await EmbeddedMetadataStore.open(path);
  await Promise.all(Array.from({ length: 300 }, (_, index) => store.put(`topic/${index}`, { index, text: 'x'.repeat(index) })));
  await store.put('large', 'y'.repeat(50_000));
  for (let index = 0; index < 20; index++) await store.delete(`topic/${index * 7}`);
  await store.close();
  return path;
}

describe('the embedded store on disk', () => {
  it('has everything again after it was closed, revisions included', async () => {
    const path = await filledStore();
    const store = await EmbeddedMetadataStore.open(path);
    const { revision, entries } = await store.list('');
    expect(revision).toBe(321);
    expect(entries).toHaveLength(281);
    expect(await store.get('topic/1')).toMatchObject({ value: { index: 1, text: 'x' } });
    expect(await store.put('next', 1)).toMatchObject({ revision: 322 });
    await store.close();
  });

  it('has what was answered after a copy of the file was taken, as after a crash', async () => {
    const path = join(temporaryFolder(), 'meta');
    await EmbeddedMetadataStore.create(path);
    const store = await EmbeddedMetadataStore.open(path);
    const copy = join(temporaryFolder(), 'meta');
    mkdirSync(copy);
    for (let index = 0; index < 10; index++) {
      await store.put(`k/${index}`, index);
      copyFileSync(join(path, 'data.mdb'), join(copy, 'data.mdb'));
      const crashed = await EmbeddedMetadataStore.open(copy);
      expect((await crashed.list('k/')).entries).toHaveLength(index + 1);
      await crashed.close();
    }
    await store.close();
  });

  it('forgets keys under a lease: the lease ended with the process', async () => {
    const path = join(temporaryFolder(), 'meta');
    await EmbeddedMetadataStore.create(path);
    let store = await EmbeddedMetadataStore.open(path);
    await store.put('was-kept', 1);
    const lease = await store.grantLease(10_000);
    await store.put('leased', 1, { lease });
    await store.put('was-kept', 2, { lease });
    await store.close();
    store = await EmbeddedMetadataStore.open(path);
    expect(await store.list('')).toEqual({ revision: 3, entries: [] });
    await store.close();
  });

  it('is made only where nothing is, and made again where an interrupted start made it', async () => {
    const path = join(temporaryFolder(), 'meta');
    await EmbeddedMetadataStore.create(path);
    await EmbeddedMetadataStore.create(path);
    const filled = await filledStore();
    await expect(EmbeddedMetadataStore.create(filled)).rejects.toThrow(/already holds metadata/);
    const store = await EmbeddedMetadataStore.open(filled);
    expect((await store.list('')).entries).toHaveLength(281);
    await store.close();
  });
});

it.each([0, 1, 4096, 8191])('is made anew where a start ended when it had written %i bytes of it', async (bytes) => {
  const path = join(temporaryFolder(), 'meta');
  mkdirSync(path);
  writeFileSync(join(path, 'data.mdb'), Buffer.alloc(bytes));
  await EmbeddedMetadataStore.create(path);
  const store = await EmbeddedMetadataStore.open(path);
  expect(await store.list('')).toEqual({ revision: 0, entries: [] });
  await store.close();
});

describe('a damaged metadata database', () => {
  const refused = (path: string, why: RegExp) =>
    expect(EmbeddedMetadataStore.open(path)).rejects.toSatisfy((error: Error) => {
      expect(error).toBeInstanceOf(MetadataCorruptError);
      expect(error.message).toMatch(why);
      expect(error.message).toContain(path);
      expect(error.message).not.toMatch(/\n/);
      return true;
    });

  it('is refused when it is missing, and none is made in its place', async () => {
    const path = await filledStore();
    rmSync(path, { recursive: true });
    await refused(path, /is missing.*Restore it from a backup/);
    expect(existsSync(path)).toBe(false);
    mkdirSync(path);
    await refused(path, /is missing/);
  });

  it('is refused when it is empty, garbage or truncated at any place', async () => {
    const path = await filledStore();
    const file = join(path, 'data.mdb');
    const { size } = statSync(file);
    const whole = readFileSync(file);
    for (const bytes of [size - 1, size - 4096, Math.floor(size / 2), 8192, 5000, 100, 0]) {
      writeFileSync(file, whole);
      truncateSync(file, bytes);
      await refused(path, /not a sound metadata database/);
    }
    writeFileSync(file, Buffer.alloc(size, 0x5a));
    await refused(path, /not a sound metadata database/);
    writeFileSync(file, Buffer.alloc(size));
    await refused(path, /not a sound metadata database/);
  });

  it('is refused or is whole, never less, when bytes of it change', async () => {
    const path = await filledStore();
    const file = join(path, 'data.mdb');
    const whole = readFileSync(file);
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fff_ffff;
      return seed % below;
    };
    let refusals = 0;
    for (let round = 0; round < 60; round++) {
      const damaged = Buffer.from(whole);
      if (round % 2 === 0) damaged.copy(damaged, random(whole.length / 4096) * 4096, random(whole.length / 4096) * 4096).toFixed();
      else for (let flip = 0; flip < 6; flip++) damaged[random(damaged.length)]! ^= 1 << random(8);
      writeFileSync(file, damaged);
      try {
        const store = await EmbeddedMetadataStore.open(path);
        const { revision, entries } = await store.list('');
        expect([revision, entries.length]).toEqual([321, 281]);
        await store.close();
      } catch (error) {
        expect(error).toBeInstanceOf(MetadataCorruptError);
        refusals += 1;
      }
    }
    expect(refusals).toBeGreaterThan(20);
  });
});

describe('a full disk under the metadata store', () => {
  it('refuses the change, keeps what was there, and goes on once there is room', async (context) => {
    const mount = temporaryFolder();
    mountSmall(context, mount, 400 << 10);
    const path = join(mount, 'meta');
    await EmbeddedMetadataStore.create(path);
    let store = await EmbeddedMetadataStore.open(path);
    await store.put('first', 'z'.repeat(20_000));
    writeFileSync(join(mount, 'ballast'), Buffer.alloc(200_000));
    let answered = 0;
    let refusal: unknown;
    for (let index = 0; index < 60; index++) {
      try {
        await store.put(`k/${index}`, 'x'.repeat(8_000));
        answered += 1;
      } catch (error) {
        refusal = error;
        break;
      }
    }
    expect(refusal).toBeInstanceOf(MetadataStoreError);
    expect(refusal).toMatchObject({ outcomeUnknown: false, message: expect.stringMatching(/no space left/) });
    expect((await store.list('k/')).entries).toHaveLength(answered);
    rmSync(join(mount, 'ballast'));
    expect(await store.put('after', 1)).toMatchObject({ committed: true });
    await store.close();
    store = await EmbeddedMetadataStore.open(path);
    expect((await store.list('')).entries).toHaveLength(answered + 2);
    await store.close();
  });
});
