/**
 * DescribeLogDirs: the data folder, its room, and the bytes of the partitions in it: what their logs hold, not what recycled files take on the disk.
 * Unknown topics and partitions are left out, as by Kafka.
 */
import { describeLogDirs } from '../../protocol/apis/35-describe-log-dirs.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { PartedArray } from '../../protocol/parted-response.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import type { PartitionView } from '../partition-view.ts';
import type { Handler } from '../requests.ts';
import type { Router } from '../router.ts';
import { encodeEach } from './paced.ts';

type Asked = NonNullable<RequestOf<typeof describeLogDirs>['topics']>;
type Answer = ResponseInput<typeof describeLogDirs>['results'][number]['topics'][number];

/** What is told of the disk. */
export interface FolderSpace {
  readonly totalBytes: number;
  /** What is left for a process that is nobody special. */
  readonly usableBytes: number;
}

export interface DescribeLogDirsParts {
  readonly router: Router;
  readonly dataDir: string;
  /** Null when the disk does not tell. */
  readonly space: () => Promise<FolderSpace | null>;
}

/** What is to be described of a topic; null: all its partitions. */
interface Wanted {
  readonly name: string;
  readonly partitions: ReadonlySet<number> | null;
}

const SPACE_UNKNOWN: FolderSpace = { totalBytes: -1, usableBytes: -1 };

/** See the file header. */
export function describeLogDirsHandler({ router, dataDir, space }: DescribeLogDirsParts): Handler {
  return async (request) => {
    const body = decodeRequest(describeLogDirs, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const wanted =
      body.topics === null ? [...router.topics()].map(({ name }): Wanted => ({ name, partitions: null })) : together(body.topics);
    const found = await space();
    const topics = new PartedArray<Answer>(describeLogDirs, request.apiVersion, ['results', 'topics']);
    const isWanted = await encodeEach(
      request,
      topics,
      wanted,
      (topic) => describe(router, topic),
      ({ partitions }) => partitions.length,
    );
    if (!isWanted) return request.respond([]);
    const directory = { errorCode: ErrorCode.NONE, logDir: dataDir, ...(found ?? SPACE_UNKNOWN) };
    const pieces = topics.finish(request.correlationId, (gap) => ({ results: [{ ...directory, topics: gap }] }));
    return request.respond(pieces);
  };
}

/** A topic named twice is one topic: the answer is a map. */
function together(topics: Asked): Wanted[] {
  const partitionsOf = new Map<string, Set<number>>();
  for (const { topic, partitions } of topics) {
    const all = partitionsOf.get(topic) ?? new Set();
    for (const partition of partitions) all.add(partition);
    partitionsOf.set(topic, all);
  }
  return [...partitionsOf].map(([name, partitions]) => ({ name, partitions }));
}

function describe(router: Router, { name, partitions: wanted }: Wanted): Answer | null {
  const topic = router.topicByName(name);
  if (topic === undefined) return null;
  const views: (PartitionView | undefined)[] =
    wanted === null ? [...topic.partitions] : Array.from(wanted, (index) => topic.partitions[index]);
  const partitions = views.flatMap((view) =>
    view === undefined ? [] : [{ partitionIndex: view.partition, partitionSize: view.bytes, offsetLag: 0, isFutureKey: false }],
  );
  return partitions.length === 0 ? null : { name, partitions };
}
