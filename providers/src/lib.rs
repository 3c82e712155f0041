//! The calendar providers that Concord talks to, behind one trait.
//!
//! [`CalendarProvider`] is all that the rest of Concord knows of Google and of those that follow; what goes wrong is
//! a [`ProviderError`], which says what to do next. [`OAuthApp`] gets, refreshes and revokes the tokens, [`Http`] is
//! the one HTTP client, and [`Registry`] holds what is set up on this installation.
//!
//! It must never see storage or a job: it does one call and reports what came of it; when to try again is decided
//! elsewhere. It must never put a token, a code or a client secret into a log line, an error or a `Debug` text, never
//! follow a redirect with a token in hand, never panic on what a server sends, and never make a second HTTP client.
//!
//! To add a provider:
//! 1. make a folder beside `google/` with a type that implements [`CalendarProvider`] on top of [`Http`]; its SDK, if it
//!    has one, stays inside that folder;
//! 2. map its errors to [`ProviderError`] in one place, reason by reason, with the source of each rule;
//! 3. let [`Registry::new`] build it from a settings struct;
//! 4. write `tests/contract/<provider>.rs` after the pattern of `tests/contract/google.rs`: the suite does the rest.

pub mod error;
pub mod google;
pub mod http;
pub mod oauth;
pub mod provider;
mod quote;
pub mod registry;

pub use crate::{
    error::{ProviderError, SetupError},
    google::{GoogleCalendar, GoogleConfig},
    http::{Answer, Http, HttpConfig, innermost, install_crypto, retry_after},
    oauth::{AuthorizeRequest, Grant, OAuthApp, OAuthConfig, OAuthEndpoints},
    provider::{
        Account, AfterPage, CalendarProvider, ChangesFrom, ChangesPage, Credentials, RemoteCalendar, Written,
    },
    registry::{GoogleSettings, ProvidersConfig, Registry},
};
