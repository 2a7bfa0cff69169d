"""A member of a consumer group: prints `PARTITION OFFSET` of all it gets, leaves when its stdin ends. Arguments: broker, topic, group, assignment strategy."""

import sys
import threading

from confluent_kafka import Consumer

bootstrap, topic, group, strategy = sys.argv[1:]
consumer = Consumer(
    {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "auto.commit.interval.ms": 500,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 1000,
        "partition.assignment.strategy": strategy,
    }
)
consumer.subscribe([topic])
told = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), told.set()), daemon=True).start()
while not told.is_set():
    message = consumer.poll(0.1)
    if message is not None and message.error() is None:
        print(message.partition(), message.offset(), flush=True)
consumer.close()
