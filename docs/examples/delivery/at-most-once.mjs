/** Commits, then works: who dies in between has lost what it was about to do. With an order as argument ("order 3") it dies there. */
import { Consumer, stringDeserializers } from '@platformatic/kafka';

const address = process.env.KAFKA ?? '127.0.0.1:9092';
const diesAt = process.argv[2];
const options = { clientId: 'mailer', groupId: 'at-most-once', bootstrapBrokers: [address], deserializers: stringDeserializers };
const consumer = new Consumer({ ...options, sessionTimeout: 6000, heartbeatInterval: 1000 });

const stream = await consumer.consume({ topics: ['orders'], mode: 'committed', fallbackMode: 'earliest', autocommit: false });
for await (const message of stream) {
  await message.commit(); // from here on no other member of the group gets it
  if (message.value === diesAt) process.kill(process.pid, 'SIGKILL');
  console.log(`work on ${message.value}`);
  if (message.value === 'order 5') break;
}
await consumer.close(true);
