//! Who occupies what, when. The rules are in `concord_domain::occupancy`; the database itself refuses two overlapping
//! rows on one unit.
//!
//! Whoever allocates rows on a subject first locks the row that stands for it (`resources::lock`, `people::lock`), so that
//! nobody chooses a unit from a state that is about to change.

mod listing;
mod overlaps;

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{BookingId, BusinessId, OccupancyId},
    interval::Interval,
    occupancy::{
        self, Allocation, OccupancySource, Placement, SubjectKind, allocate_booking, allocate_fact,
        allocate_facts,
    },
};
use sqlx::{Postgres, QueryBuilder, Sqlite};
use uuid::Uuid;

#[cfg(feature = "testing")]
pub(crate) use self::listing::postgres_statements;

pub(crate) use self::listing::occupied;
pub use self::{
    listing::{
        DoubleBooking, OccupancyParty, OccupiedInterval, beside, conflicts, double_bookings, list_occupied,
        units_of_others,
    },
    overlaps::{Overlap, overlaps_of},
};
use crate::{Open, Result, Tx};

/// What is occupied, and how many units it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OccupancySubject {
    /// Resource or staff member.
    pub kind: SubjectKind,
    pub id: Uuid,
    /// Units; a staff member has one.
    pub capacity: u32,
}

/// A period for which units of a subject are to be allocated.
#[derive(Clone, Copy, Debug)]
pub struct OccupancyRequest {
    pub business: BusinessId,
    pub subject: OccupancySubject,
    pub interval: Interval,
    /// What sort of fact.
    pub source: OccupancySource,
    /// The booking, the busy time ...
    pub source_id: Uuid,
    pub quantity: u32,
}

#[derive(sqlx_macros::FromRow)]
struct AllocationRow {
    id: OccupancyId,
    unit: Option<i64>,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

impl From<AllocationRow> for Allocation {
    fn from(row: AllocationRow) -> Self {
        Self {
            id: row.id,
            unit: row.unit.and_then(|unit| u32::try_from(unit).ok()),
            interval: Interval { start: row.starts_at, end: row.ends_at },
        }
    }
}

/// What overlaps a stretch of time, in two texts: each database has its own way to find that by an index, a GiST index
/// over ranges here ...
macro_rules! overlaps_postgres {
    ($starts_at:literal, $ends_at:literal, $from:literal, $until:literal) => {
        concat!(
            "tstzrange(",
            $starts_at,
            ", ",
            $ends_at,
            ", '[)') && tstzrange(",
            $from,
            ", ",
            $until,
            ", '[)')"
        )
    };
}
/// ... and a scan of what ends later there.
macro_rules! overlaps_sqlite {
    ($starts_at:literal, $ends_at:literal, $from:literal, $until:literal) => {
        concat!($ends_at, " > ", $from, " AND ", $starts_at, " < ", $until)
    };
}
use {overlaps_postgres, overlaps_sqlite};

macro_rules! overlapping {
    ($overlaps:ident) => {
        concat!(
            "SELECT id, unit, starts_at, ends_at FROM occupancy WHERE subject_id = $1 AND ",
            $overlaps!("starts_at", "ends_at", "$2", "$3"),
            " ORDER BY starts_at, id"
        )
    };
}
const OVERLAPPING_POSTGRES: &str = overlapping!(overlaps_postgres);
const OVERLAPPING_SQLITE: &str = overlapping!(overlaps_sqlite);

async fn overlapping(tx: &mut Tx, subject: Uuid, within: Interval) -> Result<Vec<Allocation>> {
    let rows: Vec<AllocationRow> =
        all!(tx, either(OVERLAPPING_SQLITE, OVERLAPPING_POSTGRES), subject, within.start, within.end)?;
    Ok(rows.into_iter().map(Allocation::from).collect())
}

/// More rows than this are not rearranged for one newcomer.
const MAX_CLUSTER_ROWS: usize = 2_000;

/// All rows that overlap `wanted`, those that overlap them, and so on: only within these may units change.
async fn cluster(tx: &mut Tx, subject: Uuid, wanted: Interval) -> Result<Vec<Allocation>> {
    let mut hull = wanted;
    loop {
        let rows = overlapping(tx, subject, hull).await?;
        let wider = rows.iter().fold(hull, |hull, row| Interval {
            start: hull.start.min(row.interval.start),
            end: hull.end.max(row.interval.end),
        });
        if wider == hull || rows.len() > MAX_CLUSTER_ROWS {
            return Ok(rows);
        }
        hull = wider;
    }
}

type PlacementRule = fn(&[Allocation], u32, Interval, u32) -> Placement;

async fn find_placement(tx: &mut Tx, arrival: &OccupancyRequest, rule: PlacementRule) -> Result<Placement> {
    let OccupancyRequest { subject, interval, quantity, .. } = *arrival;
    let near = overlapping(tx, subject.id, interval).await?;
    match rule(&near, subject.capacity, interval, quantity) {
        // Moving a row is safe only when all that it could meet is known.
        Placement::Allocated { moves, .. } if !moves.is_empty() => {
            let rows = cluster(tx, subject.id, interval).await?;
            if rows.len() > MAX_CLUSTER_ROWS {
                return Ok(Placement::Full { in_the_way: near.iter().map(|row| row.id).collect() });
            }
            Ok(rule(&rows, subject.capacity, interval, quantity))
        }
        decided => Ok(decided),
    }
}

/// Allocates a booking of ours. `Err` inside: there is no room, and these rows stand in the way.
pub async fn allocate(
    tx: &mut Tx,
    arrival: &OccupancyRequest,
    now: DateTime<Utc>,
) -> Result<Result<(), Vec<OccupancyId>>> {
    match find_placement(tx, arrival, allocate_booking).await? {
        Placement::Full { in_the_way } => Ok(Err(in_the_way)),
        Placement::Allocated { units, moves } => {
            apply_moves(tx, &moves).await?;
            let parts: Vec<OccupancyPart> = (0_i64..).zip(units.into_iter().map(Some)).collect();
            insert(tx, arrival, &parts, now).await?;
            Ok(Ok(()))
        }
    }
}

/// Writes down a fact from outside: allocated if a unit can be found, and without one otherwise. Returns whether it is
/// allocated.
pub async fn record(tx: &mut Tx, arrival: &OccupancyRequest, now: DateTime<Utc>) -> Result<bool> {
    let OccupancyRequest { subject, interval, quantity, .. } = *arrival;
    let near = overlapping(tx, subject.id, interval).await?;
    // All that need no others to move at once: there may be a thousand of them.
    let (units, by_moving) = allocate_facts(&near, subject.capacity, interval, quantity);
    let mut parts: Vec<OccupancyPart> = (0_i64..).zip(units.into_iter().map(Some)).collect();
    insert(tx, arrival, &parts, now).await?;
    let mut next = i64::try_from(parts.len()).unwrap_or(i64::MAX);
    let mut all_allocated = true;
    for _ in 0..by_moving {
        all_allocated &= record_part(tx, arrival, next, now).await?;
        next += 1;
    }
    parts = (next..i64::from(quantity)).map(|part| (part, None)).collect();
    insert(tx, arrival, &parts, now).await?;
    Ok(all_allocated && parts.is_empty())
}

/// Writes down one of the parts that a fact from outside consists of, as `record` does; `part` counts them from 0.
pub(crate) async fn record_part(
    tx: &mut Tx,
    arrival: &OccupancyRequest,
    part: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    let one = OccupancyRequest { quantity: 1, ..*arrival };
    let unit = match find_placement(tx, &one, allocate_fact).await? {
        Placement::Full { .. } => None,
        Placement::Allocated { units, moves } => {
            apply_moves(tx, &moves).await?;
            units.first().copied()
        }
    };
    insert(tx, arrival, &[(part, unit)], now).await?;
    Ok(unit.is_some())
}

/// The same, but only where all of it is free. `false`: nothing was written.
pub(crate) async fn record_if_free(
    tx: &mut Tx,
    arrival: &OccupancyRequest,
    part: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    let one = OccupancyRequest { quantity: 1, ..*arrival };
    let Placement::Allocated { units, moves } = find_placement(tx, &one, allocate_fact).await? else {
        return Ok(false);
    };
    apply_moves(tx, &moves).await?;
    insert(tx, arrival, &[(part, units.first().copied())], now).await?;
    Ok(true)
}

/// Which of what its source takes, from 0, and the unit that it holds.
type OccupancyPart = (i64, Option<u32>);

const INSERT: &str = "
    INSERT INTO occupancy
        (id, business_id, subject_kind, subject_id, unit, starts_at, ends_at, source, source_id, part, created_at) ";

/// Rows of one statement: a block may take a thousand units.
const ROWS_PER_INSERT: usize = 200;

async fn insert(
    tx: &mut Tx,
    arrival: &OccupancyRequest,
    parts: &[OccupancyPart],
    now: DateTime<Utc>,
) -> Result<()> {
    macro_rules! insert {
        ($database:ty, $connection:expr, $parts:expr) => {{
            let mut query = QueryBuilder::<$database>::new(INSERT);
            query.push_values($parts, |mut row, (part, unit)| {
                row.push_bind(OccupancyId::new(now))
                    .push_bind(arrival.business)
                    .push_bind(arrival.subject.kind)
                    .push_bind(arrival.subject.id)
                    .push_bind(unit.map(i64::from))
                    .push_bind(arrival.interval.start)
                    .push_bind(arrival.interval.end)
                    .push_bind(arrival.source)
                    .push_bind(arrival.source_id)
                    .push_bind(*part)
                    .push_bind(now);
            });
            query.build().execute(&mut *$connection).await.map(drop)
        }};
    }
    for parts in parts.chunks(ROWS_PER_INSERT) {
        match tx.open() {
            Open::Sqlite(c) => insert!(Sqlite, c, parts)?,
            Open::Postgres(c) => insert!(Postgres, c, parts)?,
        }
    }
    Ok(())
}

const SET_UNIT: &str = "UPDATE occupancy SET unit = $2 WHERE id = $1";
const GIVE_UNIT: &str = "UPDATE occupancy SET unit = $2 WHERE id = $1 RETURNING source, source_id";

/// Two passes: the database checks each row as it is written, and rows may change places.
async fn apply_moves(tx: &mut Tx, moves: &[(OccupancyId, u32)]) -> Result<()> {
    for (id, _) in moves {
        set_unit(tx, *id, None).await?;
    }
    for (id, unit) in moves {
        set_unit(tx, *id, Some(*unit)).await?;
    }
    Ok(())
}

async fn set_unit(tx: &mut Tx, id: OccupancyId, unit: Option<u32>) -> Result<()> {
    exec!(tx, SET_UNIT, id, unit.map(i64::from))
}

/// Room that became free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct FreedInterval {
    /// Resource or staff member.
    pub subject_kind: SubjectKind,
    pub subject_id: Uuid,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

const RELEASE: &str = "
    DELETE FROM occupancy WHERE business_id = $1 AND source_id = $2
    RETURNING subject_kind, subject_id, starts_at, ends_at";

/// Takes all rows of an outside event or a booking away.
pub async fn release(tx: &mut Tx, business: BusinessId, source_id: Uuid) -> Result<Vec<FreedInterval>> {
    all!(tx, RELEASE, business, source_id)
}

const RELEASE_ON: &str = "
    DELETE FROM occupancy WHERE business_id = $1 AND source_id = $2 AND subject_id = $3
    RETURNING subject_kind, subject_id, starts_at, ends_at";

/// Takes the rows of a booking on one resource or staff member away.
pub(crate) async fn release_on(
    tx: &mut Tx,
    business: BusinessId,
    source_id: Uuid,
    subject: Uuid,
) -> Result<Vec<FreedInterval>> {
    all!(tx, RELEASE_ON, business, source_id, subject)
}

/// An index of its own holds what has no unit, which is little.
const UNALLOCATED: &str = "
    SELECT id, unit, starts_at, ends_at FROM occupancy
    WHERE business_id = $1 AND subject_id = $2 AND unit IS NULL AND ends_at > $3 AND starts_at < $4
    ORDER BY created_at, id";

/// What found a unit that had none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reallocated {
    pub rows: u32,
    /// The bookings of which nothing is without a unit any more.
    pub bookings: Vec<BookingId>,
}

const HAS_UNALLOCATED: &str = "
    SELECT EXISTS (SELECT 1 FROM occupancy WHERE business_id = $1 AND source_id = $2 AND unit IS NULL)";

/// Whether something of a booking stands without a unit.
pub(crate) async fn is_unallocated(tx: &mut Tx, business: BusinessId, booking: BookingId) -> Result<bool> {
    scalar!(tx, HAS_UNALLOCATED, business, booking)
}

/// Gives units to rows without one, now that `freed` is free; the oldest first. Returns what found one, and so which
/// conflicts closed.
pub async fn reallocate(
    tx: &mut Tx,
    business: BusinessId,
    subject: OccupancySubject,
    freed: Interval,
) -> Result<Reallocated> {
    let waiting: Vec<AllocationRow> = all!(tx, UNALLOCATED, business, subject.id, freed.start, freed.end)?;
    let mut found = Reallocated::default();
    for row in waiting.into_iter().map(Allocation::from) {
        let arrival = OccupancyRequest {
            business,
            subject,
            interval: row.interval,
            source: OccupancySource::Busy,
            source_id: row.id.0,
            quantity: 1,
        };
        if let Placement::Allocated { units, moves } = find_placement(tx, &arrival, allocate_fact).await? {
            apply_moves(tx, &moves).await?;
            let unit = units.first().copied().map(i64::from);
            let (source, source_id): (OccupancySource, Uuid) = one!(tx, GIVE_UNIT, row.id, unit)?;
            found.rows += 1;
            let booking = BookingId(source_id);
            if source == OccupancySource::Booking
                && !found.bookings.contains(&booking)
                && !is_unallocated(tx, business, booking).await?
            {
                found.bookings.push(booking);
            }
        }
    }
    Ok(found)
}

const ALLOCATED_FROM: &str = "
    SELECT id, unit, starts_at, ends_at FROM occupancy
    WHERE business_id = $1 AND subject_id = $2 AND unit IS NOT NULL AND ends_at > $3";

/// Moves what has not ended onto the first `subject.capacity` units. `false`: it does not fit, and nothing was moved. The
/// subject must be locked.
pub(crate) async fn fit(
    tx: &mut Tx,
    business: BusinessId,
    subject: OccupancySubject,
    now: DateTime<Utc>,
) -> Result<bool> {
    let rows: Vec<AllocationRow> = all!(tx, ALLOCATED_FROM, business, subject.id, now)?;
    let rows: Vec<Allocation> = rows.into_iter().map(Allocation::from).collect();
    let Some(moves) = occupancy::fit(&rows, subject.capacity) else { return Ok(false) };
    apply_moves(tx, &moves).await?;
    Ok(true)
}
