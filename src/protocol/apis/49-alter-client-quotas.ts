import { api, array, bool, float64, int16, int32, string } from '../schema.ts';

export const alterClientQuotas = api(
  { key: 49, name: 'AlterClientQuotas', versions: '0-1', flexible: '1+' },
  {
    entries: array({
      entity: array({
        entityType: string(),
        entityName: string('nullable'),
      }),
      ops: array({
        key: string(),
        value: float64(),
        remove: bool(),
      }),
    }),
    validateOnly: bool(),
  },
  {
    throttleTimeMs: int32(),
    entries: array({
      errorCode: int16(),
      errorMessage: string('nullable'),
      entity: array({
        entityType: string(),
        entityName: string('nullable'),
      }),
    }),
  },
);
