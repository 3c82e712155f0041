//! What the platforms of a business do not know yet, of all its channels at once: it is looked at for every page.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    ids::{BusinessId, ChannelId},
    interval::Interval,
};

use crate::{
    Db, Result,
    column::{IntervalColumns, ZoneName, sqlx},
};

/// A stretch of time of a channel's resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct ChannelInterval {
    #[sqlx(rename = "channel_id")]
    pub channel: ChannelId,
    #[sqlx(flatten, try_from = "IntervalColumns")]
    pub interval: Interval,
    /// The zone of the resource, in which its nights are.
    #[sqlx(try_from = "ZoneName")]
    pub zone: Tz,
}

/// As `bookings::list_for_channel_feed` says which bookings a platform should know of. What it has read stands in its feed now: each
/// is counted by an index, where `NOT EXISTS` would let PostgreSQL read all that was ever published.
const UNREAD_BOOKINGS: &str = "
    SELECT c.id AS channel_id, b.starts_at, b.ends_at,
           (SELECT COALESCE(r.zone, w.zone) FROM resources r JOIN businesses w ON w.id = r.business_id
            WHERE r.id = c.resource_id) AS zone
    FROM channels c
    JOIN bookings b ON b.resource_id = c.resource_id AND b.business_id = c.business_id AND b.ends_at > $2
    WHERE c.business_id = $1 AND c.removed_at IS NULL AND b.status NOT IN ('cancelled', 'no_show')
      AND EXISTS (SELECT 1 FROM feeds f WHERE f.id = c.feed_id AND f.revoked_at IS NULL)
      AND (b.channel_id IS NULL OR b.channel_id <> c.id)
      AND (b.source <> c.platform OR EXISTS (
           SELECT 1 FROM channels o WHERE o.id = b.channel_id AND o.id <> c.id AND o.removed_at IS NULL))
      AND (SELECT COUNT(*) FROM channel_published p
           WHERE p.channel_id = c.id AND p.booking_id = b.id AND p.starts_at = b.starts_at AND p.ends_at = b.ends_at
             AND p.until_revision IS NULL AND p.seen_at IS NOT NULL) = 0
    ORDER BY c.id, b.starts_at, b.id LIMIT 10000";

/// When the bookings are that platforms should know of and do not, by channel and start; at most 10,000.
pub async fn list_unread_bookings(
    db: &Db,
    business: BusinessId,
    now: DateTime<Utc>,
) -> Result<Vec<ChannelInterval>> {
    all!(db, UNREAD_BOOKINGS, business, now)
}

/// A channel whose feed its platform has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct LastRead {
    pub business_id: BusinessId,
    pub channel_id: ChannelId,
    /// When a program last did.
    pub read_at: DateTime<Utc>,
}

const LAST_READ_BEFORE: &str = "
    SELECT c.business_id, c.id AS channel_id, MAX(r.read_at) AS read_at
    FROM channels c
    JOIN feeds f ON f.id = c.feed_id AND f.revoked_at IS NULL
    JOIN feed_reads r ON r.feed_id = c.feed_id AND NOT r.person
    WHERE c.removed_at IS NULL AND c.state = 'active' AND c.id > $1
    GROUP BY c.business_id, c.id HAVING MAX(r.read_at) < $2
    ORDER BY c.id LIMIT 500";

/// Channels of all businesses that are kept in step and whose platform has read their feed, but not since `before`; at most
/// 500, by id, after `after`.
pub async fn last_read_before(
    db: &Db,
    after: Option<ChannelId>,
    before: DateTime<Utc>,
) -> Result<Vec<LastRead>> {
    all!(db, LAST_READ_BEFORE, after.map_or(uuid::Uuid::nil(), |id| id.0), before)
}

const NEVER_READ: &str = "
    SELECT c.id FROM channels c JOIN feeds f ON f.id = c.feed_id AND f.revoked_at IS NULL
    WHERE c.business_id = $1 AND c.removed_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM feed_reads r WHERE r.feed_id = c.feed_id AND NOT r.person)
    ORDER BY c.id";

/// Channels whose feed no program has ever read.
pub async fn never_read(db: &Db, business: BusinessId) -> Result<Vec<ChannelId>> {
    scalars!(db, NEVER_READ, business)
}
