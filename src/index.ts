/** The public API of the package: a broker inside a Node.js process. */

export { Broker } from './broker.ts';
export type { BrokerConfig, BrokerFlags, Durability } from './config/broker-config.ts';
export { UserError } from './lib/user-error.ts';
