//! Consents that were asked for: what must be known when the provider sends the browser back.

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::ProviderKind,
    ids::{ApiKeyId, BusinessId, StaffId, UserId},
};

use uuid::Uuid;

use crate::{
    Db, Result, Tx,
    seal::{AssociatedData, Keyring},
};

/// A consent about to be asked for.
#[derive(Clone, Debug)]
pub struct NewOAuthState {
    /// The digest of the `state` parameter.
    pub nonce_digest: String,
    pub business: BusinessId,
    /// Whose account it will be.
    pub staff: StaffId,
    /// The digest of the browser session that asks; `None` when an API key does.
    pub session_hash: Option<String>,
    /// The API key that asks; `None` when a browser does.
    pub api_key: Option<ApiKeyId>,
    pub provider: ProviderKind,
    /// The PKCE verifier, sealed.
    pub sealed_verifier: String,
    /// The page to go to afterwards.
    pub return_to: String,
    /// When the answer comes too late.
    pub expires_at: DateTime<Utc>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct OAuthState {
    pub business_id: BusinessId,
    /// Whose account it will be.
    pub staff_id: StaffId,
    /// The digest of the browser session that asked: the answer must come through the same browser.
    pub session_hash: Option<String>,
    /// The API key that asked: then the person whose account it will be confirms it.
    pub api_key_id: Option<ApiKeyId>,
    pub provider: ProviderKind,
    /// The PKCE verifier, sealed.
    #[sqlx(rename = "pkce_verifier")]
    pub sealed_verifier: String,
    /// The page to go to afterwards.
    pub return_to: String,
}

/// What became of a `state` parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsumedState {
    /// Go on; nobody else can.
    State(OAuthState),
    Unknown,
    /// The answer came too late.
    Expired,
    /// It was answered before.
    Used,
}

const CREATE: &str = "
    INSERT INTO oauth_states (nonce_hash, business_id, staff_id, session_hash, provider, pkce_verifier, return_to,
        expires_at, created_at, api_key_id)
    SELECT $1, business_id, id, $4, $5, $6, $7, $8, $9, $10 FROM staff WHERE business_id = $2 AND id = $3";

/// Notes that a consent is asked for. `NotFound`: the staff member is not of the business.
pub async fn create(tx: &mut Tx, new: &NewOAuthState, now: DateTime<Utc>) -> Result<()> {
    must_change!(tx, CREATE;
        &new.nonce_digest, new.business, new.staff, &new.session_hash, new.provider,
        &new.sealed_verifier, &new.return_to, new.expires_at, now, new.api_key
    )
}

/// Where the verifier of a consent is sealed. The row is named by a digest; its first half makes the identity that the
/// seal is bound to.
pub fn verifier_associated_data(nonce_digest: &str) -> AssociatedData {
    let row = nonce_digest.get(..32).and_then(|half| Uuid::try_parse(half).ok()).unwrap_or_default();
    AssociatedData { column: "oauth_states.pkce_verifier", row }
}

const LIST_PENDING: &str = "SELECT nonce_hash, pkce_verifier FROM oauth_states WHERE used_at IS NULL";
const RESEAL: &str = "UPDATE oauth_states SET pkce_verifier = $2 WHERE nonce_hash = $1";

/// Seals the verifiers of consents under way again, with the current key. Those that no key opens are left as they are:
/// they are over in a quarter of an hour.
pub(crate) async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<()> {
    let rows: Vec<(String, String)> = all!(tx, LIST_PENDING)?;
    for (nonce_digest, sealed) in rows {
        if let Ok(Some(again)) = ring.reseal(&sealed, verifier_associated_data(&nonce_digest)) {
            exec!(tx, RESEAL, &nonce_digest, again)?;
        }
    }
    Ok(())
}

macro_rules! columns {
    () => {
        "business_id, staff_id, session_hash, api_key_id, provider, pkce_verifier, return_to"
    };
}

const FIND: &str = select!("FROM oauth_states WHERE nonce_hash = $1 AND used_at IS NULL AND expires_at > $2");

const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM oauth_states WHERE nonce_hash = $1)";

/// Whether anything was ever asked for under this digest, used up or not.
pub async fn is_there(db: &Db, nonce_digest: &str) -> Result<bool> {
    scalar!(db, EXISTS, nonce_digest)
}

/// What was asked for and may still be taken, without taking it.
pub async fn find(tx: &mut Tx, nonce_digest: &str, now: DateTime<Utc>) -> Result<Option<OAuthState>> {
    optional!(tx, FIND, nonce_digest, now)
}

// The condition and the mark are one statement: of two answers at once, one goes on.
const CONSUME: &str = returning!(
    "UPDATE oauth_states SET used_at = $2 WHERE nonce_hash = $1 AND used_at IS NULL AND expires_at > $2"
);
const USED_AT: &str = "SELECT used_at FROM oauth_states WHERE nonce_hash = $1";

/// Takes what was asked for, once.
pub async fn take(tx: &mut Tx, nonce_digest: &str, now: DateTime<Utc>) -> Result<ConsumedState> {
    let state: Option<OAuthState> = optional!(tx, CONSUME, nonce_digest, now)?;
    if let Some(state) = state {
        return Ok(ConsumedState::State(state));
    }
    let used_at: Option<Option<DateTime<Utc>>> = optional_scalar!(tx, USED_AT, nonce_digest)?;
    Ok(match used_at {
        None => ConsumedState::Unknown,
        Some(None) => ConsumedState::Expired,
        Some(Some(_)) => ConsumedState::Used,
    })
}

/// What is so at this moment, for whoever comes back from a consent page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct CallbackRights {
    /// Somebody is signed in in that browser.
    pub is_signed_in: bool,
    /// They may connect this person's calendars: they are a manager of the business, or stand for the person.
    pub may_connect: bool,
    /// Somebody who can sign in stands for the person.
    pub signs_in: bool,
    /// The API key that asked still opens something; true where none asked.
    pub key_holds: bool,
}

const RIGHTS: &str = "
    SELECT
        EXISTS (
            SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id
            WHERE s.token_hash = $3 AND s.expires_at > $4 AND u.archived_at IS NULL
        ) AS is_signed_in,
        EXISTS (
            SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id
            WHERE s.token_hash = $3 AND s.expires_at > $4 AND u.archived_at IS NULL
              AND u.business_id = $1 AND (u.role = 'manager' OR u.staff_id = $2)
        ) AS may_connect,
        EXISTS (
            SELECT 1 FROM users WHERE business_id = $1 AND staff_id = $2 AND archived_at IS NULL
        ) AS signs_in,
        ($5 IS NULL OR EXISTS (
            SELECT 1 FROM api_keys WHERE business_id = $1 AND id = $5 AND revoked_at IS NULL
        )) AS key_holds";

/// What whoever holds this session may do with what was asked for, at this moment.
pub async fn rights(
    tx: &mut Tx,
    state: &OAuthState,
    session_digest: Option<&str>,
    now: DateTime<Utc>,
) -> Result<CallbackRights> {
    one!(tx, RIGHTS, state.business_id, state.staff_id, session_digest, now, state.api_key_id)
}

const DELETE_FOR_SESSION: &str = "DELETE FROM oauth_states WHERE session_hash = $1 AND used_at IS NULL";

/// Nothing comes any more of what a browser session asked for.
pub(crate) async fn delete_for_session(tx: &mut Tx, session_digest: &str) -> Result<()> {
    exec!(tx, DELETE_FOR_SESSION, session_digest)
}

const DELETE_FOR_USER: &str = "
    DELETE FROM oauth_states WHERE used_at IS NULL AND session_hash IN (
        SELECT token_hash FROM sessions WHERE business_id = $1 AND user_id = $2)";

/// Nothing comes any more of what anybody asked for in a session of this person. It must come before their sessions go.
pub(crate) async fn delete_for_user(tx: &mut Tx, business: BusinessId, user: UserId) -> Result<()> {
    exec!(tx, DELETE_FOR_USER, business, user)
}

const DELETE_FOR_KEY: &str = "
    DELETE FROM oauth_states WHERE business_id = $1 AND api_key_id = $2 AND used_at IS NULL";

/// Nothing comes any more of what an API key asked for.
pub(crate) async fn delete_for_key(tx: &mut Tx, business: BusinessId, key: ApiKeyId) -> Result<()> {
    exec!(tx, DELETE_FOR_KEY, business, key)
}
