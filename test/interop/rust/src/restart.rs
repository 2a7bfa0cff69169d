//! Sends without pause until its stdin ends; meanwhile the broker is restarted. Says `ready` when it is under way. What was acknowledged has to be at its offset afterwards,
//! for a consumer that was there from the beginning.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::message::Message;
use rdkafka::producer::Producer;
use rdkafka::topic_partition_list::Offset;
use serde_json::json;

use crate::client::{places, send, Client, Record, TIME_MAX};
use crate::member::told_by_stdin;

pub fn over_restart(bootstrap: &str) {
    let client = Client::new(bootstrap, "rust-restart");
    let topic = client.topic(1, &[]);
    let consumer = client.consumer(&[]);
    consumer.assign(&places(&topic, &[(0, Offset::Beginning)])).unwrap();
    let producer = client.producer(&[("linger.ms", "5")]);
    let told = told_by_stdin();
    let mut read: HashMap<i64, Vec<u8>> = HashMap::new();
    let mut poll = |limit| {
        if let Some(Ok(message)) = consumer.poll(limit) {
            read.insert(message.offset(), message.payload().unwrap().to_vec());
        }
        read.len()
    };
    let mut sent = 0;
    while !told.load(Ordering::Relaxed) {
        send(&producer, &topic, &Record::of(sent.to_string())).unwrap();
        sent += 1;
        producer.poll(Duration::from_millis(5));
        poll(Duration::ZERO);
        if sent == 200 {
            println!("ready");
        }
    }
    producer.flush(TIME_MAX).unwrap();
    let until = Instant::now() + TIME_MAX;
    while poll(Duration::from_secs(1)) < sent && Instant::now() < until {}
    let delivered = producer.context().delivered.lock().unwrap();
    let errors: Vec<String> = producer.context().errors.lock().unwrap().iter().map(ToString::to_string).collect();
    let lost = delivered.iter().filter(|message| read.get(&message.offset()).map(Vec::as_slice) != message.payload()).count();
    println!("{}", json!({ "sent": sent, "delivered": delivered.len(), "left": producer.in_flight_count(), "errors": errors, "lost": lost }));
}
