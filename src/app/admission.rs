//! Who is let in, and how much of the process may be taken by those who have proven nothing.
//!
//! A credential is looked up before anything else of a request is read. Whoever is not known here from a moment ago waits
//! for one of a few places, and an address that shows much that opens nothing is not listened to for a while: its own
//! sessions and keys that do open something still are. Bodies lie in memory whole, so that their bytes are counted before they are
//! read, in budgets that cannot starve each other; so is work that keeps a core busy.

use std::{net::IpAddr, time::Duration};

use axum::body::{Body, HttpBody};
use concord_domain::{clock::Clock, ids::ApiKeyId};
use concord_storage::StorageError;
use moka::future::Cache;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::timeout,
};

use super::{address_shares::AddressShares, rate_limiter::KeyedRateLimiter};
use crate::config::ServerConfig;

/// What somebody shows to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CredentialKind {
    Session,
    Key,
    /// To sign in with.
    Link,
    /// The `state` that a provider sends back.
    OAuthState,
    /// The word of a provider's notification.
    Notification,
    /// The token of a channel manager's address, and the signature.
    Webhook,
    /// None: whatever is open to everybody.
    Anonymous,
}

/// Why somebody is not let in at this moment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdmissionError {
    /// Too much from this address, or by this key.
    #[error("too many requests; try again in {seconds} s")]
    RateLimited {
        /// When it may be tried again.
        seconds: u64,
    },
    /// All places are taken.
    #[error("The server is busy. Try again in a moment.")]
    Full,
    /// Larger than the route takes.
    #[error("the body is too large")]
    TooLarge,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// How long anything is waited for: whoever stands at a page would rather be told.
const WAIT: Duration = Duration::from_secs(5);
/// Requests of those who are not known from a moment ago, at the same time.
const UNKNOWN_PERMITS: usize = 8;
/// Work that keeps a core busy, at the same time.
const HEAVY_PERMITS: usize = 8;
/// Notifications that are not believed, of one address in a minute.
const MAX_FAILED_NOTIFICATIONS: u32 = 120;
/// Sign-in links that are asked for from one address in a minute, for whomever.
const MAX_SIGN_IN_REQUESTS: u32 = 10;
/// How long something that opened is known.
const KNOWN_CREDENTIAL_TTL: Duration = Duration::from_mins(10);
const MAX_KNOWN_CREDENTIALS: u64 = 10_000;

/// Bytes of bodies that may lie in memory, in kilobytes. Each byte is copied once or twice on its way.
const BODIES: u32 = 16 * 1024;
const UPLOADS: u32 = 33 * 1024;
const NOTIFICATIONS: u32 = 4 * 1024;
/// Of these, those of one address: whoever drips what is announced would hold them all.
const NOTIFICATIONS_PER_ADDRESS: u32 = NOTIFICATIONS / 8;

/// Places, budgets and limits of this process.
#[derive(Debug)]
pub struct Admission {
    unproven: KeyedRateLimiter<(CredentialKind, IpAddr)>,
    /// Of notifications and webhooks.
    rejected_credentials: KeyedRateLimiter<(CredentialKind, IpAddr)>,
    keys: KeyedRateLimiter<ApiKeyId>,
    sign_in_requests: KeyedRateLimiter<IpAddr>,
    /// Digests of what has opened something.
    known: Cache<String, ()>,
    anonymous: Semaphore,
    /// Of their own, so that nobody who floods the rest keeps people from signing in.
    sign_ins: Semaphore,
    heavy: Semaphore,
    bodies: ByteBudget,
    uploads: ByteBudget,
    notifications: ByteBudget,
    webhooks: AddressShares,
    wait: Duration,
}

impl Admission {
    pub(crate) fn new(config: &ServerConfig, clock: &Clock) -> Self {
        Self {
            unproven: KeyedRateLimiter::new(config.unproven_per_minute, clock),
            rejected_credentials: KeyedRateLimiter::new(MAX_FAILED_NOTIFICATIONS, clock),
            keys: KeyedRateLimiter::new(config.per_minute_per_key, clock),
            sign_in_requests: KeyedRateLimiter::new(MAX_SIGN_IN_REQUESTS, clock),
            known: Cache::builder()
                .max_capacity(MAX_KNOWN_CREDENTIALS)
                .time_to_live(KNOWN_CREDENTIAL_TTL)
                .build(),
            anonymous: Semaphore::new(UNKNOWN_PERMITS),
            sign_ins: Semaphore::new(UNKNOWN_PERMITS),
            heavy: Semaphore::new(HEAVY_PERMITS),
            bodies: ByteBudget::of(BODIES),
            uploads: ByteBudget::of(UPLOADS),
            notifications: ByteBudget::of(NOTIFICATIONS),
            webhooks: AddressShares::new(NOTIFICATIONS_PER_ADDRESS),
            wait: WAIT,
        }
    }

    /// Looks up what somebody shows, by its digest. `None`: it opens nothing, which is counted.
    pub(crate) async fn look_up<T>(
        &self,
        credential_kind: CredentialKind,
        network: Option<IpAddr>,
        digest: &str,
        lookup: impl Future<Output = Result<Option<T>, StorageError>>,
    ) -> Result<Option<T>, AdmissionError> {
        if !self.is_known(digest) {
            self.check_failures(credential_kind, network)?;
        }
        let found = lookup.await?;
        if found.is_some() {
            self.known.insert(digest.to_owned(), ()).await;
        } else {
            self.known.invalidate(digest).await;
            self.record_failure(credential_kind, network);
        }
        Ok(found)
    }

    /// Whether it has opened something a moment ago.
    pub(crate) fn is_known(&self, digest: &str) -> bool {
        self.known.contains_key(digest)
    }

    /// What has just been made opens something, and needs no place to be looked up for the first time.
    pub(crate) async fn remember(&self, digest: &str) {
        self.known.insert(digest.to_owned(), ()).await;
    }

    /// Refuses an address that has shown too much that opened nothing.
    pub(crate) fn check_failures(
        &self,
        credential_kind: CredentialKind,
        network: Option<IpAddr>,
    ) -> Result<(), AdmissionError> {
        let Some(network) = network else { return Ok(()) };
        self.failure_limiter(credential_kind)
            .check(&(credential_kind, network))
            .map_err(|seconds| AdmissionError::RateLimited { seconds })
    }

    /// Counts what opened nothing. Returns whether the address had any left: then it is worth a line in the log.
    pub(crate) fn record_failure(&self, credential_kind: CredentialKind, network: Option<IpAddr>) -> bool {
        network.is_none_or(|network| {
            self.failure_limiter(credential_kind).try_acquire(&(credential_kind, network)).is_ok()
        })
    }

    fn failure_limiter(
        &self,
        credential_kind: CredentialKind,
    ) -> &KeyedRateLimiter<(CredentialKind, IpAddr)> {
        match credential_kind {
            CredentialKind::Notification | CredentialKind::Webhook => &self.rejected_credentials,
            _ => &self.unproven,
        }
    }

    /// A place for somebody who is not known. `is_open`: what they ask for is for everybody, and counted.
    pub(crate) async fn admit_unknown(
        &self,
        is_open: bool,
        signs_in: bool,
        network: Option<IpAddr>,
    ) -> Result<SemaphorePermit<'_>, AdmissionError> {
        if is_open {
            self.check_failures(CredentialKind::Anonymous, network)?;
            self.record_failure(CredentialKind::Anonymous, network);
        }
        self.acquire(if signs_in { &self.sign_ins } else { &self.anonymous }, 1).await
    }

    /// Counts a request of a key.
    pub(crate) fn admit_key(&self, key: ApiKeyId) -> Result<(), AdmissionError> {
        self.keys.try_acquire(&key).map_err(|seconds| AdmissionError::RateLimited { seconds })
    }

    /// Counts somebody who wants a sign-in link.
    pub(crate) fn admit_sign_in_request(&self, network: Option<IpAddr>) -> Result<(), AdmissionError> {
        let Some(network) = network else { return Ok(()) };
        self.sign_in_requests.try_acquire(&network).map_err(|seconds| AdmissionError::RateLimited { seconds })
    }

    /// A place for work that keeps a core busy.
    pub(crate) async fn acquire_heavy(&self) -> Result<SemaphorePermit<'_>, AdmissionError> {
        self.acquire(&self.heavy, 1).await
    }

    /// Room in memory for the body of a request of this sort; `None`: it has none.
    pub(crate) async fn reserve_body(
        &self,
        sort: BodyClass,
        size: BodySize,
        most: usize,
    ) -> Result<Option<SemaphorePermit<'_>>, AdmissionError> {
        let Some(bytes) = size.capped(most)? else { return Ok(None) };
        let budget = match sort {
            BodyClass::Forms => &self.bodies,
            BodyClass::Uploads => &self.uploads,
            BodyClass::Notifications => &self.notifications,
        };
        self.acquire(&budget.kilobytes, budget.permits_for(bytes)).await.map(Some)
    }

    /// The same for a notification from that address, which waits for its own share first.
    pub(crate) async fn reserve_notification(
        &self,
        network: Option<IpAddr>,
        size: BodySize,
        most: usize,
    ) -> Result<Option<NotificationPermit<'_>>, AdmissionError> {
        let Some(bytes) = size.capped(most)? else { return Ok(None) };
        let share = self.webhooks.acquire(network, self.notifications.permits_for(bytes));
        let share = timeout(self.wait, share).await.map_err(|_| AdmissionError::Full)?;
        let room = self.reserve_body(BodyClass::Notifications, size, most).await?;
        Ok(room.map(|room| NotificationPermit { _room: room, _share: share }))
    }
}

/// Room for the body of a notification.
#[derive(Debug)]
pub(crate) struct NotificationPermit<'a> {
    _room: SemaphorePermit<'a>,
    _share: Option<OwnedSemaphorePermit>,
}

impl Admission {
    async fn acquire<'a>(
        &self,
        places: &'a Semaphore,
        many: u32,
    ) -> Result<SemaphorePermit<'a>, AdmissionError> {
        timeout(self.wait, places.acquire_many(many))
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(AdmissionError::Full)
    }
}

/// How large a body is going to be, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodySize {
    /// As its sender says, and is held to.
    Declared(u64),
    /// It comes in pieces.
    Chunked,
}

impl BodySize {
    pub(crate) fn of(body: &Body) -> Self {
        body.size_hint().exact().map_or(Self::Chunked, Self::Declared)
    }

    /// The bytes to make room for, where so many are allowed; `None`: there are none.
    fn capped(self, most: usize) -> Result<Option<u64>, AdmissionError> {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        match self {
            Self::Declared(0) => Ok(None),
            Self::Declared(bytes) if bytes > most => Err(AdmissionError::TooLarge),
            Self::Declared(bytes) => Ok(Some(bytes)),
            // They may send all there may be.
            Self::Chunked => Ok(Some(most)),
        }
    }
}

/// Bodies that share a budget.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BodyClass {
    Forms,
    Uploads,
    /// What nobody has signed in for.
    Notifications,
}

#[derive(Debug)]
struct ByteBudget {
    kilobytes: Semaphore,
    all: u32,
}

impl ByteBudget {
    fn of(kilobytes: u32) -> Self {
        let places = usize::try_from(kilobytes).unwrap_or(Semaphore::MAX_PERMITS);
        Self { kilobytes: Semaphore::new(places), all: kilobytes }
    }

    /// No body waits for more than there is.
    fn permits_for(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, self.all)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::config::{Config, ConfigArgument, ConfigSources};

    const NETWORK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn admission(per_minute: u32) -> Admission {
        let argument = ConfigArgument {
            flag: "--test",
            key: "server.unproven_requests_per_minute_per_address",
            value: per_minute.to_string(),
        };
        let config =
            Config::load(&ConfigSources { arguments: vec![argument], ..ConfigSources::default() }).unwrap();
        Admission::new(&config.server, &Clock::set_to(DateTime::UNIX_EPOCH))
    }

    async fn shown(
        admission: &Admission,
        credential_kind: CredentialKind,
        digest: &str,
        opens: bool,
    ) -> Result<bool, AdmissionError> {
        let lookup = async { Ok(opens.then_some(())) };
        admission.look_up(credential_kind, Some(NETWORK), digest, lookup).await.map(|found| found.is_some())
    }

    #[tokio::test]
    async fn wrong_keys_do_not_keep_out_who_was_known_nor_who_signs_in() {
        let admission = admission(3);
        assert!(shown(&admission, CredentialKind::Key, "right", true).await.unwrap());
        for _ in 0..3 {
            assert!(!shown(&admission, CredentialKind::Key, "wrong", false).await.unwrap());
        }
        let refused = shown(&admission, CredentialKind::Key, "wrong", false).await;
        assert!(matches!(refused, Err(AdmissionError::RateLimited { seconds: 20 })), "{refused:?}");
        let unknown = shown(&admission, CredentialKind::Key, "right, but new", true).await;
        assert!(matches!(unknown, Err(AdmissionError::RateLimited { .. })), "{unknown:?}");
        assert!(shown(&admission, CredentialKind::Key, "right", true).await.unwrap());
        assert!(shown(&admission, CredentialKind::Link, "a link", true).await.unwrap());
        assert!(shown(&admission, CredentialKind::Session, "a session", true).await.unwrap());
        // What no longer opens anything is known no longer.
        assert!(!shown(&admission, CredentialKind::Key, "right", false).await.unwrap());
        assert!(shown(&admission, CredentialKind::Key, "right", true).await.is_err());
    }

    #[tokio::test]
    async fn bodies_wait_for_room_and_not_for_ever() {
        let admission = Admission { wait: Duration::ZERO, ..admission(3) };
        let size = |bytes: usize| BodySize::of(&Body::from(vec![0; bytes]));
        let most = 11 * 1024 * 1024;
        let hold = async |bytes: usize| admission.reserve_body(BodyClass::Uploads, size(bytes), most).await;
        assert!(hold(0).await.unwrap().is_none());
        assert!(matches!(hold(most + 1).await, Err(AdmissionError::TooLarge)));
        let held = [hold(most).await.unwrap(), hold(most).await.unwrap(), hold(most).await.unwrap()];
        assert!(matches!(hold(most).await, Err(AdmissionError::Full)));
        assert!(
            admission.reserve_body(BodyClass::Forms, size(1000), most).await.is_ok(),
            "forms have room of their own"
        );
        drop(held);
        assert!(hold(most).await.unwrap().is_some());
        // Nobody knows how much comes.
        let stream = Body::from_stream(futures::stream::empty::<Result<bytes::Bytes, std::io::Error>>());
        assert_eq!(BodySize::of(&stream), BodySize::Chunked);
        let held =
            admission.reserve_body(BodyClass::Uploads, BodySize::Chunked, 33 * 1024 * 1024).await.unwrap();
        assert!(held.is_some() && hold(1).await.is_err());
    }
}
