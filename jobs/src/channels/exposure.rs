//! What a platform does not know yet: the nights that it may sell although they are taken.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ids::{BookingId, BusinessId, FeedId},
    interval::Interval,
};
use concord_storage::{
    Db, StorageError,
    bookings::{self, FeedAsk},
    channels::{Channel, published},
    feed_reads::{self, FeedRead},
    feeds,
};

/// What a platform knows of a channel.
#[derive(Clone, Debug, Default)]
pub struct Exposure {
    /// When it last read our feed.
    pub last_read: Option<FeedRead>,
    /// The revision of our feed now.
    pub revision: i64,
    /// Bookings that it does not know of, by start, each with when it was made or moved.
    pub unknown: Vec<Unknown>,
}

/// A booking of which a platform does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Which.
    pub booking: BookingId,
    /// Its reference.
    pub reference: String,
    /// When, in UTC.
    pub interval: Interval,
    /// Since when it is so.
    pub since: DateTime<Utc>,
}

impl Exposure {
    /// How many nights, or parts of days, it may sell although they are taken.
    pub fn nights(&self) -> i64 {
        self.unknown.iter().map(|one| ((one.interval.length() + Duration::hours(23)).num_days()).max(1)).sum()
    }
}

/// More are not looked at: who has more has another trouble.
const MOST: usize = 2_000;

/// What the platform of a channel does not know at `now`.
pub async fn exposure(db: &Db, channel: &Channel, now: DateTime<Utc>) -> Result<Exposure, StorageError> {
    let Some(feed) = channel.feed_id else { return Ok(Exposure::default()) };
    let Some(found) = feeds::find(db, channel.business_id, feed).await? else {
        return Ok(Exposure::default());
    };
    let ask = FeedAsk { from: now, most: MOST };
    let taken = bookings::for_channel(db, channel, ask).await?;
    let seen: std::collections::HashSet<(BookingId, Interval)> =
        published::standing(db, channel.business_id, channel.id)
            .await?
            .into_iter()
            .filter(|row| row.seen_at.is_some())
            .map(|row| (row.booking_id, Interval { start: row.starts_at, end: row.ends_at }))
            .collect();
    let unknown = taken.into_iter().filter(|booking| !seen.contains(&(booking.id, booking.interval)));
    Ok(Exposure {
        last_read: last_read(db, channel.business_id, feed).await?,
        revision: feeds::revision_of(db, &found).await?,
        unknown: unknown
            .map(|booking| Unknown {
                booking: booking.id,
                reference: booking.reference,
                interval: booking.interval,
                since: booking.updated_at,
            })
            .collect(),
    })
}

async fn last_read(db: &Db, business: BusinessId, feed: FeedId) -> Result<Option<FeedRead>, StorageError> {
    let readers = feed_reads::of_feed(db, business, feed).await?;
    Ok(readers.into_iter().find(|reader| !reader.person))
}
