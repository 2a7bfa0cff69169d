import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OverlayDisk } from '../../../src/cli/offline/overlay-disk.ts';
import { NodeDisk } from '../../../src/log/node-disk.ts';

describe('a disk that is only read', () => {
  it('gives back what was written as a real one does, and leaves the files as they were', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringlog-test-'));
    const write = fc.record({ position: fc.nat(60), bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }) });
    try {
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 40 }),
          fc.array(write, { maxLength: 6 }),
          fc.nat(80),
          fc.nat(80),
          (before, writes, from, length) => {
            const below = new NodeDisk();
            const files = { overlaid: `${folder}/overlaid`, real: `${folder}/real` };
            for (const path of Object.values(files)) writeFileSync(path, before);
            const overlay = new OverlayDisk(below);
            const [a, b] = [overlay.open(files.overlaid, 'write'), below.open(files.real, 'write')];
            for (const { position, bytes } of writes) {
              overlay.write(a, [bytes.subarray(0, 1), bytes.subarray(1)], position);
              below.write(b, [bytes], position);
            }
            const [left, right] = [Buffer.alloc(length, 1), Buffer.alloc(length, 1)];
            expect(overlay.read(a, left, 0, length, from)).toBe(below.read(b, right, 0, length, from));
            expect(left).toEqual(right);
            expect(overlay.size(a)).toBe(below.size(b));
            overlay.close(a);
            below.close(b);
            expect(readFileSync(files.overlaid)).toEqual(Buffer.from(before));
          },
        ),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('keeps new files to itself, and still knows what is not there', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringlog-test-'));
    const disk = new OverlayDisk(new NodeDisk());
    try {
      expect(() => disk.open(`${folder}/none`, 'read')).toThrow('ENOENT');
      const file = disk.open(`${folder}/new`, 'write');
      disk.write(file, [Buffer.from('x')], 3);
      disk.close(file);
      const again = disk.open(`${folder}/new`, 'read');
      const bytes = Buffer.alloc(10);
      expect(disk.read(again, bytes, 0, 10, 0)).toBe(4);
      expect(bytes.subarray(0, 4)).toEqual(Buffer.from('\0\0\0x'));
      expect(new NodeDisk().list(folder)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
