//! The front of Concord: the command line, the configuration, and axum over HTTP.
//!
//! It turns requests into reads of `storage` and calls of `services`, and their answers into JSON, pages and feeds. It must
//! never hold a rule of its own about bookings or calendars (those are in `domain`), write past `services`, call a provider
//! (that is `jobs`), or let a handler see another business's rows.
//!
//! To add an endpoint: a file in `http/api/` with its types, its handlers and their OpenAPI annotations, and its line in
//! `http/api/mod.rs`. To add a page: a file in `http/pages/`, a template of the same name, its line in
//! `http/pages/mod.rs`.

pub mod app;
pub mod cli;
pub mod config;
pub mod http;
mod spelling;
pub mod telemetry;
