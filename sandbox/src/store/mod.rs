//! What is stored of any provider of calendars, and what can be done with it whatever the provider.
//!
//! `records` is what is stored and [`World`] its only way to change; `writes`, `grants`, `channels` and `person` are what
//! can be done with it. How a provider writes an entry down, and what its ids and tokens look like, is its [`Dialect`].

mod channels;
mod dialect;
mod draft;
mod entry;
mod grants;
mod occurrences;
mod people;
mod person;
mod records;
mod refusal;
mod world;
mod writes;

pub(crate) use channels::{ChangeKind, Changed, Channel};
pub(crate) use dialect::{Dialect, TokenRules};
pub(crate) use draft::{Draft, drop_nulls, merge};
pub(crate) use entry::{Action, Change, Entry, EventTime, Status};
pub(crate) use grants::{CODE_LIFE, Caller, Issued, secret};
pub(crate) use occurrences::{Shown, Window, expand, standing_alone, standing_between, vanished};
pub(crate) use people::PRIMARY;
pub(crate) use person::{Place, Wish};
pub(crate) use records::{
    AccessRole, Account, Calendar, CalendarInfo, Challenge, ChallengeMethod, Code, Grant, Record,
    Subscription,
};
pub(crate) use refusal::Refusal;
pub(crate) use world::World;
pub(crate) use writes::{Author, standing};
