//! Making, changing and ending channels, each in one transaction with its history and the readings that follow.

use concord_domain::{
    audit::HistorySubject,
    channel::{BlockRule, ChannelState, Preference},
    ids::{BusinessId, ChannelId, ResourceId},
    job::QueueClass,
    platform::Platform,
    privacy::FeedPrivacy,
};
use concord_providers::{FeedError, feed_address};
use concord_storage::{
    StorageError, Tx,
    bookings::ChangeContext,
    businesses,
    channels::{self, Channel, ChannelSettings, ImportAddress, ListingKey, NewChannel, items, webhooks},
    feed_reads::{self, NewFeedRead},
    feeds::{self, Feed, FeedSubject, NewFeed},
    history,
    platform_settings::{self, PlatformSettings},
    resources, secret,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{import::host_of, own_feed::is_our_feed};
use crate::Context;

/// Why a channel was not made or changed. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The address cannot be one.
    #[error(transparent)]
    Address(#[from] FeedError),
    /// The resource reads that address already.
    #[error("this link is already imported for this resource")]
    AddressTaken,
    /// It was connected without an address before.
    #[error("this resource is already published for this platform")]
    Published,
    /// The address is one of ours: what would be read is what is published.
    #[error("this is one of Concord's own feeds: paste the link that the platform shows")]
    OwnFeed,
    /// There is none.
    #[error("unknown resource")]
    NoResource,
    /// There is none.
    #[error("unknown channel")]
    NoChannel,
    /// The platform gives nothing to read.
    #[error("{0} has no calendar to import")]
    NothingToRead(String),
    /// Nobody can have read what was never fetched.
    #[error("our calendar link has not been fetched yet: paste it at the platform first")]
    NeverFetched,
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A channel that somebody wants.
#[derive(Clone, Debug)]
pub struct NewChannelRequest<'a> {
    /// What is sold there.
    pub resource: ResourceId,
    /// Where.
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
    change: &ChangeContext,
    wanted: &NewChannelRequest<'_>,
) -> Result<Channel, ChannelError> {
    let db = &context.db;
    let resource = resources::find(db, change.business, wanted.resource).await?;
    let resource = resource.filter(|resource| resource.archived_at.is_none());
    let resource = resource.ok_or(ChannelError::NoResource)?;
    let address =
        validate_optional_address(context, wanted.import_url.as_ref(), Some(wanted.platform)).await?;
    let host = address.as_ref().map(host_of).unwrap_or_default();
    let new = NewChannel {
        business: change.business,
        resource: resource.id,
        platform: wanted.platform.id.as_str(),
        preference: wanted.preference,
        blocks: wanted.blocks,
        import: address.as_ref().map(|url| ImportAddress { url, host: &host }),
        polled: address.is_some(),
    };
    let (platform, url) = (wanted.platform.id.as_str(), address.as_ref());
    let listing = ListingKey { business: change.business, resource: resource.id, platform, url };
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
            let place = (change.business, once.id);
            if !once.has_import {
                // What came by a file may be of elsewhere: it stands until the feed has had it too.
                items::pin_all(&mut tx, change.business, once.id).await?;
            }
            channels::set_import(&mut tx, &context.ring, place, new.import, new.polled)
                .await
                .map_err(address_taken_error)?
        }
        Some(_) => return Err(ChannelError::AddressTaken),
        None => {
            channels::create(&mut tx, &context.ring, &new, change.now).await.map_err(address_taken_error)?
        }
    };
    let settings = ChannelSettings {
        state: ChannelState::Active,
        preference: wanted.preference,
        blocks: wanted.blocks,
        interval_minutes: wanted.interval_minutes,
    };
    channels::set(&mut tx, change.business, channel.id, &settings).await?;
    if channel.feed_id.is_none() {
        let name = format!("{} for {}", resource.name, wanted.platform.name);
        publish(&mut tx, context, change, channel.id, name).await?;
    }
    note(&mut tx, change, channel.id, "created", &json!({ "platform": channel.platform, "host": host }))
        .await?;
    let channel = channels::lock(&mut tx, change.business, channel.id).await?;
    let mut enqueued = Vec::new();
    if channel.polled {
        let now = change.now;
        enqueued.push(channels::enqueue_poll(&mut tx, &channel, QueueClass::Interactive, now, now).await?);
    }
    tx.commit().await?;
    context.push(&enqueued).await;
    Ok(channel)
}

/// Publishes a feed for a channel, whose address people come back for.
async fn publish(
    tx: &mut Tx,
    context: &Context,
    change: &ChangeContext,
    channel: ChannelId,
    name: String,
) -> Result<Feed, StorageError> {
    let new = NewFeed {
        business: change.business,
        subject: FeedSubject::Channel(channel),
        name: name.chars().take(200).collect(),
        privacy: FeedPrivacy::Busy,
    };
    let token = secret::new_token("cf_");
    let feed = feeds::create(tx, &new, &token, change.now).await?;
    feeds::remember(tx, &context.ring, &feed, &token).await?;
    channels::set_feed(tx, change.business, channel, feed.id).await?;
    Ok(feed)
}

async fn validate_optional_address(
    context: &Context,
    url: Option<&SecretString>,
    platform: Option<&Platform>,
) -> Result<Option<SecretString>, ChannelError> {
    match url {
        Some(url) => checked(context, url, platform).await.map(Some),
        None => Ok(None),
    }
}

/// An address that can be read, in its one spelling.
pub async fn checked(
    context: &Context,
    url: &SecretString,
    platform: Option<&Platform>,
) -> Result<SecretString, ChannelError> {
    if let Some(platform) = platform.filter(|platform| !platform.exports) {
        return Err(ChannelError::NothingToRead(platform.name.clone()));
    }
    let address = feed_address(url.expose_secret())?;
    context.feeds.judge(&address)?;
    let is_ours = is_our_feed(context, &address).await?;
    if is_ours { Err(ChannelError::OwnFeed) } else { Ok(String::from(address).into()) }
}

fn address_taken_error(error: StorageError) -> ChannelError {
    match error {
        StorageError::Exists => ChannelError::AddressTaken,
        StorageError::NotFound => ChannelError::NoChannel,
        other => other.into(),
    }
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
    change: &ChangeContext,
    id: ChannelId,
    changes: &ChannelUpdate,
) -> Result<Channel, ChannelError> {
    let db = &context.db;
    let before = channels::find(db, change.business, id).await?.ok_or(ChannelError::NoChannel)?;
    let typed = changes.import_url.as_ref();
    let platform = context.platforms.find(&before.platform);
    let address = validate_optional_address(context, typed.and_then(Option::as_ref), platform).await?;
    let host = address.as_ref().map(host_of).unwrap_or_default();
    let mut tx = db.begin().await?;
    let before = channels::lock(&mut tx, change.business, id).await.map_err(address_taken_error)?;
    let settings = ChannelSettings {
        state: changes.state.unwrap_or(before.state),
        preference: changes.preference.unwrap_or(before.preference),
        blocks: changes.blocks.unwrap_or(before.blocks),
        interval_minutes: changes.interval_minutes.unwrap_or(before.interval_minutes),
    };
    let mut channel = channels::set(&mut tx, change.business, id, &settings).await?;
    if typed.is_some() {
        let import = address.as_ref().map(|url| ImportAddress { url, host: &host });
        channel =
            channels::set_import(&mut tx, &context.ring, (change.business, id), import, import.is_some())
                .await
                .map_err(address_taken_error)?;
    }
    let said = json!({
        "state": channel.state, "preference": channel.preference, "blocks": channel.blocks,
        "interval_minutes": channel.interval_minutes, "host": channel.import_host,
    });
    note(&mut tx, change, id, "changed", &said).await?;
    let mut enqueued = Vec::new();
    if channel.polled && channel.state == ChannelState::Active {
        let now = change.now;
        enqueued.push(channels::enqueue_poll(&mut tx, &channel, QueueClass::Interactive, now, now).await?);
    }
    tx.commit().await?;
    context.push(&enqueued).await;
    Ok(channel)
}

/// Ends a channel: its feed is published no more, nothing is read. Its bookings stay.
pub async fn remove(context: &Context, change: &ChangeContext, id: ChannelId) -> Result<(), ChannelError> {
    let mut tx = context.db.begin().await?;
    let channel = channels::lock(&mut tx, change.business, id).await.map_err(address_taken_error)?;
    channels::remove(&mut tx, change.business, id, change.now).await?;
    if let Some(feed) = channel.feed_id {
        match feeds::revoke(&mut tx, change.business, feed, change.now).await {
            Ok(()) | Err(StorageError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    super::notices::close_quarantined(&mut tx, &channel, change.now).await?;
    super::notices::close_unreadable(&mut tx, &channel, change.now).await?;
    note(&mut tx, change, id, "removed", &json!({})).await?;
    Ok(tx.commit().await?)
}

/// Reads a channel now, without waiting for its time.
pub async fn sync_now(
    context: &Context,
    change: &ChangeContext,
    id: ChannelId,
) -> Result<Channel, ChannelError> {
    let mut tx = context.db.begin().await?;
    let channel = channels::lock(&mut tx, change.business, id).await.map_err(address_taken_error)?;
    let now = change.now;
    let mut enqueued = Vec::new();
    if channel.polled && channel.state == ChannelState::Active {
        enqueued.push(channels::enqueue_poll(&mut tx, &channel, QueueClass::Interactive, now, now).await?);
    }
    tx.commit().await?;
    context.push(&enqueued).await;
    Ok(channel)
}

/// Gives the feed of a channel a new address. The old one opens nothing any more.
pub async fn rotate_feed(
    context: &Context,
    change: &ChangeContext,
    id: ChannelId,
) -> Result<SecretString, ChannelError> {
    let mut tx = context.db.begin().await?;
    let channel = channels::lock(&mut tx, change.business, id).await.map_err(address_taken_error)?;
    let token = secret::new_token("cf_");
    let feed = channel.feed_id.ok_or(ChannelError::NoChannel)?;
    let feed = feeds::rotate(&mut tx, change.business, feed, &token, change.now)
        .await
        .map_err(address_taken_error)?;
    feeds::remember(&mut tx, &context.ring, &feed, &token).await?;
    // What was taken over from the old address stays known there; what comes now is not, until somebody reads the new one.
    feed_reads::forget(&mut tx, feed.id).await?;
    note(&mut tx, change, id, "rotated", &json!({})).await?;
    tx.commit().await?;
    Ok(token)
}

/// Somebody has seen at the platform that it has read our feed, though no reader was known to be the platform's: as far
/// as the feed was fetched by anybody.
pub async fn confirm_read(
    context: &Context,
    change: &ChangeContext,
    id: ChannelId,
) -> Result<(), ChannelError> {
    let db = &context.db;
    let channel = channels::find(db, change.business, id).await?.ok_or(ChannelError::NoChannel)?;
    let feed = channel.feed_id.ok_or(ChannelError::NeverFetched)?;
    let feed = feeds::find(db, change.business, feed).await?.ok_or(ChannelError::NeverFetched)?;
    let readers = feed_reads::of_feed(db, change.business, feed.id).await?;
    let revision = readers.iter().map(|reader| reader.revision).max().ok_or(ChannelError::NeverFetched)?;
    let read = NewFeedRead {
        feed,
        reader: format!("Confirmed by {}", change.actor.label()),
        address: String::new(),
        person: false,
        revision,
        reads: 1,
        at: change.now,
    };
    let mut tx = db.begin().await?;
    feed_reads::note(&mut tx, &[read]).await?;
    note(&mut tx, change, id, "read_confirmed", &json!({ "revision": revision })).await?;
    Ok(tx.commit().await?)
}

/// What a channel manager needs to tell us something: both are shown once.
#[derive(Clone, Debug)]
pub struct WebhookCredentials {
    /// Of the address.
    pub token: SecretString,
    /// By which each message is signed (Standard Webhooks, `whsec_`).
    pub secret: SecretString,
}

/// Takes webhooks for a channel from now on, under new keys, in the transaction of whoever shows them.
pub async fn allow_webhooks(
    tx: &mut Tx,
    context: &Context,
    change: &ChangeContext,
    id: ChannelId,
) -> Result<WebhookCredentials, ChannelError> {
    let keys = WebhookCredentials { token: secret::new_token("cw_"), secret: secret::new_signing_secret() };
    let place = (change.business, id);
    webhooks::allow(tx, &context.ring, place, &keys.token, &keys.secret)
        .await
        .map_err(address_taken_error)?;
    note(tx, change, id, "webhooks_allowed", &json!({})).await?;
    Ok(keys)
}

/// Takes no more webhooks for a channel.
pub async fn forbid_webhooks(
    context: &Context,
    change: &ChangeContext,
    id: ChannelId,
) -> Result<(), ChannelError> {
    let mut tx = context.db.begin().await?;
    webhooks::forbid(&mut tx, change.business, id).await.map_err(address_taken_error)?;
    note(&mut tx, change, id, "webhooks_forbidden", &json!({})).await?;
    Ok(tx.commit().await?)
}

/// Says how a business wants a platform to be treated.
pub async fn save_platform(
    context: &Context,
    change: &ChangeContext,
    said: &PlatformSettings,
) -> Result<(), StorageError> {
    let mut tx = context.db.begin().await?;
    platform_settings::save(&mut tx, change.business, said).await?;
    let detail = json!({ "platform": said.platform, "interval_minutes": said.interval_minutes,
        "preference": said.preference, "blocks": said.blocks });
    append_history_of(&mut tx, change, (HistorySubject::Platform, change.business.0), "changed", &detail)
        .await?;
    tx.commit().await
}

/// The feed of all bookings with its token, whose address people and programs come back for; `None`: nobody has published
/// it yet.
pub async fn business_feed(
    context: &Context,
    business: BusinessId,
) -> Result<Option<(Feed, SecretString)>, StorageError> {
    let Some(feed) = feeds::find_business_feed(&context.db, business).await? else { return Ok(None) };
    let token = feeds::remembered(&context.db, &context.ring, business, feed.id).await?;
    Ok(token.map(|token| (feed, token)))
}

/// Publishes the feed of all bookings. One that is there stays, and tells what it told: returned with its token is whether
/// it was made now.
pub async fn publish_business_feed(
    context: &Context,
    change: &ChangeContext,
    privacy: FeedPrivacy,
) -> Result<(SecretString, bool), StorageError> {
    if let Some((_, token)) = business_feed(context, change.business).await? {
        return Ok((token, false));
    }
    let mut tx = context.db.begin().await?;
    let business = businesses::lock(&mut tx, change.business).await?;
    // Somebody else may have asked at the same time.
    if let Some(token) = feeds::find_business_feed_token(&mut tx, &context.ring, business.id).await? {
        return Ok((token, false));
    }
    let new = NewFeed {
        business: business.id,
        subject: FeedSubject::Business,
        name: format!("{} Bookings", business.name),
        privacy,
    };
    let token = secret::new_token("cf_");
    let feed = feeds::create(&mut tx, &new, &token, change.now).await?;
    feeds::remember(&mut tx, &context.ring, &feed, &token).await?;
    let detail = json!({ "name": feed.name, "scope": feed.scope, "privacy": feed.privacy });
    append_history_of(&mut tx, change, (HistorySubject::Feed, feed.id.0), "created", &detail).await?;
    tx.commit().await?;
    Ok((token, true))
}

async fn note(
    tx: &mut Tx,
    change: &ChangeContext,
    id: ChannelId,
    action: &str,
    detail: &Value,
) -> Result<(), StorageError> {
    append_history_of(tx, change, (HistorySubject::Channel, id.0), action, detail).await
}

async fn append_history_of(
    tx: &mut Tx,
    change: &ChangeContext,
    (subject_kind, subject): (HistorySubject, Uuid),
    action: &str,
    detail: &Value,
) -> Result<(), StorageError> {
    let (business, actor) = (change.business, &change.actor);
    let line = history::NewHistoryEntry { business, actor, action, subject_kind, subject, detail };
    history::append(tx, &line, change.now).await
}
