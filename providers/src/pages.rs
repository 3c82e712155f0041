//! Pages of changes: how large they are, and what is kept of one that holds items that nobody understands.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{error_response::ProviderCallError, expiring_set::ExpiringSet, quote::describe_json_error};

/// Reads a page of `large` items, or of `small` where a large one took too long lately or takes too long now.
pub(crate) async fn read_page<T, B, R, F>(
    slow: &ExpiringSet,
    calendar: &str,
    now: DateTime<Utc>,
    (large, small): (u32, u32),
    read: R,
) -> Result<T, ProviderCallError<B>>
where
    R: Fn(u32) -> F,
    F: Future<Output = Result<T, ProviderCallError<B>>>,
{
    if slow.holds(calendar, now) {
        return read(small).await;
    }
    match read(large).await {
        Err(error) if error.is_timeout() => {
            tracing::info!("a page takes too long; smaller ones are asked for");
            slow.note(calendar, now);
            read(small).await
        }
        outcome => outcome,
    }
}

/// The items of a page one by one, and those that cannot be read: one of these is no reason to lose the others.
pub(crate) fn parse_items<T: DeserializeOwned>(items: Vec<Value>) -> (Vec<T>, Vec<Value>) {
    let (mut read, mut unreadable) = (Vec::with_capacity(items.len()), Vec::new());
    for item in items {
        match T::deserialize(&item) {
            Ok(parsed) => read.push(parsed),
            Err(error) => {
                let fault = describe_json_error(&error);
                tracing::warn!(fault, "an event cannot be read");
                unreadable.push(item);
            }
        }
    }
    (read, unreadable)
}
