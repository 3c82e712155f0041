//! The work that Concord does by itself: where storage and providers meet.
//!
//! A job (a row of `storage::jobs`) says that something must be done. A job is the file that does it: it claims
//! nothing and retries nothing by itself, but loads the rows as they are now, lets a pure function of the domain plan,
//! acts on the plan and returns an `Outcome`. `job` claims, runs and records, one job of a key (a connection) after the other;
//! `queue` and `worker` only see to it that this happens soon, and `sweep` that it happens at all.
//!
//! It must never keep state that is not in the database, write to a calendar without the lease of a job of its key, or sleep
//! where it can snooze: only `limits` sleeps, for a moment, and gives up its worker's place meanwhile.
//!
//! To add a job: a word in `domain::job::JobKind`, a file here with `pub(crate) async fn run(context, job)`, its line
//! in `job::dispatch`, and `storage::jobs::enqueue` in the transaction that gives rise to it; where it calls a provider, its
//! kind in the statement of `enqueue`, which gives it its key.

pub mod access;
pub mod batch_sync;
pub mod calendar_list;
pub mod channels;
pub mod clock;
mod close_remote_change;
mod context;
mod delete_booking;
mod disconnect;
pub mod drift;
mod entry;
mod entry_search;
mod found_entries;
pub mod import_availability;
pub mod initial_sync;
pub mod job;
mod keys;
mod lease;
pub mod limits;
pub mod mail;
pub mod notify;
mod pending_write;
mod presence;
pub mod push;
pub mod queue;
mod remote_change;
pub mod retention;
pub mod sweep;
mod sync_booking;
pub mod worker;

pub use context::{CallLimits, Context, ProviderLimits, SyncSettings};
pub use keys::KeyRegistry;
