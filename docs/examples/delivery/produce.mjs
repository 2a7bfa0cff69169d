/** Sends five orders. Each is on disk when its acknowledgement comes, and there once, also when the network makes the client send it again. */
import { ProduceAcks, Producer, stringSerializers } from '@platformatic/kafka';

const address = process.env.KAFKA ?? '127.0.0.1:9092';
const producer = new Producer({ clientId: 'shop', bootstrapBrokers: [address], serializers: stringSerializers });

const orders = [1, 2, 3, 4, 5].map((number) => ({ topic: 'orders', key: 'ada', value: `order ${number}` }));
await producer.send({ messages: orders, acks: ProduceAcks.ALL, idempotent: true, autocreateTopics: true });
console.log('5 orders are acknowledged');
await producer.close();
