/** Every table of something stored in a topic or carried in opaque bytes, by name; for tests and tools. */

import type { Message } from '../schema.ts';
import * as consumerProtocol from './consumer-protocol.ts';
import * as controlRecord from './control-record.ts';
import * as offsetsTopic from './offsets-topic.ts';
import * as transactionTopic from './transaction-topic.ts';

const modules = [consumerProtocol, controlRecord, offsetsTopic, transactionTopic];

/** All stored tables. */
export const ALL_STORED: readonly Message[] = modules.flatMap((module) => Object.values<Message>(module));

/** The table of that name, e.g. `OffsetCommitValue`, or undefined. */
export function storedMessage(name: string): Message | undefined {
  return ALL_STORED.find((message) => message.name === name);
}
