//! What a platform does not know yet: the nights that it may sell although they are taken.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use concord_domain::{
    channel::exposure::{exposed_nights, nights},
    ids::{BookingId, BusinessId, ChannelId, FeedId},
    interval::Interval,
};
use concord_storage::{
    Db, StorageError,
    bookings::{self, FeedRange},
    channels::{
        Channel,
        exposure::{self, ChannelInterval},
        items, published,
    },
    feed_reads::{self, FeedRead},
    feeds, resources,
};

use super::zone_of;

/// What a platform knows of a channel.
#[derive(Clone, Debug, Default)]
pub struct Exposure {
    /// When it last read our feed.
    pub last_read: Option<FeedRead>,
    /// The revision of our feed now.
    pub revision: i64,
    /// Bookings that it does not know of and that take one of `nights`, by start, each with when it was made or moved.
    pub unknown: Vec<UnreadBooking>,
    /// The nights, or days of appointments, that it may sell although they are taken: not those that it has sold or closed
    /// itself.
    pub nights: BTreeSet<NaiveDate>,
}

/// A booking of which a platform does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadBooking {
    pub booking: BookingId,
    pub reference: String,
    pub interval: Interval,
    /// Since when it is so.
    pub since: DateTime<Utc>,
}

impl Exposure {
    /// How many nights it may sell although they are taken.
    pub fn nights(&self) -> i64 {
        i64::try_from(self.nights.len()).unwrap_or(i64::MAX)
    }
}

/// More are not looked at: who has more has another trouble.
const MAX_BOOKINGS: usize = 2_000;

/// What the platform of a channel does not know at `now`.
pub async fn exposure(db: &Db, channel: &Channel, now: DateTime<Utc>) -> Result<Exposure, StorageError> {
    let Some(feed) = channel.feed_id else { return Ok(Exposure::default()) };
    let Some(found) = feeds::find(db, channel.business_id, feed).await? else {
        return Ok(Exposure::default());
    };
    let ask = FeedRange { from: now, most: MAX_BOOKINGS };
    let taken = bookings::list_for_channel_feed(db, channel, ask).await?;
    let seen: HashSet<(BookingId, Interval)> = published::list_current(db, channel.business_id, channel.id)
        .await?
        .into_iter()
        .filter(|row| row.seen_at.is_some())
        .map(|row| (row.booking_id, Interval { start: row.starts_at, end: row.ends_at }))
        .collect();
    let mut unknown: Vec<UnreadBooking> = taken
        .into_iter()
        .filter(|booking| !seen.contains(&(booking.id, booking.interval)))
        .map(|booking| UnreadBooking {
            booking: booking.id,
            reference: booking.reference,
            interval: booking.interval,
            since: booking.updated_at,
        })
        .collect();
    let exposed = retain_exposed(db, channel, &mut unknown, now).await?;
    Ok(Exposure {
        last_read: last_read(db, channel.business_id, feed).await?,
        revision: feeds::revision_of(db, &found).await?,
        nights: exposed,
        unknown,
    })
}

/// The nights that are exposed. Bookings that take none of them are dropped: the platform does not sell their nights.
async fn retain_exposed(
    db: &Db,
    channel: &Channel,
    unknown: &mut Vec<UnreadBooking>,
    now: DateTime<Utc>,
) -> Result<BTreeSet<NaiveDate>, StorageError> {
    if unknown.is_empty() {
        return Ok(BTreeSet::new());
    }
    let business = channel.business_id;
    let resource = resources::find(db, business, channel.resource_id).await?;
    let zone = zone_of(db, business, resource.as_ref()).await?;
    let closed = items::closed(db, business, channel.id, now).await?;
    let exposed = exposed_nights(unknown.iter().map(|one| one.interval), closed, zone, now);
    unknown.retain(|one| nights(one.interval, zone).any(|night| exposed.contains(&night)));
    Ok(exposed)
}

/// How many nights each platform of a business may sell although they are taken; channels without any are left out.
pub async fn exposed_nights_by_channel(
    db: &Db,
    business: BusinessId,
    now: DateTime<Utc>,
) -> Result<BTreeMap<ChannelId, i64>, StorageError> {
    let unread = exposure::list_unread_bookings(db, business, now).await?;
    let mut nights = BTreeMap::new();
    for (channel, stretches) in by_channel(unread) {
        let Some(zone) = stretches.first().map(|one| one.zone) else { continue };
        let closed = items::closed(db, business, channel, now).await?;
        let exposed = exposed_nights(stretches.iter().map(|one| one.interval), closed, zone, now);
        if !exposed.is_empty() {
            nights.insert(channel, i64::try_from(exposed.len()).unwrap_or(i64::MAX));
        }
    }
    Ok(nights)
}

fn by_channel(all: Vec<ChannelInterval>) -> BTreeMap<ChannelId, Vec<ChannelInterval>> {
    let mut by: BTreeMap<ChannelId, Vec<ChannelInterval>> = BTreeMap::new();
    for one in all {
        by.entry(one.channel).or_default().push(one);
    }
    by
}

async fn last_read(db: &Db, business: BusinessId, feed: FeedId) -> Result<Option<FeedRead>, StorageError> {
    let readers = feed_reads::of_feed(db, business, feed).await?;
    Ok(readers.into_iter().find(|reader| !reader.person))
}
