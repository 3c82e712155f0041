//! Connecting an account: the way to the provider's consent page and back.
//!
//! The `state` that goes with the browser is a random name of a row: single-use, for 15 minutes, bound to business,
//! staff member, and the browser session or the API key that began. The PKCE verifier waits in that row, sealed. Whoever
//! comes back must still be allowed to connect the person's calendars, before the code is redeemed and when the grant is
//! stored; what a key began is confirmed by the person whom it is for. An account that opens to a name and a password is
//! connected at once.

mod error;
mod oauth_state;
mod store;

use chrono::Duration;
use chrono_tz::Tz;
use concord_domain::{
    connection::ProviderKind,
    ids::{ApiKeyId, BusinessId, ConnectionId, StaffId},
    people::Actor,
};
use concord_jobs::{Context, accounts::access::tokens_from_response};
use concord_providers::{ProviderCredentials, caldav::CaldavLogin};
use concord_storage::{
    ChangeContext, StorageError, api_keys,
    connections::ConnectionTokens,
    in_tx,
    oauth_states::{self, NewOAuthState, OAuthState, verifier_associated_data},
    people, secret, sign_in,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use self::error::ConnectError;
use self::{
    error::{callback_error, refusal},
    oauth_state::consume_state,
    store::{OpenedAccount, store},
};

/// How long a person may take on the consent page.
const STATE_TTL: Duration = Duration::minutes(15);

/// Who wants to connect what.
#[derive(Clone, Debug)]
pub struct ConnectRequest {
    /// The tenant that the person works for.
    pub business: BusinessId,
    /// Whose account it will be.
    pub staff: StaffId,
    /// Where the account is.
    pub provider: ProviderKind,
    /// Who asks for it.
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
    /// The `state` that we sent along.
    pub state: Option<String>,
    /// To be changed for tokens; only on consent.
    pub code: Option<SecretString>,
    /// The error code of OAuth, on anything else.
    pub error: Option<String>,
    /// The provider's own words.
    pub error_description: Option<String>,
}

/// A connection that stands.
#[derive(Clone, Debug)]
pub struct ConnectedAccount {
    /// The connection, new or adopted.
    pub connection: ConnectionId,
    /// The tenant that the person works for.
    pub business: BusinessId,
    /// The person whose account it is.
    pub staff: StaffId,
    /// What the account is called, for people.
    pub account_email: String,
    /// How many calendars it has; one without any is kept, and written to as soon as it has one.
    pub calendars: usize,
    /// Where the person wanted to go.
    pub return_to: String,
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
        return_to: local_path(&begin.return_to).unwrap_or("/").to_owned(),
        expires_at: now + STATE_TTL,
    };
    in_tx!(context.db, tx => oauth_states::create(&mut tx, &new, now).await)?;
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
    let actor = initiator(context, &state.0).await?;
    store(context, (account, actor), opened, return_to, Some((&state.0, browser))).await
}

/// Who began it: the person of the session, or the program of the key.
async fn initiator(context: &Context, state: &OAuthState) -> Result<Actor, StorageError> {
    if let Some(session) = &state.session_hash {
        let found = sign_in::find_session(&context.db, session, context.clock.now()).await?;
        return Ok(found.map_or(Actor::System, |(_, user)| Actor::User { id: user.id, name: user.name }));
    }
    let key = match state.api_key_id {
        Some(id) => api_keys::find(&context.db, state.business_id, id).await?,
        None => None,
    };
    Ok(key.map_or(Actor::System, |key| Actor::ApiKey { id: key.id, name: key.name }))
}

/// Whose account it will be, and where.
#[derive(Clone, Copy, Debug)]
pub struct ConnectTarget {
    /// The tenant that the person works for.
    pub business: BusinessId,
    /// The person whose account it is.
    pub staff: StaffId,
    /// Where the account is.
    pub provider: ProviderKind,
}

/// Stores a grant that nobody asked for at a page: asks whose account it is and which calendars it has, adopts the
/// connection, and enqueues what follows.
pub async fn adopt(
    context: &Context,
    wanted: ConnectTarget,
    tokens: ConnectionTokens,
    return_to: String,
) -> Result<ConnectedAccount, ConnectError> {
    let credentials = ProviderCredentials::Bearer(tokens.access.clone());
    let opened = OpenedAccount { credentials, tokens, calendar: None };
    store(context, (wanted, Actor::System), opened, return_to, None).await
}

/// Finds the calendars of an account that opens to a name and a password, and connects it. The same account is adopted:
/// so a new password is given. Where the address is that of a calendar, this is the one that is written from now on.
pub async fn connect_with_password(
    context: &Context,
    (by, staff): (&ChangeContext, StaffId),
    asked: &CaldavLogin,
    return_to: String,
) -> Result<ConnectedAccount, ConnectError> {
    let (business, provider) = (by.business, ProviderKind::Caldav);
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
    let wanted = (ConnectTarget { business, staff, provider }, by.actor.clone());
    store(context, wanted, opened, return_to, None).await
}

async fn check_staff(context: &Context, business: BusinessId, id: StaffId) -> Result<(), ConnectError> {
    let staff = people::find_staff(&context.db, business, id).await?;
    let works_here = staff.is_some_and(|staff| staff.archived_at.is_none());
    works_here.then_some(()).ok_or(ConnectError::UnknownStaff)
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

/// The path if it leads to a page of ours, and not elsewhere.
pub fn local_path(path: &str) -> Option<&str> {
    // Browsers read `//host`, `/\host` and what has tabs or line breaks in it as the way to another site.
    let is_local = path.starts_with('/')
        && !path.starts_with("//")
        && !path.chars().any(|c| c.is_control() || c == '\\')
        && path.len() < 1_000;
    is_local.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_returned_to() {
        for path in ["/", "/bookings?q=a%20b", "/a//b"] {
            assert_eq!(local_path(path), Some(path));
        }
        let long = format!("/{}", "a".repeat(1_000));
        for elsewhere in [
            "",
            "bookings",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\n/b",
            "/a\u{b}b",
            "/a\\b",
            &long,
        ] {
            assert_eq!(local_path(elsewhere), None, "{elsewhere:?}");
        }
    }
}
