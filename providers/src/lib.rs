//! The calendar providers that Concord talks to, behind one trait.
//!
//! [`CalendarProvider`] is all that the rest of Concord knows of Google and of those that follow; what goes wrong is
//! a [`ProviderError`], which says what to do next. [`OAuthApp`] gets, refreshes and revokes the tokens, [`Http`] is
//! the one HTTP client, and [`ProviderRegistry`] holds what is set up on this installation.
//!
//! It must never see storage or a job: it does one call and reports what came of it; when to try again is decided
//! elsewhere. It must never put a token, a code or a client secret into a log line, an error or a `Debug` text, never
//! follow a redirect with a token in hand, never panic on what a server sends, and never make a second HTTP client.
//!
//! To add a provider:
//! 1. make a folder beside `google/` with a type that implements [`CalendarProvider`] on top of [`Http`]; its SDK, if it
//!    has one, stays inside that folder;
//! 2. map its errors to [`ProviderError`] in one place, reason by reason, with the source of each rule;
//! 3. let [`ProviderRegistry::new`] build it from a settings struct;
//! 4. if it tells of changes by itself, implement [`PushProvider`] too and hand it to the registry;
//! 5. write `tests/contract/<provider>.rs` after the pattern of `tests/contract/google.rs`: the suite does the rest.

mod address;
pub mod caldav;
pub mod error;
mod error_response;
mod expiring_set;
pub mod feed;
pub mod google;
pub mod guard;
pub mod http;
pub mod microsoft;
pub mod net;
pub mod oauth;
pub mod provider;
pub mod push;
mod quote;
pub mod registry;
mod text_merge;

pub use crate::{
    caldav::{Caldav, CaldavDiscovery, DiscoveryError},
    error::{ProviderError, SetupError},
    feed::{FeedBody, FeedError, FeedFetchLimits, FeedFetchOutcome, FeedFetcher, FeedRequest, feed_address},
    google::{GoogleCalendar, GoogleEndpoints},
    guard::{DnsResolver, SsrfGuard, SystemDnsResolver},
    http::{BufferedResponse, HttpClient, HttpConfig, install_crypto_provider, retry_after, root_cause},
    microsoft::{MicrosoftCalendar, MicrosoftEndpoints},
    oauth::{
        AuthorizationRequest, OAuthApp, OAuthConfig, OAuthEndpoints, OAuthErrorExplanation, OAuthErrorKind,
        OAuthTokens,
    },
    provider::{
        CalendarProvider, ChangesPage, NextPage, ProviderAccount, ProviderCredentials, RemoteCalendar,
        RemoveOutcome, SyncPosition, WriteReceipt,
    },
    push::{
        ActivePushSubscription, InvalidPushNotification, PushNotification, PushNotificationKind,
        PushProvider, PushSubscriptionRequest, RemotePushSubscription,
    },
    registry::{GoogleSettings, MicrosoftSettings, ProviderRegistry, ProviderRegistryConfig},
};
