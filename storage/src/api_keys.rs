//! Keys by which programs act for a business. Only their digests are stored.

use chrono::{DateTime, Utc};
use concord_domain::ids::{ApiKeyId, BusinessId};
use secrecy::{ExposeSecret, SecretString};

use crate::{Db, Result, Tx, oauth_states, secret, sign_in::SEEN_INTERVAL};

/// A key, without its token.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub business_id: BusinessId,
    pub name: String,
    /// How its token begins, by which a person knows it again.
    pub prefix: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    /// Since when it no longer opens anything.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// How much of a token is shown: the rest still has more than 200 random bits.
const PREFIX_CHARS: usize = 10;

/// How a token begins, by which a person knows it again.
pub(crate) fn display_prefix(token: &SecretString) -> String {
    token.expose_secret().chars().take(PREFIX_CHARS).collect()
}

macro_rules! columns {
    () => {
        "id, business_id, name, prefix, created_at, last_used_at, revoked_at"
    };
}

const CREATE: &str = returning!(
    "INSERT INTO api_keys (id, business_id, name, prefix, token_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)"
);

/// Stores a key. The token comes from `secret::new_token("ck_")` and is shown once.
pub async fn create(
    tx: &mut Tx,
    business: BusinessId,
    name: &str,
    token: &SecretString,
    now: DateTime<Utc>,
) -> Result<ApiKey> {
    one!(tx, CREATE, ApiKeyId::new(now), business, name, display_prefix(token), secret::digest(token), now)
}

const LIST: &str = select!("FROM api_keys WHERE business_id = $1 ORDER BY created_at, id");

/// All keys of a business, the revoked ones too.
pub async fn list(db: &Db, business: BusinessId) -> Result<Vec<ApiKey>> {
    all!(db, LIST, business)
}

const FIND: &str = select!("FROM api_keys WHERE business_id = $1 AND id = $2 AND revoked_at IS NULL");

/// A key of a business that still opens something.
pub async fn find(db: &Db, business: BusinessId, id: ApiKeyId) -> Result<Option<ApiKey>> {
    optional!(db, FIND, business, id)
}

const FIND_BY_DIGEST: &str = select!("FROM api_keys WHERE token_hash = $1 AND revoked_at IS NULL");

/// The key that has this digest (`secret::digest`), if it still opens anything.
pub async fn find_by_digest(db: &Db, digest: &str) -> Result<Option<ApiKey>> {
    optional!(db, FIND_BY_DIGEST, digest)
}

const TOUCH: &str = "
    UPDATE api_keys SET last_used_at = $3
    WHERE business_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3)";

/// Notes that a key was used, at most once a minute. Returns whether it was noted.
pub async fn touch(db: &Db, key: &ApiKey, now: DateTime<Utc>) -> Result<bool> {
    if key.last_used_at.is_some_and(|last| now - last < SEEN_INTERVAL) {
        return Ok(false);
    }
    let noted = in_tx!(db, tx => changed!(tx, TOUCH, key.business_id, key.id, now))?;
    Ok(noted == 1)
}

const REVOKE: &str = "
    UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $3) WHERE business_id = $1 AND id = $2";

/// It no longer opens anything, and what it was connecting ends.
pub async fn revoke(tx: &mut Tx, business: BusinessId, id: ApiKeyId, now: DateTime<Utc>) -> Result<()> {
    oauth_states::delete_for_key(tx, business, id).await?;
    must_change!(tx, REVOKE, business, id, now)
}
