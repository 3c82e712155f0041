//! The traffic of the providers' APIs, kept so that it can be held against the providers' own contracts.
//!
//! One line an exchange, in the shape that a contract checker reads. The authorisation header is never kept. A request
//! that was left without an answer (a timeout) is no exchange and is not kept; one whose answer was thrown away after
//! the work (`apply_then_drop`) is kept with `delivered: false`.

use std::collections::VecDeque;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

/// How many exchanges are kept; the oldest go first.
const MAX_EXCHANGES: usize = 50_000;

/// One request and its answer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RecordedExchange {
    pub(crate) at: DateTime<Utc>,
    pub(crate) provider: &'static str,
    pub(crate) method: String,
    /// As in the provider's contract, without the query.
    pub(crate) path: String,
    /// A parameter that was repeated is an array.
    pub(crate) query: Map<String, Value>,
    pub(crate) body: Option<Value>,
    pub(crate) status: u16,
    pub(crate) response: Option<Value>,
    /// Of the request, in lower case, without authorisation and cookies.
    pub(crate) headers: Map<String, Value>,
    pub(crate) account: Option<String>,
    pub(crate) delivered: bool,
}

#[derive(Debug, Default)]
pub(crate) struct TrafficRecorder(Mutex<VecDeque<RecordedExchange>>);

impl TrafficRecorder {
    pub(crate) fn record(&self, exchange: RecordedExchange) {
        let mut kept = self.lock();
        if kept.len() == MAX_EXCHANGES {
            kept.pop_front();
        }
        kept.push_back(exchange);
    }

    /// The traffic of `provider`, or all, oldest first, as JSON lines.
    pub(crate) fn lines(&self, provider: Option<&str>) -> Result<String, serde_json::Error> {
        let mut lines = String::new();
        for exchange in self.lock().iter().filter(|kept| provider.is_none_or(|name| name == kept.provider)) {
            lines.push_str(&serde_json::to_string(exchange)?);
            lines.push('\n');
        }
        Ok(lines)
    }

    pub(crate) fn clear(&self, provider: Option<&str>) {
        self.lock().retain(|kept| provider.is_some_and(|name| name != kept.provider));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<RecordedExchange>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Query parameters as an object: what came once is a string, what came often an array of strings.
pub(crate) fn query_object(pairs: &[(String, String)]) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in pairs {
        let value = Value::from(value.as_str());
        match object.get_mut(name) {
            None => {
                object.insert(name.clone(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    object
}
