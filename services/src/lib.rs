//! What a person or an API key may do, once each: pages, the API and the command line call the same function.
//!
//! A use case takes the [`Context`](concord_jobs::Context), who does it and when
//! ([`ChangeContext`](concord_storage::ChangeContext)) and checked settings of the domain. It opens the
//! transaction, looks everything up together with its business, writes the rows, leaves its line in the history, enqueues
//! what follows, commits, and only then pushes the jobs; where a secret is made that is shown once, the transaction is that of
//! whoever shows it. After a [`ServiceError`] nothing was written; a subject whose callers must tell more apart has an error of
//! its own, such as [`connect::ConnectError`].
//!
//! It must never know HTTP, a form, a template or a cookie, and never run by itself: what does is a job.
//!
//! To add a use case: a function in the file of its subject, its line in the table of `tests/it/same_history.rs` if both a
//! page and the API offer it, and a handler in `src/http` that only parses and renders.

pub mod answers;
pub mod api_keys;
pub mod bookings;
pub mod business;
pub mod channels;
pub mod connect;
pub mod connections;
pub mod customers;
mod error;
pub mod feeds;
mod history;
pub mod invitations;
pub mod mail_design;
pub mod notifications;
pub mod personal_data;
pub mod reminders;
pub mod remote_changes;
pub mod replies;
pub mod resources;
pub mod retries;
pub mod staff;
pub mod users;
pub mod webhooks;

pub use error::ServiceError;
