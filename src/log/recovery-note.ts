/** What recovery tells and what it asks. */

/** Something recovery found that an operator should know. */
export interface RecoveryNote {
  readonly kind: 'torn-tail' | 'corruption' | 'quarantine' | 'missing-file' | 'left-behind';
  readonly text: string;
}

/** Whether a topic id is in the metadata (`known`), was deleted by a tombstone (`deleted`), or neither (`unknown`: quarantined, never deleted). */
export type TopicStatus = (topicId: string) => 'known' | 'deleted' | 'unknown';
