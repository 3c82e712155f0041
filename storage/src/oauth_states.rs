//! Consents that were asked for: what must be known when the provider sends the browser back.

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::ProviderKind,
    ids::{BusinessId, StaffId},
};

use uuid::Uuid;

use crate::{
    StorageError, Tx, on_db,
    seal::{Keyring, Place},
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
pub enum Taken {
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
        expires_at, created_at)
    SELECT $1, business_id, id, $4, $5, $6, $7, $8, $9 FROM staff WHERE business_id = $2 AND id = $3";

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
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if made == 0 { Err(StorageError::NotFound) } else { Ok(()) }
}

/// Where the verifier of a consent is sealed. The row is named by a digest; its first half makes the identity that the
/// seal is bound to.
pub fn verifier_place(nonce_digest: &str) -> Place {
    let row = nonce_digest.get(..32).and_then(|half| Uuid::try_parse(half).ok()).unwrap_or_default();
    Place { column: "oauth_states.pkce_verifier", row }
}

const UNDER_WAY: &str = "SELECT nonce_hash, pkce_verifier FROM oauth_states WHERE used_at IS NULL";
const RESEAL: &str = "UPDATE oauth_states SET pkce_verifier = $2 WHERE nonce_hash = $1";

/// Seals the verifiers of consents under way again, with the current key. Those that no key opens are left as they are:
/// they are over in a quarter of an hour.
pub(crate) async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<(), StorageError> {
    let rows: Vec<(String, String)> = on_db!(tx, c => sqlx::query_as(UNDER_WAY).fetch_all(c).await)?;
    for (nonce_digest, sealed) in rows {
        let place = verifier_place(&nonce_digest);
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

// The condition and the mark are one statement: of two answers at once, one goes on.
const TAKE: &str = "
    UPDATE oauth_states SET used_at = $2 WHERE nonce_hash = $1 AND used_at IS NULL AND expires_at > $2
    RETURNING business_id, staff_id, session_hash, provider, pkce_verifier, return_to";
const USED_AT: &str = "SELECT used_at FROM oauth_states WHERE nonce_hash = $1";

/// Takes what was asked for, once.
pub async fn take(tx: &mut Tx, nonce_digest: &str, now: DateTime<Utc>) -> Result<Taken, StorageError> {
    let state: Option<OAuthState> =
        on_db!(tx, c => sqlx::query_as(TAKE).bind(nonce_digest).bind(now).fetch_optional(c).await)?;
    if let Some(state) = state {
        return Ok(Taken::State(state));
    }
    let used_at: Option<Option<DateTime<Utc>>> =
        on_db!(tx, c => sqlx::query_scalar(USED_AT).bind(nonce_digest).fetch_optional(c).await)?;
    Ok(match used_at {
        None => Taken::Unknown,
        Some(None) => Taken::Expired,
        Some(Some(_)) => Taken::Used,
    })
}
