//! What the tests and benches of several crates share. Only they depend on it.
//!
//! What it is: servers that are not ours ([`foreign`]), programs that can be killed ([`process`]), what was logged
//! ([`logs`]), waiting without sleeping ([`until`]), and with the feature `app` whole Concords: one in the test's own process
//! ([`app::TestApp`]), an installation of several processes ([`app::cluster`]), the demo and a browser before it.
//!
//! What it must never do: hold a test, or answer in the place of what is tested.
//!
//! The most common change, another server to be held against: a variant of [`ServerSoftware`], its command line and how it
//! makes an account in `foreign/server.rs`, its package in `scripts/python-requirements.txt`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose surroundings fail has failed, and says what it saw"
)]

#[cfg(feature = "app")]
pub mod app;
pub mod foreign;
pub mod logs;
mod port;
pub mod process;
mod until;

pub use foreign::{
    CaldavServer, CaldavUser, FaultProxy, MailboxServer, ObservedObject, ProxyFault, ServerSoftware,
};
pub use port::free_port;
pub use until::{PATIENCE, until};
