import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TopicNameCache } from '../../../src/protocol/topic-name-cache.ts';

const find = (cache: TopicNameCache, name: string): number => {
  const bytes = Buffer.from(`<<${name}>>`);
  return cache.find(bytes, 2, bytes.length - 4);
};

describe('the topic name cache', () => {
  it('behaves like a map, whatever is set and deleted', () => {
    const name = fc.constantFrom(...Array.from({ length: 150 }, (_, index) => `topic-${index}`));
    const step = fc.tuple(name, fc.option(fc.nat(), { freq: 3 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
        const cache = new TopicNameCache();
        const model = new Map<string, number>();
        for (const [key, number] of steps) {
          if (number === null) expect(cache.delete(key)).toBe(model.delete(key));
          else {
            cache.set(key, number);
            model.set(key, number);
          }
        }
        expect(cache.size).toBe(model.size);
        for (let index = 0; index < 150; index++) expect(find(cache, `topic-${index}`)).toBe(model.get(`topic-${index}`) ?? -1);
      }),
    );
  });

  it('finds ids as well as names, and nothing in an empty or overlong range', () => {
    const cache = new TopicNameCache();
    const id = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
    cache.set(id, 3);
    cache.set('é', 4);
    id.fill(0);
    expect(cache.find(Buffer.from('aa000102030405060708090a0b0c0d0e0f', 'hex'), 1, 16)).toBe(3);
    expect(find(cache, 'é')).toBe(4);
    expect(find(cache, '')).toBe(-1);
    expect(find(cache, 'x'.repeat(30000))).toBe(-1);
  });

  it('refuses to hold more than its limit', () => {
    const cache = new TopicNameCache(1);
    cache.set('a', 1);
    cache.set('a', 2);
    expect(() => cache.set('b', 1)).toThrow('no more than 1 names');
  });
});
