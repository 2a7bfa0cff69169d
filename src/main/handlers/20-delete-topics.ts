/** DeleteTopics: by name, from version 6 on also by id. */
import { ZERO_TOPIC_ID } from '../../cluster/topic-id.ts';
import { deleteTopics } from '../../protocol/apis/20-delete-topics.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import type { ResponseInput } from '../../protocol/schema.ts';
import type { Handler } from '../requests.ts';
import type { TopicLifecycle } from '../topic-lifecycle.ts';
import { attempt, distinct, duplicates, errorOf, invalidRequest, NO_ERROR, type ElementError } from './admin.ts';
import { changeEach, respondEach } from './paced.ts';

type Answer = ResponseInput<typeof deleteTopics>['responses'][number];

interface Asked {
  readonly name: string | null;
  readonly topicId: string;
}

/** First version that names topics in structs. */
const STRUCTS_VERSION = 6;

/** See the file header. */
export function deleteTopicsHandler(lifecycle: TopicLifecycle): Handler {
  return async (request) => {
    const body = decodeRequest(deleteTopics, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const asked: Asked[] =
      request.apiVersion >= STRUCTS_VERSION ? body.topics : body.topicNames.map((name) => ({ name, topicId: ZERO_TOPIC_ID }));
    const namedTwice = duplicates(asked.map(({ name, topicId }) => name ?? topicId));
    // A topic named twice is answered once: the answer is a map.
    const named = distinct(asked, ({ name, topicId }) => JSON.stringify([name, topicId]));
    const answers = await changeEach(request, named, (topic) => deleteOne(lifecycle, topic, namedTwice));
    await respondEach(request, deleteTopics, 'responses', answers, {});
  };
}

async function deleteOne(lifecycle: TopicLifecycle, asked: Asked, namedTwice: ReadonlySet<string>): Promise<Answer> {
  const { name, topicId } = asked;
  const answer = (error: ElementError, found: Asked = asked): Answer => ({ name: found.name, topicId: found.topicId, ...error });
  if (namedTwice.has(name ?? topicId)) return answer(invalidRequest('Duplicate topic name or id.'));
  if (name !== null && topicId !== ZERO_TOPIC_ID)
    return answer(invalidRequest('Either the name or the id of a topic may be given, not both.'));
  if (name === null && topicId === ZERO_TOPIC_ID) return answer(invalidRequest('Neither name nor id of a topic is given.'));
  const result = await attempt(() => lifecycle.deleteTopic(name !== null ? { name } : { topicId }));
  return result.ok ? answer(NO_ERROR, { name: result.value.name, topicId: result.value.topicId }) : answer(errorOf(result));
}
