//! Consents that were asked for: what must be known when the provider sends the browser back.

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::ProviderKind,
    ids::{ApiKeyId, BusinessId, StaffId, UserId},
};

use uuid::Uuid;

use crate::{
    Db, StorageError, Tx, on_db,
    seal::{AssociatedData, Keyring},
};

/// A consent about to be asked for.
#[derive(Clone, Debug)]
pub struct NewOAuthState {
    /// The digest of the `state` parameter.
    pub nonce_digest: String,
    /// The tenant.
    pub business: BusinessId,
    /// Whose account it will be.
    pub staff: StaffId,
    /// The digest of the browser session that asks; `None` when an API key does.
    pub session_hash: Option<String>,
    /// The API key that asks; `None` when a browser does.
    pub api_key: Option<ApiKeyId>,
    /// Where.
    pub provider: ProviderKind,
    /// The PKCE verifier, sealed.
    pub sealed_verifier: String,
    /// The page to go to afterwards.
    pub return_to: String,
    /// When the answer comes too late.
    pub expires_at: DateTime<Utc>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct OAuthState {
    /// The tenant.
    pub business_id: BusinessId,
    /// Whose account it will be.
    pub staff_id: StaffId,
    /// The digest of the browser session that asked: the answer must come through the same browser.
    pub session_hash: Option<String>,
    /// The API key that asked: then the person whose account it will be confirms it.
    pub api_key_id: Option<ApiKeyId>,
    /// Where.
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
    /// Nobody here asked.
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
pub async fn create(tx: &mut Tx, new: &NewOAuthState, now: DateTime<Utc>) -> Result<(), StorageError> {
    let made = on_db!(tx, c => sqlx::query(CREATE)
        .bind(&new.nonce_digest)
        .bind(new.business)
        .bind(new.staff)
        .bind(&new.session_hash)
        .bind(new.provider)
        .bind(&new.sealed_verifier)
        .bind(&new.return_to)
        .bind(new.expires_at)
        .bind(now)
        .bind(new.api_key)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if made == 0 { Err(StorageError::NotFound) } else { Ok(()) }
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
pub(crate) async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<(), StorageError> {
    let rows: Vec<(String, String)> = on_db!(tx, c => sqlx::query_as(LIST_PENDING).fetch_all(c).await)?;
    for (nonce_digest, sealed) in rows {
        let place = verifier_associated_data(&nonce_digest);
        if ring.is_current(&sealed) {
            continue;
        }
        if let Ok(verifier) = ring.open(&sealed, place) {
            let again = ring.seal(&verifier, place);
            on_db!(tx, c => sqlx::query(RESEAL)
                .bind(&nonce_digest)
                .bind(again)
                .execute(c)
                .await
                .map(drop))?;
        }
    }
    Ok(())
}

macro_rules! columns {
    () => {
        "business_id, staff_id, session_hash, api_key_id, provider, pkce_verifier, return_to"
    };
}

const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM oauth_states WHERE nonce_hash = $1 AND used_at IS NULL AND expires_at > $2"
);

const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM oauth_states WHERE nonce_hash = $1)";

/// Whether anything was ever asked for under this digest, used up or not.
pub async fn is_there(db: &Db, nonce_digest: &str) -> Result<bool, StorageError> {
    Ok(on_db!(db, c => sqlx::query_scalar(EXISTS).bind(nonce_digest).fetch_one(c).await)?)
}

/// What was asked for and may still be taken, without taking it.
pub async fn find(
    tx: &mut Tx,
    nonce_digest: &str,
    now: DateTime<Utc>,
) -> Result<Option<OAuthState>, StorageError> {
    Ok(on_db!(tx, c => sqlx::query_as(FIND).bind(nonce_digest).bind(now).fetch_optional(c).await)?)
}

// The condition and the mark are one statement: of two answers at once, one goes on.
const CONSUME: &str = concat!(
    "UPDATE oauth_states SET used_at = $2 WHERE nonce_hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING ",
    columns!()
);
const USED_AT: &str = "SELECT used_at FROM oauth_states WHERE nonce_hash = $1";

/// Takes what was asked for, once.
pub async fn take(
    tx: &mut Tx,
    nonce_digest: &str,
    now: DateTime<Utc>,
) -> Result<ConsumedState, StorageError> {
    let state: Option<OAuthState> =
        on_db!(tx, c => sqlx::query_as(CONSUME).bind(nonce_digest).bind(now).fetch_optional(c).await)?;
    if let Some(state) = state {
        return Ok(ConsumedState::State(state));
    }
    let used_at: Option<Option<DateTime<Utc>>> =
        on_db!(tx, c => sqlx::query_scalar(USED_AT).bind(nonce_digest).fetch_optional(c).await)?;
    Ok(match used_at {
        None => ConsumedState::Unknown,
        Some(None) => ConsumedState::Expired,
        Some(Some(_)) => ConsumedState::Used,
    })
}

/// What is so at this moment, for whoever comes back from a consent page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
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
) -> Result<CallbackRights, StorageError> {
    Ok(on_db!(tx, c => sqlx::query_as(RIGHTS)
        .bind(state.business_id)
        .bind(state.staff_id)
        .bind(session_digest)
        .bind(now)
        .bind(state.api_key_id)
        .fetch_one(c)
        .await)?)
}

const DELETE_FOR_SESSION: &str = "DELETE FROM oauth_states WHERE session_hash = $1 AND used_at IS NULL";

/// Nothing comes any more of what a browser session asked for.
pub(crate) async fn delete_for_session(tx: &mut Tx, session_digest: &str) -> Result<(), StorageError> {
    on_db!(tx, c => sqlx::query(DELETE_FOR_SESSION).bind(session_digest).execute(c).await.map(drop))?;
    Ok(())
}

const DELETE_FOR_USER: &str = "
    DELETE FROM oauth_states WHERE used_at IS NULL AND session_hash IN (
        SELECT token_hash FROM sessions WHERE business_id = $1 AND user_id = $2)";

/// Nothing comes any more of what anybody asked for in a session of this person. It must come before their sessions go.
pub(crate) async fn delete_for_user(
    tx: &mut Tx,
    business: BusinessId,
    user: UserId,
) -> Result<(), StorageError> {
    on_db!(tx, c => sqlx::query(DELETE_FOR_USER).bind(business).bind(user).execute(c).await.map(drop))?;
    Ok(())
}

const DELETE_FOR_KEY: &str = "
    DELETE FROM oauth_states WHERE business_id = $1 AND api_key_id = $2 AND used_at IS NULL";

/// Nothing comes any more of what an API key asked for.
pub(crate) async fn delete_for_key(
    tx: &mut Tx,
    business: BusinessId,
    key: ApiKeyId,
) -> Result<(), StorageError> {
    on_db!(tx, c => sqlx::query(DELETE_FOR_KEY).bind(business).bind(key).execute(c).await.map(drop))?;
    Ok(())
}
