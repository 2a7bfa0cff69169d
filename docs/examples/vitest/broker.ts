/** A broker for the tests of one file: started before the first, gone after the last. */
import { Broker, type BrokerSettings } from 'ringlog';
import { afterAll, beforeAll } from 'vitest';

/** Call it at the top of a test file; the broker is there once tests run. */
export function useBroker(settings: BrokerSettings = {}): { readonly address: string } {
  let broker: Broker;
  beforeAll(async () => {
    broker = await Broker.start({ temporary: true, settings });
  });
  afterAll(() => broker.stop());
  return {
    get address() {
      return broker.address;
    },
  };
}
