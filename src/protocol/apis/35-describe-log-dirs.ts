import { api, array, bool, int16, int32, int64, string } from '../schema.ts';

export const describeLogDirs = api(
  { key: 35, name: 'DescribeLogDirs', versions: '0-5', flexible: '2+' },
  {
    topics: array('nullable', {
      topic: string('mapkey'),
      partitions: array(int32),
    }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16('3+ ignorable'),
    results: array({
      errorCode: int16(),
      logDir: string(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          partitionSize: int64(),
          offsetLag: int64(),
          isFutureKey: bool(),
        }),
      }),
      totalBytes: int64('4+ default=-1 ignorable'),
      usableBytes: int64('4+ default=-1 ignorable'),
      isCordoned: bool('5+ ignorable'),
    }),
  },
);
