//! Events on their way to webhook endpoints: real databases, and real servers that answer as a test says.
//!
//! Nothing here waits for time to pass, but for what takes an endpoint too long: the clock is set, and what is due is run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod delivering;
mod fixture;
mod foreign;
mod giving_up;
mod receiver;
#[path = "../shared/mod.rs"]
mod shared;
