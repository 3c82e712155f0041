//! The sandbox through HTTP, as applications, persons and tests meet it.
#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]
#![allow(missing_docs, reason = "a test's name says what it shows")]

mod contract;
mod control;
mod events;
mod faults;
mod google_client;
mod lists;
mod mailbox;
mod oauth;
mod outside;
mod pages;
mod recurring;
mod restart;
