//! What a channel manager sends us about a channel: the key that it signs with, and what was taken already.

use chrono::{DateTime, Utc};
use concord_domain::ids::{BusinessId, ChannelId};
use secrecy::SecretString;

use super::Channel;
use crate::{
    Db, Result, Tx,
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
) -> Result<()> {
    must_change!(tx, ENABLE, business, id, secret::digest(token), ring.seal(key, place(id)))
}

const DISABLE: &str = "
    UPDATE channels SET webhook_token_hash = NULL, webhook_secret = NULL
    WHERE business_id = $1 AND id = $2 AND removed_at IS NULL";

/// Takes no more webhooks.
pub async fn forbid(tx: &mut Tx, business: BusinessId, id: ChannelId) -> Result<()> {
    must_change!(tx, DISABLE, business, id)
}

const BY_TOKEN: &str = "
    SELECT business_id, id, webhook_secret FROM channels WHERE webhook_token_hash = $1 AND removed_at IS NULL";

/// The channel that takes webhooks at the address with this token, and the key that signs them.
pub async fn find_by_token(
    db: &Db,
    ring: &Keyring,
    token: &SecretString,
) -> Result<Option<(Channel, SecretString)>> {
    let row: Option<(BusinessId, ChannelId, Option<String>)> =
        optional!(db, BY_TOKEN, secret::digest(token))?;
    let Some((business, id, Some(sealed))) = row else { return Ok(None) };
    let key = ring.open(&sealed, place(id))?;
    Ok(super::find(db, business, id).await?.map(|channel| (channel, key)))
}

const IS_RECEIVED: &str = "
    SELECT EXISTS (SELECT 1 FROM webhook_receipts WHERE channel_id = $1 AND webhook_id = $2)";

/// Whether a webhook was taken.
pub async fn is_taken(db: &Db, channel: ChannelId, webhook: &str) -> Result<bool> {
    scalar!(db, IS_RECEIVED, channel, webhook)
}

const RECORD_RECEIPT: &str = "
    INSERT INTO webhook_receipts (channel_id, webhook_id, received_at) VALUES ($1, $2, $3)
    ON CONFLICT (channel_id, webhook_id) DO NOTHING";

/// Notes that a webhook was taken. `false`: it was taken before.
pub async fn take(tx: &mut Tx, channel: ChannelId, webhook: &str, now: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, RECORD_RECEIPT, channel, webhook, now)? == 1)
}
