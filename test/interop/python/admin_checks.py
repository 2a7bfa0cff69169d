"""The admin client: topics and their settings."""

from checks import check
from client import SECONDS_MAX, error_of
from confluent_kafka import OFFSET_END, IsolationLevel, KafkaError, TopicCollection, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType


def settings_of(client, topic):
    resource = ConfigResource(ResourceType.TOPIC, topic)
    return client.admin.describe_configs([resource])[resource].result(SECONDS_MAX)


def alter(client, topic, *changes):
    entries = [ConfigEntry(name, value, incremental_operation=operation) for name, value, operation in changes]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    client.admin.incremental_alter_configs([resource])[resource].result(SECONDS_MAX)


def create(client, topic, partitions=1, replicas=1, **options):
    return client.admin.create_topics([NewTopic(topic, partitions, replicas, **options)])[topic].result(SECONDS_MAX)


@check("metadata", "list_topics: the broker, the controller, the cluster id")
def metadata(client):
    known = client.admin.list_topics(timeout=SECONDS_MAX)
    assert known.cluster_id
    assert [f"{broker.host}:{broker.port}" for broker in known.brokers.values()] == [client.bootstrap]
    assert known.controller_id in known.brokers


@check("create-topics", "with partitions and settings; twice is TOPIC_ALREADY_EXISTS; validate_only makes nothing")
def create_topics(client):
    create(client, "python-made", 5, config={"segment.bytes": "2000000"})
    assert len(client.admin.list_topics("python-made", timeout=SECONDS_MAX).topics["python-made"].partitions) == 5
    assert settings_of(client, "python-made")["segment.bytes"].value == "2000000"
    error = error_of(lambda: create(client, "python-made"))
    assert error.code() == KafkaError.TOPIC_ALREADY_EXISTS and "python-made" in error.str(), error
    made = client.admin.create_topics([NewTopic("python-not-made", 1, 1)], validate_only=True)
    made["python-not-made"].result(SECONDS_MAX)
    assert "python-not-made" not in client.admin.list_topics(timeout=SECONDS_MAX).topics


@check("create-topics", "what cannot be is refused by name, with a reason")
def create_refused(client):
    wrong = [
        (("bad name!", 1, 1, {}), KafkaError.TOPIC_EXCEPTION),
        (("python-zero", 0, 1, {}), KafkaError.INVALID_PARTITIONS),
        (("python-replicas", 1, 3, {}), KafkaError.INVALID_REPLICATION_FACTOR),
        (("python-setting", 1, 1, {"no.such.setting": "1"}), KafkaError.INVALID_CONFIG),
        (("python-value", 1, 1, {"segment.bytes": "many"}), KafkaError.INVALID_CONFIG),
    ]
    for (name, partitions, replicas, config), code in wrong:
        error = error_of(lambda: create(client, name, partitions, replicas, config=config))
        assert error is not None and error.code() == code, (name, error)
        assert len(error.str()) > 15, (name, error.str())


@check("list-topics", "describe_topics: partitions, leader, replicas, id")
def describe_topics(client):
    create(client, "python-described", 3)
    collection = TopicCollection(["python-described", "python-nowhere"])
    futures = client.admin.describe_topics(collection)
    described = futures["python-described"].result(SECONDS_MAX)
    assert [partition.id for partition in described.partitions] == [0, 1, 2]
    assert all(partition.leader.id == partition.replicas[0].id for partition in described.partitions)
    assert str(described.topic_id) != "AAAAAAAAAAAAAAAAAAAAAA"
    error = error_of(lambda: futures["python-nowhere"].result(SECONDS_MAX))
    assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART, error


@check("delete-topics", "it is gone, a second time it is unknown, and a new one of that name is empty")
def delete_topics(client):
    create(client, "python-deleted")
    client.produce("python-deleted", [{"value": b"old"}])
    client.admin.delete_topics(["python-deleted"])["python-deleted"].result(SECONDS_MAX)
    assert "python-deleted" not in client.admin.list_topics(timeout=SECONDS_MAX).topics
    error = error_of(lambda: client.admin.delete_topics(["python-deleted"])["python-deleted"].result(SECONDS_MAX))
    assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART, error
    create(client, "python-deleted")
    client.produce("python-deleted", [{"value": b"new"}])
    assert [message.value() for message in client.read("python-deleted")] == [b"new"]


@check("describe-configs", "all settings of a topic, with where each comes from")
def describe_configs(client):
    create(client, "python-settings", config={"max.message.bytes": "12345"})
    settings = settings_of(client, "python-settings")
    assert settings["max.message.bytes"].value == "12345" and not settings["max.message.bytes"].is_default
    assert settings["segment.bytes"].is_default
    assert settings["ringlog.durability"].value in ("fsync", "page-cache", "memory")
    error = error_of(lambda: settings_of(client, "python-nowhere"))
    assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART, error


@check("alter-configs", "set and delete; what is wrong is refused and changes nothing")
def alter_configs(client):
    create(client, "python-altered")
    alter(client, "python-altered", ("max.message.bytes", "5000", AlterConfigOpType.SET), ("segment.bytes", "3000000", AlterConfigOpType.SET))
    settings = settings_of(client, "python-altered")
    assert (settings["max.message.bytes"].value, settings["segment.bytes"].value) == ("5000", "3000000")
    error = error_of(lambda: client.produce("python-altered", [{"value": bytes(6000)}]))
    assert error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE, "the new limit does not hold"
    alter(client, "python-altered", ("max.message.bytes", None, AlterConfigOpType.DELETE))
    assert settings_of(client, "python-altered")["max.message.bytes"].is_default
    client.produce("python-altered", [{"value": bytes(6000)}])
    error = error_of(lambda: alter(client, "python-altered", ("no.such.setting", "1", AlterConfigOpType.SET)))
    assert error.code() == KafkaError.INVALID_CONFIG and "no.such.setting" in error.str(), error


@check("alter-configs", "every setting there is: set to what it is, told as the topic's own, refused when it is nonsense, deleted")
def alter_every_config(client):
    create(client, "python-every-setting")
    before = settings_of(client, "python-every-setting")
    assert len(before) > 30, sorted(before)
    numbers = 0
    for name, setting in before.items():
        alter(client, "python-every-setting", (name, setting.value, AlterConfigOpType.SET))
        now = settings_of(client, "python-every-setting")[name]
        assert (now.value, now.is_default) == (setting.value, False), (name, now)
        if setting.value.lstrip("-").isdigit():
            numbers += 1
            error = error_of(lambda: alter(client, "python-every-setting", (name, "nonsense", AlterConfigOpType.SET)))
            assert error is not None and error.code() == KafkaError.INVALID_CONFIG and name in error.str(), (name, error)
        alter(client, "python-every-setting", (name, None, AlterConfigOpType.DELETE))
    assert numbers > 15, numbers
    after = settings_of(client, "python-every-setting")
    assert all((after[name].value, after[name].is_default) == (setting.value, setting.is_default) for name, setting in before.items()), after


@check("alter-configs", "the older way: what is given is all there is")
def alter_configs_the_older_way(client):
    create(client, "python-replaced", config={"max.message.bytes": "5000"})
    resource = ConfigResource(ResourceType.TOPIC, "python-replaced", set_config={"segment.bytes": "3000000"})
    client.admin.alter_configs([resource])[resource].result(SECONDS_MAX)
    settings = settings_of(client, "python-replaced")
    assert settings["segment.bytes"].value == "3000000"
    assert settings["max.message.bytes"].is_default


@check("create-partitions", "more, which take records; not fewer; not of a topic that is not there")
def create_partitions(client):
    create(client, "python-grows", 2)

    def grow(topic, count):
        client.admin.create_partitions([NewPartitions(topic, count)])[topic].result(SECONDS_MAX)

    grow("python-grows", 5)
    assert len(client.admin.list_topics("python-grows", timeout=SECONDS_MAX).topics["python-grows"].partitions) == 5
    client.produce("python-grows", [{"value": b"new", "partition": 4}])
    error = error_of(lambda: grow("python-grows", 3))
    assert error.code() == KafkaError.INVALID_PARTITIONS, error
    error = error_of(lambda: grow("python-nowhere", 3))
    assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART, error


@check("alter-configs", "ringlog.durability of a live topic, there and back, while it is written")
def alter_durability(client):
    create(client, "python-durability")
    sent = []
    for durability in ("page-cache", "memory", "fsync", "page-cache"):
        alter(client, "python-durability", ("ringlog.durability", durability, AlterConfigOpType.SET))
        records = [{"value": f"{durability} {number}".encode()} for number in range(2000)]
        client.produce("python-durability", records)
        sent += [record["value"] for record in records]
    assert [message.value() for message in client.read("python-durability")] == sent


@check("list-offsets", "earliest, latest, of a time, of the largest timestamp")
def list_offsets(client):
    create(client, "python-offsets")
    times = [1_700_000_000_000 + ms for ms in (0, 1000, 5000, 3000)]
    client.produce("python-offsets", [{"value": b"v", "timestamp": ms} for ms in times])

    def ask(spec):
        place = TopicPartition("python-offsets", 0)
        futures = client.admin.list_offsets({place: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED)
        return futures[place].result(SECONDS_MAX).offset

    assert ask(OffsetSpec.earliest()) == 0
    assert ask(OffsetSpec.latest()) == 4
    assert ask(OffsetSpec.for_timestamp(times[1])) == 1
    assert ask(OffsetSpec.for_timestamp(times[2] + 1)) == -1
    assert ask(OffsetSpec.max_timestamp()) == 2


@check("delete-records", "below an offset, up to the end, beyond it")
def delete_records(client):
    create(client, "python-shrinks")
    client.produce("python-shrinks", [{"value": b"%d" % number} for number in range(10)])

    def below(offset):
        place = TopicPartition("python-shrinks", 0, offset)
        return client.admin.delete_records([place])[place].result(SECONDS_MAX).low_watermark

    assert below(4) == 4
    error = error_of(lambda: client.read("python-shrinks"))
    assert error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET, "what is deleted is still served"
    assert [message.value() for message in client.read("python-shrinks", offset=4)] == [b"%d" % number for number in range(4, 10)]
    assert below(OFFSET_END) == 10
    error = error_of(lambda: below(11))
    assert error.code() == KafkaError.OFFSET_OUT_OF_RANGE, error
