//! What we published to a platform, from which revision of its feed to which, and what of it the platform has read.
//!
//! By this an echo is told from a booking, and a night that a platform does not know to be taken from one that it does.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    channel::echo::EchoSource,
    ids::{BookingId, BusinessId, ChannelId, ResourceId},
    interval::Interval,
};
use uuid::Uuid;

use crate::{Db, Result, Tx};

/// So long a platform may go on showing what it has read to be free.
pub const LINGERS_FOR: Duration = Duration::hours(24);

/// A stretch that stands in a channel's feed now.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct PublishedInterval {
    id: Uuid,
    /// The booking that takes it.
    pub booking_id: BookingId,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// When the platform read it; `None`: it does not know yet.
    pub seen_at: Option<DateTime<Utc>>,
}

impl PublishedInterval {
    fn key(&self) -> (BookingId, Interval) {
        (self.booking_id, Interval { start: self.starts_at, end: self.ends_at })
    }
}

const LIST_CURRENT: &str = "
    SELECT id, booking_id, starts_at, ends_at, seen_at FROM channel_published
    WHERE business_id = $1 AND channel_id = $2 AND until_revision IS NULL ORDER BY starts_at, id";

/// What stands in the feed of a channel, by start.
pub async fn list_current(
    db: &Db,
    business: BusinessId,
    channel: ChannelId,
) -> Result<Vec<PublishedInterval>> {
    all!(db, LIST_CURRENT, business, channel)
}

async fn list_published_in(
    tx: &mut Tx,
    business: BusinessId,
    channel: ChannelId,
) -> Result<Vec<PublishedInterval>> {
    all!(tx, LIST_CURRENT, business, channel)
}

const NEWEST: &str = "
    SELECT MAX(CASE WHEN until_revision IS NULL THEN since_revision ELSE until_revision END)
    FROM channel_published WHERE business_id = $1 AND channel_id = $2";
const INSERT: &str = "
    INSERT INTO channel_published (id, business_id, channel_id, booking_id, starts_at, ends_at, since_revision, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT DO NOTHING";
const WITHDRAW: &str =
    "UPDATE channel_published SET until_revision = $2 WHERE id = $1 AND until_revision IS NULL";

/// Writes down what the feed of a channel holds at a revision. One that was overtaken meanwhile changes nothing.
pub async fn publish(
    db: &Db,
    (business, channel): (BusinessId, ChannelId),
    revision: i64,
    stretches: &[(BookingId, Interval)],
    now: DateTime<Utc>,
) -> Result<()> {
    let wanted: HashSet<(BookingId, Interval)> = stretches.iter().copied().collect();
    let keys = |rows: &[PublishedInterval]| rows.iter().map(PublishedInterval::key).collect::<HashSet<_>>();
    if keys(&list_current(db, business, channel).await?) == wanted {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    super::lock(&mut tx, business, channel).await?;
    // Again: another rendering may have written meanwhile.
    let before = list_published_in(&mut tx, business, channel).await?;
    let had = keys(&before);
    let newest: Option<i64> = scalar!(tx, NEWEST, business, channel)?;
    if newest.is_some_and(|newest| newest > revision) {
        return Ok(());
    }
    for (booking, interval) in wanted.difference(&had) {
        exec!(tx, INSERT;
            concord_domain::ids::new_uuid(now), business, channel, booking, interval.start, interval.end,
            revision, now
        )?;
    }
    for gone in before.iter().filter(|row| !wanted.contains(&row.key())) {
        exec!(tx, WITHDRAW, gone.id, revision)?;
    }
    tx.commit().await
}

const SEEN: &str = "
    UPDATE channel_published SET seen_at = $3
    WHERE channel_id = $1 AND seen_at IS NULL AND since_revision <= $2
      AND (until_revision IS NULL OR until_revision > $2)";
const UNSEEN: &str = "
    UPDATE channel_published SET unseen_at = $3
    WHERE channel_id = $1 AND unseen_at IS NULL AND until_revision <= $2";

/// The platform has read the feed of a channel, which was looked up with its business, at a revision.
pub async fn note_read(tx: &mut Tx, channel: ChannelId, revision: i64, at: DateTime<Utc>) -> Result<()> {
    for text in [SEEN, UNSEEN] {
        exec!(tx, dynamic(text), channel, revision, at)?;
    }
    Ok(())
}

const LIST_POSSIBLE_ECHOES: &str = "
    SELECT p.starts_at, p.ends_at, p.unseen_at IS NULL AS believed,
           COALESCE((SELECT TRUE FROM channel_items i
                     WHERE i.booking_id = p.booking_id AND i.kind = 'unconfirmed' LIMIT 1), FALSE) AS of_unconfirmed
    FROM channel_published p
    WHERE p.business_id = $1 AND p.channel_id = $2 AND p.seen_at IS NOT NULL AND p.ends_at > $3
      AND (p.unseen_at IS NULL OR p.unseen_at > $4)
    ORDER BY p.starts_at, p.id";

/// What the platform can give back to us, and is not over.
pub async fn can_come_back(
    db: &Db,
    business: BusinessId,
    channel: ChannelId,
    now: DateTime<Utc>,
) -> Result<Vec<EchoSource>> {
    let rows: Vec<(DateTime<Utc>, DateTime<Utc>, bool, bool)> =
        all!(db, LIST_POSSIBLE_ECHOES, business, channel, now, now - LINGERS_FOR)?;
    let published = |(start, end, believed, of_unconfirmed)| EchoSource {
        interval: Interval { start, end },
        believed,
        of_unconfirmed,
    };
    Ok(rows.into_iter().map(published).collect())
}

/// So long a calendar that subscribes to a feed may go on showing what is gone from it: some read once a day, or less.
const SUBSCRIBERS_LINGER_FOR: Duration = Duration::days(7);

const LIST_SUBSCRIBER_ECHOES: &str = "
    SELECT b.starts_at, b.ends_at, b.status NOT IN ('cancelled', 'no_show') AS believed
    FROM bookings b
    WHERE b.business_id = $1 AND b.resource_id = $2 AND b.ends_at > $4
      AND (b.channel_id IS NULL OR b.channel_id <> $3)
      AND (b.status NOT IN ('cancelled', 'no_show') OR b.updated_at > $5)
      AND EXISTS (SELECT 1 FROM feeds f
                  WHERE f.business_id = b.business_id AND f.revoked_at IS NULL AND f.last_read_at >= b.created_at
                    AND (f.scope = 'business' OR (f.scope = 'resource' AND f.subject_id = b.resource_id)))
    ORDER BY b.starts_at, b.id";

/// What somebody has read of a resource in a feed that is no channel's, and that may come back by whatever calendar
/// subscribes to that feed. What came by the channel itself is not among it.
pub async fn list_subscriber_echoes(
    db: &Db,
    (business, channel): (BusinessId, ChannelId),
    resource: ResourceId,
    now: DateTime<Utc>,
) -> Result<Vec<EchoSource>> {
    let rows: Vec<(DateTime<Utc>, DateTime<Utc>, bool)> =
        all!(db, LIST_SUBSCRIBER_ECHOES, business, resource, channel, now, now - SUBSCRIBERS_LINGER_FOR)?;
    let published = |(start, end, believed)| EchoSource {
        interval: Interval { start, end },
        believed,
        of_unconfirmed: false,
    };
    Ok(rows.into_iter().map(published).collect())
}
