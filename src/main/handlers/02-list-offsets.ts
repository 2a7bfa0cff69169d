/**
 * ListOffsets: log start, watermark, and offsets by time.
 *
 * By time, a batch that is compressed is answered as a whole, with its first offset and base timestamp: a consumer then begins a little early, never late.
 */
import { MalformedError } from '../../protocol/protocol-errors.ts';
import { listOffsets } from '../../protocol/apis/02-list-offsets.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import { judgeLeader } from '../fetch-judge.ts';
import type { PartitionView } from '../partition-view.ts';
import type { Handler } from '../requests.ts';
import type { Router, Topic } from '../router.ts';
import type { FoundRecord, TimestampSearch } from '../timestamp-search.ts';
import { duplicates } from './admin.ts';
import { readEach, respondEach } from './paced.ts';

type Asked = RequestOf<typeof listOffsets>['topics'][number]['partitions'][number];
type Answer = ResponseInput<typeof listOffsets>['topics'][number]['partitions'][number];

/** Timestamps with a meaning of their own, and the first version that has it. */
const LATEST = -1n;
const EARLIEST = -2n;
const LARGEST_TIMESTAMP = -3n;
const EARLIEST_LOCAL = -4n;
const LATEST_TIERED = -5n;
const EARLIEST_PENDING_UPLOAD = -6n;
const VERSION_OF: ReadonlyMap<bigint, number> = new Map([
  [LATEST, 0],
  [EARLIEST, 0],
  [LARGEST_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
]);

const LEADER_EPOCH_VERSION = 4;

/** See the file header. */
export function listOffsetsHandler(router: Router, search: TimestampSearch): Handler {
  return async (request) => {
    const { apiVersion } = request;
    const body = decodeRequest(listOffsets, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const asked = body.topics.flatMap(({ name, partitions }) => partitions.map((partition) => ({ name, ...partition })));
    const keyOf = ({ name, partitionIndex }: (typeof asked)[number]): string => `${name}/${partitionIndex}`;
    const twice = duplicates(asked.map(keyOf));
    const found = await readEach(request, asked, (partition) =>
      twice.has(keyOf(partition))
        ? failed(partition, ErrorCode.INVALID_REQUEST)
        : answerOne(router.topicByName(partition.name), partition, apiVersion, search),
    );
    if (found === null) return request.respond([]);
    // Older versions have no field for it, and a default is the only value they may be given.
    const answers = apiVersion < LEADER_EPOCH_VERSION ? found.map((each) => ({ ...each, leaderEpoch: -1 })) : found;
    let next = 0;
    const topics = body.topics.map(({ name, partitions }) => ({ name, partitions: answers.slice(next, (next += partitions.length)) }));
    return respondEach(request, listOffsets, 'topics', topics, {}, ({ partitions }) => partitions.length);
  };
}

async function answerOne(topic: Topic | undefined, asked: Asked, apiVersion: number, search: TimestampSearch): Promise<Answer> {
  const view = topic?.partitions[asked.partitionIndex];
  const error = judgeLeader(topic, view, asked.currentLeaderEpoch, false);
  if (error !== ErrorCode.NONE || view === undefined) return failed(asked, error);
  const { timestamp } = asked;
  if (timestamp < 0n && apiVersion < (VERSION_OF.get(timestamp) ?? Infinity)) return failed(asked, ErrorCode.UNSUPPORTED_VERSION);
  // Without transactions the last stable offset is the watermark, so isolation makes no difference.
  if (timestamp === LATEST) return answer(asked, view.highWatermark, -1n, view.leaderEpoch);
  if (timestamp === EARLIEST || timestamp === EARLIEST_LOCAL) {
    const start = view.logStartOffset;
    // What an empty log begins with is yet to come, in the epoch that appends it.
    return answer(asked, start, -1n, start === view.highWatermark ? view.leaderEpoch : view.epochOf(start));
  }
  // Nothing is tiered here.
  if (timestamp === LATEST_TIERED || timestamp === EARLIEST_PENDING_UPLOAD) return answer(asked, -1, -1n, -1);
  return byTime(view, asked, timestamp, search);
}

async function byTime(view: PartitionView, asked: Asked, timestamp: bigint, search: TimestampSearch): Promise<Answer> {
  let found: FoundRecord | null | 'error';
  try {
    found = timestamp === LARGEST_TIMESTAMP ? await search.largest(view) : await search.firstFrom(view, Number(timestamp));
  } catch (error) {
    // Records that do not parse though their CRC is right: a producer wrote them so.
    if (!(error instanceof MalformedError)) throw error;
    return failed(asked, ErrorCode.CORRUPT_MESSAGE);
  }
  if (found === 'error') return failed(asked, ErrorCode.KAFKA_STORAGE_ERROR);
  return found === null ? answer(asked, -1, -1n, -1) : answer(asked, found.offset, found.timestamp, view.epochOf(found.offset));
}

function answer({ partitionIndex }: Asked, offset: number, timestamp: bigint, leaderEpoch: number): Answer {
  return { partitionIndex, errorCode: ErrorCode.NONE, timestamp, offset, leaderEpoch };
}

function failed({ partitionIndex }: Asked, errorCode: number): Answer {
  return { partitionIndex, errorCode, timestamp: -1n, offset: -1, leaderEpoch: -1 };
}
