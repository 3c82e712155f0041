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
    PageAsk,
    bookings::{self, BookingFilter},
    occupancy::{self, Overlap},
};

use super::super::{
    PageError,
    bookings::{name_of, overlap_pill, path_of, title_beside_name},
    names::Names,
    pieces::Pill,
    session::CurrentUser,
    when::{day_heading, span},
};
use crate::app::App;

/// What is booked next.
#[derive(Template)]
#[template(path = "overview_next.html")]
pub(super) struct NextBookings {
    days: Vec<Day>,
    /// Whether there is anything to book at all.
    has_resources: bool,
    is_manager: bool,
}
impl HtmlSafe for NextBookings {}

struct Day {
    heading: String,
    bookings: Vec<Next>,
}

struct Next {
    path: String,
    when: String,
    name: String,
    detail: Vec<String>,
    kind: &'static str,
    status: Pill,
    overlap: Option<Pill>,
}

const SHOWN_NEXT: u32 = 12;

pub(super) async fn next_bookings(
    app: &App,
    user: &CurrentUser,
    names: &mut Names,
) -> Result<NextBookings, PageError> {
    let (db, now) = (&app.context.db, app.now());
    let filter = BookingFilter { from: Some(now), standing: true, ..BookingFilter::default() };
    let ask = PageAsk { limit: SHOWN_NEXT, after: None };
    let next = bookings::list(db, user.business.id, &filter, &ask).await?.items;
    names.learn(db, &next).await?;
    let ids: Vec<BookingId> = next.iter().map(|booking| booking.id).collect();
    let overlaps = occupancy::overlaps_of(db, user.business.id, &ids, now).await?;
    let today = now.with_timezone(&user.business.zone).date_naive();
    Ok(NextBookings {
        days: by_day(&next, (names, &app.context.platforms), &overlaps, today),
        has_resources: !names.resources.is_empty(),
        is_manager: user.is_manager(),
    })
}

/// What has begun counts as today's.
fn by_day(
    bookings: &[Booking],
    (names, platforms): (&Names, &Platforms),
    overlaps: &HashMap<BookingId, Vec<Overlap>>,
    today: NaiveDate,
) -> Vec<Day> {
    let mut days: BTreeMap<NaiveDate, Vec<Next>> = BTreeMap::new();
    for booking in bookings {
        let zone = names.zone_of(booking.draft.resource);
        let starts = match booking.draft.time {
            BookingTime::Stay { check_in, .. } => check_in,
            BookingTime::Timed { starts_at, .. } => starts_at.with_timezone(&zone).date_naive(),
        };
        let overlap = overlap_pill(overlaps.get(&booking.id));
        let next = Next { overlap, ..next(booking, (names, platforms), today) };
        days.entry(starts.max(today)).or_default().push(next);
    }
    days.into_iter().map(|(date, bookings)| Day { heading: day_heading(date, today), bookings }).collect()
}

fn next(booking: &Booking, (names, platforms): (&Names, &Platforms), today: NaiveDate) -> Next {
    let draft = &booking.draft;
    let zone = names.zone_of(draft.resource);
    let when = match draft.time {
        BookingTime::Stay { .. } => span(&draft.time, zone, today).length,
        BookingTime::Timed { starts_at, ends_at } => {
            let clock = |at: DateTime<Utc>| at.with_timezone(&zone).format("%H:%M").to_string();
            format!("{}–{}", clock(starts_at), clock(ends_at))
        }
    };
    let people = names.of_all_staff(&draft.staff);
    let detail: Vec<String> = [
        names.of_resource(draft.resource),
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
    Next {
        path: path_of(booking),
        when,
        name: name_of(booking, platforms),
        detail,
        kind: draft.kind.as_str(),
        status: draft.status.into(),
        overlap: None,
    }
}
