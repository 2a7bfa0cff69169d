/** All suites, in two halves that may run side by side. What installs into the same folder of the cache stands in the same half. */
export const HALVES = [
  ['kcat', 'python', 'java', 'console', 'connect', 'idempotence', 'text'],
  ['franz-go', 'rust', 'kafkajs', 'platformatic', 'ui'],
];
