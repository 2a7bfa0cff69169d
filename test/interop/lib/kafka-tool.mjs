/** A command line tool of Apache Kafka's, as the command and arguments that run it. */

import { kafkaJava } from '../../../perf/peers/kafka.mjs';

const PACKAGES = {
  ConsoleConsumer: 'org.apache.kafka.tools.consumer.',
  ConsumerGroupCommand: 'org.apache.kafka.tools.consumer.group.',
};
const HEAP = '512m';

/** For tools that do little: most of their time is the start of their machine. */
export const QUICK_START = { JDK_JAVA_OPTIONS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' };

/** @returns {[command: string, args: string[]]} */
export function kafkaTool(name, ...args) {
  return ['java', kafkaJava(`${PACKAGES[name] ?? 'org.apache.kafka.tools.'}${name}`, args, HEAP)];
}
