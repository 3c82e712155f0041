//! The work that Concord does by itself: where storage and providers meet.
//!
//! A job (a row of `storage::jobs`) says that something must be done. Jobs are claimed before the handler runs; it
//! retries nothing by itself, but loads the rows as they are now, lets a pure function of the domain plan, acts on the plan and
//! returns a `JobOutcome`. `dispatch` claims, runs and records, one job of a key (a connection) after the other; `queue` and
//! `worker` only see to it that this happens soon, and the sweep that it happens at all.
//!
//! Each module needs only what stands below it: `dispatch`; `sync_out`; `sync_in`; `accounts`, `channels` and `webhooks`;
//! `mail_preview`; `reminders`; `invitations` and `erasure`; `notify`, `fetch_mail` and
//! `enqueue`; `worker`; `job`, which is what all jobs have in common; `mail`, `queue` and `metrics`;
//! `standard_webhooks`; `language`. What people do is in `services`, which enqueues by `enqueue`.
//!
//! It must never keep state that is not in the database, write to a calendar without the lease of a job of its key, or sleep
//! where it can snooze: only `accounts::limits` sleeps, for a moment, and gives up its worker's place meanwhile.
//!
//! To add a job: a word in `domain::job::JobKind`; a file in the folder that it is of, with `pub(crate) async fn run(context,
//! job)`; its line in `dispatch`; and `storage::jobs::enqueue` in the transaction that gives rise to it. Where it calls a
//! provider, its kind goes into the statement of `enqueue` too, which gives it its key.

pub mod accounts;
pub mod channels;
pub mod clock;
pub mod dispatch;
pub mod enqueue;
mod erasure;
mod fetch_mail;
pub mod invitations;
pub mod job;
pub mod language;
pub mod mail;
pub mod mail_preview;
mod metrics;
pub mod notify;
pub mod queue;
mod reminders;
mod retention;
mod standard_webhooks;
mod sync_in;
mod sync_out;
pub mod webhooks;
pub mod worker;

pub use job::{CallLimits, Context, Handlers, KeyRegistry, MailReceiver, ProviderLimits, SyncSettings};
pub use metrics::Metrics;
