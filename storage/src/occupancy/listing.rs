//! What stands where, to be read.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    ids::{BusinessId, OccupancyId},
    interval::Interval,
    occupancy::{Allocation, OccupancySource, SubjectKind},
};
use uuid::Uuid;

use super::{AllocationRow, overlaps_postgres, overlaps_sqlite};
use crate::{Db, Result, Tx};

/// A row as it stands, with what it stands for in words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, sqlx_macros::FromRow)]
pub struct OccupiedInterval {
    pub id: OccupancyId,
    /// Resource or staff member.
    pub subject_kind: SubjectKind,
    pub subject_id: Uuid,
    pub subject_name: Option<String>,
    /// `None`: it found no unit.
    pub unit: Option<i64>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// What sort of fact.
    pub source: OccupancySource,
    pub source_id: Uuid,
    /// The booking's, if it is one.
    pub reference: Option<String>,
    /// The booking's, if it is one.
    pub title: Option<String>,
    /// The calendar that it was read from, if it was.
    pub calendar: Option<String>,
}

macro_rules! units_of_others {
    ($overlaps:ident) => {
        concat!(
            "SELECT o.id, o.unit, o.starts_at, o.ends_at FROM occupancy o LEFT JOIN bookings b ON b.id = o.source_id
             WHERE o.business_id = $1 AND o.subject_id = $2 AND ",
            $overlaps!("o.starts_at", "o.ends_at", "$3", "$4"),
            " AND (b.reference IS NULL OR b.reference <> $5) ORDER BY o.starts_at, o.id"
        )
    };
}
const OTHER_ALLOCATIONS_SQLITE: &str = units_of_others!(overlaps_sqlite);
const OTHER_ALLOCATIONS_POSTGRES: &str = units_of_others!(overlaps_postgres);

/// All rows on a subject within a stretch of time, but those of the booking of that reference.
pub async fn units_of_others(
    db: &Db,
    business: BusinessId,
    subject: Uuid,
    within: Interval,
    reference: &str,
) -> Result<Vec<Allocation>> {
    let rows: Vec<AllocationRow> = all!(
        db,
        either(OTHER_ALLOCATIONS_SQLITE, OTHER_ALLOCATIONS_POSTGRES),
        business,
        subject,
        within.start,
        within.end,
        reference
    )?;
    Ok(rows.into_iter().map(Allocation::from).collect())
}

macro_rules! occupied {
    ($where:expr) => {
        concat!(
            "
    SELECT o.id, o.subject_kind, o.subject_id, COALESCE(r.name, s.name) AS subject_name, o.unit,
           o.starts_at, o.ends_at, o.source, o.source_id, b.reference, b.title, k.name AS calendar
    FROM occupancy o
    LEFT JOIN resources r ON r.id = o.subject_id
    LEFT JOIN staff s ON s.id = o.subject_id
    LEFT JOIN bookings b ON b.id = o.source_id
    LEFT JOIN busy_times e ON e.id = o.source_id
    LEFT JOIN calendars k ON k.id = e.calendar_id
    WHERE ",
            $where
        )
    };
}

macro_rules! occupied_on {
    ($overlaps:ident) => {
        occupied!(concat!(
            "o.business_id = $1 AND o.subject_id = $2 AND ",
            $overlaps!("o.starts_at", "o.ends_at", "$3", "$4"),
            " ORDER BY o.starts_at, o.id LIMIT 1000"
        ))
    };
}
const LIST_OCCUPIED_SQLITE: &str = occupied_on!(overlaps_sqlite);
const LIST_OCCUPIED_POSTGRES: &str = occupied_on!(overlaps_postgres);

/// Everything that occupies a resource or a staff member in a stretch of time, in order: the answer to "why is this
/// taken?".
pub async fn list_occupied(
    db: &Db,
    business: BusinessId,
    subject: Uuid,
    within: Interval,
) -> Result<Vec<OccupiedInterval>> {
    all!(
        db,
        either(LIST_OCCUPIED_SQLITE, LIST_OCCUPIED_POSTGRES),
        business,
        subject,
        within.start,
        within.end
    )
}

const FIND_OCCUPIED: &str = occupied!("o.business_id = $1 AND o.id = $2");

/// One row with what it stands for.
pub(crate) async fn occupied(
    tx: &mut Tx,
    business: BusinessId,
    id: OccupancyId,
) -> Result<Option<OccupiedInterval>> {
    optional!(tx, FIND_OCCUPIED, business, id)
}

/// What else stands on the resource of a booking in its time, each once; and whether the booking itself has a unit.
pub async fn beside(db: &Db, booking: &Booking) -> Result<(Vec<OccupiedInterval>, bool)> {
    let (resource, source) = (booking.draft.resource.0, booking.id.0);
    let mut rows = list_occupied(db, booking.business, resource, booking.interval).await?;
    let is_allocated = !rows.iter().any(|row| row.source_id == source && row.unit.is_none());
    rows.retain(|row| row.source_id != source);
    rows.dedup_by_key(|row| row.source_id);
    Ok((rows, is_allocated))
}

macro_rules! conflicts {
    ($overlaps:ident) => {
        occupied!(concat!(
            "o.business_id = $1 AND o.unit IS NULL AND o.ends_at > $2
             AND NOT (b.id IS NOT NULL AND b.channel_id IS NOT NULL AND b.kind = 'block') AND EXISTS (
                SELECT 1 FROM occupancy other LEFT JOIN bookings against ON against.id = other.source_id
                WHERE other.subject_id = o.subject_id AND other.source_id <> o.source_id
                  AND NOT (against.id IS NOT NULL AND against.channel_id IS NOT NULL AND against.kind = 'block') AND ",
            $overlaps!("other.starts_at", "other.ends_at", "o.starts_at", "o.ends_at"),
            "     AND (o.source <> 'busy' OR other.source <> 'busy'))
             ORDER BY o.starts_at, o.id LIMIT 200"
        ))
    };
}
const CONFLICTS_SQLITE: &str = conflicts!(overlaps_sqlite);
const CONFLICTS_POSTGRES: &str = conflicts!(overlaps_postgres);

/// Facts from outside that found no unit and overlap something of ours, still to come. Two appointments of one's own
/// at one time are nobody's conflict, and a platform's block is none with anything: it says that nobody shall come, and
/// somebody who does may be why it was made.
pub async fn conflicts(db: &Db, business: BusinessId, now: DateTime<Utc>) -> Result<Vec<OccupiedInterval>> {
    all!(db, either(CONFLICTS_SQLITE, CONFLICTS_POSTGRES), business, now)
}

/// Two facts that want the same place at the same time, of which the first found no room.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct DoubleBooking {
    /// Resource or staff member.
    pub subject_kind: SubjectKind,
    pub subject_id: Uuid,
    pub subject_name: Option<String>,
    /// UTC, buffers included: of what found no room.
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// What found no room.
    #[sqlx(flatten)]
    pub one: OccupancyParty,
    #[sqlx(flatten)]
    pub other: OtherOccupancyParty,
}

/// What sort of fact wants the place, its id, and the calendar that it was read from, if it was.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct OccupancyParty {
    /// What sort of fact.
    pub source: OccupancySource,
    pub source_id: Uuid,
    pub calendar: Option<String>,
}

/// The same, as the second of two.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct OtherOccupancyParty {
    #[sqlx(rename = "other_source")]
    source: OccupancySource,
    #[sqlx(rename = "other_source_id")]
    source_id: Uuid,
    #[sqlx(rename = "other_calendar")]
    calendar: Option<String>,
}

impl DoubleBooking {
    /// Both: what found no room, and what stands there.
    pub fn parties(&self) -> [OccupancyParty; 2] {
        let OtherOccupancyParty { source, source_id, calendar } = self.other.clone();
        [self.one.clone(), OccupancyParty { source, source_id, calendar }]
    }

    /// The same two have the same one, whichever of them found no room, and on whatever.
    fn pair(&self) -> (Uuid, Uuid) {
        let (one, other) = (self.one.source_id, self.other.source_id);
        (one.min(other), one.max(other))
    }
}

// Names are looked up for each row that is found: joined, PostgreSQL takes 10 ms to find the best order of so many tables,
// for every page, where mostly there is no row at all.
macro_rules! double_bookings {
    ($overlaps:ident) => {
        concat!(
            "
    SELECT o.subject_kind, o.subject_id,
           COALESCE((SELECT r.name FROM resources r WHERE r.id = o.subject_id),
                    (SELECT s.name FROM staff s WHERE s.id = o.subject_id)) AS subject_name,
           o.starts_at, o.ends_at, o.source, o.source_id,
           (SELECT k.name FROM busy_times e JOIN calendars k ON k.id = e.calendar_id
            WHERE e.id = o.source_id) AS calendar,
           other.source AS other_source, other.source_id AS other_source_id,
           (SELECT k.name FROM busy_times e JOIN calendars k ON k.id = e.calendar_id
            WHERE e.id = other.source_id) AS other_calendar
    FROM occupancy o
    JOIN occupancy other ON other.subject_id = o.subject_id AND other.source_id <> o.source_id AND ",
            $overlaps!("other.starts_at", "other.ends_at", "o.starts_at", "o.ends_at"),
            "
    LEFT JOIN bookings b ON b.id = o.source_id
    LEFT JOIN bookings against ON against.id = other.source_id
    WHERE o.business_id = $1 AND o.unit IS NULL AND o.ends_at > $2
      AND NOT (b.id IS NOT NULL AND b.channel_id IS NOT NULL AND b.kind = 'block')
      AND NOT (against.id IS NOT NULL AND against.channel_id IS NOT NULL AND against.kind = 'block')
      AND (o.source <> 'busy' OR other.source <> 'busy')
    ORDER BY o.starts_at, o.id, other.starts_at, other.id LIMIT 400"
        )
    };
}
const DOUBLE_BOOKINGS_SQLITE: &str = double_bookings!(overlaps_sqlite);
const DOUBLE_BOOKINGS_POSTGRES: &str = double_bookings!(overlaps_postgres);

/// Each two that are in conflict, as in `conflicts`, once: on their resource, if that is one of the places that both want.
pub async fn double_bookings(
    db: &Db,
    business: BusinessId,
    now: DateTime<Utc>,
) -> Result<Vec<DoubleBooking>> {
    let mut rows: Vec<DoubleBooking> =
        all!(db, either(DOUBLE_BOOKINGS_SQLITE, DOUBLE_BOOKINGS_POSTGRES), business, now)?;
    let mut seen = HashSet::new();
    rows.sort_by_key(|row| row.subject_kind != SubjectKind::Resource);
    rows.retain(|row| seen.insert(row.pair()));
    rows.sort_by_key(|row| row.starts_at);
    Ok(rows)
}

/// Those that look for overlaps on PostgreSQL, to see how the server would find them.
#[cfg(feature = "testing")]
pub(crate) fn postgres_statements() -> [&'static str; 5] {
    [
        super::OVERLAPPING_POSTGRES,
        OTHER_ALLOCATIONS_POSTGRES,
        LIST_OCCUPIED_POSTGRES,
        CONFLICTS_POSTGRES,
        DOUBLE_BOOKINGS_POSTGRES,
    ]
}
