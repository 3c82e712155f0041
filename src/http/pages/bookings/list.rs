//! The list of bookings, with its filters.

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use concord_domain::{
    booking::{Booking, BookingStatus},
    connection::EntryState,
    ids::BookingId,
    interval::start_of_day,
    platform::Platforms,
};
use concord_storage::{
    Db, PageAsk, StorageError,
    bookings::{self, BookingFilter},
    entries::{self, SyncState},
    occupancy,
};
use serde::Deserialize;

use super::super::{
    PageError,
    asked::Asked,
    filters::Unread,
    frame::{Frame, Place, page},
    names::Names,
    pieces::{Choice, Pill, Tone},
    session::CurrentUser,
    when::{day, span, typed_date},
};
use super::{name_of, overlap_pill, path_of, title_beside_name};
use crate::app::App;

/// The filters, as they were typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    q: String,
    resource: String,
    staff: String,
    status: String,
    /// Absent: from today on. Empty: from the beginning.
    from: Option<String>,
    until: String,
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "bookings.html")]
struct BookingsPage {
    frame: Frame,
    rows: Vec<Row>,
    resources: Vec<Choice>,
    staff: Vec<Choice>,
    statuses: Vec<Choice>,
    from: String,
    /// "today", "Sat 21 Nov"; empty: from the beginning.
    from_words: String,
    until: String,
    search: String,
    /// Whether anything narrows the list.
    is_narrowed: bool,
    /// The filters that cannot be read.
    unread: Unread,
    zone: String,
    /// The address of the next page, and of the first if this is not it.
    next: Option<String>,
    first: Option<String>,
}

struct Row {
    path: String,
    edit: String,
    name: String,
    title: String,
    reference: String,
    when: String,
    length: String,
    resource: String,
    staff: String,
    kind: &'static str,
    status: Pill,
    /// That it is booked twice.
    overlap: Option<Pill>,
    sync: Option<Pill>,
    is_over: bool,
}

const ROWS: u32 = 25;

pub(super) async fn show(
    State(app): State<App>,
    user: CurrentUser,
    Asked(wish): Asked<Wish>,
) -> Result<Response, PageError> {
    let (db, now, zone) = (&app.context.db, app.now(), user.business.zone);
    let today = now.with_timezone(&zone).date_naive();
    let from = wish.from.clone().unwrap_or_else(|| today.to_string());
    let filter = filter(&wish, &from, zone);
    let ask = PageAsk { limit: ROWS, after: wish.after.clone() };
    let found = bookings::list(db, user.business.id, &filter, &ask).await?;
    let mut names = Names::load(db, user.business.id, zone).await?;
    names.learn(db, &found.items).await?;
    let choices = choices(db, &wish, &filter, &mut names).await?;
    let ids: Vec<BookingId> = found.items.iter().map(|booking| booking.id).collect();
    let synced = entries::sync_states_of(db, user.business.id, &ids).await?;
    let sync = |booking: &Booking| synced.get(&booking.id).map(Vec::as_slice).unwrap_or_default();
    let overlaps = occupancy::overlaps_of(db, user.business.id, &ids, now).await?;
    let context = (&names, app.context.platforms.as_ref());
    let rows = found.items.iter().map(|booking| Row {
        overlap: overlap_pill(overlaps.get(&booking.id)),
        ..row(booking, sync(booking), context, today, now)
    });
    let rows = rows.collect();
    let mut frame = Frame::around(&app, &user, Place::Bookings, "Bookings").await?;
    frame.search.clone_from(&wish.q);
    let bookings = BookingsPage {
        frame,
        rows,
        resources: choices.resources,
        staff: choices.staff,
        statuses: choices.statuses,
        unread: unread_dates(&wish, &from, choices.unread),
        is_narrowed: is_narrowed(&wish),
        next: found.next.map(|after| address(&wish, &from, &after)),
        first: wish.after.is_some().then(|| address(&wish, &from, "")),
        from_words: from_words(&from, today),
        from,
        until: wish.until,
        search: wish.q,
        zone: zone.name().replace('_', " "),
    };
    page(&app, &user, &bookings)
}

/// What can be chosen, and what was asked for without being one of those.
struct Choices {
    resources: Vec<Choice>,
    staff: Vec<Choice>,
    statuses: Vec<Choice>,
    unread: Unread,
}

async fn choices(
    db: &Db,
    wish: &Wish,
    filter: &BookingFilter,
    names: &mut Names,
) -> Result<Choices, StorageError> {
    let mut unread = Unread::default();
    let mut resources: Vec<Choice> = names
        .resources
        .iter()
        .map(|resource| Choice::new(resource.id.to_string(), &resource.name, &wish.resource))
        .collect();
    let mut staff: Vec<Choice> =
        names.staff.iter().map(|staff| Choice::new(staff.id.to_string(), &staff.name, &wish.staff)).collect();
    let mut statuses: Vec<Choice> = BookingStatus::ALL
        .iter()
        .map(|status| Choice::new(status.as_str(), status.label(), &wish.status))
        .collect();
    let is_missing = |asked: &str, choices: &[Choice]| {
        !asked.trim().is_empty() && !choices.iter().any(|choice| choice.chosen)
    };
    if is_missing(&wish.resource, &resources) {
        if let Some(id) = filter.resource {
            names.learn_resource(db, id).await?;
            resources.push(Choice::new(&wish.resource, names.of_resource(id), &wish.resource));
        } else {
            let text = "There is no such resource.";
            unread.add_choice(("resource", "Resource"), text, &wish.resource, &mut resources);
        }
    }
    if is_missing(&wish.staff, &staff) {
        if let Some(id) = filter.staff {
            names.learn_staff(db, id).await?;
            staff.push(Choice::new(&wish.staff, names.of_staff(id), &wish.staff));
        } else {
            unread.add_choice(("staff", "Staff"), "There is no such person.", &wish.staff, &mut staff);
        }
    }
    if is_missing(&wish.status, &statuses) {
        let text = "There is no such status.";
        unread.add_choice(("status", "Status"), text, &wish.status, &mut statuses);
    }
    Ok(Choices { resources, staff, statuses, unread })
}

/// Adds the dates that are none.
fn unread_dates(wish: &Wish, from: &str, mut unread: Unread) -> Unread {
    for (field, label, typed) in [("from", "From", from), ("until", "Until", &wish.until)] {
        if !typed.trim().is_empty() && typed_date(typed).is_none() {
            unread.add(field, label, "This is not a date, such as 2026-12-31.");
        }
    }
    unread
}

fn filter(wish: &Wish, from: &str, zone: chrono_tz::Tz) -> BookingFilter {
    BookingFilter {
        resource: wish.resource.parse().ok(),
        staff: wish.staff.parse().ok(),
        status: wish.status.parse().ok(),
        kind: None,
        from: typed_date(from).map(|date| start_of_day(date, zone)),
        // The last day belongs to what is asked for.
        until: typed_date(&wish.until).map(|date| start_of_day(date + Duration::days(1), zone)),
        search: Some(wish.q.trim().to_owned()).filter(|search| !search.is_empty()),
        standing: false,
    }
}

fn from_words(from: &str, today: NaiveDate) -> String {
    match typed_date(from) {
        Some(date) if date == today => "today".to_owned(),
        Some(date) => day(date, today),
        None => String::new(),
    }
}

fn is_narrowed(wish: &Wish) -> bool {
    [&wish.q, &wish.resource, &wish.staff, &wish.status, &wish.until]
        .iter()
        .any(|text| !text.trim().is_empty())
}

fn address(wish: &Wish, from: &str, after: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [
        ("q", wish.q.as_str()),
        ("resource", &wish.resource),
        ("staff", &wish.staff),
        ("status", &wish.status),
        ("from", from),
        ("until", &wish.until),
        ("after", after),
    ] {
        if !value.is_empty() || name == "from" {
            query.append_pair(name, value);
        }
    }
    format!("/bookings?{}", query.finish())
}

fn row(
    booking: &Booking,
    sync: &[SyncState],
    (names, platforms): (&Names, &Platforms),
    today: NaiveDate,
    now: DateTime<Utc>,
) -> Row {
    let draft = &booking.draft;
    let time = span(&draft.time, names.zone_of(draft.resource), today);
    let path = path_of(booking);
    Row {
        edit: format!("{path}/edit"),
        path,
        name: name_of(booking, platforms),
        title: title_beside_name(booking, platforms),
        reference: booking.reference.clone(),
        when: time.text,
        length: time.length,
        resource: names.of_resource(draft.resource),
        staff: names.of_all_staff(&draft.staff),
        kind: draft.kind.as_str(),
        status: draft.status.into(),
        overlap: None,
        sync: in_a_word(sync),
        is_over: !draft.status.occupies() || booking.interval.end <= now,
    }
}

/// How a booking stands in all its calendars; `None`: it is in none.
fn in_a_word(sync: &[SyncState]) -> Option<Pill> {
    let standing: Vec<_> = sync.iter().filter(|entry| entry.is_kept_up()).collect();
    let Some(first) = standing.first() else {
        let is_left_there = sync.iter().any(|entry| entry.state == EntryState::Left);
        return is_left_there.then(|| EntryState::Left.into());
    };
    let worst = |state| standing.iter().any(|entry| entry.state == state);
    Some(if worst(EntryState::Failed) {
        Pill::new(Tone::Wrong, "Failed")
    } else if worst(EntryState::Asked) {
        EntryState::Asked.into()
    } else if worst(EntryState::Pending) {
        Pill::new(Tone::Waiting, "Waiting")
    } else if standing.len() == 1 {
        Pill::new(Tone::Good, format!("In {}'s", first.staff_name.split(' ').next().unwrap_or_default()))
    } else {
        Pill::new(Tone::Good, format!("In {} calendars", standing.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_asks_for_the_same() {
        let wish = Wish { q: "a&b".to_owned(), status: "confirmed".to_owned(), ..Wish::default() };
        assert_eq!(address(&wish, "", "key"), "/bookings?q=a%26b&status=confirmed&from=&after=key");
    }

    #[test]
    fn the_last_day_belongs_to_what_is_asked_for() {
        let wish = Wish { until: "2026-12-01".to_owned(), ..Wish::default() };
        let filter = filter(&wish, "2026-12-01", chrono_tz::Europe::Berlin);
        assert_eq!(filter.from.unwrap().to_rfc3339(), "2026-11-30T23:00:00+00:00");
        assert_eq!(filter.until.unwrap().to_rfc3339(), "2026-12-01T23:00:00+00:00");
    }

    #[test]
    fn a_date_that_is_none_is_named() {
        let wish = Wish { until: "soon".to_owned(), ..Wish::default() };
        let unread = unread_dates(&wish, "2026-13-45", Unread::default());
        assert!(unread.fault("from").is_some() && unread.fault("until").is_some());
        let unread = unread_dates(&Wish::default(), "2026-12-01", Unread::default());
        assert_eq!(unread.notice(), None);
    }

    #[test]
    fn dates_beyond_all_bookings_narrow_nothing() {
        for beyond in ["+262142-12-31", "-262143-01-01", "9999-12-31", "1969-12-31"] {
            let wish = Wish { until: beyond.to_owned(), ..Wish::default() };
            let filter = filter(&wish, beyond, chrono_tz::Pacific::Kiritimati);
            assert_eq!((filter.from, filter.until), (None, None), "{beyond}");
            assert_eq!(from_words(beyond, "2026-12-01".parse().unwrap()), "");
        }
    }
}
