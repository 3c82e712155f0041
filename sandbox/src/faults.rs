//! Faults on demand: what goes wrong with a provider, how likely and how often.
//!
//! Faults live in memory only, hit the provider's API and token endpoints and never `/control` or the pages.

use std::sync::Mutex;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::provider::Provider;

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The provider answers that there were too many requests; the mailbox, 451.
    RateLimit,
    /// The provider answers 500 or 503; the mailbox, 554.
    ServerError,
    /// No answer for as long as a client may care to wait, at most a minute; nothing is done.
    Timeout,
    /// The work is done, then the connection is closed without an answer.
    ApplyThenDrop,
    /// The access token that comes with the request ends.
    ExpireToken,
    /// The person has taken their consent back.
    RevokeGrant,
    /// The sync token that comes with the request is no longer valid.
    GoneCursor,
    /// The account has no mailbox any more: Graph answers 404 to all that is asked of it, and to nothing else.
    NoMailbox,
    /// The sign-in refuses to give tokens, with the number `value` of Entra's errors; Google, with
    /// `invalid_client`, or with the value 1 with `redirect_uri_mismatch`.
    RefuseSignIn,
    /// The project of the application has the calendar API switched off, at Google.
    ApiDisabled,
    /// A list is answered only if at most `value` items a page are asked for; larger pages take too long.
    SlowPages,
    /// The mailbox's server knows no zone but UTC.
    NoZones,
    /// The first item of a page of events cannot be understood; with the value 1 nor can an event that is read by itself.
    OddItem,
    /// A list of events says of each page that another one follows.
    EndlessList,
    /// A push notification is lost.
    DropWebhook,
    /// The answer comes later by `value` milliseconds.
    #[serde(alias = "slow")]
    LatencyMs,
    /// A page for a browser comes in place of an answer; nothing is done.
    #[serde(alias = "html")]
    HtmlAnswer,
    /// The work is done, and half of the answer comes, as if it were all.
    #[serde(alias = "truncate")]
    TruncatedJson,
    /// The answer says that it is plain text.
    WrongContentType,
    /// A page of a list names a next one on another host.
    ForeignNextLink,
    /// The answer sends the client to another host; nothing is done.
    RedirectElsewhere,
    /// The answer is larger than 32 MB; nothing is done.
    HugeAnswer,
    /// A listing's feed has other UIDs than ever.
    ChangeUids,
    /// A listing's feed has no events.
    #[serde(rename = "empty")]
    EmptyFeed,
    /// More than half of a listing's feed is missing.
    #[serde(rename = "half")]
    HalfFeed,
    /// No event of a listing's feed says when it ends.
    NoEnds,
    /// The answer to a request for a listing's feed has the status `value`, such as 404.
    Status,
    /// The ID token holds another nonce than was asked with.
    WrongNonce,
    /// The ID token is for another application.
    WrongAudience,
    /// The ID token has expired.
    ExpiredIdToken,
    /// The ID token names another issuer.
    WrongIssuer,
    /// The userinfo says that the address is not verified.
    UnverifiedEmail,
    /// The userinfo is about somebody else.
    OtherSubject,
    /// A listing's feed is small and becomes a gigabyte when it is unpacked.
    GzipBomb,
}

/// Whom a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum FaultTarget {
    Google,
    Microsoft,
    Mailbox,
    /// The booking platforms; an account is a listing.
    Ota,
    /// The OpenID Connect issuer; an account is an address.
    Issuer,
}

impl FaultTarget {
    /// The provider that it is, if it is one.
    pub(crate) fn provider(self) -> Option<Provider> {
        match self {
            Self::Google => Some(Provider::Google),
            Self::Microsoft => Some(Provider::Microsoft),
            Self::Mailbox | Self::Ota | Self::Issuer => None,
        }
    }
}

impl From<Provider> for FaultTarget {
    fn from(provider: Provider) -> Self {
        match provider {
            Provider::Google => Self::Google,
            Provider::Microsoft => Self::Microsoft,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ActiveFault {
    pub(crate) id: u64,
    pub(crate) provider: FaultTarget,
    pub(crate) kind: FaultKind,
    pub(crate) probability: f64,
    /// How many times it still hits; `None` until it is deleted.
    pub(crate) count: Option<u64>,
    /// How many requests that it could hit it lets pass before.
    pub(crate) skip: u64,
    /// Only requests of this account are hit.
    pub(crate) account: Option<String>,
    /// Milliseconds for [`FaultKind::LatencyMs`], seconds of `Retry-After` for [`FaultKind::RateLimit`], the status for
    /// [`FaultKind::Status`], Entra's number for [`FaultKind::RefuseSignIn`], items for [`FaultKind::SlowPages`].
    pub(crate) value: Option<u64>,
    /// How many times it has hit.
    pub(crate) hits: u64,
}

/// What the request is that a fault may hit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultRequest<'a> {
    pub(crate) provider: FaultTarget,
    /// Whose calendar it is about, if the request shows a token that was ever valid.
    pub(crate) account: Option<&'a str>,
    /// Whether it carries an access token, a sync token: what cannot be hit is not counted as hit.
    pub(crate) has_access_token: bool,
    pub(crate) has_grant: bool,
    pub(crate) has_cursor: bool,
    /// How many items it asks for, if it is for a page of a list of events.
    pub(crate) page_size: Option<u64>,
    /// Whether it changes nothing.
    pub(crate) is_read: bool,
    /// Whether it is for tokens.
    pub(crate) is_for_tokens: bool,
    /// Whether its answer may name the address of a next page.
    pub(crate) pages_by_link: bool,
    /// Whether it is no request at all, but a notification on its way to an application.
    pub(crate) is_notification: bool,
}

impl<'a> FaultRequest<'a> {
    /// One that is neither authenticated nor for a list.
    pub(crate) const fn of(provider: FaultTarget, account: Option<&'a str>) -> Self {
        Self {
            provider,
            account,
            has_access_token: false,
            has_grant: false,
            has_cursor: false,
            page_size: None,
            is_read: false,
            is_for_tokens: false,
            pages_by_link: false,
            is_notification: false,
        }
    }
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FaultDecision {
    /// Waits this long first.
    pub(crate) latency: Duration,
    /// The fault that decides the answer.
    pub(crate) fault: Option<FaultHit>,
}

/// A fault that hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FaultHit {
    pub(crate) kind: FaultKind,
    /// How many times it had hit before.
    pub(crate) before: u64,
    pub(crate) value: Option<u64>,
}

/// All standing faults and the dice.
#[derive(Debug)]
pub(crate) struct FaultInjector(Mutex<FaultInjectorState>);

#[derive(Debug)]
struct FaultInjectorState {
    standing: Vec<ActiveFault>,
    next_id: u64,
    dice: StdRng,
}

impl FaultInjector {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(FaultInjectorState {
            standing: Vec::new(),
            next_id: 1,
            dice: StdRng::seed_from_u64(seed),
        }))
    }

    /// Puts a fault in force and gives it its id.
    pub(crate) fn add(&self, mut fault: ActiveFault) -> ActiveFault {
        let mut inner = self.lock();
        fault.id = inner.next_id;
        inner.next_id += 1;
        inner.standing.push(fault.clone());
        fault
    }

    /// The faults in force, those that are used up included until they are deleted.
    pub(crate) fn list(&self) -> Vec<ActiveFault> {
        self.lock().standing.clone()
    }

    /// Ends all faults, or those of `provider`, or those that are for `account` alone.
    pub(crate) fn clear(&self, provider: Option<FaultTarget>, account: Option<&str>) {
        let is_meant = |fault: &ActiveFault| {
            provider.is_none_or(|name| name == fault.provider)
                && (account.is_none() || fault.account.as_deref() == account)
        };
        self.lock().standing.retain(|fault| !is_meant(fault));
    }

    /// The faults that can hit this account of `provider`.
    pub(crate) fn list_of(&self, provider: FaultTarget, account: &str) -> Vec<ActiveFault> {
        let mut faults = self.list();
        let is_for = |fault: &ActiveFault| fault.account.as_deref().is_none_or(|own| own == account);
        faults.retain(|fault| fault.provider == provider && is_for(fault));
        faults
    }

    /// Rolls the dice for one request. Latencies add up; of the others the first that hits decides.
    pub(crate) fn strike(&self, target: FaultRequest<'_>) -> FaultDecision {
        let mut inner = self.lock();
        let FaultInjectorState { standing, dice, .. } = &mut *inner;
        let mut verdict = FaultDecision { latency: Duration::ZERO, fault: None };
        for fault in standing.iter_mut().filter(|fault| fault.can_hit(target)) {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            let decided = verdict.fault.is_some() && fault.kind != FaultKind::LatencyMs;
            if decided || !dice.random_bool(fault.probability) {
                continue;
            }
            if fault.kind == FaultKind::LatencyMs {
                verdict.latency += Duration::from_millis(fault.value.unwrap_or(0));
            } else {
                verdict.fault = Some(FaultHit { kind: fault.kind, before: fault.hits, value: fault.value });
            }
            fault.hits += 1;
            fault.count = fault.count.map(|left| left - 1);
        }
        verdict
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, FaultInjectorState> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl ActiveFault {
    /// One that hits all accounts each time, until it is deleted.
    pub(crate) fn of(provider: FaultTarget, kind: FaultKind) -> Self {
        let (probability, count, skip, account, value) = (1.0, None, 0, None, None);
        Self { id: 0, provider, kind, probability, count, skip, account, value, hits: 0 }
    }

    fn can_hit(&self, target: FaultRequest<'_>) -> bool {
        let concerned = self.provider == target.provider
            && self.count != Some(0)
            && self.account.as_deref().is_none_or(|account| target.account == Some(account));
        concerned
            && (self.kind == FaultKind::DropWebhook) == target.is_notification
            && match self.kind {
                FaultKind::ExpireToken => target.has_access_token,
                FaultKind::RevokeGrant => target.has_grant,
                FaultKind::GoneCursor => target.has_cursor,
                FaultKind::ForeignNextLink => target.pages_by_link,
                FaultKind::NoMailbox | FaultKind::NoZones => {
                    target.provider == FaultTarget::Microsoft && target.has_access_token
                }
                FaultKind::ApiDisabled => target.provider == FaultTarget::Google && target.has_access_token,
                FaultKind::RefuseSignIn => target.is_for_tokens,
                FaultKind::OddItem => {
                    target.page_size.is_some()
                        || (self.value == Some(1) && target.is_read && target.has_access_token)
                }
                FaultKind::SlowPages => target.page_size > self.value,
                FaultKind::ChangeUids
                | FaultKind::EmptyFeed
                | FaultKind::HalfFeed
                | FaultKind::NoEnds
                | FaultKind::Status
                | FaultKind::GzipBomb => target.provider == FaultTarget::Ota,
                FaultKind::WrongNonce
                | FaultKind::WrongAudience
                | FaultKind::ExpiredIdToken
                | FaultKind::WrongIssuer
                | FaultKind::UnverifiedEmail
                | FaultKind::OtherSubject => target.provider == FaultTarget::Issuer,
                FaultKind::RateLimit
                | FaultKind::ServerError
                | FaultKind::Timeout
                | FaultKind::ApplyThenDrop
                | FaultKind::LatencyMs => true,
                // A mailbox has no calendars and speaks no HTTP.
                _ => target.provider != FaultTarget::Mailbox,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: FaultRequest<'_> = FaultRequest {
        has_access_token: true,
        has_grant: true,
        ..FaultRequest::of(FaultTarget::Google, Some("ana@example.com"))
    };

    fn fault(kind: FaultKind, probability: f64, count: Option<u64>) -> ActiveFault {
        ActiveFault { probability, count, value: Some(7), ..ActiveFault::of(FaultTarget::Google, kind) }
    }

    #[test]
    fn fault_lets_pass_what_it_skips() {
        let faults = FaultInjector::new(1);
        faults.add(ActiveFault { skip: 2, ..fault(FaultKind::ServerError, 1.0, Some(1)) });
        let hit: Vec<bool> = (0..4).map(|_| faults.strike(REQUEST).fault.is_some()).collect();
        assert_eq!(hit, [false, false, true, false]);
    }

    #[test]
    fn a_count_runs_out_and_what_cannot_be_hit_is_not_counted() {
        let faults = FaultInjector::new(1);
        faults.add(fault(FaultKind::GoneCursor, 1.0, Some(1)));
        faults.add(fault(FaultKind::ServerError, 1.0, Some(1)));
        faults.add(fault(FaultKind::LatencyMs, 1.0, None));
        let kind = |verdict: FaultDecision| verdict.fault.map(|strike| strike.kind);
        let first = faults.strike(REQUEST);
        assert_eq!(kind(first), Some(FaultKind::ServerError));
        assert_eq!(first.latency, Duration::from_millis(7));
        assert_eq!(faults.strike(REQUEST).fault, None);
        let with_cursor = FaultRequest { has_cursor: true, ..REQUEST };
        assert_eq!(kind(faults.strike(with_cursor)), Some(FaultKind::GoneCursor));
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let roll = |seed| {
            let faults = FaultInjector::new(seed);
            faults.add(fault(FaultKind::Timeout, 0.3, None));
            (0..200).map(|_| faults.strike(REQUEST).fault.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(roll(7), roll(7));
        let hits = roll(7).into_iter().filter(|hit| *hit).count();
        assert!((30..90).contains(&hits), "{hits} of 200 at 0.3");
    }

    #[test]
    fn a_fault_for_one_account_spares_the_others() {
        let faults = FaultInjector::new(1);
        faults.add(ActiveFault {
            account: Some("ben@example.com".into()),
            ..fault(FaultKind::RevokeGrant, 1.0, None)
        });
        assert_eq!(faults.strike(REQUEST).fault, None);
        assert!(faults.strike(FaultRequest { account: Some("ben@example.com"), ..REQUEST }).fault.is_some());
    }
}
