/** All suites, in two halves that may run side by side. What installs into the same folder of the cache stands in the same half. */
export const HALVES = [
  ['python', 'java', 'console', 'connect', 'idempotence', 'text'],
  ['kcat', 'franz-go', 'rust', 'kafkajs', 'platformatic', 'ui'],
];
