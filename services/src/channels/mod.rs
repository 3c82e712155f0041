//! Making, changing and ending channels, each in one transaction with its history and the readings that follow.
//!
//! `import` takes over a feed or a file once, after a look at its `preview`; `address_check` says what speaks against an
//! address. What channels do by themselves is `jobs::channels`.

mod address;
pub mod address_check;
pub mod address_warnings;
mod error;
mod feed;
pub mod import;
pub mod preview;
mod webhooks;

use chrono::{DateTime, Utc};
use concord_domain::{
    audit::HistorySubject,
    channel::{BlockRule, ChannelState, Preference},
    ids::{ChannelId, ResourceId},
    job::QueueClass,
    platform::Platform,
};
use concord_jobs::{Context, channels::notices};
use concord_storage::{
    ChangeContext, StorageError, Tx,
    channels::{self, Channel, ChannelSettings, ImportAddress, ListingKey, NewChannel, items},
    feeds,
    jobs::JobRef,
    platform_settings::{self, PlatformSettings},
    resources,
};
use secrecy::SecretString;
use serde_json::json;

use self::{
    address::{host_of, validate_optional_address},
    error::address_taken_error,
    feed::publish,
};
pub use self::{
    error::ChannelError,
    feed::{business_feed, confirm_read, publish_business_feed, rotate_feed},
    webhooks::{WebhookCredentials, allow_webhooks, forbid_webhooks},
};
use crate::history::{self, HistoryKey};

/// A channel that somebody wants.
#[derive(Clone, Debug)]
pub struct NewChannelRequest<'a> {
    /// What is sold there.
    pub resource: ResourceId,
    /// The platform that sells it.
    pub platform: &'a Platform,
    /// Where the platform's feed is, as somebody typed it.
    pub import_url: Option<SecretString>,
    /// Whose booking gives way.
    pub preference: Preference,
    /// What becomes of its blocks.
    pub blocks: BlockRule,
    /// Between two readings; `None`: as the business or the platform has it.
    pub interval_minutes: Option<i64>,
}

/// Makes a channel: its feed is published, and what the platform has is read at once.
pub async fn create(
    context: &Context,
    by: &ChangeContext,
    wanted: &NewChannelRequest<'_>,
) -> Result<Channel, ChannelError> {
    let db = &context.db;
    let resource = resources::find(db, by.business, wanted.resource).await?;
    let resource = resource.filter(|resource| resource.archived_at.is_none());
    let resource = resource.ok_or(ChannelError::NoResource)?;
    let address =
        validate_optional_address(context, wanted.import_url.as_ref(), Some(wanted.platform)).await?;
    let host = address.as_ref().map(host_of).unwrap_or_default();
    let new = NewChannel {
        business: by.business,
        resource: resource.id,
        platform: wanted.platform.id.as_str(),
        preference: wanted.preference,
        blocks: wanted.blocks,
        import: address.as_ref().map(|url| ImportAddress { url, host: &host }),
        polled: address.is_some(),
    };
    let (platform, url) = (wanted.platform.id.as_str(), address.as_ref());
    let listing = ListingKey { business: by.business, resource: resource.id, platform, url };
    let found = match channels::by_address(db, listing).await? {
        // What came by a file, or once, is known when the same comes by its address.
        None if url.is_some() => channels::by_address(db, ListingKey { url: None, ..listing }).await?,
        found => found,
    };
    let mut tx = db.begin().await?;
    let channel = match found {
        Some(published) if url.is_none() && published.feed_id.is_some() => {
            return Err(ChannelError::Published);
        }
        // It was read once because somebody asked: from now on it is read at its times.
        Some(once) if !once.polled => {
            let place = (by.business, once.id);
            if !once.has_import {
                // What came by a file may be of elsewhere: it stands until the feed has had it too.
                items::pin_all(&mut tx, by.business, once.id).await?;
            }
            channels::set_import(&mut tx, &context.ring, place, new.import, new.polled)
                .await
                .map_err(address_taken_error)?
        }
        Some(_) => return Err(ChannelError::AddressTaken),
        None => channels::create(&mut tx, &context.ring, &new, by.now).await.map_err(address_taken_error)?,
    };
    let settings = ChannelSettings {
        state: ChannelState::Active,
        preference: wanted.preference,
        blocks: wanted.blocks,
        interval_minutes: wanted.interval_minutes,
    };
    channels::set(&mut tx, by.business, channel.id, &settings).await?;
    if channel.feed_id.is_none() {
        let name = format!("{} for {}", resource.name, wanted.platform.name);
        publish(&mut tx, context, by, channel.id, name).await?;
    }
    let detail = json!({ "platform": channel.platform, "host": host });
    history::record(&mut tx, by, "created", channel.id, &detail).await?;
    let channel = channels::lock(&mut tx, by.business, channel.id).await?;
    let enqueued = enqueue_reading(&mut tx, &channel, by.now).await?;
    context.commit(tx, enqueued.as_slice()).await?;
    Ok(channel)
}

/// What changes of a channel; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ChannelUpdate {
    /// Whether it is kept in step.
    pub state: Option<ChannelState>,
    /// Whose booking gives way.
    pub preference: Option<Preference>,
    /// What becomes of its blocks.
    pub blocks: Option<BlockRule>,
    /// Between two readings; `Some(None)`: as the business or the platform has it.
    pub interval_minutes: Option<Option<i64>>,
    /// Where the platform's feed is; `Some(None)`: nothing is read.
    pub import_url: Option<Option<SecretString>>,
}

/// Changes a channel. What can be read differently now is read at once.
pub async fn update(
    context: &Context,
    by: &ChangeContext,
    id: ChannelId,
    changes: &ChannelUpdate,
) -> Result<Channel, ChannelError> {
    let db = &context.db;
    let before = channels::find(db, by.business, id).await?.ok_or(ChannelError::NoChannel)?;
    let typed = changes.import_url.as_ref();
    let platform = context.platforms.find(&before.platform);
    let address = validate_optional_address(context, typed.and_then(Option::as_ref), platform).await?;
    let host = address.as_ref().map(host_of).unwrap_or_default();
    let mut tx = db.begin().await?;
    let before = channels::lock(&mut tx, by.business, id).await.map_err(address_taken_error)?;
    let settings = ChannelSettings {
        state: changes.state.unwrap_or(before.state),
        preference: changes.preference.unwrap_or(before.preference),
        blocks: changes.blocks.unwrap_or(before.blocks),
        interval_minutes: changes.interval_minutes.unwrap_or(before.interval_minutes),
    };
    let mut channel = channels::set(&mut tx, by.business, id, &settings).await?;
    if typed.is_some() {
        let import = address.as_ref().map(|url| ImportAddress { url, host: &host });
        channel = channels::set_import(&mut tx, &context.ring, (by.business, id), import, import.is_some())
            .await
            .map_err(address_taken_error)?;
    }
    let said = json!({
        "state": channel.state, "preference": channel.preference, "blocks": channel.blocks,
        "interval_minutes": channel.interval_minutes, "host": channel.import_host,
    });
    history::record(&mut tx, by, "changed", id, &said).await?;
    if channel.state != ChannelState::Active {
        notices::close_all(&mut tx, &channel, by.now).await?;
    } else if !channel.polled {
        notices::close_import(&mut tx, &channel, by.now).await?;
    }
    let enqueued = enqueue_reading(&mut tx, &channel, by.now).await?;
    context.commit(tx, enqueued.as_slice()).await?;
    Ok(channel)
}

/// Ends a channel: its feed is published no more, nothing is read. Its bookings stay.
pub async fn remove(context: &Context, by: &ChangeContext, id: ChannelId) -> Result<(), ChannelError> {
    let mut tx = context.db.begin().await?;
    let channel = channels::lock(&mut tx, by.business, id).await.map_err(address_taken_error)?;
    channels::remove(&mut tx, by.business, id, by.now).await?;
    if let Some(feed) = channel.feed_id {
        match feeds::revoke(&mut tx, by.business, feed, by.now).await {
            Ok(()) | Err(StorageError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    notices::close_all(&mut tx, &channel, by.now).await?;
    history::record(&mut tx, by, "removed", id, &json!({})).await?;
    Ok(tx.commit().await?)
}

/// Reads a channel now, without waiting for its time.
pub async fn sync_now(context: &Context, by: &ChangeContext, id: ChannelId) -> Result<Channel, ChannelError> {
    let mut tx = context.db.begin().await?;
    let channel = channels::lock(&mut tx, by.business, id).await.map_err(address_taken_error)?;
    let enqueued = enqueue_reading(&mut tx, &channel, by.now).await?;
    context.commit(tx, enqueued.as_slice()).await?;
    Ok(channel)
}

/// Enqueues the reading of a channel that is kept in step, due now.
async fn enqueue_reading(
    tx: &mut Tx,
    channel: &Channel,
    now: DateTime<Utc>,
) -> Result<Option<JobRef>, StorageError> {
    if !channel.polled || channel.state != ChannelState::Active {
        return Ok(None);
    }
    channels::enqueue_poll(tx, channel, QueueClass::Interactive, now, now).await.map(Some)
}

/// Says how a business wants a platform to be treated.
pub async fn save_platform(
    context: &Context,
    by: &ChangeContext,
    said: &PlatformSettings,
) -> Result<(), StorageError> {
    let mut tx = context.db.begin().await?;
    platform_settings::save(&mut tx, by.business, said).await?;
    let detail = json!({ "platform": said.platform, "interval_minutes": said.interval_minutes,
        "preference": said.preference, "blocks": said.blocks });
    let platform = HistoryKey(HistorySubject::Platform, by.business.0);
    history::record(&mut tx, by, "changed", platform, &detail).await?;
    tx.commit().await
}
