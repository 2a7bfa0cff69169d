import { describe, expect, it } from 'vitest';
import { metadata } from '../../../src/protocol/apis/03-metadata.ts';
import { createTopics } from '../../../src/protocol/apis/19-create-topics.ts';
import { encodeResponseFrame } from '../../../src/protocol/frame.ts';
import { PartedResponse } from '../../../src/protocol/parted-response.ts';
import { EncodeError } from '../../../src/protocol/protocol-errors.ts';

const topic = (n: number) => ({
  errorCode: n,
  name: `topic-${n}`,
  partitions: Array.from({ length: n }, (_, partitionIndex) => ({
    errorCode: 0,
    partitionIndex,
    leaderId: 1,
    replicaNodes: [1],
    isrNodes: [1],
    offlineReplicas: [],
  })),
});
const rest = { brokers: [{ nodeId: 1, host: 'h', port: 9092, rack: null }], clusterId: 'c', controllerId: 1 };

describe('a response in parts', () => {
  it.each(Array.from({ length: 14 }, (_, version) => version))('has the bytes of Metadata %i encoded at once', (version) => {
    for (const sizes of [[], [[]], [[1]], [[1, 2], [], [3]], [[200], [1], [1]]]) {
      const response = new PartedResponse(metadata, version, 'topics');
      for (const part of sizes) response.add(part.map(topic));
      const whole = encodeResponseFrame(metadata, version, -5, { ...rest, topics: sizes.flat().map(topic) });
      expect(Buffer.concat(response.finish(-5, rest)).equals(whole)).toBe(true);
    }
  });

  it('has a count of more than one byte', () => {
    const response = new PartedResponse(metadata, 12, 'topics');
    const topics = Array.from({ length: 300 }, () => topic(0));
    for (const each of topics) response.add([each]);
    expect(response.bytes).toBeGreaterThan(300 * 10);
    expect(Buffer.concat(response.finish(1, rest)).equals(encodeResponseFrame(metadata, 12, 1, { ...rest, topics }))).toBe(true);
  });

  it('refuses an element that the version cannot express', () => {
    const response = new PartedResponse(createTopics, 7, 'topics');
    expect(() => response.add([{ name: 'x', errorCode: 1 << 20, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }])).toThrow(EncodeError);
  });
});
