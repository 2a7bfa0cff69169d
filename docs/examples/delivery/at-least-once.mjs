/** Works, then commits: what was done by who dies in between is done again by the next. With an order as argument ("order 3") it dies there. */
import { Consumer, stringDeserializers } from '@platformatic/kafka';

const address = process.env.KAFKA ?? '127.0.0.1:9092';
const diesAt = process.argv[2];
const options = { clientId: 'mailer', groupId: 'at-least-once', bootstrapBrokers: [address], deserializers: stringDeserializers };
const consumer = new Consumer({ ...options, sessionTimeout: 6000, heartbeatInterval: 1000 });

const stream = await consumer.consume({ topics: ['orders'], mode: 'committed', fallbackMode: 'earliest', autocommit: false });
for await (const message of stream) {
  console.log(`work on ${message.value}`); // has to bear being done twice
  if (message.value === diesAt) process.kill(process.pid, 'SIGKILL');
  await message.commit(); // until here another member of the group would get it again
  if (message.value === 'order 5') break;
}
await consumer.close(true);
