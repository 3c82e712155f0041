//! What reaches a calendar and what comes back from it: real databases, a real sandbox over HTTP, real providers.
//!
//! A test makes a `fixture::SyncFixture`, does what people do there, and lets the work be done with `settle`, which runs all
//! that is due and moves the set clock to whatever is due soon. Nothing here waits for time to pass.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::manual_async_fn,
    reason = "clippy takes only the functions marked as tests for tests"
)]
#![expect(clippy::expect_used, clippy::panic, reason = "a test whose surroundings fail has failed")]

mod alerts;
mod bookings_out;
mod busy_times;
mod caldav_servers;
mod calendars;
mod concurrency;
mod connecting;
mod connection_choices;
mod consent;
mod customer_notices;
mod disconnecting;
mod drift;
mod erasure;
mod events;
mod everywhere;
mod failures;
mod fixture;
mod floating;
mod grants;
mod invitations;
mod mails;
mod microsoft;
mod missed;
mod notices;
mod notifications;
mod provider_sandbox;
mod push_notifications;
mod questions;
mod reading;
mod recovery;
mod reminder_month;
mod reminder_webhooks;
mod reminders;
mod replay;
mod rounds;
mod secrets;
mod settings;
#[path = "../shared/mod.rs"]
mod shared;
mod statements;
mod takeover;
mod two_way;
mod two_way_deleted;
mod two_way_notices;
mod unreadable;
