//! The checks of the rdkafka crate, against the broker given as argument; with "restart" behind it, the client that lives over a restart of the broker, with "member", a
//! member of a group.

mod admin_checks;
mod checks;
mod client;
mod consumer_checks;
mod group_checks;
mod member;
mod producer_checks;
mod restart;

use checks::Checks;
use client::Client;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [bootstrap] => run_checks(bootstrap),
        [bootstrap, "restart"] => restart::over_restart(bootstrap),
        [bootstrap, "member", topic, group, strategy] => member::run(bootstrap, topic, group, strategy),
        _ => panic!("arguments: BROKER [restart | member TOPIC GROUP STRATEGY]"),
    }
}

fn run_checks(bootstrap: &str) {
    let mut checks = Checks::default();
    producer_checks::add(&mut checks);
    consumer_checks::add(&mut checks);
    admin_checks::add(&mut checks);
    group_checks::add(&mut checks);
    checks.run(&Client::new(bootstrap, "rust"));
}
