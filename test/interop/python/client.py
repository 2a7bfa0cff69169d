"""What all checks use: producing with delivery reports, reading a partition by assign, topics made by the admin client."""

import itertools
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

SECONDS_MAX = 60


class Client:
    def __init__(self, bootstrap, prefix="python"):
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.admin = AdminClient({"bootstrap.servers": bootstrap})
        self.numbers = itertools.count()

    def topic(self, partitions=1, **config):
        """A fresh topic; settings with _ for each dot."""
        name = f"{self.prefix}-{next(self.numbers)}"
        settings = {key.replace("_", "."): value for key, value in config.items()}
        self.admin.create_topics([NewTopic(name, partitions, 1, config=settings)])[name].result(SECONDS_MAX)
        return name

    def produce(self, topic, records, **config):
        """Sends dicts of Producer.produce's arguments; returns the delivered messages in their order. Raises the first error."""
        settings = {key.replace("_", "."): value for key, value in config.items()}
        delivered, errors = [], []

        def on_error(error):
            if error.fatal():
                errors.append(error)

        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 20, "error_cb": on_error, **settings})

        def on_delivery(error, message):
            if error is None:
                delivered.append(message)
            else:
                errors.append(error)

        for record in records:
            while True:
                try:
                    producer.produce(topic, on_delivery=on_delivery, **record)
                    break
                except BufferError:  # its queue is full
                    producer.poll(0.1)
            producer.poll(0)
        left = producer.flush(SECONDS_MAX)
        if errors:
            raise KafkaException(errors[0])
        assert left == 0, f"{left} messages are still not delivered"
        return delivered

    def consumer(self, **config):
        settings = {key.replace("_", "."): value for key, value in config.items()}
        # It wants a group id even for assign, and then does not use it.
        return Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "unused",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                **settings,
            }
        )

    def read(self, topic, partition=0, offset=0, **config):
        """The messages of a partition from an offset to its end."""
        consumer = self.consumer(**config)
        consumer.assign([TopicPartition(topic, partition, offset)])
        try:
            return list(until_end(consumer))
        finally:
            consumer.close()


def until_end(consumer):
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        message = consumer.poll(1)
        if message is not None:
            error = message.error()
            if error is None:
                yield message
                continue
            if error.code() == KafkaError._PARTITION_EOF:
                return
            raise KafkaException(error)
        if time.monotonic() > deadline:
            raise TimeoutError("the end of the partition was not reached")


def error_of(call):
    """The KafkaError that a call raises, and None if it raises nothing."""
    try:
        call()
    except KafkaException as exception:
        return exception.args[0]
    return None
