/** What there is to say of a metric; see metric-table.ts. */

/** What a number counts. */
export type MetricUnit = 'bytes' | 'ms' | 'seconds' | 'records' | 'batches' | 'count' | 'offset' | 'flag';

/** One line of the table. */
export interface MetricDefinition {
  /** In code. */
  readonly key: string;
  /** On the page. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: MetricUnit;
  /** One sentence. */
  readonly help: string;
  /** The JMX name of Kafka's metric that this one is. */
  readonly kafka?: string;
  /** Upper ends of a histogram's buckets, ascending. */
  readonly bounds?: readonly number[];
}
