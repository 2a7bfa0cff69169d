/**
 * What classic consumers put into the opaque bytes of JoinGroup and SyncGroup: an int16 version, then the block.
 * Readers accept versions above what they know and ignore extra bytes.
 */

import { array, bytes, int32, message, string } from '../schema.ts';

export const consumerProtocolSubscription = message('ConsumerProtocolSubscription', '0-3', '', {
  topics: array(string),
  userData: bytes('nullable default=null'),
  ownedPartitions: array('1+ ignorable', {
    topic: string('mapkey'),
    partitions: array(int32),
  }),
  generationId: int32('2+ default=-1 ignorable'),
  rackId: string('3+ nullable default=null ignorable'),
});

export const consumerProtocolAssignment = message('ConsumerProtocolAssignment', '0-3', '', {
  assignedPartitions: array({
    topic: string('mapkey'),
    partitions: array(int32),
  }),
  userData: bytes('nullable default=null'),
});
