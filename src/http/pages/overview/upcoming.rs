//! What is booked next, by day: others book while somebody looks.

use std::collections::{BTreeMap, HashMap};

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, NaiveDate, Utc};
use concord_domain::{
    booking::{Booking, BookingTime},
    ids::BookingId,
    platform::Platforms,
};
use concord_storage::{
    PageRequest,
    bookings::{self, BookingFilter},
    occupancy::{self, Overlap},
};

use crate::http::pages::bookings::{guest_name, overlap_pill, title_beside_name};
use crate::http::pages::{
    CurrentUser, NameDirectory, PageResult, Pill, booking_path, format::day_heading, span,
};

/// What is booked next.
#[derive(Template)]
#[template(path = "overview_next.html")]
pub(super) struct UpcomingBookings {
    days: Vec<UpcomingDay>,
    /// Whether there is anything to book at all.
    has_resources: bool,
    is_manager: bool,
}
impl HtmlSafe for UpcomingBookings {}

struct UpcomingDay {
    heading: String,
    bookings: Vec<UpcomingBookingRow>,
}

struct UpcomingBookingRow {
    path: String,
    when: String,
    name: String,
    detail: Vec<String>,
    kind: &'static str,
    status: Pill,
    overlap: Option<Pill>,
}

const SHOWN_NEXT: u32 = 12;

pub(super) async fn upcoming_bookings(
    user: &CurrentUser,
    names: &mut NameDirectory,
) -> PageResult<UpcomingBookings> {
    let (db, now) = (&user.app.context.db, user.app.now());
    let filter = BookingFilter { from: Some(now), active_only: true, ..BookingFilter::default() };
    let ask = PageRequest { limit: SHOWN_NEXT, after: None };
    let next = bookings::list(db, user.business.id, &filter, &ask).await?.items;
    names.load_archived(db, &next).await?;
    let ids: Vec<BookingId> = next.iter().map(|booking| booking.id).collect();
    let overlaps = occupancy::overlaps_of(db, user.business.id, &ids, now).await?;
    let today = now.with_timezone(&user.business.zone).date_naive();
    Ok(UpcomingBookings {
        days: group_by_day(&next, (names, &user.app.context.platforms), &overlaps, today),
        has_resources: !names.resources.is_empty(),
        is_manager: user.is_manager(),
    })
}

/// What has begun counts as today's.
fn group_by_day(
    bookings: &[Booking],
    (names, platforms): (&NameDirectory, &Platforms),
    overlaps: &HashMap<BookingId, Vec<Overlap>>,
    today: NaiveDate,
) -> Vec<UpcomingDay> {
    let mut days: BTreeMap<NaiveDate, Vec<UpcomingBookingRow>> = BTreeMap::new();
    for booking in bookings {
        let zone = names.resource_zone(booking.draft.resource);
        let starts = match booking.draft.time {
            BookingTime::Stay { check_in, .. } => check_in,
            BookingTime::Timed { starts_at, .. } => starts_at.with_timezone(&zone).date_naive(),
        };
        let overlap = overlap_pill(overlaps.get(&booking.id));
        let next = UpcomingBookingRow { overlap, ..upcoming_row(booking, (names, platforms), today) };
        days.entry(starts.max(today)).or_default().push(next);
    }
    days.into_iter()
        .map(|(date, bookings)| UpcomingDay { heading: day_heading(date, today), bookings })
        .collect()
}

fn upcoming_row(
    booking: &Booking,
    (names, platforms): (&NameDirectory, &Platforms),
    today: NaiveDate,
) -> UpcomingBookingRow {
    let draft = &booking.draft;
    let zone = names.resource_zone(draft.resource);
    let when = match draft.time {
        BookingTime::Stay { .. } => span(&draft.time, zone, today).length,
        BookingTime::Timed { starts_at, ends_at } => {
            let clock = |at: DateTime<Utc>| at.with_timezone(&zone).format("%H:%M").to_string();
            format!("{}–{}", clock(starts_at), clock(ends_at))
        }
    };
    let people = names.staff_names(&draft.staff);
    let detail: Vec<String> = [
        names.resource_name(draft.resource),
        people,
        match draft.time {
            BookingTime::Stay { .. } => span(&draft.time, zone, today).text,
            BookingTime::Timed { .. } => String::new(),
        },
        title_beside_name(booking, platforms),
    ]
    .into_iter()
    .filter(|part| !part.is_empty())
    .collect();
    UpcomingBookingRow {
        path: booking_path(booking),
        when,
        name: guest_name(booking, platforms),
        detail,
        kind: draft.kind.as_str(),
        status: draft.status.into(),
        overlap: None,
    }
}
