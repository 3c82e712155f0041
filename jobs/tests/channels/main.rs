//! Channels: what a platform's feed brings, on real databases, from a real server that serves what a test says.
//!
//! Nothing here waits for time to pass: the clock is set, and what is due is run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod bad_feeds;
mod echoes;
mod feed_server;
mod fixture;
mod imports;
mod notices;
mod polls;
mod quarantine;
#[path = "../shared/mod.rs"]
mod shared;
mod stays;
mod webhooks;
