//! Servers that are not ours, started for tests.
//!
//! What it is: Radicale and Xandikos as processes of their own ([`CaldavServer`]), a person who uses them with an
//! application of their own ([`CaldavPerson`]), and a proxy before them that lets calls go wrong on demand or by chance
//! ([`FaultProxy`]). Only tests depend on it.
//!
//! What it must never do: answer in the place of the server, but for the faults that a test asks for. It knows nothing of
//! Concord but its HTTP client.
//!
//! The most common change, another server to be held against: a variant of [`Software`], its command line and its way to
//! make an account in `server.rs`, its package in `scripts/python.sh`.
#![expect(clippy::expect_used, clippy::panic, reason = "a test whose surroundings fail has failed")]

mod object;
mod port;
mod proxy;
mod server;
mod user;

pub use object::ObservedObject;
pub use port::free_port;
pub use proxy::{FaultProxy, ProxyFault};
pub use server::{CaldavServer, ServerSoftware};
pub use user::CaldavUser;
