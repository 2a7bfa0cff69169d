"""Sends without pause until it is told to stop by a line on stdin; meanwhile the broker is restarted. Says `ready` when it is under way. What was acknowledged has to be
at its offset afterwards, for a consumer that was there from the beginning."""

import json
import sys
import threading
import time

from client import SECONDS_MAX, Client, until_end
from confluent_kafka import Producer, TopicPartition

client = Client(sys.argv[1], "python-restart")
topic = client.topic()
delivered, errors = {}, []


def on_delivery(error, message):
    if error is None:
        delivered[message.offset()] = message.value()
    else:
        errors.append(str(error))


consumer = client.consumer()
consumer.assign([TopicPartition(topic, 0, 0)])
producer = Producer({"bootstrap.servers": client.bootstrap, "linger.ms": 5})
told = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), told.set()), daemon=True).start()
sent = 0
read = {}
while not told.is_set():
    producer.produce(topic, str(sent).encode(), on_delivery=on_delivery)
    sent += 1
    producer.poll(0.005)
    message = consumer.poll(0)
    if message is not None and message.error() is None:
        read[message.offset()] = message.value()
    if sent == 200:
        print("ready", flush=True)
left = producer.flush(SECONDS_MAX)
consumer.seek(TopicPartition(topic, 0, max(read, default=-1) + 1))
time.sleep(0.1)
for message in until_end(consumer):
    read[message.offset()] = message.value()
lost = [offset for offset, value in delivered.items() if read.get(offset) != value]
print(json.dumps({"sent": sent, "delivered": len(delivered), "left": left, "errors": errors[:3], "lost": len(lost)}), flush=True)
