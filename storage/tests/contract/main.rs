//! The contract of storage: every query function, on SQLite and on PostgreSQL.
//!
//! To add a query: call it in the file of its table family and name the test in `on_both_databases!` at its end.
//! `coverage` fails while a public query function is not called here at all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod alerts;
mod answers;
mod api_keys;
mod attendees;
mod backup;
mod booking_lists;
mod bookings;
mod bookings_allocated;
mod businesses;
mod busy_times;
mod calendars;
mod channel_items;
mod channels;
mod checkpoints;
mod concurrent_changes;
mod connections;
mod connections_served;
mod coverage;
mod customer_links;
mod drift;
mod entries;
mod entries_moved;
mod entries_targeted;
mod entries_written;
mod entry_states;
mod erasures;
mod erasures_left;
mod events;
mod feed_reads;
mod feeds;
mod history;
mod idempotency;
mod installation;
mod job_keys;
mod job_keys_model;
mod jobs;
mod limits;
mod mail_design;
mod mail_secrets;
mod mailboxes;
mod mails;
mod notices;
mod notifications;
mod oauth_states;
mod occupancy;
mod opening;
mod people;
mod platform_settings;
mod push_subscriptions;
mod reminders;
mod remote_changes;
mod resources;
mod retention;
mod reveals;
mod rounds;
mod schema;
mod sessions;
mod sign_in;
mod sign_in_requests;
mod statistics;
mod storage_errors;
mod sync_log;
mod time;
mod webhook_deliveries;
mod webhook_endpoints;
mod workers;

use std::future::Future;

use chrono::{DateTime, Duration, Utc};
use concord_storage::{Db, PageRequest, StorageError, testing::raw};
use tokio::task::JoinSet;

/// Runs a number of copies at the same time. What they give comes in the order in which they ended.
async fn at_once<T, F>(db: &Db, copies: usize, one: impl Fn(Db, usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut running = JoinSet::new();
    for number in 0..copies {
        running.spawn(one(db.clone(), number));
    }
    running.join_all().await
}

/// The first page of that many.
fn first(limit: u32) -> PageRequest {
    PageRequest { limit, after: None }
}

/// The page that `next` of the page before leads to.
fn following(limit: u32, next: Option<String>) -> PageRequest {
    PageRequest { limit, after: Some(next.expect("there is another page")) }
}

/// An instant to the microsecond, the finest that both databases keep.
fn precise(minutes: i64) -> DateTime<Utc> {
    concord_storage::testing::at(minutes) + Duration::microseconds(123_457)
}

#[track_caller]
fn is_not_found<T: std::fmt::Debug>(result: Result<T, StorageError>) {
    match result {
        Err(StorageError::NotFound) => {}
        other => panic!("{other:?}"),
    }
}
