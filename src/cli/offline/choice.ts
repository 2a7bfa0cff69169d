/** Which of the stored topics and partitions a command is about. */
import { UserError } from '../../lib/user-error.ts';
import type { PartitionState } from '../../log/partition-state.ts';
import { plural } from '../terminal.ts';
import type { StoredTopic } from './folder.ts';

/** All topics, or the one with this name. */
export function chosenTopics(topics: readonly StoredTopic[], name: string | undefined): readonly StoredTopic[] {
  if (name === undefined) return topics;
  const found = topics.filter((topic) => topic.name === name);
  if (found.length > 0) return found;
  const some = topics.slice(0, 10).map((topic) => topic.name);
  const there = topics.length === 0 ? 'it holds none' : `it holds ${some.join(', ')}${topics.length > some.length ? ', …' : ''}`;
  throw new UserError(`The data folder holds no topic "${name}" (--topic): ${there}.`);
}

export function chosenPartition(topics: readonly StoredTopic[], name: string, partition: number): PartitionState {
  const [topic] = chosenTopics(topics, name) as [StoredTopic];
  const state = topic.partitions[partition];
  if (state !== undefined) return state;
  throw new UserError(
    `Topic ${name} has no partition ${partition}: it has ${plural(topic.partitions.length, 'partition')}, counted from 0 (--partition).`,
  );
}
