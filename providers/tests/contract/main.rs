//! The contract that every provider keeps, run against each of them over real HTTP.
//!
//! `suite/` is what a provider must do, told by way of [`fixture::ProviderFixture`]; `sandbox.rs` is that world over a running
//! sandbox, `caldav/` has one over servers that are not ours; the file of a provider says which one it is.

#![expect(clippy::unwrap_used, reason = "a test may end where it stands")]

mod caldav;
mod fixture;
mod google;
mod microsoft;
mod push;
mod recorded;
mod sandbox;
mod secrets;
mod suite;
