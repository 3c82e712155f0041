//! The tokens of a connection, sealed.

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::ConnectionState,
    ids::{BusinessId, ConnectionId},
};
use secrecy::SecretString;

use super::ConnectionTokens;
use crate::{
    Db, Result, Tx, oauth_states,
    seal::{AssociatedData, Keyring},
};

/// The tokens as they are kept.
#[derive(Debug)]
pub struct StoredTokens {
    /// For calls; `None` once the connection is over. The password, where there is a user name.
    pub access: Option<SecretString>,
    pub access_expires_at: Option<DateTime<Utc>>,
    /// For new access tokens.
    pub refresh: Option<SecretString>,
    /// Where the account's calendars are, where a person named the server.
    pub server_url: Option<String>,
    /// The name that goes with a password.
    pub username: Option<String>,
    /// Whether they are of any use.
    pub state: ConnectionState,
    /// Until when somebody may be at refreshing them.
    pub refresh_lease_until: Option<DateTime<Utc>>,
    /// `refresh` as it is stored: what a refusal of it is about.
    sealed_refresh: Option<String>,
    /// Which of the connection's grants this is.
    grant_number: i64,
}

fn place(column: &'static str, id: ConnectionId) -> AssociatedData {
    AssociatedData { column, row: id.0 }
}

/// The access and the refresh token as a row has them.
fn sealed(ring: &Keyring, id: ConnectionId, tokens: &ConnectionTokens) -> (String, Option<String>) {
    let refresh = tokens.refresh.as_ref();
    (
        ring.seal(&tokens.access, place("connections.access_token", id)),
        refresh.map(|token| ring.seal(token, place("connections.refresh_token", id))),
    )
}

const STORE_GRANT: &str = "
    UPDATE connections SET access_token = $2, access_expires_at = $3, refresh_token = COALESCE($4, refresh_token),
        refresh_lease_until = NULL, refresh_leased_by = NULL
    WHERE id = $1";

/// Stores what a consent brought, whatever was there before.
pub(super) async fn store_grant(
    tx: &mut Tx,
    ring: &Keyring,
    id: ConnectionId,
    tokens: &ConnectionTokens,
) -> Result<()> {
    let (access, refresh) = sealed(ring, id, tokens);
    exec!(tx, STORE_GRANT, id, access, tokens.access_expires_at, refresh)
}

const STORE_TOKENS: &str = "
    UPDATE connections SET access_token = $2, access_expires_at = $3, refresh_token = COALESCE($4, refresh_token),
        refresh_lease_until = CASE WHEN refresh_leased_by = $6 THEN NULL ELSE refresh_lease_until END,
        refresh_leased_by = CASE WHEN refresh_leased_by = $6 THEN NULL ELSE refresh_leased_by END
    WHERE id = $1 AND grant_number = $5";

/// Stores what a refresh of the tokens `of` a grant brought; a rotated refresh token is thereby kept before anybody uses
/// it, and the right of `holder` to refresh ends. `false`: the grant was forgotten or replaced meanwhile, read again. A connection that is over keeps its grant
/// until it is forgotten, since its entries may have to be removed.
pub async fn store_tokens(
    tx: &mut Tx,
    ring: &Keyring,
    (id, holder): (ConnectionId, &str),
    of: &StoredTokens,
    tokens: &ConnectionTokens,
) -> Result<bool> {
    let (access, refresh) = sealed(ring, id, tokens);
    Ok(changed!(tx, STORE_TOKENS;
        id, access, tokens.access_expires_at, refresh, of.grant_number, holder
    )? == 1)
}

#[derive(sqlx_macros::FromRow)]
struct TokenRow {
    access_token: Option<String>,
    access_expires_at: Option<DateTime<Utc>>,
    refresh_token: Option<String>,
    refresh_lease_until: Option<DateTime<Utc>>,
    server_url: Option<String>,
    username: Option<String>,
    grant_number: i64,
    state: ConnectionState,
}

const TOKENS: &str = "
    SELECT access_token, access_expires_at, refresh_token, refresh_lease_until, server_url, username, grant_number,
        state
    FROM connections
    WHERE business_id = $1 AND id = $2";

/// The tokens of a connection, opened.
pub async fn tokens(db: &Db, ring: &Keyring, business: BusinessId, id: ConnectionId) -> Result<StoredTokens> {
    let row: TokenRow = one!(db, TOKENS, business, id)?;
    let open = |sealed: Option<String>, column| {
        sealed.map(|sealed| ring.open(&sealed, place(column, id))).transpose()
    };
    Ok(StoredTokens {
        access: open(row.access_token, "connections.access_token")?,
        access_expires_at: row.access_expires_at,
        refresh: open(row.refresh_token.clone(), "connections.refresh_token")?,
        server_url: row.server_url,
        username: row.username,
        state: row.state,
        refresh_lease_until: row.refresh_lease_until,
        sealed_refresh: row.refresh_token,
        grant_number: row.grant_number,
    })
}

const MARK_GRANT_INVALID: &str = "
    UPDATE connections SET state = 'needs_reconnect', last_error = $4, state_changed_at = $5
    WHERE business_id = $1 AND id = $2 AND refresh_token IS NOT DISTINCT FROM $3 AND grant_number = $6
      AND state NOT IN ('needs_reconnect', 'disconnected')";

/// The provider has refused the grant of `tokens`: nothing is tried until the person connects again. `false`: that is
/// known already, or the person has connected again, or disconnected, meanwhile.
pub async fn grant_died(
    tx: &mut Tx,
    (business, id): (BusinessId, ConnectionId),
    tokens: &StoredTokens,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    Ok(changed!(tx, MARK_GRANT_INVALID;
        business, id, &tokens.sealed_refresh, reason, now, tokens.grant_number
    )? == 1)
}

const DELETE_TOKENS: &str = "
    UPDATE connections SET access_token = NULL, access_expires_at = NULL, refresh_token = NULL,
        refresh_lease_until = NULL, refresh_leased_by = NULL, grant_number = grant_number + 1
    WHERE id = $1 AND state = 'disconnected' AND state_changed_at = $2";

// Its entries were kept up until now, and told ours from a person's edit.
const SCRUB_ERASED: &str = "
    UPDATE entries SET base = NULL, unknown_writes = '[]', etag = NULL, content_hash = NULL, last_error = NULL,
        revision = revision + 1
    WHERE connection_id = $1 AND base IS NOT NULL
      AND EXISTS (SELECT 1 FROM bookings b WHERE b.id = entries.booking_id AND b.erased_at IS NOT NULL)";

/// Forgets the tokens of a connection that is over since then. `false`: it was connected again meanwhile, and these are
/// the tokens of another consent. Of bookings whose people were erased, what stands in its calendars is forgotten with them.
pub async fn delete_tokens(tx: &mut Tx, id: ConnectionId, over_since: DateTime<Utc>) -> Result<bool> {
    let is_over = changed!(tx, DELETE_TOKENS, id, over_since)? == 1;
    if is_over {
        exec!(tx, SCRUB_ERASED, id)?;
    }
    Ok(is_over)
}

#[derive(sqlx_macros::FromRow)]
struct SealedTokensRow {
    id: ConnectionId,
    access_token: Option<String>,
    refresh_token: Option<String>,
}

const SEALED: &str = "
    SELECT id, access_token, refresh_token FROM connections
    WHERE access_token IS NOT NULL OR refresh_token IS NOT NULL ORDER BY id";
/// The same, where there is more than one writer: a token that is refreshed meanwhile waits for its row, or the old one
/// would be written over it.
const SEALED_AND_LOCKED: &str = "
    SELECT id, access_token, refresh_token FROM connections
    WHERE access_token IS NOT NULL OR refresh_token IS NOT NULL ORDER BY id FOR NO KEY UPDATE";
const RESEAL: &str = "
    UPDATE connections SET access_token = COALESCE($2, access_token), refresh_token = COALESCE($3, refresh_token)
    WHERE id = $1";

/// Seals again, with the current key, all that an older key sealed; the consents that are under way, too. Returns how
/// many connections changed.
pub async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<u64> {
    oauth_states::rotate_keys(tx, ring).await?;
    let rows: Vec<SealedTokensRow> = all!(tx, either(SEALED, SEALED_AND_LOCKED))?;
    let mut changed = 0;
    for row in rows {
        let again = |sealed: &Option<String>, column| {
            sealed.as_ref().map_or(Ok(None), |sealed| ring.reseal(sealed, place(column, row.id)))
        };
        let access = again(&row.access_token, "connections.access_token")?;
        let refresh = again(&row.refresh_token, "connections.refresh_token")?;
        if access.is_none() && refresh.is_none() {
            continue;
        }
        exec!(tx, RESEAL, row.id, access, refresh)?;
        changed += 1;
    }
    Ok(changed)
}

/// Of how many connections no key of the ring opens the tokens, and of how many it should.
pub async fn unopened(db: &Db, ring: &Keyring) -> Result<(usize, usize)> {
    let rows: Vec<SealedTokensRow> = all!(db, SEALED)?;
    let opens = |sealed: &Option<String>, column, id| {
        sealed.as_ref().is_none_or(|sealed| ring.open(sealed, place(column, id)).is_ok())
    };
    let unopened = rows.iter().filter(|row| {
        !(opens(&row.access_token, "connections.access_token", row.id)
            && opens(&row.refresh_token, "connections.refresh_token", row.id))
    });
    Ok((unopened.count(), rows.len()))
}
