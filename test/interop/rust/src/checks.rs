//! How a check is named and told to the runner: one line of JSON each, `{feature, name, ok, note, seconds, refused?}`, or `{feature, cannot}` for what the client has no
//! call for.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::Instant;

use serde_json::json;

use crate::client::Client;

/// A check works when it does not panic.
type Body = Box<dyn Fn(&Client)>;
/// A check of what is not served yet: what the client says, or nothing if it works.
type Refusal = fn(&Client) -> Option<String>;

enum Check {
    Works(Body),
    /// What it says has to contain this.
    NotServed(&'static str, Refusal),
}

#[derive(Default)]
pub struct Checks {
    list: Vec<(&'static str, String, Check)>,
}

impl Checks {
    pub fn add(&mut self, feature: &'static str, name: &str, body: impl Fn(&Client) + 'static) {
        self.list.push((feature, name.to_string(), Check::Works(Box::new(body))));
    }

    pub fn not_served(&mut self, feature: &'static str, clear: &'static str, body: Refusal) {
        self.list.push((feature, "the client says so".to_string(), Check::NotServed(clear, body)));
    }

    pub fn cannot(&mut self, feature: &str, why: &str) {
        println!("{}", json!({ "feature": feature, "cannot": why }));
    }

    pub fn run(&self, client: &Client) {
        for (feature, name, check) in &self.list {
            let started = Instant::now();
            let result = catch_unwind(AssertUnwindSafe(|| match check {
                Check::Works(body) => {
                    body(client);
                    None
                }
                Check::NotServed(clear, body) => Some((*clear, body(client))),
            }));
            let (ok, refused, note) = match result {
                Ok(None) => (true, false, String::new()),
                Ok(Some((_, None))) => (false, true, "it works now: make this an ordinary check".to_string()),
                Ok(Some((clear, Some(says)))) if says.contains(clear) => (true, true, clear.to_string()),
                Ok(Some((_, Some(says)))) => (false, true, format!("not a clear refusal: {says}")),
                Err(panic) => (false, false, text_of(panic.as_ref())),
            };
            let seconds = started.elapsed().as_secs_f64();
            println!("{}", json!({ "feature": feature, "name": name, "ok": ok, "note": note, "seconds": seconds, "refused": refused }));
        }
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => (*text).to_string(),
        (None, None) => "a panic without words".to_string(),
    }
}
