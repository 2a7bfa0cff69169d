"""Producing: codecs, acknowledgements, delivery reports, sizes, timestamps; what came back has to be what was sent."""

import hashlib
import random
import time

from checks import check, not_served
from client import SECONDS_MAX, error_of
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Producer

RANDOM = random.Random(20_000)


def texts(count):
    return [{"value": f"message {number} of {count}".encode()} for number in range(count)]


def values_of(messages):
    return [message.value() for message in messages]


@check("auto-create", "a produce makes the topic, and loses nothing")
def auto_create(client):
    client.produce("python-auto", texts(10))
    assert values_of(client.read("python-auto")) == values_of_sent(texts(10))


def values_of_sent(records):
    return [record.get("value") for record in records]


@check("produce-consume", "100,000 messages come back in order, offsets without a gap")
def in_order(client):
    topic = client.topic()
    sent = texts(100_000)
    client.produce(topic, sent)
    got = client.read(topic)
    assert values_of(got) == values_of_sent(sent)
    assert [message.offset() for message in got] == list(range(len(sent)))


@check("delivery-reports", "every message is reported once, with its partition and the offset it is read at")
def delivery_reports(client):
    topic = client.topic(partitions=3)
    sent = [{"value": str(number).encode(), "partition": number % 3} for number in range(3000)]
    delivered = client.produce(topic, sent)
    reported = {(message.partition(), message.offset()): message.value() for message in delivered}
    assert len(delivered) == len(reported) == len(sent)
    read = {(p, message.offset()): message.value() for p in range(3) for message in client.read(topic, p)}
    assert reported == read


@check("partitions", "messages go to the partition chosen, and keys always to the same one")
def partitions(client):
    topic = client.topic(partitions=4)
    delivered = client.produce(topic, [{"key": f"key {n % 50}", "value": str(n)} for n in range(2000)])
    places = {}
    for message in delivered:
        places.setdefault(message.key(), set()).add(message.partition())
    assert len(places) == 50 and all(len(place) == 1 for place in places.values())
    assert len({next(iter(place)) for place in places.values()}) == 4


@check("keys", "text, bytes, empty and no keys")
def keys(client):
    topic = client.topic()
    wanted = [b"text", b"\x00\xff\x80", b"", None]
    client.produce(topic, [{"key": key, "value": b"v"} for key in wanted])
    assert [message.key() for message in client.read(topic)] == wanted


@check("headers", "in order, twice the same name, empty and null values, bytes")
def headers(client):
    topic = client.topic()
    wanted = [("a", b"1"), ("b", b"\x00\xff"), ("a", b"2"), ("empty", b""), ("null", None)]
    client.produce(topic, [{"value": b"v", "headers": wanted}, {"value": b"none"}])
    first, second = client.read(topic)
    assert first.headers() == wanted
    assert second.headers() is None


@check("null-values", "null and empty values stay apart")
def null_values(client):
    topic = client.topic()
    client.produce(topic, [{"key": b"k", "value": None}, {"key": b"k", "value": b""}])
    assert values_of(client.read(topic)) == [None, b""]


@check("binary", "random values of 0 to 200 KB, 64 MB in all, over 3 partitions: equal sha256")
def binary(client):
    topic = client.topic(partitions=3)
    sent = [hashlib.sha256() for _ in range(3)]
    got = [hashlib.sha256() for _ in range(3)]

    def records():
        total = 0
        while total < 64_000_000:
            value = RANDOM.randbytes(RANDOM.choice([0, 1, 100, 1000, 10_000, 200_000]))
            partition = RANDOM.randrange(3)
            sent[partition].update(len(value).to_bytes(4, "big") + value)
            total += len(value) + 4
            yield {"value": value, "partition": partition}

    client.produce(topic, records())
    for partition in range(3):
        for message in client.read(topic, partition):
            got[partition].update(len(message.value()).to_bytes(4, "big") + message.value())
    assert [sum.hexdigest() for sum in got] == [sum.hexdigest() for sum in sent]


def codec_check(codec):
    @check(codec, "50,000 messages, sent compressed, come back")
    def compressed(client):
        topic = client.topic()
        sent = texts(50_000) + [{"value": RANDOM.randbytes(100_000)}]
        client.produce(topic, sent, compression_type=codec, batch_size=500_000)
        assert values_of(client.read(topic)) == values_of_sent(sent)


for name in ("gzip", "snappy", "lz4", "zstd"):
    codec_check(name)


def acks_check(feature, acks):
    @check(feature, "5,000 messages come back")
    def acknowledged(client):
        topic = client.topic()
        sent = texts(5000)
        delivered = client.produce(topic, sent, acks=acks)
        until = time.monotonic() + SECONDS_MAX
        got = client.read(topic)
        while acks == 0 and len(got) < len(sent) and time.monotonic() < until:
            got = client.read(topic)
        assert values_of(got) == values_of_sent(sent)
        if acks != 0:
            assert [message.offset() for message in delivered] == list(range(len(sent)))


acks_check("acks-0", 0)
acks_check("acks-1", 1)
acks_check("acks-all", "all")


@check("big-messages", "one message a batch, as large as max.message.bytes allows; batches of 1 MB")
def big_messages(client):
    topic = client.topic(max_message_bytes="8000000")
    sent = [{"value": RANDOM.randbytes(size)} for size in (7_900_000, 1, 5_000_000)]
    client.produce(topic, sent, message_max_bytes=9_000_000)
    assert values_of(client.read(topic)) == values_of_sent(sent)
    small = [{"value": RANDOM.randbytes(1000)} for _ in range(20_000)]
    client.produce(topic, small, batch_size=1_000_000, linger_ms=200)
    assert values_of(client.read(topic, offset=3)) == values_of_sent(small)


@check("big-messages", "larger than max.message.bytes: MSG_SIZE_TOO_LARGE, and the next message goes through")
def too_big(client):
    topic = client.topic(max_message_bytes="10000")
    error = error_of(lambda: client.produce(topic, [{"value": RANDOM.randbytes(20_000)}]))
    assert error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE, error
    client.produce(topic, [{"value": b"small"}])
    assert values_of(client.read(topic)) == [b"small"]


@check("timestamps", "those of the producer come back, in any order, also from 1970")
def timestamps(client):
    topic = client.topic()
    wanted = [1_700_000_000_000, 1_600_000_000_000, 1, 1_750_000_000_000]
    client.produce(topic, [{"value": b"v", "timestamp": ms} for ms in wanted])
    assert [message.timestamp() for message in client.read(topic)] == [(TIMESTAMP_CREATE_TIME, ms) for ms in wanted]


@check("append-time", "message.timestamp.type=LogAppendTime: the broker's time, and the client says so")
def append_time(client):
    topic = client.topic(message_timestamp_type="LogAppendTime")
    before = time.time() * 1000
    delivered = client.produce(topic, [{"value": b"v", "timestamp": 1_600_000_000_000} for _ in range(3)])
    for message in [*client.read(topic), *delivered]:
        kind, ms = message.timestamp()
        assert kind == TIMESTAMP_LOG_APPEND_TIME, kind
        assert before - 1000 <= ms <= time.time() * 1000 + 1000


@check("unknown-topic", "producing to a partition that is not there is refused by name")
def unknown_partition(client):
    topic = client.topic(partitions=2)
    error = error_of(lambda: client.produce(topic, [{"value": b"v", "partition": 9}]))
    assert error is not None and error.code() in (KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART), error


@check("idempotence", "5,000 messages, each once and in order")
def idempotence(client):
    topic = client.topic()
    delivered = client.produce(topic, texts(5000), enable_idempotence=True, batch_num_messages=20)
    assert sorted(message.offset() for message in delivered) == list(range(5000))
    assert values_of(client.read(topic)) == [text["value"] for text in texts(5000)]


@not_served("transactions", "This broker does not serve transactions")
def transactions(client):
    producer = Producer({"bootstrap.servers": client.bootstrap, "transactional.id": "t"})
    started = time.monotonic()
    says = error_of(lambda: producer.init_transactions(30))
    assert time.monotonic() - started < 15, f"it took its whole time to say {says}"
    return None if says is None else says.str()
