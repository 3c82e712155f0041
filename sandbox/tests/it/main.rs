//! The sandbox through HTTP, as applications, persons and tests meet it.
#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod client;
mod contract;
mod control;
mod events;
mod faults;
mod google_client;
mod google_push;
mod graph;
mod issuer;
mod listener;
mod lists;
mod mailbox;
mod microsoft_delta;
mod microsoft_events;
mod microsoft_faults;
mod microsoft_oauth;
mod microsoft_subscriptions;
mod oauth;
mod ota;
mod pages;
mod recurring;
mod restart;
