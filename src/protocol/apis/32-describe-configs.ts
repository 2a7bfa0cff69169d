import { api, array, bool, int16, int32, int8, string } from '../schema.ts';

export const describeConfigs = api(
  { key: 32, name: 'DescribeConfigs', versions: '0-4', flexible: '4+' },
  {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configurationKeys: array('nullable', string),
    }),
    includeSynonyms: bool('1+'),
    includeDocumentation: bool('3+'),
  },
  {
    throttleTimeMs: int32(),
    results: array({
      errorCode: int16(),
      errorMessage: string('nullable'),
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        value: string('nullable'),
        readOnly: bool(),
        isDefault: bool('0'),
        configSource: int8('1+ default=-1 ignorable'),
        isSensitive: bool(),
        synonyms: array('1+ ignorable', {
          name: string(),
          value: string('nullable'),
          source: int8(),
        }),
        configType: int8('3+ ignorable'),
        documentation: string('3+ nullable ignorable'),
      }),
    }),
  },
);
