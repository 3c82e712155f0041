//! The calendar providers that Concord talks to, behind one trait.
//!
//! [`CalendarProvider`] is all that the rest of Concord knows of Google, Microsoft and CalDAV servers; what goes wrong is
//! a [`ProviderError`], which says what to do next. [`OAuthApp`] gets, refreshes and revokes the tokens, [`HttpClient`] is
//! the one HTTP client, and [`ProviderRegistry`] holds what is set up on this installation.
//!
//! It must never see storage or a job: it does one call and reports what came of it; when to try again is decided
//! elsewhere. It must never put a token, a code or a client secret into a log line, an error or a `Debug` text, never
//! follow a redirect with a token in hand, never panic on what a server sends, and never make a second HTTP client.
//!
//! To add a provider whose accounts are opened by OAuth, say `fourth` (one with a name and a password, like CalDAV, goes
//! through `ProviderRegistryConfig::caldav` instead of steps 3 and 4):
//! 1. `domain/src/provider/fourth.rs`: its [`ProviderDescription`](concord_domain::provider::ProviderDescription), with what
//!    pages, API, configuration, limits and jobs ask of it; three lines in the list above that file, in `mod.rs`: the word,
//!    the module, the description;
//! 2. `providers/src/fourth/`: a type on top of [`HttpClient`], with the methods that `calendar_provider!` asks for on the
//!    `AccountAccess` and the `CalendarAccess` of it; its SDK, if it has one, stays inside that folder; its errors become
//!    [`ProviderError`]s in one place, reason by reason, with the source of each rule. If it notifies of changes, it
//!    implements [`PushProvider`] too, and stands among the `WEBHOOKS` in `registry.rs`. Its settings implement
//!    [`ProviderSettings`]. One line below names the module, one what others take from it;
//! 3. `src/config/providers.rs`: its section, which implements `ProviderSection`, and its lines in `ProvidersConfig`;
//!    `config/default.toml` and `config/example.toml`;
//! 4. `sandbox/src/fourth/`, `fourth` in `sandbox/src/provider.rs` and `app.rs`, its clients in `SandboxConfig`
//!    (`sandbox/src/lib.rs`); the lines of its settings in `configuration` of `src/cli/demo/mod.rs`, and its account in
//!    `src/cli/demo/sample.rs`;
//! 5. `tests/contract/fourth.rs` after the pattern of `tests/contract/google.rs`, and one line in `tests/contract/main.rs`: the
//!    suite does most of the rest; its cases in `push.rs`, `secrets.rs` and `recorded.rs` there, and its line in `everywhere!`
//!    (`jobs/tests/sync/everywhere/mod.rs`).
//!
//! Nothing else names a provider by its kind, apart from what is CalDAV's alone (an account that opens to address, name and
//! password):
//!
//! ```sh
//! grep -rnE 'ProviderKind::(Google|Microsoft|Caldav)' --include=*.rs domain/src storage/src providers/src jobs/src services/src src
//! ```
//!
//! names, but for tests, each provider's own folder and description, `WEBHOOKS` in `registry.rs`, its section of the
//! configuration, the sample of the demo, and `ProviderKind::Caldav` where that way of connecting is offered. By strings,
//! `src/cli/demo/mod.rs` and the sandbox name them too.

mod access;
mod address;
pub mod caldav;
mod credentials;
pub mod dns;
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
pub mod oidc;
mod pages;
pub mod provider;
pub mod push;
mod quote;
pub mod registry;
pub mod settings;
mod text_merge;
pub mod webhook;

pub use crate::{
    caldav::{Caldav, CaldavDiscovery, DiscoveryError},
    error::{ProviderError, SetupError},
    feed::{FeedBody, FeedError, FeedFetchLimits, FeedFetchOutcome, FeedFetcher, FeedRequest, feed_address},
    google::{GoogleCalendar, GoogleEndpoints, GoogleSettings},
    guard::{DnsResolver, SsrfGuard, SystemDnsResolver},
    http::{BufferedResponse, HttpClient, HttpConfig, install_crypto_provider, retry_after, root_cause},
    microsoft::{MicrosoftCalendar, MicrosoftEndpoints, MicrosoftSettings},
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
        PushProvider, PushSubscriptionRequest, RemotePushSubscription, WebhookContent, WebhookError,
        WebhookRequest,
    },
    registry::{ProviderRegistry, ProviderRegistryConfig, webhook_reader},
    settings::{OAuthProviderSettings, ProviderSettings, RegisteredProvider},
    webhook::{NoWebhookAnswer, WebhookAddressError, WebhookAnswer, WebhookLimits, WebhookSender},
};
