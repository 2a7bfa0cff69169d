/**
 * OffsetForLeaderEpoch: where the part of a log ends that a leader of some epoch wrote. Consumers ask it after a change of leaders, to learn whether what
 * they have read is still there.
 */
import { offsetForLeaderEpoch } from '../../protocol/apis/23-offset-for-leader-epoch.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import { judgeLeader } from '../fetch-judge.ts';
import type { Handler } from '../requests.ts';
import type { Router, Topic } from '../router.ts';
import { readEach, respondEach } from './paced.ts';

type Asked = RequestOf<typeof offsetForLeaderEpoch>['topics'][number]['partitions'][number];
type Answer = ResponseInput<typeof offsetForLeaderEpoch>['topics'][number]['partitions'][number];

/** See the file header. */
export function offsetForLeaderEpochHandler(router: Router): Handler {
  return async (request) => {
    const body = decodeRequest(offsetForLeaderEpoch, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const asked = body.topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
    const answers = await readEach(request, asked, ({ topic, partition }) => answerOne(router.topicByName(topic), partition));
    if (answers === null) return request.respond([]);
    // Topics and partitions named twice are answered twice, as they stand in the request.
    let next = 0;
    const topics = body.topics.map(({ topic, partitions }) => ({ topic, partitions: answers.slice(next, (next += partitions.length)) }));
    return respondEach(request, offsetForLeaderEpoch, 'topics', topics, {}, ({ partitions }) => partitions.length);
  };
}

function answerOne(topic: Topic | undefined, { partition, currentLeaderEpoch, leaderEpoch }: Asked): Answer {
  const view = topic?.partitions[partition];
  const errorCode = judgeLeader(topic, view, currentLeaderEpoch, false);
  if (errorCode !== ErrorCode.NONE || view === undefined) return { partition, errorCode };
  const { epoch, endOffset } = view.epochEnd(leaderEpoch);
  return { partition, errorCode, leaderEpoch: epoch, endOffset };
}
