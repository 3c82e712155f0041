//! Busy times that were read from connected calendars. Each occupies its staff member.

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{BusinessId, BusyTimeId, CalendarId, StaffId},
    interval::Interval,
    occupancy::{OccupancySource, SubjectKind},
};

use crate::{
    Db, Result, Tx, events,
    occupancy::{self, OccupancyRequest, OccupancySubject},
};

/// A busy time as it was last read.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct BusyTime {
    pub id: BusyTimeId,
    pub calendar_id: CalendarId,
    pub external_id: String,
    /// The provider's id of what it is an instance of.
    pub series: Option<String>,
    pub etag: Option<String>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// Whether it is only tentatively accepted.
    pub tentative: bool,
    /// When it was last read.
    pub seen_at: DateTime<Utc>,
}

/// A busy time as it is to be written down.
#[derive(Clone, Debug)]
pub struct NewBusyTime<'a> {
    pub business: BusinessId,
    pub staff: StaffId,
    pub calendar: CalendarId,
    pub external_id: &'a str,
    /// The provider's id of what it is an instance of.
    pub series: Option<&'a str>,
    pub etag: Option<&'a str>,
    pub interval: Interval,
    /// Whether it is only tentatively accepted.
    pub tentative: bool,
}

macro_rules! columns {
    () => {
        "id, calendar_id, external_id, series, etag, starts_at, ends_at, tentative, seen_at"
    };
}
const OF_CALENDAR: &str =
    select!("FROM busy_times WHERE business_id = $1 AND calendar_id = $2 ORDER BY starts_at, id");
const NAMED: &str =
    select!("FROM busy_times WHERE business_id = $1 AND calendar_id = $2 AND external_id = $3");
const WITHIN: &str = select!(
    "FROM busy_times WHERE business_id = $1 AND calendar_id = $2 AND (external_id = $3 OR series = $3) ORDER BY external_id"
);
const STILL_TO_COME: &str = select!(
    "FROM busy_times WHERE business_id = $1 AND calendar_id = $2 AND ends_at > $3 ORDER BY starts_at, id LIMIT 200"
);

/// All that is known of a calendar.
pub async fn of_calendar(db: &Db, business: BusinessId, calendar: CalendarId) -> Result<Vec<BusyTime>> {
    all!(db, OF_CALENDAR, business, calendar)
}

/// The next busy times of a calendar, for people; at most 200.
pub async fn upcoming(
    db: &Db,
    business: BusinessId,
    calendar: CalendarId,
    now: DateTime<Utc>,
) -> Result<Vec<BusyTime>> {
    all!(db, STILL_TO_COME, business, calendar, now)
}

/// One busy time by the provider's id.
pub async fn named(
    db: &Db,
    business: BusinessId,
    calendar: CalendarId,
    external_id: &str,
) -> Result<Option<BusyTime>> {
    optional!(db, NAMED, business, calendar, external_id)
}

/// What is known under one id: itself, and its instances.
pub async fn within(
    db: &Db,
    business: BusinessId,
    calendar: CalendarId,
    resource: &str,
) -> Result<Vec<BusyTime>> {
    all!(db, WITHIN, business, calendar, resource)
}

const UPSERT: &str = "
    INSERT INTO busy_times (id, business_id, calendar_id, external_id, series, etag, starts_at, ends_at,
        tentative, seen_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (calendar_id, external_id) DO UPDATE SET
        series = excluded.series, etag = excluded.etag, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
        tentative = excluded.tentative, seen_at = excluded.seen_at
    RETURNING id";

/// Writes a busy time down and occupies its staff member with it; a row that finds no unit stands without one.
/// The staff member must be locked.
pub async fn upsert(tx: &mut Tx, event: &NewBusyTime<'_>, now: DateTime<Utc>) -> Result<BusyTimeId> {
    let new = BusyTimeId::new(now);
    let id: BusyTimeId = scalar!(tx, UPSERT;
        new, event.business, event.calendar, event.external_id, event.series, event.etag,
        event.interval.start, event.interval.end, event.tentative, now
    )?;
    if id != new {
        release_occupancy(tx, (event.business, event.staff), id, now).await?;
    }
    let arrival = OccupancyRequest {
        business: event.business,
        subject: staff_subject(event.staff),
        interval: event.interval,
        source: OccupancySource::Busy,
        source_id: id.0,
        quantity: 1,
    };
    occupancy::record(tx, &arrival, now).await?;
    Ok(id)
}

const REMOVE: &str = "DELETE FROM busy_times WHERE business_id = $1 AND id = $2";

/// Forgets a busy time and frees its staff member. The staff member must be locked.
pub async fn remove(
    tx: &mut Tx,
    (business, staff): (BusinessId, StaffId),
    id: BusyTimeId,
    now: DateTime<Utc>,
) -> Result<()> {
    release_occupancy(tx, (business, staff), id, now).await?;
    exec!(tx, REMOVE, business, id)
}

async fn release_occupancy(
    tx: &mut Tx,
    (business, staff): (BusinessId, StaffId),
    id: BusyTimeId,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut bookings = Vec::new();
    for freed in occupancy::release(tx, business, id.0).await? {
        let room = Interval { start: freed.starts_at, end: freed.ends_at };
        bookings.extend(occupancy::reallocate(tx, business, staff_subject(staff), room).await?.bookings);
    }
    for booking in bookings {
        // The sweep brings what delivers it.
        events::publish_conflict(tx, (business, booking), false, now).await?;
    }
    Ok(())
}

fn staff_subject(staff: StaffId) -> OccupancySubject {
    OccupancySubject { kind: SubjectKind::Staff, id: staff.0, capacity: 1 }
}
