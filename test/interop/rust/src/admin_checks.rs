//! The admin client: topics and their settings.

use futures_executor::block_on;
use rdkafka::admin::{AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewPartitions, ResourceSpecifier};
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;
use rdkafka::topic_partition_list::Offset;

use crate::checks::Checks;
use crate::client::{only, places, values_of, Client, Record, TIME_MAX};
use crate::consumer_checks::{at, numbered, numbers, range, COUNT};

fn metadata(client: &Client, topic: Option<&str>) -> Metadata {
    client.admin.inner().fetch_metadata(topic, TIME_MAX).unwrap()
}

fn has_topic(client: &Client, name: &str) -> bool {
    metadata(client, None).topics().iter().any(|topic| topic.name() == name)
}

/// Of a topic that is not there the crate gives none, and not the broker's error.
fn settings_of(client: &Client, topic: &str) -> ConfigResource {
    let results = block_on(client.admin.describe_configs([&ResourceSpecifier::Topic(topic)], &AdminOptions::new())).unwrap();
    results.into_iter().next().unwrap().unwrap()
}

fn setting(client: &Client, topic: &str, name: &str) -> (String, bool) {
    let settings = settings_of(client, topic);
    let entry = settings.get(name).unwrap();
    (entry.value.clone().unwrap(), entry.source == ConfigSource::DynamicTopic)
}

/// What is given is all there is: the crate has no call to change one. It says `Ok` even when the broker refuses.
fn alter(client: &Client, topic: &str, changes: &[(&str, &str)]) -> Result<(), RDKafkaErrorCode> {
    let wanted = changes.iter().fold(AlterConfig::new(ResourceSpecifier::Topic(topic)), |config, (name, value)| config.set(name, value));
    only(block_on(client.admin.alter_configs([&wanted], &AdminOptions::new())).unwrap())
}

fn delete(client: &Client, topic: &str) -> Result<(), RDKafkaErrorCode> {
    only(block_on(client.admin.delete_topics(&[topic], &AdminOptions::new())).unwrap())
}

fn grow(client: &Client, topic: &str, count: usize) -> Result<(), RDKafkaErrorCode> {
    only(block_on(client.admin.create_partitions([&NewPartitions::new(topic, count)], &AdminOptions::new())).unwrap())
}

pub fn add(checks: &mut Checks) {
    checks.add("metadata", "fetch_metadata: the broker; fetch_cluster_id", |client| {
        let known = metadata(client, None);
        let brokers: Vec<_> = known.brokers().iter().map(|broker| format!("{}:{}", broker.host(), broker.port())).collect();
        assert_eq!(brokers, [client.bootstrap.as_str()]);
        assert!(client.admin.inner().fetch_cluster_id(TIME_MAX).is_some_and(|id| !id.is_empty()));
    });
    checks.add("create-topics", "with partitions and settings; twice is TopicAlreadyExists; validate_only makes nothing", create_topics);
    checks.add("create-topics", "what cannot be is refused by name", create_refused);
    checks.add("list-topics", "fetch_metadata: partitions, leader, replicas; what is not there", list_topics);
    checks.add("delete-topics", "it is gone, a second time it is unknown, and a new one of that name is empty", delete_topics);
    checks.add("describe-configs", "all settings of a topic, with where each comes from", describe_configs);
    checks.add("alter-configs", "what is given is all there is; what is wrong changes nothing", alter_configs);
    checks.add("create-partitions", "more, which take records; not fewer; not of a topic that is not there", create_partitions);
    checks.add("delete-records", "below an offset, up to the end, beyond it", delete_records);
    for feature in ["list-offsets", "log-dirs", "api-versions", "group-offsets"] {
        checks.cannot(feature, "has no call for it");
    }
}

fn create_topics(client: &Client) {
    client.create("rust-made", 5, 1, &[("segment.bytes", "2000000")]).unwrap();
    assert_eq!(metadata(client, Some("rust-made")).topics()[0].partitions().len(), 5);
    assert_eq!(setting(client, "rust-made", "segment.bytes"), ("2000000".to_string(), true));
    assert_eq!(client.create("rust-made", 1, 1, &[]), Err(RDKafkaErrorCode::TopicAlreadyExists));
    client.create_with(&AdminOptions::new().validate_only(true), "rust-not-made", 1, 1, &[]).unwrap();
    assert!(!has_topic(client, "rust-not-made"));
}

fn create_refused(client: &Client) {
    for (name, partitions, replicas, settings, code) in [
        ("bad name!", 1, 1, ("segment.bytes", "2000000"), RDKafkaErrorCode::InvalidTopic),
        ("rust-replicas", 1, 3, ("segment.bytes", "2000000"), RDKafkaErrorCode::InvalidReplicationFactor),
        ("rust-setting", 1, 1, ("no.such.setting", "1"), RDKafkaErrorCode::InvalidConfig),
        ("rust-value", 1, 1, ("segment.bytes", "many"), RDKafkaErrorCode::InvalidConfig),
    ] {
        assert_eq!(client.create(name, partitions, replicas, &[settings]), Err(code), "{name}");
    }
}

fn list_topics(client: &Client) {
    client.create("rust-described", 3, 1, &[]).unwrap();
    assert!(has_topic(client, "rust-described"));
    let known = metadata(client, Some("rust-described"));
    let partitions = known.topics()[0].partitions();
    assert_eq!(partitions.iter().map(|partition| partition.id()).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(partitions.iter().all(|partition| partition.replicas() == [partition.leader()] && partition.isr() == [partition.leader()]));
    assert!(!has_topic(client, "rust-nowhere"));
}

fn delete_topics(client: &Client) {
    client.create("rust-deleted", 1, 1, &[]).unwrap();
    client.produce("rust-deleted", [Record::of("old")], &[]);
    delete(client, "rust-deleted").unwrap();
    assert!(!has_topic(client, "rust-deleted"));
    assert_eq!(delete(client, "rust-deleted"), Err(RDKafkaErrorCode::UnknownTopicOrPartition));
    client.create("rust-deleted", 1, 1, &[]).unwrap();
    client.produce("rust-deleted", [Record::of("new")], &[]);
    assert_eq!(values_of(&client.read("rust-deleted")), [Some(b"new".to_vec())]);
}

fn describe_configs(client: &Client) {
    let topic = client.topic(1, &[("max.message.bytes", "12345")]);
    assert_eq!(setting(client, &topic, "max.message.bytes"), ("12345".to_string(), true));
    assert!(!setting(client, &topic, "segment.bytes").1);
    assert!(["fsync", "page-cache", "memory"].contains(&setting(client, &topic, "ringlog.durability").0.as_str()));
    assert!(settings_of(client, "rust-nowhere").entries.is_empty());
}

fn alter_configs(client: &Client) {
    let topic = client.topic(1, &[("segment.bytes", "3000000")]);
    alter(client, &topic, &[("max.message.bytes", "5000")]).unwrap();
    assert_eq!(setting(client, &topic, "max.message.bytes"), ("5000".to_string(), true));
    assert!(!setting(client, &topic, "segment.bytes").1);
    let refused = client.try_produce(&topic, [Record::of(vec![0; 6000])], &[]);
    assert_eq!(refused.unwrap_err(), RDKafkaErrorCode::MessageSizeTooLarge, "the new limit does not hold");
    let _ = alter(client, &topic, &[("no.such.setting", "1"), ("segment.bytes", "3000000")]);
    assert!(!setting(client, &topic, "segment.bytes").1);
    assert_eq!(setting(client, &topic, "max.message.bytes"), ("5000".to_string(), true));
    alter(client, &topic, &[]).unwrap();
    client.produce(&topic, [Record::of(vec![0; 6000])], &[]);
}

fn create_partitions(client: &Client) {
    let topic = client.topic(2, &[]);
    grow(client, &topic, 5).unwrap();
    assert_eq!(metadata(client, Some(&topic)).topics()[0].partitions().len(), 5);
    client.produce(&topic, [Record { partition: Some(4), ..Record::of("new") }], &[]);
    assert_eq!(values_of(&client.read_from(&topic, 4, Offset::Beginning)), [Some(b"new".to_vec())]);
    assert_eq!(grow(client, &topic, 3), Err(RDKafkaErrorCode::InvalidPartitions));
    assert_eq!(grow(client, "rust-nowhere", 3), Err(RDKafkaErrorCode::UnknownTopicOrPartition));
}

fn delete_records(client: &Client) {
    let topic = numbered(client, 1);
    let below = |offset: Offset| {
        let done = block_on(client.admin.delete_records(&places(&topic, &[(0, offset)]), &AdminOptions::new())).unwrap();
        let place = done.find_partition(&topic, 0).unwrap();
        place.error().map(|()| place.offset()).map_err(|error| error.rdkafka_error_code().unwrap())
    };
    assert_eq!(below(at(400)), Ok(at(400)));
    assert!(client.try_read(&topic, 0, at(0), &[]).is_err(), "what is deleted is still served");
    assert_eq!(numbers(&client.read(&topic)), range(400, COUNT));
    assert_eq!(below(Offset::End), Ok(at(COUNT)));
    assert_eq!(below(at(COUNT + 1)), Err(RDKafkaErrorCode::OffsetOutOfRange));
    assert_eq!(client.consumer(&[]).fetch_watermarks(&topic, 0, TIME_MAX), Ok((1000, 1000)));
}
