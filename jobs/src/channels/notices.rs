//! What people read of a channel.

use chrono::{DateTime, Utc};
use concord_domain::{
    audit::HistorySubject,
    booking::Booking,
    channel::{ImportGuard, plan::Quarantine},
    ids::ChannelId,
    notice::NoticeKind,
    people::Actor,
    time_text::span,
    webhook::{ChannelPayload, Event, EventType},
};
use concord_storage::{
    StorageError, Tx,
    alerts::{self, NewFailure},
    businesses,
    channels::{Channel, runs::RunCounts},
    events, in_tx, notices, occupancy,
    resources::{self, Resource},
};

use super::zone_of;
use crate::{
    Context,
    language::{NOTICE_LANGUAGE, TextKey, dates::date_time, text},
    notify::{
        NoticeContent,
        alerts::{end, export_feed_of, feed_of},
    },
};

/// The name of a platform, or its id if it is not known any more.
pub(super) fn platform_name(context: &Context, channel: &Channel) -> String {
    let known = context.platforms.find(&channel.platform);
    known.map_or_else(|| channel.platform.clone(), |platform| platform.name.clone())
}

/// The platform, for the history of what it says.
pub(super) fn actor(context: &Context, channel: &Channel) -> Actor {
    Actor::Platform { channel: channel.id, name: platform_name(context, channel) }
}

/// `Sea View on Airbnb`.
fn name(resource: Option<Resource>, context: &Context, channel: &Channel) -> String {
    let resource = resource.map_or_else(String::new, |resource| resource.name);
    let named = [("resource", resource.into()), ("platform", platform_name(context, channel).into())];
    text(NOTICE_LANGUAGE, TextKey::ChannelName, named)
}

/// What the channel sells, by whoever has a transaction in hand.
async fn channel_name_in(tx: &mut Tx, context: &Context, channel: &Channel) -> Result<String, StorageError> {
    let resource = resources::find_in(tx, channel.business_id, channel.resource_id).await?;
    Ok(name(resource, context, channel))
}

/// What a reading came to, in a line.
pub(super) fn counted(counts: RunCounts, held: Option<&Quarantine>, refused: &[String]) -> String {
    let mut parts = Vec::new();
    for (count, what) in [
        (counts.imported, "new"),
        (counts.updated, "changed"),
        (counts.cancelled, "cancelled"),
        (counts.conflicts, "in conflict"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if let Some(held) = held {
        parts.push(import_guard(held.import_guard, held.items, held.of));
    }
    if let Some(first) = refused.first() {
        parts.push(format!("{} not imported: {first}", refused.len()));
    }
    if parts.is_empty() { "no changes".to_owned() } else { parts.join(", ") }
}

/// What is held back, in a few words.
fn import_guard(import_guard: ImportGuard, items: usize, of: usize) -> String {
    match import_guard {
        ImportGuard::Empty => format!("the calendar was empty: {items} held for review"),
        ImportGuard::Shrunk => format!("{items} of {of} are missing: held for review"),
    }
}

fn link(channel: ChannelId) -> String {
    format!("/channels/{channel}")
}

/// What managers are told of a channel itself, once until it is over.
#[derive(Clone, Copy, Debug)]
pub enum ChannelNotice {
    /// Reservations that were typed in are not in its feed.
    NotInFeed,
    /// A reading is held back until somebody has looked at it.
    Quarantined,
}

impl ChannelNotice {
    fn kind(self) -> NoticeKind {
        match self {
            Self::NotInFeed => NoticeKind::NotInFeed,
            Self::Quarantined => NoticeKind::FeedQuarantined,
        }
    }

    fn key(self, channel: ChannelId) -> String {
        match self {
            Self::NotInFeed => format!("channel_by_hand:{channel}"),
            Self::Quarantined => format!("channel_held:{channel}"),
        }
    }

    /// It is so no more. Other systems are told of it where they were told that it was.
    pub async fn close(self, tx: &mut Tx, channel: &Channel, now: DateTime<Utc>) -> Result<(), StorageError> {
        let closed = notices::close(tx, channel.business_id, &self.key(channel.id), now).await?;
        if closed > 0 && self.event_type().is_some() {
            tell(tx, channel, EventType::ChannelRecovered, None, now).await?;
        }
        Ok(())
    }

    /// What other systems are told.
    fn event_type(self) -> Option<EventType> {
        match self {
            Self::Quarantined => Some(EventType::ChannelQuarantined),
            Self::NotInFeed => None,
        }
    }
}

/// What managers are told of the channel itself.
async fn raise(
    tx: &mut Tx,
    context: &Context,
    channel: &Channel,
    notice: ChannelNotice,
    (headline, detail): (String, String),
) -> Result<(), StorageError> {
    let subject = (HistorySubject::Channel, channel.id.0);
    let (kind, dedupe_key) = (notice.kind(), notice.key(channel.id));
    let content =
        NoticeContent { kind, subject, headline, detail, link: link(channel.id), dedupe_key, alert: None };
    let reason = content.headline.clone();
    let is_news = content.raise_to_managers(tx, context, channel.business_id).await?;
    if let Some(kind) = notice.event_type().filter(|_| is_news) {
        tell(tx, channel, kind, Some(reason), context.clock.now()).await?;
    }
    Ok(())
}

/// Tells other systems of the channel; what delivers it, the sweep brings.
async fn tell(
    tx: &mut Tx,
    channel: &Channel,
    kind: EventType,
    reason: Option<String>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let payload = ChannelPayload {
        channel: channel.id,
        resource: channel.resource_id,
        platform: channel.platform.clone(),
        reason,
    };
    events::publish(tx, channel.business_id, &Event::channel(kind, &payload), now).await.map(drop)
}

/// Tells that a platform's reservation has no room, once for each booking and start. What is over is closed by
/// `close_past_conflicts`.
pub(super) async fn conflict(
    context: &Context,
    channel: &Channel,
    booking: &Booking,
) -> Result<(), StorageError> {
    let resource = resources::find(&context.db, channel.business_id, channel.resource_id).await?;
    let when = when(context, channel, (booking, resource.as_ref())).await?;
    let name = name(resource, context, channel);
    let named = [
        ("time", when.into()),
        ("others", beside(context, booking).await?.into()),
        ("preference", channel.preference.as_str().into()),
        ("platform", platform_name(context, channel).into()),
    ];
    let content = NoticeContent {
        kind: NoticeKind::Conflict,
        subject: (HistorySubject::Booking, booking.id.0),
        headline: text(NOTICE_LANGUAGE, TextKey::ConflictHeadline, [("channel", name.into())]),
        detail: text(NOTICE_LANGUAGE, TextKey::ConflictDetail, named),
        link: format!("/bookings/{}", booking.reference),
        dedupe_key: format!("channel_conflict:{}:{}", booking.id, booking.interval.start.timestamp()),
        alert: None,
    };
    in_tx!(context.db, tx => content.raise_to_managers(&mut tx, context, channel.business_id).await).map(drop)
}

/// When a booking takes place, as a guest of its resource would say it: "Sat 5 to Tue 8 Dec".
async fn when(
    context: &Context,
    channel: &Channel,
    (booking, resource): (&Booking, Option<&Resource>),
) -> Result<String, StorageError> {
    let zone = zone_of(&context.db, channel.business_id, resource).await?;
    let today = context.clock.now().with_timezone(&zone).date_naive();
    Ok(span(&booking.draft.time, zone, today).text)
}

/// What stands where the booking does: the references of the first three. Their titles may be names, and a notice of one booking
/// is not looked through when the customer of another is erased.
async fn beside(context: &Context, booking: &Booking) -> Result<String, StorageError> {
    let (others, _) = occupancy::beside(&context.db, booking).await?;
    let named: Vec<String> = others.iter().take(3).map(occupancy_label).collect();
    Ok(match others.len() - named.len() {
        0 if named.is_empty() => "another booking".to_owned(),
        0 => named.join(" and "),
        more => format!("{} and {more} more", named.join(", ")),
    })
}

fn occupancy_label(other: &occupancy::OccupiedInterval) -> String {
    let of_calendar =
        || other.calendar.as_ref().map(|calendar| format!("busy time in the calendar {calendar}"));
    let named = other.reference.as_ref().map(|reference| format!("the booking {reference}"));
    named.or_else(of_calendar).unwrap_or_else(|| "another booking".to_owned())
}

/// Notes that a feed cannot be read: people are told when that lasts.
pub(super) async fn unread(
    tx: &mut Tx,
    context: &Context,
    channel: &Channel,
    reason: &str,
) -> Result<(), StorageError> {
    let (name, now) = (channel_name_in(tx, context, channel).await?, context.clock.now());
    let headline = text(NOTICE_LANGUAGE, TextKey::FeedUnreadHeadline, [("channel", name.into())]);
    let failure = NewFailure {
        subject: feed_of(channel.business_id, channel.id),
        staff: None,
        headline: &headline,
        cause: &text(NOTICE_LANGUAGE, TextKey::FeedUnreadDetail, [("reason", reason.into())]),
        link: &link(channel.id),
    };
    if alerts::note_failure(tx, &failure, now).await? {
        tell(tx, channel, EventType::ChannelFailing, Some(headline.clone()), now).await?;
    }
    Ok(())
}

/// Notes that the platform has stopped reading our feed, last at `last_read`, and may sell so many nights that are taken.
pub(super) async fn export_unread(
    tx: &mut Tx,
    context: &Context,
    channel: &Channel,
    (last_read, nights): (DateTime<Utc>, i64),
) -> Result<(), StorageError> {
    let zone = businesses::find_in(tx, channel.business_id).await?.ok_or(StorageError::NotFound)?.zone;
    let (platform, now) = (platform_name(context, channel), context.clock.now());
    let named = [
        ("channel", channel_name_in(tx, context, channel).await?.into()),
        ("platform", platform.clone().into()),
    ];
    let detail = [
        ("platform", platform.into()),
        ("at", date_time(last_read, zone, NOTICE_LANGUAGE).into()),
        ("nights", nights.into()),
    ];
    let failure = NewFailure {
        subject: export_feed_of(channel.business_id, channel.id),
        staff: None,
        headline: &text(NOTICE_LANGUAGE, TextKey::ExportUnreadHeadline, named),
        cause: &text(NOTICE_LANGUAGE, TextKey::ExportUnreadDetail, detail),
        link: &link(channel.id),
    };
    alerts::note_failure(tx, &failure, now).await.map(drop)
}

/// The feed is read again.
pub(super) async fn read(tx: &mut Tx, channel: &Channel, now: DateTime<Utc>) -> Result<(), StorageError> {
    if alerts::note_healthy(tx, feed_of(channel.business_id, channel.id), now).await? {
        tell(tx, channel, EventType::ChannelRecovered, None, now).await?;
    }
    Ok(())
}

/// Tells that cancellations are held back, once while that lasts.
pub(super) async fn notify_quarantined(
    tx: &mut Tx,
    context: &Context,
    channel: &Channel,
    held: &Quarantine,
) -> Result<(), StorageError> {
    let zone = businesses::find_in(tx, channel.business_id).await?.ok_or(StorageError::NotFound)?.zone;
    let named =
        [("channel", channel_name_in(tx, context, channel).await?.into()), ("count", held.items.into())];
    let headline = text(NOTICE_LANGUAGE, TextKey::FeedQuarantinedHeadline, named);
    let until = date_time(held.until, zone, NOTICE_LANGUAGE);
    let detail = text(NOTICE_LANGUAGE, TextKey::FeedQuarantinedDetail, [("until", until.into())]);
    raise(tx, context, channel, ChannelNotice::Quarantined, (headline, detail)).await
}

/// Tells that the feed lacks what was imported by hand, once while that lasts; `items`: how many, none: it has them.
pub(super) async fn not_in_the_feed(
    tx: &mut Tx,
    context: &Context,
    channel: &Channel,
    items: usize,
) -> Result<(), StorageError> {
    let now = context.clock.now();
    if items == 0 {
        return ChannelNotice::NotInFeed.close(tx, channel, now).await;
    }
    let named = [("channel", channel_name_in(tx, context, channel).await?.into()), ("count", items.into())];
    let headline = text(NOTICE_LANGUAGE, TextKey::NotInFeedHeadline, named);
    let detail = text(NOTICE_LANGUAGE, TextKey::NotInFeedDetail, []);
    raise(tx, context, channel, ChannelNotice::NotInFeed, (headline, detail)).await
}

/// The channel is not kept in step any more: nothing that was said of it is still so.
pub async fn close_all(tx: &mut Tx, channel: &Channel, now: DateTime<Utc>) -> Result<(), StorageError> {
    close_import(tx, channel, now).await?;
    end(tx, export_feed_of(channel.business_id, channel.id), now).await
}

/// The platform's feed is not read any more: nothing that was said of it is still so.
pub async fn close_import(tx: &mut Tx, channel: &Channel, now: DateTime<Utc>) -> Result<(), StorageError> {
    for notice in [ChannelNotice::NotInFeed, ChannelNotice::Quarantined] {
        notices::close(tx, channel.business_id, &notice.key(channel.id), now).await?;
    }
    end(tx, feed_of(channel.business_id, channel.id), now).await
}
