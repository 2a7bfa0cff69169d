import { api, array, int16, int32, string, uuid } from '../schema.ts';

export const deleteTopics = api(
  { key: 20, name: 'DeleteTopics', versions: '0-6', flexible: '4+' },
  {
    topics: array('6+', {
      name: string('nullable default=null'),
      topicId: uuid(),
    }),
    topicNames: array('0-5 ignorable', string),
    timeoutMs: int32(),
  },
  {
    throttleTimeMs: int32('1+ ignorable'),
    responses: array({
      name: string('nullable=6+ mapkey'),
      topicId: uuid('6+ ignorable'),
      errorCode: int16(),
      errorMessage: string('5+ nullable default=null ignorable'),
    }),
  },
);
