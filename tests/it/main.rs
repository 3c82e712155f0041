//! The whole of Concord over HTTP: the front, a worker and the sandbox in this process, on real databases.
//!
//! `house` starts it all; each other file is about one group of endpoints. A test is written once and run on SQLite and
//! PostgreSQL by `on_both_databases!`. Nobody sleeps: what takes its time is awaited by `until`.
//!
//! To add a test: a function that takes a `&TestDb`, `House::on(db)`, requests by `house.api`, and its name in the
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
mod channel_pages;
mod channels;
mod check;
mod command_line;
mod conditional;
mod connecting;
mod crashes;
mod database_away;
mod doctor;
mod feed_readers;
mod feed_restarts;
mod feeds;
mod flood;
mod foreign_readers;
mod health;
mod house;
mod idempotency;
mod last_unit;
mod lists;
mod logs;
mod mail;
mod openapi;
mod pages;
mod remote_changes;
mod resources;
mod secrets;
mod stopping;
mod tenants;
mod told;
mod visitor;
