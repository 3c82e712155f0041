//! Connecting an account: the way to the provider's consent page and back.
//!
//! The `state` that goes with the browser is a random name of a row: single-use, for 15 minutes, bound to business,
//! staff member, and the browser session or the API key that began. The PKCE verifier waits in that row, sealed. Whoever
//! comes back must still be allowed to connect the person's calendars, before the code is redeemed and when the grant is
//! stored; what a key began is confirmed by the person whom it is for. An account that opens to a name and a password is
//! connected at once.

mod oauth_state;

use chrono::Duration;
use chrono_tz::Tz;
use concord_domain::{
    audit::HistorySubject,
    connection::{Direction, ProviderKind},
    ids::{ApiKeyId, BusinessId, ConnectionId, StaffId},
    job::QueueClass,
    people::Actor,
};
use concord_providers::{
    DiscoveryError, OAuthErrorExplanation, OAuthErrorKind, ProviderCredentials, ProviderError,
    RemoteCalendar, caldav::CaldavLogin,
};
use concord_storage::{
    StorageError, Tx,
    calendars::{self, ListedCalendar},
    connections::{self, ConnectionTokens, NewConnection},
    history,
    jobs::JobRef,
    oauth_states::{self, NewOAuthState, OAuthState, verifier_associated_data},
    people, push_subscriptions, secret,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use self::oauth_state::{check_rights, consume_state};
use crate::{Context, access::tokens_from_response, batch_sync, drift, import_availability, notify, push};

/// How long a person may take on the consent page.
const STATE_TTL: Duration = Duration::minutes(15);

/// Who wants to connect what.
#[derive(Clone, Debug)]
pub struct ConnectRequest {
    /// The tenant.
    pub business: BusinessId,
    /// Whose account it will be.
    pub staff: StaffId,
    /// Where.
    pub provider: ProviderKind,
    /// Who asks.
    pub asker: ConnectInitiator,
    /// A path of ours to go to afterwards.
    pub return_to: String,
    /// The address that the consent page offers first.
    pub login_hint: Option<String>,
}

/// Who asks for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectInitiator {
    /// Somebody at the pages; the digest of their browser session.
    Session(String),
    /// A program, which sends the person's browser to the consent page.
    Key(ApiKeyId),
}

/// The browser that comes back from a consent page.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallbackBrowser<'a> {
    /// The digest of the session whose cookie it sent, live or not.
    pub session: Option<&'a str>,
    /// The person was shown whose calendar is about to be connected, and said yes.
    pub is_confirmed: bool,
}

/// What the browser brings back.
#[derive(Clone, Debug, Default)]
pub struct OAuthCallback {
    /// What we sent.
    pub state: Option<String>,
    /// On consent.
    pub code: Option<SecretString>,
    /// On anything else.
    pub error: Option<String>,
    /// The provider's own words.
    pub error_description: Option<String>,
}

/// A connection that stands.
#[derive(Clone, Debug)]
pub struct ConnectedAccount {
    /// Which.
    pub connection: ConnectionId,
    /// The tenant.
    pub business: BusinessId,
    /// Whose.
    pub staff: StaffId,
    /// For people.
    pub account_email: String,
    /// How many calendars it has; one without any is kept, and written to as soon as it has one.
    pub calendars: usize,
    /// Where the person wanted to go.
    pub return_to: String,
}

/// Why nothing was connected. Nothing was written but that the state is used up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The installation has no credentials for it.
    #[error("{} is not set up on this installation yet", .0.name())]
    NotSetUp(ProviderKind),
    /// The staff member is not of the business, or archived.
    #[error("unknown staff member")]
    UnknownStaff,
    /// Nobody here sent the person there.
    #[error("this connection was not started here; start again")]
    UnknownState,
    /// More than 15 minutes passed.
    #[error("the connection was started more than 15 minutes ago; start again")]
    ExpiredState,
    /// The page was loaded a second time.
    #[error("this connection was already completed; start again if the calendar is not connected")]
    UsedState,
    /// It was begun in another browser, or the person has signed out.
    #[error("the connection was started in another browser session; sign in and start again")]
    OtherSession,
    /// They were removed, or may no longer connect this person's calendars.
    #[error("you are not allowed to connect this person's calendars")]
    NoRight,
    /// It was begun by an API key that has been revoked.
    #[error("the app that started the connection no longer has access")]
    KeyRevoked,
    /// It was begun by an API key for somebody who can sign in, and nobody is signed in. Nothing is used up.
    #[error("this staff member has a Concord account and must sign in to confirm")]
    SignInFirst,
    /// It was begun by an API key, and the person has not confirmed it yet. Nothing is used up.
    #[error("the staff member has not confirmed the connection")]
    Unconfirmed {
        /// The tenant.
        business: BusinessId,
        /// For whom.
        staff: StaffId,
    },
    /// The person said no.
    #[error("access was not granted, so nothing was connected")]
    Denied {
        /// Where they wanted to go.
        return_to: String,
    },
    /// The person left out what is needed.
    #[error("some permissions were not granted; connect again and leave all boxes ticked")]
    MissingScope {
        /// Where they wanted to go.
        return_to: String,
    },
    /// The provider refused: the answer that the browser brought back holds nothing, or nothing that is any good.
    #[error("{message}")]
    Refused {
        /// For people.
        message: String,
        /// Where they wanted to go.
        return_to: String,
    },
    /// There are no calendars to be found with what the person gave.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The provider could not be reached, or is in trouble.
    #[error("{message}")]
    Provider {
        /// For people.
        message: String,
        /// Where they wanted to go.
        return_to: String,
    },
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Notes the request and returns the address of the provider's consent page.
pub async fn begin(context: &Context, begin: ConnectRequest) -> Result<Url, ConnectError> {
    let oauth = context.providers.oauth(begin.provider).ok_or(ConnectError::NotSetUp(begin.provider))?;
    check_staff(context, begin.business, begin.staff).await?;
    let state = secret::new_token("");
    let digest = secret::digest(&state);
    let request = oauth.authorize(state.expose_secret(), begin.login_hint.as_deref());
    let now = context.clock.now();
    let (session_hash, api_key) = match begin.asker {
        ConnectInitiator::Session(digest) => (Some(digest), None),
        ConnectInitiator::Key(key) => (None, Some(key)),
    };
    let new = NewOAuthState {
        sealed_verifier: context.ring.seal(&request.pkce_verifier, verifier_associated_data(&digest)),
        nonce_digest: digest,
        business: begin.business,
        staff: begin.staff,
        session_hash,
        api_key,
        provider: begin.provider,
        return_to: local_path(&begin.return_to),
        expires_at: now + STATE_TTL,
    };
    let mut tx = context.db.begin().await?;
    oauth_states::create(&mut tx, &new, now).await?;
    tx.commit().await?;
    Ok(request.url)
}

/// Takes the answer of the consent page: stores the grant, lists the calendars, and sees to it that what the person
/// already has to do is written and read.
pub async fn finish(
    context: &Context,
    provider: ProviderKind,
    callback: OAuthCallback,
    browser: CallbackBrowser<'_>,
) -> Result<ConnectedAccount, ConnectError> {
    let state = consume_state(context, provider, &callback, browser).await?;
    let return_to = state.0.return_to.clone();
    let code = match callback {
        OAuthCallback { code: Some(code), error: None, .. } => code,
        callback => return Err(callback_error(context, provider, &callback, return_to)),
    };
    // They may have left while they were on the consent page.
    check_staff(context, state.0.business_id, state.0.staff_id).await?;
    let account = ConnectTarget { business: state.0.business_id, staff: state.0.staff_id, provider };
    let tokens = exchange_code(context, &state, &code).await?;
    let credentials = ProviderCredentials::Bearer(tokens.access.clone());
    let opened = OpenedAccount { credentials, tokens, calendar: None };
    store(context, account, opened, return_to, Some((&state.0, browser))).await
}

/// Whose account it will be, and where.
#[derive(Clone, Copy, Debug)]
pub struct ConnectTarget {
    /// The tenant.
    pub business: BusinessId,
    /// Whose.
    pub staff: StaffId,
    /// Where.
    pub provider: ProviderKind,
}

/// Stores a grant: asks whose account it is and which calendars it has, adopts the connection, and enqueues what follows.
pub async fn adopt(
    context: &Context,
    wanted: ConnectTarget,
    tokens: ConnectionTokens,
    return_to: String,
) -> Result<ConnectedAccount, ConnectError> {
    let credentials = ProviderCredentials::Bearer(tokens.access.clone());
    store(context, wanted, OpenedAccount { credentials, tokens, calendar: None }, return_to, None).await
}

/// Finds the calendars of an account that opens to a name and a password, and connects it. The same account is adopted:
/// so a new password is given. Where the address is that of a calendar, this is the one that is written from now on.
pub async fn connect_with_password(
    context: &Context,
    (business, staff): (BusinessId, StaffId),
    asked: &CaldavLogin,
    return_to: String,
) -> Result<ConnectedAccount, ConnectError> {
    let provider = ProviderKind::Caldav;
    let caldav = context.providers.caldav().ok_or(ConnectError::NotSetUp(provider))?;
    check_staff(context, business, staff).await?;
    let found = caldav
        .discover(asked)
        .await
        .inspect_err(|error| tracing::info!(%error, "no calendars were found for an address"))?;
    // What calendars it has is told the same in any zone.
    let credentials = asked.credentials(found.home, Tz::UTC);
    // When it expires is forgotten with the server that is kept: a password does not.
    let tokens = ConnectionTokens {
        access: asked.password.clone(),
        access_expires_at: context.clock.now(),
        refresh: None,
    };
    let opened = OpenedAccount { credentials, tokens, calendar: found.calendar };
    store(context, ConnectTarget { business, staff, provider }, opened, local_path(&return_to), None).await
}

/// What opens an account.
struct OpenedAccount {
    credentials: ProviderCredentials,
    tokens: ConnectionTokens,
    /// The calendar that the person has named, where they have named one.
    calendar: Option<String>,
}

/// Whether the calendar that a person has named is one that can be written.
fn check_named_calendar(
    named: Option<&str>,
    (listed, user): (&[ListedCalendar], &str),
) -> Result<(), DiscoveryError> {
    let Some(named) = named else { return Ok(()) };
    let (user, place) = (user.to_owned(), named.to_owned());
    match listed.iter().find(|one| one.external_id == named) {
        Some(one) if one.writable => Ok(()),
        Some(_) => Err(DiscoveryError::NotWritable { user, place }),
        None => Err(DiscoveryError::NotListed { user, place }),
    }
}

/// `asked`: what was asked for and the browser that came back, where there was a consent page. The provider was called
/// meanwhile, so what they may do is looked at anew with what is written.
async fn store(
    context: &Context,
    wanted: ConnectTarget,
    OpenedAccount { credentials, tokens, calendar }: OpenedAccount,
    return_to: String,
    asked: Option<(&OAuthState, CallbackBrowser<'_>)>,
) -> Result<ConnectedAccount, ConnectError> {
    let ConnectTarget { business, staff, provider } = wanted;
    let calendars_of = context.providers.get(provider).ok_or(ConnectError::NotSetUp(provider))?;
    let refused = |error: ProviderError| refusal(provider, &error, &return_to);
    let account = calendars_of.account(&credentials).await.map_err(refused)?;
    let listed = calendars_of.calendars(&credentials).await.map_err(refused)?;
    let listed: Vec<ListedCalendar> = listed.into_iter().map(as_listed).collect();
    check_named_calendar(calendar.as_deref(), (&listed, &account.email))?;
    let new = NewConnection {
        business,
        staff,
        provider,
        account_subject: account.subject,
        account_email: account.email,
        tokens,
    };
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    if let Some((state, browser)) = asked {
        let rights = oauth_states::rights(&mut tx, state, browser.session, now).await?;
        check_rights(state, browser, rights)?;
    }
    let connection = connections::adopt(&mut tx, &context.ring, &new, now).await?;
    if let ProviderCredentials::Password { user, home, .. } = &credentials {
        connections::set_server(&mut tx, connection, home.as_str(), user).await?;
    }
    calendars::take_over(&mut tx, business, connection, &listed, now).await?;
    if let Some(calendar) = &calendar {
        calendars::choose(&mut tx, business, connection, calendar).await?;
    }
    push_subscriptions::renew_all(&mut tx, business, connection, now).await?;
    let line = history::NewHistoryEntry {
        business,
        actor: &Actor::System,
        action: "connected",
        subject_kind: HistorySubject::Connection,
        subject: connection.0,
        detail: &json!({ "provider": provider, "account": new.account_email, "staff": staff }),
    };
    history::append(&mut tx, &line, now).await?;
    notify::reconnected(&mut tx, context, (business, connection)).await?;
    // With the grant or not at all: nobody comes back to enqueue what a crash in between would have left out.
    let enqueued = enqueue_initial_sync(&mut tx, context, (business, connection), Direction::Both).await?;
    tx.commit().await?;
    context.push(&enqueued).await;
    let calendars = listed.len();
    Ok(ConnectedAccount {
        connection,
        business,
        staff,
        account_email: new.account_email,
        calendars,
        return_to,
    })
}

async fn check_staff(context: &Context, business: BusinessId, id: StaffId) -> Result<(), ConnectError> {
    let staff = people::find_staff(&context.db, business, id).await?;
    let works_here = staff.is_some_and(|staff| staff.archived_at.is_none());
    works_here.then_some(()).ok_or(ConnectError::UnknownStaff)
}

/// What it means that the browser brought no code.
fn callback_error(
    context: &Context,
    provider: ProviderKind,
    callback: &OAuthCallback,
    return_to: String,
) -> ConnectError {
    let error = callback.error.as_deref().unwrap_or_default();
    let description = callback.error_description.as_deref().unwrap_or_default();
    let explained = context.providers.oauth(provider).and_then(|oauth| oauth.explain(error, description));
    match explained {
        Some(OAuthErrorExplanation { verdict: OAuthErrorKind::Declined, .. }) => {
            return ConnectError::Denied { return_to };
        }
        None if error == "access_denied" => return ConnectError::Denied { return_to },
        _ => {}
    }
    let words = if description.is_empty() { error } else { description };
    tracing::info!(%provider, words = sanitize_message(words), "a consent page sent somebody back without a code");
    let message = explained
        .map_or_else(|| format!("{} did not grant access", provider.name()), |explained| explained.words);
    ConnectError::Refused { message, return_to }
}

/// Changes the code for tokens.
async fn exchange_code(
    context: &Context,
    (state, digest): &(OAuthState, String),
    code: &SecretString,
) -> Result<ConnectionTokens, ConnectError> {
    let oauth = context.providers.oauth(state.provider).ok_or(ConnectError::NotSetUp(state.provider))?;
    let verifier = context.ring.open(&state.sealed_verifier, verifier_associated_data(digest))?;
    let grant = oauth
        .exchange(code, &verifier)
        .await
        .map_err(|error| refusal(state.provider, &error, &state.return_to))?;
    if !oauth.missing_scopes(&grant).is_empty() {
        return Err(ConnectError::MissingScope { return_to: state.return_to.clone() });
    }
    Ok(tokens_from_response(grant, context.clock.now()))
}

fn refusal(provider: ProviderKind, error: &ProviderError, return_to: &str) -> ConnectError {
    let (name, return_to) = (provider.name(), return_to.to_owned());
    tracing::warn!(%provider, %error, "a provider did not let a calendar be connected");
    match error {
        ProviderError::GrantDead(_) => ConnectError::Refused {
            message: format!("{name} rejected this authorisation: it expired or was already used"),
            return_to,
        },
        ProviderError::Transient(_) | ProviderError::RateLimited { .. } => {
            ConnectError::Provider { message: format!("{name} cannot be reached right now"), return_to }
        }
        ProviderError::AccountUnusable(why) => ConnectError::Refused { message: why.clone(), return_to },
        // Its refusals are told in our words, and say who has to do what.
        ProviderError::Rejected(why) if provider == ProviderKind::Microsoft => {
            ConnectError::Refused { message: why.clone(), return_to }
        }
        _ => ConnectError::Refused {
            message: format!("{name} refused to connect the calendar; the reason is in the log"),
            return_to,
        },
    }
}

/// Enqueues what brings a connection up to date both ways.
pub(crate) async fn enqueue_initial_sync(
    tx: &mut Tx,
    context: &Context,
    (business, connection): (BusinessId, ConnectionId),
    direction: Direction,
) -> Result<Vec<JobRef>, StorageError> {
    let mut enqueued = vec![batch_sync::enqueue(tx, context, business, connection).await?];
    drift::enqueue_first(tx, (business, connection), context.clock.now()).await?;
    if direction.reads() {
        enqueued.extend(read_calendars(tx, context, business, connection).await?);
    }
    Ok(enqueued)
}

/// Enqueues the reading of every calendar of a connection that is read, and the care for being told of its changes.
pub(crate) async fn read_calendars(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
    connection: ConnectionId,
) -> Result<Vec<JobRef>, StorageError> {
    let mut enqueued = Vec::new();
    for calendar in calendars::list_read(tx, business, connection).await? {
        enqueued.push(import_availability::enqueue(tx, context, &calendar, QueueClass::Bulk).await?);
        enqueued.extend(push::enqueue(tx, context, &calendar).await?);
    }
    Ok(enqueued)
}

pub(crate) fn as_listed(calendar: RemoteCalendar) -> ListedCalendar {
    ListedCalendar {
        external_id: calendar.external_id,
        name: calendar.name,
        colour: calendar.colour,
        zone: calendar.zone,
        owner: calendar.owner,
        writable: calendar.writable,
        is_primary: calendar.primary,
    }
}

/// Only a path of ours: `//host` and `/\host` are other people's addresses to a browser.
fn local_path(path: &str) -> String {
    let local = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains(['\\', '\n', '\r', '\t'])
        && path.len() < 1_000;
    if local { path.to_owned() } else { "/".to_owned() }
}

/// The provider's words come through the browser: keep them short and on one line.
fn sanitize_message(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_returned_to() {
        assert_eq!(local_path("/settings/calendars?a=1"), "/settings/calendars?a=1");
        for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", ""] {
            assert_eq!(local_path(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
