//! CalDAV (RFC 4791): any server that speaks it, with a name and a password.
//!
//! The requests are few and fixed (`requests.rs`), the answers are read into one form (`xml.rs`), and what servers say
//! in different ways for the same fault is judged in one table (`errors.rs`). `discovery.rs` finds the calendars of who
//! gives an address; from then on all calls stay at the account's server (`address.rs`). An entry is an object, written
//! as `concord_domain::ical::entry_object` has it, later into what people have made of it (`merge.rs`), and read as
//! `objects.rs` says.

mod account;
mod address;
mod changes;
mod cursor;
mod discovery;
mod errors;
mod fetch;
mod merge;
mod objects;
mod presets;
mod requests;
mod session;
mod writes;
mod xml;

use concord_domain::clock::Clock;

pub use self::{
    discovery::{CaldavDiscovery, CaldavLogin, DiscoveryError},
    presets::{CaldavPreset, PRESETS},
};
use crate::{http::HttpClient, provider::calendar_provider};

/// CalDAV as a provider.
#[derive(Clone, Debug)]
pub struct Caldav {
    http: HttpClient,
    clock: Clock,
}

impl Caldav {
    /// Over a client that is guarded: people say where the servers stand.
    pub fn new(guarded: HttpClient, clock: Clock) -> Self {
        Self { http: guarded, clock }
    }
}

calendar_provider!(Caldav);
