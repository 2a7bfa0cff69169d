/** Other systems that scenarios can be measured against; how each is had and started: perf/peers. */
export const PEERS = ['kafka', 'nats', 'rabbitmq-streams', 'redis-streams'];
