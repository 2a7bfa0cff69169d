"""Consuming by assign: where to begin, seek, times, the ends of a partition."""

import time

from checks import check
from client import SECONDS_MAX, error_of, until_end
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, TopicPartition

COUNT = 1000


def numbered(client, partitions=1):
    """A topic with the numbers 0 … COUNT-1 in each partition; number n has timestamp 1,700,000,000,000 + 10 n."""
    topic = client.topic(partitions=partitions)
    records = (
        {"value": str(number), "partition": partition, "timestamp": 1_700_000_000_000 + 10 * number}
        for number in range(COUNT)
        for partition in range(partitions)
    )
    client.produce(topic, records, batch_size=5000)
    return topic


def numbers(messages):
    return [int(message.value()) for message in messages]


@check("from-beginning", "OFFSET_BEGINNING")
def from_beginning(client):
    assert numbers(client.read(numbered(client), offset=OFFSET_BEGINNING)) == list(range(COUNT))


@check("from-offset", "an offset in the middle of a batch, and the end itself")
def from_offset(client):
    topic = numbered(client)
    for offset in (0, 1, 537, COUNT - 1, COUNT):
        assert numbers(client.read(topic, offset=offset)) == list(range(offset, COUNT))


@check("from-offset", "out of range: an error, or what auto.offset.reset says")
def out_of_range(client):
    topic = numbered(client)
    error = error_of(lambda: client.read(topic, offset=COUNT + 5))
    assert error is not None and error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE), error
    assert numbers(client.read(topic, offset=COUNT + 5, auto_offset_reset="earliest")) == list(range(COUNT))
    assert numbers(client.read(topic, offset=COUNT + 5, auto_offset_reset="latest")) == []


@check("from-tail", "the last 7: end offset minus 7")
def from_tail(client):
    topic = numbered(client)
    consumer = client.consumer()
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=SECONDS_MAX)
    consumer.close()
    assert numbers(client.read(topic, offset=end - 7)) == list(range(COUNT - 7, COUNT))


@check("from-end", "OFFSET_END sees only what comes later")
def from_end(client):
    topic = numbered(client)
    consumer = client.consumer(fetch_wait_max_ms=15_000)
    consumer.assign([TopicPartition(topic, 0, OFFSET_END)])
    assert list(until_end(consumer)) == []
    started = time.monotonic()
    client.produce(topic, [{"value": b"4711"}])
    message = consumer.poll(SECONDS_MAX)
    consumer.close()
    assert message is not None and message.value() == b"4711" and message.offset() == COUNT
    assert time.monotonic() - started < 7.5, "a waiting fetch was not answered before its time was up"


@check("seek", "back, forth, to the end and to the beginning")
def seek(client):
    topic = numbered(client)
    consumer = client.consumer()
    consumer.assign([TopicPartition(topic, 0, 0)])
    assert numbers(until_end(consumer)) == list(range(COUNT))
    for offset in (COUNT - 10, 3, 500):
        consumer.seek(TopicPartition(topic, 0, offset))
        assert numbers(until_end(consumer)) == list(range(offset, COUNT))
    consumer.seek(TopicPartition(topic, 0, OFFSET_BEGINNING))
    assert numbers(until_end(consumer)) == list(range(COUNT))
    consumer.close()


@check("seek", "pause and resume; several partitions in one consumer")
def pause(client):
    topic = numbered(client, partitions=3)
    consumer = client.consumer(enable_partition_eof=False)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(3)])
    consumer.pause([TopicPartition(topic, 1)])
    got = {0: [], 1: [], 2: []}

    def collect(wanted):
        deadline = time.monotonic() + SECONDS_MAX
        while sum(map(len, got.values())) < wanted and time.monotonic() < deadline:
            for message in consumer.consume(1000, timeout=0.5):
                assert message.error() is None, message.error()
                got[message.partition()].append(int(message.value()))

    collect(2 * COUNT)
    assert got[1] == []
    consumer.resume([TopicPartition(topic, 1)])
    collect(3 * COUNT)
    consumer.close()
    assert all(list(range(COUNT)) == numbers for numbers in got.values())


@check("from-timestamp", "offsets_for_times: first at or after, before all, after all")
def offsets_for_times(client):
    topic = numbered(client)
    consumer = client.consumer()
    begin = 1_700_000_000_000

    def ask(ms):
        (found,) = consumer.offsets_for_times([TopicPartition(topic, 0, ms)], timeout=SECONDS_MAX)
        assert found.error is None, found.error
        return found.offset

    asked = [0, begin, begin + 1, begin + 5000, begin + 10 * (COUNT - 1)]
    assert [ask(ms) for ms in asked] == [0, 0, 1, 500, COUNT - 1]
    # No such record: librdkafka says OFFSET_END.
    assert ask(begin + 10 * COUNT) == OFFSET_END
    consumer.close()


@check("watermarks", "beginning and end, asked for and as seen by the consumer")
def watermarks(client):
    topic = numbered(client)
    consumer = client.consumer()
    place = TopicPartition(topic, 0, 0)
    assert consumer.get_watermark_offsets(place, timeout=SECONDS_MAX) == (0, COUNT)
    consumer.assign([place])
    list(until_end(consumer))
    assert consumer.get_watermark_offsets(place, cached=True)[1] == COUNT
    consumer.close()


@check("unknown-topic", "asking for an unknown topic: UNKNOWN_TOPIC_OR_PART, and it is not made")
def unknown_topic(client):
    consumer = client.consumer()
    for _ in range(2):
        error = consumer.list_topics("python-nowhere", timeout=SECONDS_MAX).topics["python-nowhere"].error
        assert error is not None and error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART, error
    error = error_of(lambda: consumer.get_watermark_offsets(TopicPartition("python-nowhere", 0), timeout=SECONDS_MAX))
    assert error is not None and error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION), error
    consumer.close()
