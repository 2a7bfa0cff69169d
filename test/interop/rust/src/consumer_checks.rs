//! Consuming by assign: where to begin, seek, times, the ends of a partition.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::topic_partition_list::Offset;

use crate::checks::Checks;
use crate::client::{number_in, places, until_end, Client, Record, TIME_MAX};

pub const COUNT: usize = 1000;
const BEGIN_MS: i64 = 1_700_000_000_000;

/// A topic with the numbers 0 … COUNT-1 in each partition; number n has timestamp 1,700,000,000,000 + 10 n.
pub fn numbered(client: &Client, partitions: i32) -> String {
    let topic = client.topic(partitions, &[]);
    let numbers = (0..COUNT).flat_map(|number| (0..partitions).map(move |partition| (number, partition)));
    let records = numbers.map(|(number, partition)| Record { partition: Some(partition), timestamp: Some(time_of(number)), ..Record::of(number.to_string()) });
    client.produce(&topic, records, &[("batch.size", "5000")]);
    topic
}

fn time_of(number: usize) -> i64 {
    BEGIN_MS + 10 * i64::try_from(number).unwrap()
}

pub fn numbers(messages: &[OwnedMessage]) -> Vec<usize> {
    messages.iter().map(|message| std::str::from_utf8(message.payload().unwrap()).unwrap().parse().unwrap()).collect()
}

pub fn range(from: usize, to: usize) -> Vec<usize> {
    (from..to).collect()
}

pub fn at(offset: usize) -> Offset {
    Offset::Offset(i64::try_from(offset).unwrap())
}

pub fn add(checks: &mut Checks) {
    checks.add("from-beginning", "Offset::Beginning", |client| {
        assert_eq!(numbers(&client.read(&numbered(client, 1))), range(0, COUNT));
    });
    checks.add("from-offset", "an offset in the middle of a batch, and the end itself", |client| {
        let topic = numbered(client, 1);
        for offset in [0, 1, 537, COUNT - 1, COUNT] {
            assert_eq!(numbers(&client.read_from(&topic, 0, at(offset))), range(offset, COUNT));
        }
    });
    checks.add("from-offset", "out of range: an error, or what auto.offset.reset says", out_of_range);
    checks.add("from-tail", "Offset::OffsetTail(7)", |client| {
        assert_eq!(numbers(&client.read_from(&numbered(client, 1), 0, Offset::OffsetTail(7))), range(COUNT - 7, COUNT));
    });
    checks.add("from-end", "Offset::End sees only what comes later", from_end);
    checks.add("seek", "back, forth, to the end and to the beginning", seek);
    checks.add("seek", "pause and resume; several partitions in one consumer", pause);
    checks.add("from-timestamp", "offsets_for_times: first at or after, before all, after all", offsets_for_times);
    checks.add("watermarks", "beginning and end, asked for", |client| {
        let topic = numbered(client, 1);
        assert_eq!(client.consumer(&[]).fetch_watermarks(&topic, 0, TIME_MAX), Ok((0, 1000)));
    });
    checks.add("unknown-topic", "asking for an unknown topic: UnknownTopicOrPartition, and it is not made", unknown_topic);
}

fn out_of_range(client: &Client) {
    let topic = numbered(client, 1);
    let error = client.try_read(&topic, 0, at(COUNT + 5), &[]).unwrap_err().rdkafka_error_code();
    assert!(matches!(error, Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)), "{error:?}");
    let reset = |how| numbers(&client.try_read(&topic, 0, at(COUNT + 5), &[("auto.offset.reset", how)]).unwrap());
    assert_eq!(reset("earliest"), range(0, COUNT));
    assert_eq!(reset("latest"), range(0, 0));
}

fn from_end(client: &Client) {
    let topic = numbered(client, 1);
    let consumer = client.consumer(&[("fetch.wait.max.ms", "15000"), ("enable.partition.eof", "false")]);
    consumer.assign(&places(&topic, &[(0, Offset::End)])).unwrap();
    // Nothing says where it has begun, so send until it has seen one.
    let sent = (COUNT..COUNT + 100).find(|number| {
        client.produce(&topic, [Record::of(number.to_string())], &[]);
        consumer.poll(Duration::from_millis(500)).is_some_and(|message| number_in(&message.unwrap()) >= COUNT)
    });
    assert!(sent.is_some(), "none of 100 messages came");
    while consumer.poll(Duration::from_millis(500)).is_some() {}
    let started = Instant::now();
    client.produce(&topic, [Record::of("4711")], &[]);
    assert_eq!(number_in(&consumer.poll(TIME_MAX).unwrap().unwrap()), 4711);
    assert!(started.elapsed() < Duration::from_millis(7500), "a waiting fetch was not answered before its time was up");
}

fn seek(client: &Client) {
    let topic = numbered(client, 1);
    let consumer = client.consumer(&[]);
    consumer.assign(&places(&topic, &[(0, at(0))])).unwrap();
    assert_eq!(numbers(&until_end(&consumer).unwrap()), range(0, COUNT));
    for offset in [COUNT - 10, 3, 500] {
        consumer.seek(&topic, 0, at(offset), TIME_MAX).unwrap();
        assert_eq!(numbers(&until_end(&consumer).unwrap()), range(offset, COUNT));
    }
    consumer.seek(&topic, 0, Offset::Beginning, TIME_MAX).unwrap();
    assert_eq!(numbers(&until_end(&consumer).unwrap()), range(0, COUNT));
}

fn pause(client: &Client) {
    let topic = numbered(client, 3);
    let consumer = client.consumer(&[("enable.partition.eof", "false")]);
    consumer.assign(&places(&topic, &[(0, at(0)), (1, at(0)), (2, at(0))])).unwrap();
    let second = places(&topic, &[(1, Offset::Invalid)]);
    consumer.pause(&second).unwrap();
    let mut got: [Vec<usize>; 3] = Default::default();
    collect(&consumer, 2 * COUNT, &mut got);
    assert_eq!(got[1], range(0, 0));
    consumer.resume(&second).unwrap();
    collect(&consumer, 3 * COUNT, &mut got);
    assert!(got.iter().all(|numbers| *numbers == range(0, COUNT)));
}

fn collect(consumer: &BaseConsumer, wanted: usize, got: &mut [Vec<usize>; 3]) {
    let deadline = Instant::now() + TIME_MAX;
    while got.iter().map(Vec::len).sum::<usize>() < wanted {
        assert!(Instant::now() < deadline, "{wanted} did not come in time");
        if let Some(message) = consumer.poll(Duration::from_millis(500)) {
            let message = message.unwrap();
            got[usize::try_from(message.partition()).unwrap()].push(number_in(&message));
        }
    }
}

fn offsets_for_times(client: &Client) {
    let topic = numbered(client, 1);
    let consumer = client.consumer(&[]);
    let ask = |ms: i64| {
        let found = consumer.offsets_for_times(places(&topic, &[(0, Offset::Offset(ms))]), TIME_MAX).unwrap();
        let place = found.find_partition(&topic, 0).unwrap();
        place.error().unwrap();
        place.offset()
    };
    for (ms, offset) in [(0, 0), (BEGIN_MS, 0), (BEGIN_MS + 1, 1), (BEGIN_MS + 5000, 500), (time_of(COUNT - 1), COUNT - 1)] {
        assert_eq!(ask(ms), at(offset), "{ms}");
    }
    // No such record: librdkafka says the end.
    assert_eq!(ask(time_of(COUNT)), Offset::End);
}

fn unknown_topic(client: &Client) {
    let consumer = client.consumer(&[("allow.auto.create.topics", "false")]);
    for _ in 0..2 {
        let metadata = consumer.fetch_metadata(Some("rust-nowhere"), TIME_MAX).unwrap();
        let error = metadata.topics()[0].error().map(RDKafkaErrorCode::from);
        assert_eq!(error, Some(RDKafkaErrorCode::UnknownTopicOrPartition));
    }
    let error = consumer.fetch_watermarks("rust-nowhere", 0, TIME_MAX).unwrap_err();
    let code = error.rdkafka_error_code();
    assert!(matches!(code, Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownPartition)), "{error}");
}
