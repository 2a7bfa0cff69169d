/** Descriptors of segments at the end of a broker. */
import { expect, test } from 'vitest';
import { ReadBench } from '../../support/read-bench.ts';

test('nothing is opened once everything was closed: a look that comes late is told so', async () => {
  const bench = new ReadBench();
  const { reader } = bench.side;
  try {
    const [writer] = bench.addTopic('t');
    writer!.append(1, 100);
    const { view } = writer!;
    const segment = view.active!;
    const read = (): Promise<Error | null> =>
      new Promise((resolve) => reader.read(view, segment, Buffer.alloc(10), 0, 10, 0, (error) => resolve(error)));
    expect(await read()).toBe(null);
    expect(reader.openDescriptors).toBe(1);
    reader.closeAll();
    expect(reader.openDescriptors).toBe(0);
    expect(String(await read())).toContain('the broker stops');
    expect(() => reader.readNow(view, segment, Buffer.alloc(10), 0, 10, 0)).toThrow('the broker stops');
    expect(reader.openDescriptors).toBe(0);
  } finally {
    bench.close();
  }
});
