//! The whole of Concord over HTTP: the front, a worker and the sandbox in this process, on real databases.
//!
//! `test_app` starts it all; each other file is about one group of endpoints. A test is written once and run on SQLite and
//! PostgreSQL by `on_both_databases!`. Nobody sleeps: what takes its time is awaited by `until`.
//!
//! To add a test: a function that takes a `&TestDb`, `TestApp::start(db)`, requests by `test_app.api`, and its name in the
//! macro at the end of the file.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test whose surroundings fail has failed"
)]

mod attention;
mod bad_input;
mod booking_pages;
mod bookings;
mod bookings_feed;
mod business;
mod caldav;
mod calendar_pages;
mod calendar_sync_pages;
mod calendars;
mod channel_connect;
mod channel_pages;
mod channels;
mod check;
mod command_line;
mod crashes;
mod customers;
mod database_outage;
mod doctor;
mod erasure;
mod feed_readers;
mod feed_restarts;
mod feeds;
mod flood;
mod foreign_dns;
mod foreign_issuer;
mod foreign_readers;
mod health;
mod idempotency;
mod last_unit;
mod mail;
mod mail_texts;
mod mailbox;
mod notifications;
mod oauth_connect;
mod oidc;
mod openapi;
mod pages;
mod pagination;
mod preconditions;
mod push_notifications;
mod reminders;
mod remote_changes;
mod replies;
mod resources;
mod same_history;
mod secrets;
mod sessions;
mod shutdown;
mod sign_in;
mod tenants;
mod webhooks;

use concord_testing::{
    app::{self as test_app, page_client},
    logs,
};
