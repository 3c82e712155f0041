//! Which bookings overlap another one for which there is no room: said of both, since either can give way.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use concord_domain::ids::{BookingId, BusinessId};

use super::{overlaps_postgres, overlaps_sqlite};
use crate::{Db, Open, Result};

/// A booking that overlaps another one, where one of the two holds no unit.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Overlap {
    /// Of which booking this is said.
    pub booking_id: BookingId,
    pub other_id: BookingId,
    pub reference: String,
    pub title: String,
    /// The name of its customer.
    pub customer_name: String,
    /// When it starts, in UTC.
    pub starts_at: DateTime<Utc>,
    /// When it ends, in UTC (exclusive).
    pub ends_at: DateTime<Utc>,
}

/// More ids in one statement are slow to plan.
const BOOKINGS_PER_QUERY: usize = 200;

const MINE: &str = "
    WITH mine AS (
        SELECT o.business_id, o.subject_id, o.source_id, o.unit, o.starts_at, o.ends_at
        FROM occupancy o JOIN bookings m ON m.id = o.source_id
        WHERE NOT (m.channel_id IS NOT NULL AND m.kind = 'block') AND o.business_id = ";

/// A platform's block is in conflict with nothing, as in `conflicts`. The two halves differ in which of the two holds
/// no unit: rows without one are few, and found by an index of their own.
macro_rules! pairs {
    ($overlaps:ident) => {
        concat!(
            "))
    SELECT mine.source_id AS booking_id, b.id AS other_id, b.reference, b.title, b.customer_name, b.starts_at, b.ends_at
    FROM mine JOIN occupancy other ON other.business_id = mine.business_id AND other.subject_id = mine.subject_id
         AND other.source_id <> mine.source_id AND other.unit IS NULL AND ",
            $overlaps!("other.starts_at", "other.ends_at", "mine.starts_at", "mine.ends_at"),
            " JOIN bookings b ON b.id = other.source_id AND NOT (b.channel_id IS NOT NULL AND b.kind = 'block')
    UNION
    SELECT mine.source_id, b.id, b.reference, b.title, b.customer_name, b.starts_at, b.ends_at
    FROM mine JOIN occupancy other ON other.business_id = mine.business_id AND other.subject_id = mine.subject_id
         AND other.source_id <> mine.source_id AND mine.unit IS NULL AND ",
            $overlaps!("other.starts_at", "other.ends_at", "mine.starts_at", "mine.ends_at"),
            " JOIN bookings b ON b.id = other.source_id AND NOT (b.channel_id IS NOT NULL AND b.kind = 'block')
    ORDER BY 6, 3"
        )
    };
}

/// What each of the bookings overlaps of which is not over at `now`, in the order of their starts. Bookings that overlap
/// nothing are not in the answer.
pub async fn overlaps_of(
    db: &Db,
    business: BusinessId,
    bookings: &[BookingId],
    now: DateTime<Utc>,
) -> Result<HashMap<BookingId, Vec<Overlap>>> {
    let pairs = match db.open() {
        Open::Sqlite(_) => pairs!(overlaps_sqlite),
        Open::Postgres(_) => pairs!(overlaps_postgres),
    };
    let overlaps: Vec<Overlap> = all_in!(
        db,
        build_query_as,
        [MINE, business, " AND o.ends_at > ", now, " AND o.source_id IN ("],
        bookings,
        BOOKINGS_PER_QUERY,
        pairs
    );
    let mut found: HashMap<BookingId, Vec<Overlap>> = HashMap::new();
    for overlap in overlaps {
        found.entry(overlap.booking_id).or_default().push(overlap);
    }
    Ok(found)
}
