/**
 * The value of a control record that ends a transaction. Its key is an int16 version (0) and an int16 type (0 abort, 1 commit).
 */

import { int16, int32, message } from '../schema.ts';

export const endTxnMarker = message('EndTxnMarker', '0', '', {
  version: int16(),
  coordinatorEpoch: int32(),
});
