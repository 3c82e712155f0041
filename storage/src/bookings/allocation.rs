//! What a booking occupies: one row a unit of its resource, and one with each of its people.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::{Booking, BookingKind, FieldError},
    ids::{BookingId, OccupancyId},
    interval::Interval,
    occupancy::{OccupancySource, ResourceDemand, SubjectKind},
};
use uuid::Uuid;

use crate::{
    Result, Tx,
    occupancy::{self, FreedInterval, OccupancyRequest, OccupancySubject},
    resources::{self, Resource},
};

/// Where a booking comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BookingOrigin {
    /// Ours: what finds no room is refused.
    Local,
    /// A platform's: it has been sold there, and is kept without a unit where there is no room.
    Channel,
}

/// What has come of giving a booking its units.
#[derive(Debug)]
pub(super) struct AllocatedBooking {
    /// Whether all that is new has a unit.
    pub(super) all: bool,
    /// Other bookings, which have found the units that they lacked.
    pub(super) others: Vec<BookingId>,
}

/// Gives the booking the units that it needs now. What it has and still needs it keeps: a booking over which somebody
/// has put an appointment in their own calendar stands, and can be retitled or completed all the same.
///
/// `Err` inside: what is in the way.
pub(super) async fn allocate_anew(
    tx: &mut Tx,
    before: Option<&Booking>,
    booking: &Booking,
    (resource, origin): (&Resource, BookingOrigin),
    now: DateTime<Utc>,
) -> Result<Result<AllocatedBooking, Vec<OccupancyId>>> {
    let had = before.map(required_occupancy).unwrap_or_default();
    let wants = required_occupancy(booking);
    let mut freed: Vec<FreedInterval> = Vec::new();
    for need in had.iter().filter(|need| !wants.contains(need)) {
        for room in occupancy::release_on(tx, booking.business, booking.id.0, need.subject).await? {
            // Each unit that it held frees the same time of the same resource.
            if !freed.contains(&room) {
                freed.push(room);
            }
        }
    }
    let mut allocated = AllocatedBooking { all: true, others: Vec::new() };
    for need in wants.iter().filter(|need| !had.contains(need)) {
        let arrival = arrival(booking, resource, need);
        match origin {
            BookingOrigin::Local => {
                if let Err(in_the_way) = occupancy::allocate(tx, &arrival, now).await? {
                    return Ok(Err(in_the_way));
                }
            }
            BookingOrigin::Channel if booking.draft.kind == BookingKind::Block => {
                record_free_parts(tx, &arrival, now).await?;
            }
            BookingOrigin::Channel => allocated.all &= occupancy::record(tx, &arrival, now).await?,
        }
    }
    for room in freed {
        let subject = subject_of(tx, booking, resource, &room).await?;
        let within = Interval { start: room.starts_at, end: room.ends_at };
        allocated.others.extend(occupancy::reallocate(tx, booking.business, subject, within).await?.bookings);
    }
    allocated.others.retain(|other| *other != booking.id);
    Ok(Ok(allocated))
}

/// A platform's block takes what is free of its nights: it may have been made because of a booking that stands here.
async fn record_free_parts(tx: &mut Tx, arrival: &OccupancyRequest, now: DateTime<Utc>) -> Result<()> {
    let (mut left, mut part) = (vec![arrival.interval], 0);
    // In halves where not all of it is free: owners close a house for years, of which a few nights are taken.
    while let Some(interval) = left.pop() {
        let stretch = OccupancyRequest { interval, ..*arrival };
        if interval.length() <= Duration::days(1) {
            occupancy::record_part(tx, &stretch, part, now).await?;
        } else if !occupancy::record_if_free(tx, &stretch, part, now).await? {
            let middle = interval.start + Duration::days((interval.length().num_days() / 2).max(1));
            left.push(Interval { start: middle, ..interval });
            left.push(Interval { end: middle, ..interval });
            continue;
        }
        part += 1;
    }
    Ok(())
}

/// Asks for more units than there are: no other time would help. What it holds already it may keep, even where the
/// resource has fewer units by now.
pub(super) fn too_many_units(
    before: Option<&Booking>,
    booking: &Booking,
    resource: &Resource,
) -> Option<FieldError> {
    let had = before.map(required_occupancy).unwrap_or_default();
    let (wanted, there) = (booking.draft.quantity, resource.capacity);
    let is_new = |need: &RequiredOccupancy| need.kind == SubjectKind::Resource && !had.contains(need);
    if wanted <= there || !required_occupancy(booking).iter().any(is_new) {
        return None;
    }
    let units = if there == 1 { "unit" } else { "units" };
    Some(FieldError::new("quantity", format!("is {wanted}, but {} has {there} {units}", resource.name)))
}

/// What a booking takes of one subject.
#[derive(PartialEq, Eq)]
struct RequiredOccupancy {
    kind: SubjectKind,
    subject: Uuid,
    interval: Interval,
    quantity: u32,
}

fn required_occupancy(booking: &Booking) -> Vec<RequiredOccupancy> {
    if !booking.draft.status.occupies() {
        return Vec::new();
    }
    let need =
        |kind, subject, quantity| RequiredOccupancy { kind, subject, interval: booking.interval, quantity };
    let resource = need(SubjectKind::Resource, booking.draft.resource.0, booking.draft.quantity);
    let staff = booking.draft.staff.iter().map(|member| need(SubjectKind::Staff, member.0, 1));
    std::iter::once(resource).chain(staff).collect()
}

fn arrival(booking: &Booking, resource: &Resource, need: &RequiredOccupancy) -> OccupancyRequest {
    let (interval, capacity) = match need.kind {
        SubjectKind::Staff => (need.interval, 1),
        SubjectKind::Resource => {
            let claim = ResourceDemand {
                interval: need.interval,
                buffer_before: resource.buffer_before_minutes,
                buffer_after: resource.buffer_after_minutes,
            };
            (claim.occupied(), resource.capacity)
        }
    };
    OccupancyRequest {
        business: booking.business,
        subject: OccupancySubject { kind: need.kind, id: need.subject, capacity },
        interval,
        source: OccupancySource::Booking,
        source_id: booking.id.0,
        quantity: need.quantity,
    }
}

async fn subject_of(
    tx: &mut Tx,
    booking: &Booking,
    resource: &Resource,
    room: &FreedInterval,
) -> Result<OccupancySubject> {
    let capacity = match room.subject_kind {
        SubjectKind::Staff => 1,
        SubjectKind::Resource if room.subject_id == resource.id.0 => resource.capacity,
        SubjectKind::Resource => resources::capacity(tx, booking.business, room.subject_id).await?,
    };
    Ok(OccupancySubject { kind: room.subject_kind, id: room.subject_id, capacity })
}
