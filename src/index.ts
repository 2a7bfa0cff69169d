/** The public API of the package: a broker inside a Node.js process. */

export { Broker } from './broker.ts';
export type { BrokerEvents } from './broker.ts';
export type { BrokerConfig, Durability } from './config/broker-config.ts';
export type { BrokerOptions } from './config/options.ts';
export type { BrokerSettings } from './config/settings.ts';
export { UserError } from './lib/user-error.ts';
