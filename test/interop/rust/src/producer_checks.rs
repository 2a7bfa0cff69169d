//! Producing: codecs, acknowledgements, delivery reports, sizes, timestamps; what came back has to be what was sent.

use std::collections::{HashMap, HashSet};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Message, OwnedMessage, Timestamp};
use rdkafka::producer::Producer;
use rdkafka::topic_partition_list::Offset;

use crate::checks::Checks;
use crate::client::{config, headers_of, values_of, values_sent, Client, Record, Reports, TIME_MAX};

fn texts(count: usize) -> Vec<Record> {
    (0..count).map(|number| Record::of(format!("message {number} of {count}"))).collect()
}

/// Bytes that do not compress, the same in every run (xorshift).
pub struct Random(u64);

impl Random {
    pub fn seeded() -> Random {
        Random(0x9e37_79b9_7f4a_7c15)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn bytes(&mut self, size: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..size.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(size);
        bytes
    }

    fn below(&mut self, end: u64) -> usize {
        usize::try_from(self.next() % end).unwrap()
    }
}

pub fn add(checks: &mut Checks) {
    checks.add("auto-create", "a produce makes the topic, and loses nothing", |client| {
        client.produce("rust-auto", texts(10), &[]);
        assert_same(&client.read("rust-auto"), &texts(10));
    });
    checks.add("produce-consume", "100,000 messages come back in order, offsets without a gap", in_order);
    checks.add("delivery-reports", "every message is reported once, with its partition and the offset it is read at", delivery_reports);
    checks.add("partitions", "messages go to the partition chosen, and keys always to the same one", partitions);
    checks.add("keys", "text, bytes, empty and no keys", keys);
    checks.add("headers", "in order, twice the same name, empty and null values, bytes", headers);
    checks.add("null-values", "null and empty values stay apart", null_values);
    checks.add("binary", "random values of 0 to 200 KB, 64 MB in all, over 3 partitions: every byte equal", binary);
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        checks.add(codec, "50,000 messages, sent compressed, come back", move |client| compressed(client, codec));
    }
    for (feature, acks) in [("acks-0", "0"), ("acks-1", "1"), ("acks-all", "all")] {
        checks.add(feature, "5,000 messages come back", move |client| acknowledged(client, acks));
    }
    checks.add("big-messages", "one message a batch, as large as max.message.bytes allows; batches of 1 MB", big_messages);
    checks.add("big-messages", "larger than max.message.bytes: MessageSizeTooLarge, and the next message goes through", too_big);
    checks.add("timestamps", "those of the producer come back, in any order, also from 1970", timestamps);
    checks.add("append-time", "message.timestamp.type=LogAppendTime: the broker's time, and the client says so", append_time);
    checks.add("unknown-topic", "producing to a partition that is not there is refused by name", unknown_partition);
    checks.add("idempotence", "5,000 messages, each once and in order", idempotence);
    checks.not_served("transactions", "This broker does not serve transactions", transactions);
}

fn assert_same(got: &[OwnedMessage], sent: &[Record]) {
    assert_eq!(got.len(), sent.len(), "another number of messages came back");
    assert!(values_of(got) == values_sent(sent), "other values came back");
}

fn in_order(client: &Client) {
    let topic = client.topic(1, &[]);
    let sent = texts(100_000);
    client.produce(&topic, sent.clone(), &[]);
    let got = client.read(&topic);
    assert_same(&got, &sent);
    assert!(got.iter().map(Message::offset).eq(0..100_000));
}

fn delivery_reports(client: &Client) {
    let topic = client.topic(3, &[]);
    let sent = (0..3000).map(|number| Record { partition: Some(number % 3), ..Record::of(number.to_string()) });
    let place = |message: &OwnedMessage| ((message.partition(), message.offset()), message.payload().map(<[u8]>::to_vec));
    let delivered = client.produce(&topic, sent, &[]);
    let reported: HashMap<_, _> = delivered.iter().map(place).collect();
    assert_eq!((delivered.len(), reported.len()), (3000, 3000));
    let read: HashMap<_, _> = (0..3).flat_map(|partition| client.read_from(&topic, partition, Offset::Beginning)).map(|message| place(&message)).collect();
    assert_eq!(reported, read);
}

fn partitions(client: &Client) {
    let topic = client.topic(4, &[]);
    let sent = (0..2000).map(|number| Record { key: Some(format!("key {}", number % 50).into()), ..Record::of(number.to_string()) });
    let mut places: HashMap<Vec<u8>, HashSet<i32>> = HashMap::new();
    for message in client.produce(&topic, sent, &[]) {
        places.entry(message.key().unwrap().to_vec()).or_default().insert(message.partition());
    }
    assert_eq!(places.len(), 50);
    assert!(places.values().all(|place| place.len() == 1), "{places:?}");
    assert_eq!(places.values().flatten().collect::<HashSet<_>>().len(), 4);
}

fn keys(client: &Client) {
    let topic = client.topic(1, &[]);
    let wanted = [Some(b"text".to_vec()), Some(vec![0, 255, 128]), Some(Vec::new()), None];
    client.produce(&topic, wanted.iter().map(|key| Record { key: key.clone(), ..Record::of("v") }), &[]);
    let got: Vec<_> = client.read(&topic).iter().map(|message| message.key().map(<[u8]>::to_vec)).collect();
    assert_eq!(got, wanted);
}

fn headers(client: &Client) {
    let topic = client.topic(1, &[]);
    let wanted: Vec<(String, Option<Vec<u8>>)> = [("a", Some(b"1".to_vec())), ("b", Some(vec![0, 255])), ("a", Some(b"2".to_vec())), ("empty", Some(Vec::new())), ("null", None)]
        .map(|(key, value)| (key.to_string(), value))
        .into();
    client.produce(&topic, [Record { headers: wanted.clone(), ..Record::of("v") }, Record::of("none")], &[]);
    let got = client.read(&topic);
    assert_eq!(got.len(), 2);
    assert_eq!(headers_of(&got[0]), wanted);
    assert!(got[1].headers().is_none());
}

fn null_values(client: &Client) {
    let topic = client.topic(1, &[]);
    let keyed = |value| Record { key: Some(b"k".to_vec()), value, ..Record::default() };
    client.produce(&topic, [keyed(None), keyed(Some(Vec::new()))], &[]);
    assert_eq!(values_of(&client.read(&topic)), [None, Some(Vec::new())]);
}

fn binary(client: &Client) {
    let topic = client.topic(3, &[]);
    let mut random = Random::seeded();
    let mut sent: [Vec<Record>; 3] = Default::default();
    let mut all = Vec::new();
    let mut total = 0;
    while total < 64_000_000 {
        let size = [0, 1, 100, 1000, 10_000, 200_000][random.below(6)];
        let partition = random.below(3);
        let record = Record { partition: i32::try_from(partition).ok(), ..Record::of(random.bytes(size)) };
        total += size + 4;
        sent[partition].push(record.clone());
        all.push(record);
    }
    client.produce(&topic, all, &[]);
    for (partition, wanted) in (0..).zip(&sent) {
        assert_same(&client.read_from(&topic, partition, Offset::Beginning), wanted);
    }
}

fn compressed(client: &Client, codec: &str) {
    let topic = client.topic(1, &[]);
    let mut sent = texts(50_000);
    sent.push(Record::of(Random::seeded().bytes(100_000)));
    client.produce(&topic, sent.clone(), &[("compression.type", codec), ("batch.size", "500000")]);
    assert_same(&client.read(&topic), &sent);
}

fn acknowledged(client: &Client, acks: &str) {
    let topic = client.topic(1, &[]);
    let sent = texts(5000);
    let delivered = client.produce(&topic, sent.clone(), &[("acks", acks)]);
    let until = Instant::now() + TIME_MAX;
    let mut got = client.read(&topic);
    // Nothing says when a batch without acknowledgement has arrived.
    while acks == "0" && got.len() < sent.len() && Instant::now() < until {
        got = client.read(&topic);
    }
    assert_same(&got, &sent);
    if acks != "0" {
        assert!(delivered.iter().map(Message::offset).eq(0..5000));
    }
}

fn big_messages(client: &Client) {
    let topic = client.topic(1, &[("max.message.bytes", "8000000")]);
    let mut random = Random::seeded();
    let mut sent: Vec<Record> = [7_900_000, 1, 5_000_000].map(|size| Record::of(random.bytes(size))).into();
    client.produce(&topic, sent.clone(), &[("message.max.bytes", "9000000")]);
    assert_same(&client.read(&topic), &sent);
    let small: Vec<Record> = (0..20_000).map(|_| Record::of(random.bytes(1000))).collect();
    client.produce(&topic, small.clone(), &[("batch.size", "1000000"), ("linger.ms", "200")]);
    sent.extend(small);
    assert_same(&client.read(&topic), &sent);
}

fn too_big(client: &Client) {
    let topic = client.topic(1, &[("max.message.bytes", "10000")]);
    let refused = client.try_produce(&topic, [Record::of(Random::seeded().bytes(20_000))], &[]);
    assert_eq!(refused.unwrap_err(), RDKafkaErrorCode::MessageSizeTooLarge);
    client.produce(&topic, [Record::of("small")], &[]);
    assert_same(&client.read(&topic), &[Record::of("small")]);
}

fn timestamps(client: &Client) {
    let topic = client.topic(1, &[]);
    let wanted = [1_700_000_000_000, 1_600_000_000_000, 1, 1_750_000_000_000];
    client.produce(&topic, wanted.map(|ms| Record { timestamp: Some(ms), ..Record::of("v") }), &[]);
    let got: Vec<_> = client.read(&topic).iter().map(Message::timestamp).collect();
    assert_eq!(got, wanted.map(Timestamp::CreateTime));
}

fn append_time(client: &Client) {
    let topic = client.topic(1, &[("message.timestamp.type", "LogAppendTime")]);
    let now_ms = || i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let before = now_ms();
    client.produce(&topic, (0..3).map(|_| Record { timestamp: Some(1_600_000_000_000), ..Record::of("v") }), &[]);
    let got = client.read(&topic);
    assert_eq!(got.len(), 3);
    for message in got {
        let Timestamp::LogAppendTime(ms) = message.timestamp() else { panic!("{:?}", message.timestamp()) };
        assert!(ms >= before - 1000 && ms <= now_ms() + 1000, "{ms} is not between {before} and now");
    }
}

fn unknown_partition(client: &Client) {
    let topic = client.topic(2, &[]);
    let refused = client.try_produce(&topic, [Record { partition: Some(9), ..Record::of("v") }], &[]);
    let error = refused.unwrap_err();
    assert!(matches!(error, RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopicOrPartition), "{error}");
}

fn idempotence(client: &Client) {
    let topic = client.topic(1, &[]);
    let delivered = client.produce(&topic, texts(5000), &[("enable.idempotence", "true"), ("batch.num.messages", "20")]);
    let mut offsets: Vec<i64> = delivered.iter().map(Message::offset).collect();
    offsets.sort_unstable();
    assert!(offsets.into_iter().eq(0..5000));
    assert_same(&client.read(&topic), &texts(5000));
}

fn transactions(client: &Client) -> Option<String> {
    let producer: rdkafka::producer::BaseProducer<Reports> =
        config(&client.bootstrap, &[("transactional.id", "rust")]).create_with_context(Reports::default()).unwrap();
    producer.init_transactions(std::time::Duration::from_secs(30)).err().map(|error| error.to_string())
}
