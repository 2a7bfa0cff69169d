interface Produced {
  readonly records: number;
  readonly batches: number;
  readonly acknowledged_base_offsets?: readonly number[];
}
export function lostRecords(
  filled: Produced,
  killed: Produced,
  read: { readonly records: number; readonly end_offsets?: readonly number[] },
): number;
