//! A member of a consumer group: prints `PARTITION OFFSET` of all it gets, leaves when its stdin ends.

use std::io::{read_to_string, stdin, stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;

use crate::client::config;

pub fn run(bootstrap: &str, topic: &str, group: &str, strategy: &str) {
    let settings = [
        ("group.id", group),
        ("auto.offset.reset", "earliest"),
        ("auto.commit.interval.ms", "500"),
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "1000"),
        ("partition.assignment.strategy", strategy),
    ];
    let consumer: BaseConsumer = config(bootstrap, &settings).create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let told = told_by_stdin();
    let mut out = stdout().lock();
    while !told.load(Ordering::Relaxed) {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            writeln!(out, "{} {}", message.partition(), message.offset()).unwrap();
            out.flush().unwrap();
        }
    }
}

/// Becomes true when stdin ends.
pub fn told_by_stdin() -> Arc<AtomicBool> {
    let told = Arc::new(AtomicBool::new(false));
    let ours = Arc::clone(&told);
    thread::spawn(move || {
        let _ = read_to_string(stdin());
        ours.store(true, Ordering::Relaxed);
    });
    told
}
