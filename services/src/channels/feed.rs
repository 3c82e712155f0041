//! The feeds that are published: a channel's own, and that of all bookings.

use concord_domain::{
    ids::{BusinessId, ChannelId},
    privacy::FeedPrivacy,
};
use concord_jobs::Context;
use concord_storage::{
    ChangeContext, StorageError, Tx, businesses, channels,
    feed_reads::{self, NewFeedRead},
    feeds::{self, Feed, FeedSubject, NewFeed},
};
use secrecy::SecretString;
use serde_json::json;

use super::{ChannelError, error::address_taken_error};
use crate::{
    feeds::{create, new_token},
    history,
};

/// Publishes a feed for a channel, whose address people come back for.
pub(super) async fn publish(
    tx: &mut Tx,
    context: &Context,
    by: &ChangeContext,
    channel: ChannelId,
    name: String,
) -> Result<Feed, StorageError> {
    let new = NewFeed {
        business: by.business,
        subject: FeedSubject::Channel(channel),
        name: name.chars().take(200).collect(),
        privacy: FeedPrivacy::Busy,
    };
    let token = new_token();
    let feed = feeds::create(tx, &new, &token, by.now).await?;
    feeds::remember(tx, &context.ring, &feed, &token).await?;
    channels::set_feed(tx, by.business, channel, feed.id).await?;
    Ok(feed)
}

/// Gives the feed of a channel a new address. The old one opens nothing any more.
pub async fn rotate_feed(
    context: &Context,
    by: &ChangeContext,
    id: ChannelId,
) -> Result<SecretString, ChannelError> {
    let mut tx = context.db.begin().await?;
    let channel = channels::lock(&mut tx, by.business, id).await.map_err(address_taken_error)?;
    let token = new_token();
    let feed = (by.business, channel.feed_id.ok_or(ChannelError::NoChannel)?);
    let feed =
        feeds::rotate(&mut tx, &context.ring, feed, &token, by.now).await.map_err(address_taken_error)?;
    // What was taken over from the old address stays known there; what comes now is not, until somebody reads the new one.
    feed_reads::forget(&mut tx, feed.id).await?;
    history::record(&mut tx, by, "rotated", id, &json!({})).await?;
    tx.commit().await?;
    Ok(token)
}

/// Somebody has seen at the platform that it has read our feed, though no reader was known to be the platform's: as far
/// as the feed was fetched by anybody.
pub async fn confirm_read(context: &Context, by: &ChangeContext, id: ChannelId) -> Result<(), ChannelError> {
    let db = &context.db;
    let channel = channels::find(db, by.business, id).await?.ok_or(ChannelError::NoChannel)?;
    let feed = channel.feed_id.ok_or(ChannelError::NeverFetched)?;
    let feed = feeds::find(db, by.business, feed).await?.ok_or(ChannelError::NeverFetched)?;
    let readers = feed_reads::of_feed(db, by.business, feed.id).await?;
    let revision = readers.iter().map(|reader| reader.revision).max().ok_or(ChannelError::NeverFetched)?;
    let read = NewFeedRead {
        feed,
        reader: format!("Confirmed by {}", by.actor.label()),
        address: String::new(),
        person: false,
        revision,
        reads: 1,
        at: by.now,
    };
    let mut tx = db.begin().await?;
    feed_reads::note(&mut tx, &[read]).await?;
    history::record(&mut tx, by, "read_confirmed", id, &json!({ "revision": revision })).await?;
    Ok(tx.commit().await?)
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
    by: &ChangeContext,
    privacy: FeedPrivacy,
) -> Result<(SecretString, bool), StorageError> {
    if let Some((_, token)) = business_feed(context, by.business).await? {
        return Ok((token, false));
    }
    let mut tx = context.db.begin().await?;
    let business = businesses::lock(&mut tx, by.business).await?;
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
    let (feed, token) = create(&mut tx, by, &new).await?;
    feeds::remember(&mut tx, &context.ring, &feed, &token).await?;
    tx.commit().await?;
    Ok((token, true))
}
