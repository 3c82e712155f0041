//! What the queue, the worker and the sweep promise, on the queue in the process and on a real Redis.
//!
//! `contract` runs on both. `redis_away` and `redis_kept_clean` need a Redis of their own or look into it; `database`
//! is the whole chain over a real database.
#![expect(clippy::expect_used, clippy::panic, reason = "a test whose surroundings fail has failed")]

mod contract;
mod database;
mod event_log;
mod harness;
mod redis_away;
mod redis_kept_clean;
