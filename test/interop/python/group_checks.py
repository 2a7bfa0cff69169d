"""Consumer groups, and what the admin client says of them and does to them. A group of three is in the suite itself, out of processes."""

import time

from checks import check
from client import SECONDS_MAX, error_of
from confluent_kafka import OFFSET_INVALID, ConsumerGroupState, ConsumerGroupTopicPartitions, KafkaError, TopicPartition
from consumer_checks import COUNT, numbered

QUICK = {"session_timeout_ms": 6000, "heartbeat_interval_ms": 1000, "enable_partition_eof": False}


def member(client, topic, group, **config):
    consumer = client.consumer(group_id=group, **{"auto_offset_reset": "earliest", **QUICK, **config})
    consumer.subscribe([topic])
    return consumer


def take(consumer, count):
    """The next `count` numbers, and nothing beyond what came with them."""
    got = []
    deadline = time.monotonic() + SECONDS_MAX
    while len(got) < count:
        assert time.monotonic() < deadline, f"{len(got)} of {count} came in time"
        for message in consumer.consume(count - len(got), timeout=0.5):
            assert message.error() is None, message.error()
            got.append(int(message.value()))
    return got


def until_assigned(consumers, partitions):
    deadline = time.monotonic() + SECONDS_MAX
    while sum(len(each.assignment()) for each in consumers) != partitions or not all(each.assignment() for each in consumers):
        assert time.monotonic() < deadline, [each.assignment() for each in consumers]
        for each in consumers:
            assert each.poll(0.1) is None


@check("from-beginning", "a group: auto.offset.reset=earliest")
def from_beginning(client):
    consumer = member(client, numbered(client), "python-begins")
    assert take(consumer, COUNT) == list(range(COUNT))
    consumer.close()


@check("from-end", "a group: auto.offset.reset=latest sees only what comes later")
def from_end(client):
    topic = numbered(client)
    consumer = member(client, topic, "python-ends", auto_offset_reset="latest")
    until_assigned([consumer], 1)
    deadline = time.monotonic() + SECONDS_MAX
    while consumer.position([TopicPartition(topic, 0)])[0].offset < 0 and time.monotonic() < deadline:
        # Where the end is it has to ask first.
        client.produce(topic, [{"value": b"4711"}])
        message = consumer.poll(1)
        if message is not None:
            assert message.value() == b"4711"
            break
    consumer.close()


@check("seek", "a member of a group: back and forth in what it has")
def seek(client):
    topic = numbered(client)
    consumer = member(client, topic, "python-seeks")
    assert take(consumer, COUNT) == list(range(COUNT))
    for offset in (COUNT - 10, 3):
        consumer.seek(TopicPartition(topic, 0, offset))
        assert take(consumer, COUNT - offset) == list(range(offset, COUNT))
    consumer.close()


@check("group-commits", "synchronous, asynchronous, with metadata; read back; the next member resumes there")
def commits(client):
    topic = numbered(client)
    first = member(client, topic, "python-commits")
    assert take(first, 100) == list(range(100))
    (done,) = first.commit(offsets=[TopicPartition(topic, 0, 100, "a hundred")], asynchronous=False)
    assert done.error is None and done.offset == 100
    (found,) = first.committed([TopicPartition(topic, 0)], timeout=SECONDS_MAX)
    assert (found.offset, found.metadata) == (100, "a hundred"), found
    first.close()
    second = member(client, topic, "python-commits")
    assert take(second, COUNT - 100) == list(range(100, COUNT))
    second.commit(asynchronous=True)
    second.close()
    third = client.consumer(group_id="python-commits")
    (found,) = third.committed([TopicPartition(topic, 0)], timeout=SECONDS_MAX)
    assert found.offset == COUNT, found
    third.close()


@check("group-commits", "offsets of a consumer that joins no group")
def commits_alone(client):
    topic = numbered(client)
    consumer = client.consumer(group_id="python-alone")
    assert consumer.committed([TopicPartition(topic, 0)], timeout=SECONDS_MAX)[0].offset == OFFSET_INVALID
    consumer.assign([TopicPartition(topic, 0, 0)])
    consumer.commit(offsets=[TopicPartition(topic, 0, 42)], asynchronous=False)
    assert consumer.committed([TopicPartition(topic, 0)], timeout=SECONDS_MAX)[0].offset == 42
    consumer.close()


@check("group-pause", "what is paused does not come, and goes on where it was")
def pause(client):
    topic = numbered(client)
    consumer = member(client, topic, "python-pauses")
    assert take(consumer, 100) == list(range(100))
    consumer.pause([TopicPartition(topic, 0)])
    # Longer than the session: heartbeats go on.
    until = time.monotonic() + 8
    while time.monotonic() < until:
        assert consumer.poll(0.5) is None
    consumer.resume([TopicPartition(topic, 0)])
    assert take(consumer, COUNT - 100) == list(range(100, COUNT))
    consumer.close()


@check("static-members", "comes back in its session: the same member, no rebalance of the others; a second of its name ends the first")
def static_members(client):
    topic = numbered(client, partitions=4)
    rebalanced = []
    other = client.consumer(group_id="python-static", auto_offset_reset="latest", group_instance_id="b", **{**QUICK, "session_timeout_ms": 30_000})
    other.subscribe([topic], on_assign=lambda _, places: rebalanced.append(len(places)))
    options = {"auto_offset_reset": "latest", "group_instance_id": "a", "session_timeout_ms": 30_000}
    one = member(client, topic, "python-static", **options)
    until_assigned([one, other], 4)
    before, rebalances = one.assignment(), len(rebalanced)
    one.close()
    again = member(client, topic, "python-static", **options)
    deadline = time.monotonic() + SECONDS_MAX
    while not again.assignment():
        assert time.monotonic() < deadline
        again.poll(0.1)
        other.poll(0.1)
    assert again.assignment() == before and len(rebalanced) == rebalances, (again.assignment(), before, rebalanced)
    second = member(client, topic, "python-static", **options)
    fenced = None
    while fenced is None and time.monotonic() < deadline:
        second.poll(0.1)
        message = again.poll(0.1)
        if message is not None and message.error() is not None:
            fenced = message.error()
    assert fenced is not None and fenced.code() in (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID), fenced
    for each in (again, other, second):
        each.close()


@check("cooperative", "cooperative-sticky: who keeps a partition does not lose it when another joins")
def cooperative(client):
    topic = numbered(client, partitions=4)
    lost = []
    options = {"auto_offset_reset": "latest", "partition_assignment_strategy": "cooperative-sticky"}
    first = client.consumer(group_id="python-cooperative", **QUICK, **options)

    def assigned(consumer, places):
        consumer.incremental_assign(places)

    def revoked(consumer, places):
        lost.append(len(places))
        consumer.incremental_unassign(places)

    first.subscribe([topic], on_assign=assigned, on_revoke=revoked)
    until_assigned([first], 4)
    second = member(client, topic, "python-cooperative", **options)
    until_assigned([first, second], 4)
    assert lost == [2], lost
    second.close()
    first.close()


@check("list-groups", "listed by state, described with members, assignment and assignor")
def list_groups(client):
    topic = numbered(client, partitions=2)
    consumer = member(client, topic, "python-described", auto_offset_reset="latest", client_id="python-client")
    until_assigned([consumer], 2)

    def listed(**options):
        found = client.admin.list_consumer_groups(request_timeout=SECONDS_MAX, **options).result(SECONDS_MAX)
        assert not found.errors, found.errors
        return {each.group_id: each.state for each in found.valid}

    assert listed()["python-described"] == ConsumerGroupState.STABLE
    assert "python-described" in listed(states={ConsumerGroupState.STABLE})
    assert "python-described" not in listed(states={ConsumerGroupState.EMPTY})
    futures = client.admin.describe_consumer_groups(["python-described", "python-no-group"])
    described = futures["python-described"].result(SECONDS_MAX)
    assert (described.state, described.partition_assignor, described.is_simple_consumer_group) == (ConsumerGroupState.STABLE, "range", False)
    assert [each.client_id for each in described.members] == ["python-client"]
    assert described.members[0].host.endswith("127.0.0.1"), described.members[0].host
    assert sorted(place.partition for place in described.members[0].assignment.topic_partitions) == [0, 1]
    nowhere = error_of(lambda: assert_dead(futures["python-no-group"].result(SECONDS_MAX)))
    assert nowhere is None or nowhere.code() == KafkaError.GROUP_ID_NOT_FOUND, nowhere
    consumer.close()
    assert listed()["python-described"] == ConsumerGroupState.EMPTY


def assert_dead(described):
    assert described.state == ConsumerGroupState.DEAD, described.state


@check("delete-groups", "not while it has members; then with all its offsets; a second time it is not there")
def delete_groups(client):
    topic = numbered(client)
    consumer = member(client, topic, "python-deleted-group")
    take(consumer, 10)
    consumer.commit(offsets=[TopicPartition(topic, 0, 10)], asynchronous=False)

    def delete():
        client.admin.delete_consumer_groups(["python-deleted-group"], request_timeout=SECONDS_MAX)["python-deleted-group"].result(SECONDS_MAX)

    assert error_of(delete).code() == KafkaError.NON_EMPTY_GROUP
    consumer.close()
    delete()
    assert error_of(delete).code() == KafkaError.GROUP_ID_NOT_FOUND
    assert offset_of(client, "python-deleted-group", topic) == OFFSET_INVALID


def offset_of(client, group, topic):
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])
    (found,) = client.admin.list_consumer_group_offsets([asked])[group].result(SECONDS_MAX).topic_partitions
    return found.offset


@check("group-offsets", "listed; altered where nobody is in the group, and refused where somebody is")
def group_offsets(client):
    topic = numbered(client)

    def alter(offset):
        place = ConsumerGroupTopicPartitions("python-altered-group", [TopicPartition(topic, 0, offset)])
        (done,) = client.admin.alter_consumer_group_offsets([place])["python-altered-group"].result(SECONDS_MAX).topic_partitions
        return done.error

    assert alter(900) is None
    assert offset_of(client, "python-altered-group", topic) == 900
    consumer = member(client, topic, "python-altered-group")
    assert take(consumer, 100) == list(range(900, COUNT))
    refused = error_of(lambda: alter(5)) or alter(5)
    assert refused is not None and refused.code() == KafkaError.UNKNOWN_MEMBER_ID, refused
    consumer.close()
