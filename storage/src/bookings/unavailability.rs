//! Why a booking was refused, and what would be free instead.

use chrono::Duration;
use chrono_tz::Tz;
use concord_domain::{
    availability::{SlotSearch, SubjectDemand, find_free_slots},
    booking::{Booking, BookingDraft, BookingTime},
    ids::{BusinessId, OccupancyId},
    interval::Interval,
};
use serde::Serialize;

use crate::{
    ChangeContext, Db, Result, Tx,
    occupancy::{self, OccupiedInterval},
    resources,
};

/// Why a booking is refused, and what is free instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unavailability {
    /// What stands there; at most ten.
    pub obstacles: Vec<OccupiedInterval>,
    /// Times of the same length that are free for the same resource and people; at most five. The nearest first,
    /// and those at night last unless a night was wanted.
    pub alternatives: Vec<BookingTime>,
}

/// What the rows in the way stand for. A booking that takes several units is named once.
pub(super) async fn obstacles(
    tx: &mut Tx,
    business: BusinessId,
    in_the_way: &[OccupancyId],
) -> Result<Vec<OccupiedInterval>> {
    let mut found: Vec<OccupiedInterval> = Vec::new();
    for id in in_the_way.iter().take(50) {
        let obstacle = occupancy::occupied(tx, business, *id).await?;
        let key = |one: &OccupiedInterval| (one.source_id, one.subject_id, one.starts_at, one.ends_at);
        let is_named = |one: &OccupiedInterval| found.iter().any(|known| key(known) == key(one));
        if let Some(obstacle) = obstacle.filter(|obstacle| !is_named(obstacle)) {
            found.push(obstacle);
        }
        if found.len() == 10 {
            break;
        }
    }
    Ok(found)
}

/// The times to which a booking as it stands could be moved, in the zone of its resource.
pub async fn alternatives_of(
    db: &Db,
    change: &ChangeContext,
    booking: &Booking,
    zone: Tz,
) -> Result<Vec<BookingTime>> {
    let mut found =
        alternatives(db, change, &booking.reference, &booking.draft, booking.interval, zone).await?;
    found.retain(|time| *time != booking.draft.time);
    Ok(found)
}

/// How far around the wanted time alternatives are looked for.
const STAY_SEARCH_RANGE: Duration = Duration::days(60);
const APPOINTMENT_SEARCH_RANGE: Duration = Duration::days(14);
/// Appointments are offered this far apart.
const APPOINTMENT_STEP: Duration = Duration::minutes(30);

/// Times like the wanted one that are free for the same resource and people. The booking's own rows, if it has some,
/// do not stand in its way.
pub(super) async fn alternatives(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    draft: &BookingDraft,
    interval: Interval,
    zone: Tz,
) -> Result<Vec<BookingTime>> {
    let Some(resource) = resources::find(db, change.business, draft.resource).await? else {
        return Ok(Vec::new());
    };
    let reach = match draft.time {
        BookingTime::Stay { .. } => STAY_SEARCH_RANGE,
        BookingTime::Timed { .. } => APPOINTMENT_SEARCH_RANGE,
    };
    let within = Interval {
        start: interval.start - reach - Duration::days(1),
        end: interval.end + reach + Duration::days(1),
    };
    let mut rows = Vec::with_capacity(1 + draft.staff.len());
    for subject in std::iter::once(draft.resource.0).chain(draft.staff.iter().map(|member| member.0)) {
        rows.push(occupancy::units_of_others(db, change.business, subject, within, reference).await?);
    }
    let mut needs = Vec::with_capacity(rows.len());
    for (index, rows) in rows.iter().enumerate() {
        needs.push(if index == 0 {
            SubjectDemand {
                rows,
                capacity: resource.capacity,
                quantity: draft.quantity,
                buffer_before: resource.buffer_before_minutes,
                buffer_after: resource.buffer_after_minutes,
            }
        } else {
            SubjectDemand { rows, capacity: 1, quantity: 1, buffer_before: 0, buffer_after: 0 }
        });
    }
    let search = SlotSearch {
        wanted: draft.time,
        zone,
        not_before: change.now,
        reach,
        step: APPOINTMENT_STEP,
        most: 5,
    };
    Ok(find_free_slots(&needs, &search))
}
