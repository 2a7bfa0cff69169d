"""An idempotent producer for suites/idempotence.mjs: arguments are address, topic, partitions, count; prints `partition number offset` for each delivery."""

import sys

from confluent_kafka import Producer

address, topic, partitions, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
errors = []


def on_delivery(error, message):
    if error is None:
        print(message.partition(), message.value().decode(), message.offset())
    else:
        errors.append(error)


producer = Producer(
    {
        "bootstrap.servers": address,
        "enable.idempotence": True,
        "batch.num.messages": 10,
        "linger.ms": 1,
        "message.timeout.ms": 250_000,
        "retry.backoff.ms": 20,
        "reconnect.backoff.ms": 10,
        "reconnect.backoff.max.ms": 100,
    }
)
for number in range(count):
    for partition in range(partitions):
        producer.produce(topic, str(number).encode(), partition=partition, on_delivery=on_delivery)
    producer.poll(0)
left = producer.flush(250)
sys.exit(f"{left} left, {errors[:3]}" if left or errors else 0)
