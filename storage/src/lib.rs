//! What Concord knows, kept in SQLite or PostgreSQL.
//!
//! One SQL text a query, written for both databases; `one!`, `all!`, `exec!` and their like (`query`) run it on whichever
//! is open. One file a table family.
//! Whatever belongs together is written in one transaction (`Db::begin`), together with the jobs that follow from it.
//!
//! It must never call a provider, push a job, read the clock or log a secret. Every table but the global ones has
//! `business_id`, and every lookup by an id from outside takes it: a row of another tenant is "not found".
//!
//! To add a query: put its text in a `const` beside the function that runs it, bind `$1..` in order (the compiler counts
//! them), write it with `CAST`, never `::`, and add it to the contract suite (`tests/contract/`), which runs every query on
//! both databases. To add a column: a migration of the same number in
//! `migrations/sqlite` and `migrations/postgres`; the parity test compares the two.

#[macro_use]
mod query;

pub mod alerts;
pub mod answers;
pub mod api_keys;
pub mod attendees;
pub mod backup;
pub mod bookings;
pub mod businesses;
pub mod busy_times;
pub mod calendars;
mod change;
pub mod channels;
mod checkpoint;
mod column;
pub mod connections;
pub mod customer_links;
mod db;
pub mod entries;
pub mod erasures;
mod error;
pub mod events;
pub mod feed_reads;
pub mod feeds;
pub mod history;
pub mod idempotency;
pub mod installation;
mod instance_lock;
pub mod jobs;
pub mod limits;
pub mod mail_design;
pub mod mail_secrets;
pub mod mailboxes;
pub mod mails;
mod migrations;
pub mod notices;
pub mod notifications;
pub mod oauth_states;
pub mod occupancy;
mod page;
pub mod people;
pub mod platform_settings;
pub mod probe;
pub mod push_subscriptions;
pub mod reminder_rules;
pub mod reminders;
pub mod remote_changes;
pub mod resources;
pub mod retention;
pub mod reveals;
pub mod seal;
pub mod secret;
pub mod sign_in;
pub mod sign_in_requests;
pub mod statistics;
pub mod sync_log;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
mod tx;
pub mod webhook_deliveries;
pub mod webhook_endpoints;
pub mod workers;
mod write_gate;

pub use change::ChangeContext;
pub use db::{CLOSE_TIMEOUT, Db, DbOptions};
pub use error::{Result, StorageError};
pub use instance_lock::{InstanceLock, InstanceMode};
pub use page::{Page, PageRequest};
pub use tx::Tx;
pub use write_gate::{WriteCaller, WriteGate, on_behalf_of};

pub(crate) use query::Open;
