//! Consumer groups, and what the client says of them and does to them. A group of three is in the suite itself, out of processes.

use std::mem::ManuallyDrop;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::admin::AdminOptions;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::ClientContext;

use crate::checks::Checks;
use crate::client::{config, number_in, only, places, Client, Extended, Record, Settings, TIME_MAX};
use crate::consumer_checks::{at, numbered, range, COUNT};

/// What a member was given and what it had to give back, in numbers of partitions.
#[derive(Default)]
struct Rebalances {
    given: Mutex<Vec<usize>>,
    taken: Mutex<Vec<usize>>,
}

impl ClientContext for Rebalances {}

impl ConsumerContext for Rebalances {
    fn pre_rebalance(&self, _: &BaseConsumer<Rebalances>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => self.given.lock().unwrap().push(list.count()),
            Rebalance::Revoke(list) => self.taken.lock().unwrap().push(list.count()),
            Rebalance::Error(error) => panic!("{error}"),
        }
    }
}

type Member = BaseConsumer<Rebalances>;

fn member(client: &Client, topic: &str, group: &str, settings: Settings) -> Member {
    let consumer: Member = config(&client.bootstrap, &[("group.id", group), ("enable.auto.commit", "false"), ("auto.offset.reset", "earliest")])
        .extended(&[("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "1000")])
        .extended(settings)
        .create_with_context(Rebalances::default())
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    consumer
}

/// The next `count` numbers.
fn take(consumer: &Member, count: usize) -> Vec<usize> {
    let deadline = Instant::now() + TIME_MAX;
    let mut got = Vec::new();
    while got.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} came in time", got.len());
        if let Some(message) = consumer.poll(Duration::from_millis(500)) {
            got.push(number_in(&message.unwrap()));
        }
    }
    got
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIME_MAX;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not in time");
    }
}

fn assigned(consumer: &Member) -> TopicPartitionList {
    consumer.assignment().unwrap()
}

/// Until they have `partitions` together and each has one; nothing comes meanwhile.
fn until_assigned(consumers: &[&Member], partitions: usize) {
    until("each has its partitions", || {
        let silent = consumers.iter().all(|each| each.poll(Duration::from_millis(100)).is_none());
        assert!(silent, "a message came");
        let counts: Vec<usize> = consumers.iter().map(|each| assigned(each).count()).collect();
        counts.iter().sum::<usize>() == partitions && !counts.contains(&0)
    });
}

pub fn add(checks: &mut Checks) {
    checks.add("from-beginning", "a group: auto.offset.reset=earliest", |client| {
        let topic = numbered(client, 1);
        assert_eq!(take(&member(client, &topic, "rust-begins", &[]), COUNT), range(0, COUNT));
    });
    checks.add("from-end", "a group: auto.offset.reset=latest sees only what comes later", from_end);
    checks.add("seek", "a member of a group: back and forth in what it has", |client| {
        let topic = numbered(client, 1);
        let consumer = member(client, &topic, "rust-seeks", &[]);
        assert_eq!(take(&consumer, COUNT), range(0, COUNT));
        for offset in [COUNT - 10, 3] {
            consumer.seek(&topic, 0, at(offset), TIME_MAX).unwrap();
            assert_eq!(take(&consumer, COUNT - offset), range(offset, COUNT));
        }
    });
    checks.add("group-commits", "synchronous, asynchronous, with metadata; read back; the next member resumes there", commits);
    checks.add("group-commits", "offsets of a consumer that joins no group", commits_alone);
    checks.add("group-pause", "what is paused does not come, and goes on where it was", pause);
    checks.add("static-members", "comes back in its session: the same member, no rebalance of the others; a second of its name ends the first", static_members);
    checks.add("cooperative", "cooperative-sticky: who keeps a partition does not lose it when another joins", cooperative);
    checks.add("list-groups", "fetch_group_list: state, protocol, members", list_groups);
    checks.add("delete-groups", "not while it has members; then with all its offsets; a second time it is not there", delete_groups);
}

fn from_end(client: &Client) {
    let topic = numbered(client, 1);
    let consumer = member(client, &topic, "rust-ends", &[("auto.offset.reset", "latest")]);
    until_assigned(&[&consumer], 1);
    // Where the end is it has to ask first.
    until("a new message comes", || {
        client.produce(&topic, [Record::of("4711")], &[]);
        consumer.poll(Duration::from_secs(1)).is_some_and(|message| number_in(&message.unwrap()) == 4711)
    });
}

fn committed(consumer: &Member, topic: &str) -> (Offset, String) {
    let found = consumer.committed_offsets(places(topic, &[(0, Offset::Invalid)]), TIME_MAX).unwrap();
    let place = found.find_partition(topic, 0).unwrap();
    (place.offset(), place.metadata().to_string())
}

fn commits(client: &Client) {
    let topic = numbered(client, 1);
    let first = member(client, &topic, "rust-commits", &[]);
    assert_eq!(take(&first, 100), range(0, 100));
    let wanted = places(&topic, &[(0, at(100))]);
    wanted.find_partition(&topic, 0).unwrap().set_metadata("a hundred");
    first.commit(&wanted, CommitMode::Sync).unwrap();
    assert_eq!(committed(&first, &topic), (at(100), "a hundred".to_string()));
    drop(first);
    let second = member(client, &topic, "rust-commits", &[]);
    assert_eq!(take(&second, COUNT - 100), range(100, COUNT));
    second.commit_consumer_state(CommitMode::Async).unwrap();
    until("the commit is there", || committed(&second, &topic).0 == at(COUNT));
}

fn commits_alone(client: &Client) {
    let topic = numbered(client, 1);
    let consumer: Member = config(&client.bootstrap, &[("group.id", "rust-alone")]).create_with_context(Rebalances::default()).unwrap();
    assert_eq!(committed(&consumer, &topic).0, Offset::Invalid);
    consumer.assign(&places(&topic, &[(0, at(0))])).unwrap();
    consumer.commit(&places(&topic, &[(0, at(42))]), CommitMode::Sync).unwrap();
    assert_eq!(committed(&consumer, &topic).0, at(42));
}

fn pause(client: &Client) {
    let topic = numbered(client, 1);
    let consumer = member(client, &topic, "rust-pauses", &[]);
    assert_eq!(take(&consumer, 100), range(0, 100));
    let all = places(&topic, &[(0, Offset::Invalid)]);
    consumer.pause(&all).unwrap();
    // Longer than the session: heartbeats go on.
    let until = Instant::now() + Duration::from_secs(8);
    while Instant::now() < until {
        assert!(consumer.poll(Duration::from_millis(500)).is_none());
    }
    consumer.resume(&all).unwrap();
    assert_eq!(take(&consumer, COUNT - 100), range(100, COUNT));
}

fn static_members(client: &Client) {
    let topic = numbered(client, 4);
    // Its end never comes back from this librdkafka (2.12.1) when the member is a static one, so that is left to a thread.
    let named = |name| {
        let settings = [("auto.offset.reset", "latest"), ("session.timeout.ms", "30000"), ("group.instance.id", name)];
        ManuallyDrop::new(member(client, &topic, "rust-static", &settings))
    };
    let other = named("b");
    let one = named("a");
    until_assigned(&[&one, &other], 4);
    let before = assigned(&one);
    let rebalances = || other.context().given.lock().unwrap().len();
    let rebalanced = rebalances();
    thread::spawn(move || drop(ManuallyDrop::into_inner(one)));
    let again = named("a");
    until("it is back", || {
        again.poll(Duration::from_millis(100));
        other.poll(Duration::from_millis(100));
        assigned(&again).count() > 0
    });
    assert_eq!(places_of(&assigned(&again)), places_of(&before));
    assert_eq!(rebalances(), rebalanced);
    let second = named("a");
    let mut fenced = None;
    until("the first is told", || {
        second.poll(Duration::from_millis(100));
        other.poll(Duration::from_millis(10));
        if let Some(Err(error)) = again.poll(Duration::from_millis(100)) {
            fenced = Some(error);
        }
        fenced.is_some()
    });
    assert!(
        matches!(fenced, Some(KafkaError::MessageConsumptionFatal(_))) || fenced.as_ref().and_then(KafkaError::rdkafka_error_code) == Some(RDKafkaErrorCode::FencedInstanceId),
        "{fenced:?}"
    );
}

fn places_of(list: &TopicPartitionList) -> Vec<(String, i32)> {
    list.elements().iter().map(|place| (place.topic().to_string(), place.partition())).collect()
}

fn cooperative(client: &Client) {
    let topic = numbered(client, 4);
    let next = || member(client, &topic, "rust-cooperative", &[("auto.offset.reset", "latest"), ("partition.assignment.strategy", "cooperative-sticky")]);
    let first = next();
    until_assigned(&[&first], 4);
    let second = next();
    until_assigned(&[&first, &second], 4);
    assert_eq!(*first.context().taken.lock().unwrap(), [2]);
}

fn list_groups(client: &Client) {
    let topic = numbered(client, 2);
    let consumer = member(client, &topic, "rust-described", &[("auto.offset.reset", "latest"), ("client.id", "rust-client")]);
    until_assigned(&[&consumer], 2);
    let all = consumer.fetch_group_list(None, TIME_MAX).unwrap();
    assert!(all.groups().iter().any(|group| group.name() == "rust-described"));
    let found = consumer.fetch_group_list(Some("rust-described"), TIME_MAX).unwrap();
    let group = &found.groups()[0];
    assert_eq!((group.state(), group.protocol_type(), group.protocol()), ("Stable", "consumer", "range"));
    let members: Vec<_> = group.members().iter().map(|each| (each.client_id(), each.client_host().trim_start_matches('/'))).collect();
    assert_eq!(members, [("rust-client", "127.0.0.1")]);
    drop(consumer);
    let found = client.consumer(&[]).fetch_group_list(Some("rust-described"), TIME_MAX).unwrap();
    assert_eq!(found.groups()[0].state(), "Empty");
}

fn delete_groups(client: &Client) {
    let topic = numbered(client, 1);
    let consumer = member(client, &topic, "rust-deleted-group", &[]);
    take(&consumer, 10);
    consumer.commit(&places(&topic, &[(0, at(10))]), CommitMode::Sync).unwrap();
    let delete = || only(block_on(client.admin.delete_groups(&["rust-deleted-group"], &AdminOptions::new())).unwrap());
    assert_eq!(delete(), Err(RDKafkaErrorCode::NonEmptyGroup));
    drop(consumer);
    assert_eq!(delete(), Ok(()));
    assert_eq!(delete(), Err(RDKafkaErrorCode::GroupIdNotFound));
    let reader: Member = config(&client.bootstrap, &[("group.id", "rust-deleted-group")]).create_with_context(Rebalances::default()).unwrap();
    assert_eq!(committed(&reader, &topic).0, Offset::Invalid);
}
