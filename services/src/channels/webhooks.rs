//! Webhooks of channel managers: allowed under new keys, and forbidden.

use concord_domain::ids::ChannelId;
use concord_jobs::Context;
use concord_storage::{ChangeContext, Tx, channels::webhooks, secret};
use secrecy::SecretString;
use serde_json::json;

use super::{ChannelError, error::address_taken_error};
use crate::history;

/// What a channel manager needs to tell us something: both are shown once.
#[derive(Clone, Debug)]
pub struct WebhookCredentials {
    /// What the address ends with.
    pub token: SecretString,
    /// By which each message is signed (Standard Webhooks, `whsec_`).
    pub secret: SecretString,
}

/// Takes webhooks for a channel from now on, under new keys, in the transaction of whoever shows them.
pub async fn allow_webhooks(
    tx: &mut Tx,
    context: &Context,
    by: &ChangeContext,
    id: ChannelId,
) -> Result<WebhookCredentials, ChannelError> {
    let keys = WebhookCredentials { token: secret::new_token("cw_"), secret: secret::new_signing_secret() };
    let place = (by.business, id);
    webhooks::allow(tx, &context.ring, place, &keys.token, &keys.secret)
        .await
        .map_err(address_taken_error)?;
    history::record(tx, by, "webhooks_allowed", id, &json!({})).await?;
    Ok(keys)
}

/// Takes no more webhooks for a channel.
pub async fn forbid_webhooks(
    context: &Context,
    by: &ChangeContext,
    id: ChannelId,
) -> Result<(), ChannelError> {
    let mut tx = context.db.begin().await?;
    webhooks::forbid(&mut tx, by.business, id).await.map_err(address_taken_error)?;
    history::record(&mut tx, by, "webhooks_forbidden", id, &json!({})).await?;
    Ok(tx.commit().await?)
}
