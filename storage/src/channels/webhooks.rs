//! What a channel manager sends us about a channel: the key that it signs with, and what was taken already.

use chrono::{DateTime, Utc};
use concord_domain::ids::{BusinessId, ChannelId};
use secrecy::SecretString;

use super::Channel;
use crate::{
    Db, StorageError, Tx, on_db,
    seal::{AssociatedData, Keyring},
    secret,
};

pub(super) fn place(id: ChannelId) -> AssociatedData {
    AssociatedData { column: "channels.webhook_secret", row: id.0 }
}

const ENABLE: &str = "
    UPDATE channels SET webhook_token_hash = $3, webhook_secret = $4
    WHERE business_id = $1 AND id = $2 AND removed_at IS NULL";

/// Takes webhooks at an address with `token`, signed with `key`; what was taken under others is refused from now on.
pub async fn allow(
    tx: &mut Tx,
    ring: &Keyring,
    (business, id): (BusinessId, ChannelId),
    token: &SecretString,
    key: &SecretString,
) -> Result<(), StorageError> {
    let changed = on_db!(tx, c => sqlx::query(ENABLE)
        .bind(business)
        .bind(id)
        .bind(secret::digest(token))
        .bind(ring.seal(key, place(id)))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if changed == 0 { Err(StorageError::NotFound) } else { Ok(()) }
}

const DISABLE: &str = "
    UPDATE channels SET webhook_token_hash = NULL, webhook_secret = NULL
    WHERE business_id = $1 AND id = $2 AND removed_at IS NULL";

/// Takes no more webhooks.
pub async fn forbid(tx: &mut Tx, business: BusinessId, id: ChannelId) -> Result<(), StorageError> {
    let changed = on_db!(tx, c => sqlx::query(DISABLE)
        .bind(business)
        .bind(id)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if changed == 0 { Err(StorageError::NotFound) } else { Ok(()) }
}

const BY_TOKEN: &str = "
    SELECT business_id, id, webhook_secret FROM channels WHERE webhook_token_hash = $1 AND removed_at IS NULL";

/// The channel that takes webhooks at the address with this token, and the key that signs them.
pub async fn find_by_token(
    db: &Db,
    ring: &Keyring,
    token: &SecretString,
) -> Result<Option<(Channel, SecretString)>, StorageError> {
    let row: Option<(BusinessId, ChannelId, Option<String>)> = on_db!(db, c => sqlx::query_as(BY_TOKEN)
        .bind(secret::digest(token))
        .fetch_optional(c)
        .await)?;
    let Some((business, id, Some(sealed))) = row else { return Ok(None) };
    let key = ring.open(&sealed, place(id))?;
    Ok(super::find(db, business, id).await?.map(|channel| (channel, key)))
}

const IS_RECEIVED: &str = "
    SELECT EXISTS (SELECT 1 FROM webhook_receipts WHERE channel_id = $1 AND webhook_id = $2)";

/// Whether a webhook was taken.
pub async fn is_taken(db: &Db, channel: ChannelId, webhook: &str) -> Result<bool, StorageError> {
    Ok(on_db!(db, c => sqlx::query_scalar(IS_RECEIVED).bind(channel).bind(webhook).fetch_one(c).await)?)
}

const RECORD_RECEIPT: &str = "
    INSERT INTO webhook_receipts (channel_id, webhook_id, received_at) VALUES ($1, $2, $3)
    ON CONFLICT (channel_id, webhook_id) DO NOTHING";

/// Notes that a webhook was taken. `false`: it was taken before.
pub async fn take(
    tx: &mut Tx,
    channel: ChannelId,
    webhook: &str,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let rows = on_db!(tx, c => sqlx::query(RECORD_RECEIPT)
        .bind(channel)
        .bind(webhook)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}
