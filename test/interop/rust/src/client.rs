//! What all checks use: producing with delivery reports, reading a partition by assign, topics made by the admin client.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, NoCustomPartitioner, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::ClientContext;

pub const TIME_MAX: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

pub type Settings<'a> = &'a [(&'a str, &'a str)];
pub type HeaderList = Vec<(String, Option<Vec<u8>>)>;

/// A record to send.
#[derive(Clone, Default)]
pub struct Record {
    pub partition: Option<i32>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: Option<i64>,
    pub headers: HeaderList,
}

impl Record {
    pub fn of(value: impl Into<Vec<u8>>) -> Record {
        Record { value: Some(value.into()), ..Record::default() }
    }

    fn owned_headers(&self) -> Option<OwnedHeaders> {
        if self.headers.is_empty() {
            return None;
        }
        let all = OwnedHeaders::new_with_capacity(self.headers.len());
        Some(self.headers.iter().fold(all, |all, (key, value)| all.insert(Header { key, value: value.as_ref() })))
    }
}

/// What became of the records of one producer.
#[derive(Default)]
pub struct Reports {
    pub delivered: Mutex<Vec<OwnedMessage>>,
    pub errors: Mutex<Vec<RDKafkaErrorCode>>,
}

impl ClientContext for Reports {}

impl ProducerContext<NoCustomPartitioner> for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => self.delivered.lock().unwrap().push(message.detach()),
            Err((error, _)) => self.errors.lock().unwrap().push(error.rdkafka_error_code().unwrap()),
        }
    }
}

pub struct Client {
    pub bootstrap: String,
    pub admin: AdminClient<DefaultClientContext>,
    prefix: String,
    topics: AtomicUsize,
}

impl Client {
    pub fn new(bootstrap: &str, prefix: &str) -> Client {
        Client {
            bootstrap: bootstrap.to_string(),
            admin: config(bootstrap, &[]).create().unwrap(),
            prefix: prefix.to_string(),
            topics: AtomicUsize::new(0),
        }
    }

    pub fn create(&self, name: &str, partitions: i32, replicas: i32, settings: Settings) -> Result<(), RDKafkaErrorCode> {
        self.create_with(&AdminOptions::new(), name, partitions, replicas, settings)
    }

    pub fn create_with(&self, options: &AdminOptions, name: &str, partitions: i32, replicas: i32, settings: Settings) -> Result<(), RDKafkaErrorCode> {
        let topic = settings.iter().fold(NewTopic::new(name, partitions, TopicReplication::Fixed(replicas)), |topic, (key, value)| topic.set(key, value));
        only(block_on(self.admin.create_topics([&topic], options)).unwrap())
    }

    /// A fresh topic.
    pub fn topic(&self, partitions: i32, settings: Settings) -> String {
        let name = format!("{}-{}", self.prefix, self.topics.fetch_add(1, Ordering::Relaxed));
        self.create(&name, partitions, 1, settings).unwrap();
        name
    }

    pub fn producer(&self, settings: Settings) -> BaseProducer<Reports> {
        config(&self.bootstrap, &[("linger.ms", "20")]).extended(settings).create_with_context(Reports::default()).unwrap()
    }

    /// Sends records; gives the delivered messages in the order of their reports, or the first error.
    pub fn try_produce(&self, topic: &str, records: impl IntoIterator<Item = Record>, settings: Settings) -> Result<Vec<OwnedMessage>, RDKafkaErrorCode> {
        let producer = self.producer(settings);
        for record in records {
            send(&producer, topic, &record).map_err(|error| error.rdkafka_error_code().unwrap())?;
        }
        producer.flush(TIME_MAX).unwrap();
        if let Some(error) = producer.context().errors.lock().unwrap().first() {
            return Err(*error);
        }
        let delivered = std::mem::take(&mut *producer.context().delivered.lock().unwrap());
        Ok(delivered)
    }

    pub fn produce(&self, topic: &str, records: impl IntoIterator<Item = Record>, settings: Settings) -> Vec<OwnedMessage> {
        self.try_produce(topic, records, settings).unwrap()
    }

    /// A consumer that commits nothing by itself and says when it is at the end, which it learns from a fetch that waited in vain. It wants a group even for assign, and then
    /// does not use it.
    pub fn consumer(&self, settings: Settings) -> BaseConsumer {
        config(&self.bootstrap, &[("group.id", "unused"), ("enable.auto.commit", "false"), ("enable.partition.eof", "true"), ("auto.offset.reset", "error")])
            .extended(&[("fetch.wait.max.ms", "50")])
            .extended(settings)
            .create()
            .unwrap()
    }

    /// The messages of a partition from an offset to its end, or the first error.
    pub fn try_read(&self, topic: &str, partition: i32, offset: Offset, settings: Settings) -> KafkaResult<Vec<OwnedMessage>> {
        let consumer = self.consumer(settings);
        consumer.assign(&places(topic, &[(partition, offset)])).unwrap();
        until_end(&consumer)
    }

    pub fn read_from(&self, topic: &str, partition: i32, offset: Offset) -> Vec<OwnedMessage> {
        self.try_read(topic, partition, offset, &[]).unwrap()
    }

    pub fn read(&self, topic: &str) -> Vec<OwnedMessage> {
        self.read_from(topic, 0, Offset::Beginning)
    }
}

pub fn config(bootstrap: &str, settings: Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config.extended(settings)
}

pub trait Extended {
    fn extended(self, settings: Settings) -> Self;
}

impl Extended for ClientConfig {
    fn extended(mut self, settings: Settings) -> ClientConfig {
        for (key, value) in settings {
            self.set(*key, *value);
        }
        self
    }
}

/// Puts a record into the queue of a producer, when there is room in it.
pub fn send(producer: &BaseProducer<Reports>, topic: &str, record: &Record) -> KafkaResult<()> {
    let mut next = BaseRecord::<[u8], [u8]>::to(topic);
    next.key = record.key.as_deref();
    next.payload = record.value.as_deref();
    next.partition = record.partition;
    next.timestamp = record.timestamp;
    next.headers = record.owned_headers();
    loop {
        match producer.send(next) {
            Ok(()) => break,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                producer.poll(POLL);
                next = again;
            }
            Err((error, _)) => return Err(error),
        }
    }
    producer.poll(Duration::ZERO);
    Ok(())
}

pub fn places(topic: &str, list: &[(i32, Offset)]) -> TopicPartitionList {
    let mut places = TopicPartitionList::new();
    for (partition, offset) in list {
        places.add_partition_offset(topic, *partition, *offset).unwrap();
    }
    places
}

/// All messages until the first partition is at its end.
pub fn until_end<C: rdkafka::consumer::ConsumerContext>(consumer: &BaseConsumer<C>) -> KafkaResult<Vec<OwnedMessage>> {
    let deadline = Instant::now() + TIME_MAX;
    let mut got = Vec::new();
    loop {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => got.push(message.detach()),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(got),
            Some(Err(error)) => return Err(error),
            None => assert!(Instant::now() < deadline, "the end of the partition was not reached"),
        }
    }
}

/// The only result there is of an admin call for one thing.
pub fn only<T>(results: Vec<Result<T, (T, RDKafkaErrorCode)>>) -> Result<(), RDKafkaErrorCode> {
    assert_eq!(results.len(), 1);
    results.into_iter().next().unwrap().map(|_| ()).map_err(|(_, code)| code)
}

pub fn values_of(messages: &[OwnedMessage]) -> Vec<Option<Vec<u8>>> {
    messages.iter().map(|message| message.payload().map(<[u8]>::to_vec)).collect()
}

pub fn values_sent(records: &[Record]) -> Vec<Option<Vec<u8>>> {
    records.iter().map(|record| record.value.clone()).collect()
}

pub fn headers_of(message: &OwnedMessage) -> HeaderList {
    let Some(headers) = message.headers() else { return Vec::new() };
    headers.iter().map(|header| (header.key.to_string(), header.value.map(<[u8]>::to_vec))).collect()
}

/// The value of a message that is a number.
pub fn number_in(message: &BorrowedMessage) -> usize {
    std::str::from_utf8(message.payload().unwrap()).unwrap().parse().unwrap()
}
