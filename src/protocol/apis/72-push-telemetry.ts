import { api, bool, bytes, int16, int32, int8, uuid } from '../schema.ts';

export const pushTelemetry = api(
  { key: 72, name: 'PushTelemetry', versions: '0', flexible: '0+' },
  {
    clientInstanceId: uuid(),
    subscriptionId: int32(),
    terminating: bool(),
    compressionType: int8(),
    metrics: bytes(),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
  },
);
