import { api, array, bool, float64, int16, int32, int8, string } from '../schema.ts';

export const describeClientQuotas = api(
  { key: 48, name: 'DescribeClientQuotas', versions: '0-1', flexible: '1+' },
  {
    components: array({
      entityType: string(),
      matchType: int8(),
      match: string('nullable'),
    }),
    strict: bool(),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable'),
    entries: array('nullable', {
      entity: array({
        entityType: string(),
        entityName: string('nullable'),
      }),
      values: array({
        key: string(),
        value: float64(),
      }),
    }),
  },
);
