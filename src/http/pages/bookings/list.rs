//! The list of bookings, with its filters.

use askama::Template;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use concord_domain::{
    booking::{Booking, BookingStatus},
    connection::EntryState,
    ids::BookingId,
    interval::start_of_day,
    platform::Platforms,
};
use concord_storage::{
    Db, PageRequest, StorageError,
    bookings::{self, BookingFilter},
    entries::{self, SyncState},
    occupancy,
};
use serde::Deserialize;

use super::{guest_name, overlap_pill, title_beside_name};
use crate::http::pages::{
    CurrentUser, InvalidFilters, Layout, NameDirectory, NavItem, PageQuery, PageResult, Pill, SelectOption,
    Tone, booking_path, format::day, parse_date, render_page, span,
};

/// The filters, as they were typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BookingsPageQuery {
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
    layout: Layout,
    rows: Vec<BookingListRow>,
    resources: Vec<SelectOption>,
    staff: Vec<SelectOption>,
    statuses: Vec<SelectOption>,
    from: String,
    /// "today", "Sat 21 Nov"; empty: from the beginning.
    from_words: String,
    until: String,
    search: String,
    /// Whether anything narrows the list.
    is_narrowed: bool,
    /// The filters that cannot be read.
    unread: InvalidFilters,
    zone: String,
    /// The address of the next page, and of the first if this is not it.
    next: Option<String>,
    first: Option<String>,
}

struct BookingListRow {
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

const PAGE_SIZE: u32 = 25;

pub(super) async fn show(user: CurrentUser, PageQuery(query): PageQuery<BookingsPageQuery>) -> PageResult {
    let (db, now, zone) = (&user.app.context.db, user.app.now(), user.business.zone);
    let today = now.with_timezone(&zone).date_naive();
    let from = query.from.clone().unwrap_or_else(|| today.to_string());
    let filter = filter(&query, &from, zone);
    let ask = PageRequest { limit: PAGE_SIZE, after: query.after.clone() };
    let found = bookings::list(db, user.business.id, &filter, &ask).await?;
    let mut names = NameDirectory::load(db, user.business.id, zone).await?;
    names.load_archived(db, &found.items).await?;
    let choices = filter_choices(db, &query, &filter, &mut names).await?;
    let ids: Vec<BookingId> = found.items.iter().map(|booking| booking.id).collect();
    let synced = entries::sync_states_of(db, user.business.id, &ids).await?;
    let sync = |booking: &Booking| synced.get(&booking.id).map(Vec::as_slice).unwrap_or_default();
    let overlaps = occupancy::overlaps_of(db, user.business.id, &ids, now).await?;
    let context = (&names, user.app.context.platforms.as_ref());
    let rows = found.items.iter().map(|booking| BookingListRow {
        overlap: overlap_pill(overlaps.get(&booking.id)),
        ..row(booking, sync(booking), context, today, now)
    });
    let rows = rows.collect();
    let mut layout = Layout::load(&user, NavItem::Bookings, "Bookings").await?;
    layout.search.clone_from(&query.q);
    let bookings = BookingsPage {
        layout,
        rows,
        resources: choices.resources,
        staff: choices.staff,
        statuses: choices.statuses,
        unread: add_invalid_dates(&query, &from, choices.unread),
        is_narrowed: is_narrowed(&query),
        next: found.next.map(|after| page_url(&query, &from, &after)),
        first: query.after.is_some().then(|| page_url(&query, &from, "")),
        from_words: from_label(&from, today),
        from,
        until: query.until,
        search: query.q,
        zone: zone.name().replace('_', " "),
    };
    render_page(&user, &bookings)
}

/// What can be chosen, and what was asked for without being one of those.
struct BookingFilterChoices {
    resources: Vec<SelectOption>,
    staff: Vec<SelectOption>,
    statuses: Vec<SelectOption>,
    unread: InvalidFilters,
}

async fn filter_choices(
    db: &Db,
    query: &BookingsPageQuery,
    filter: &BookingFilter,
    names: &mut NameDirectory,
) -> Result<BookingFilterChoices, StorageError> {
    let mut unread = InvalidFilters::default();
    let mut resources: Vec<SelectOption> = names
        .resources
        .iter()
        .map(|resource| SelectOption::new(resource.id.to_string(), &resource.name, &query.resource))
        .collect();
    let mut staff: Vec<SelectOption> = names
        .staff
        .iter()
        .map(|staff| SelectOption::new(staff.id.to_string(), &staff.name, &query.staff))
        .collect();
    let mut statuses: Vec<SelectOption> = BookingStatus::ALL
        .iter()
        .map(|status| SelectOption::new(status.as_str(), status.label(), &query.status))
        .collect();
    let is_missing = |asked: &str, choices: &[SelectOption]| {
        !asked.trim().is_empty() && !choices.iter().any(|choice| choice.chosen)
    };
    if is_missing(&query.resource, &resources) {
        if let Some(id) = filter.resource {
            names.load_resource(db, id).await?;
            resources.push(SelectOption::new(&query.resource, names.resource_name(id), &query.resource));
        } else {
            let text = "Unknown resource.";
            unread.add_choice(("resource", "Resource"), text, &query.resource, &mut resources);
        }
    }
    if is_missing(&query.staff, &staff) {
        if let Some(id) = filter.staff {
            names.load_staff(db, id).await?;
            staff.push(SelectOption::new(&query.staff, names.staff_name(id), &query.staff));
        } else {
            unread.add_choice(("staff", "Staff"), "Unknown staff member.", &query.staff, &mut staff);
        }
    }
    if is_missing(&query.status, &statuses) {
        let text = "Unknown status.";
        unread.add_choice(("status", "Status"), text, &query.status, &mut statuses);
    }
    Ok(BookingFilterChoices { resources, staff, statuses, unread })
}

/// Adds the dates that are none.
fn add_invalid_dates(query: &BookingsPageQuery, from: &str, mut unread: InvalidFilters) -> InvalidFilters {
    for (field, label, typed) in [("from", "From", from), ("until", "To", &query.until)] {
        if !typed.trim().is_empty() && parse_date(typed).is_none() {
            unread.add(field, label, "Enter a date, such as 2026-12-31.");
        }
    }
    unread
}

fn filter(query: &BookingsPageQuery, from: &str, zone: chrono_tz::Tz) -> BookingFilter {
    BookingFilter {
        resource: query.resource.parse().ok(),
        staff: query.staff.parse().ok(),
        status: query.status.parse().ok(),
        kind: None,
        from: parse_date(from).map(|date| start_of_day(date, zone)),
        // The last day belongs to what is asked for.
        until: parse_date(&query.until).map(|date| start_of_day(date + Duration::days(1), zone)),
        search: Some(query.q.trim().to_owned()).filter(|search| !search.is_empty()),
        active_only: false,
    }
}

fn from_label(from: &str, today: NaiveDate) -> String {
    match parse_date(from) {
        Some(date) if date == today => "today".to_owned(),
        Some(date) => day(date, today),
        None => String::new(),
    }
}

fn is_narrowed(query: &BookingsPageQuery) -> bool {
    [&query.q, &query.resource, &query.staff, &query.status, &query.until]
        .iter()
        .any(|text| !text.trim().is_empty())
}

fn page_url(query: &BookingsPageQuery, from: &str, after: &str) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [
        ("q", query.q.as_str()),
        ("resource", &query.resource),
        ("staff", &query.staff),
        ("status", &query.status),
        ("from", from),
        ("until", &query.until),
        ("after", after),
    ] {
        if !value.is_empty() || name == "from" {
            pairs.append_pair(name, value);
        }
    }
    format!("/bookings?{}", pairs.finish())
}

fn row(
    booking: &Booking,
    sync: &[SyncState],
    (names, platforms): (&NameDirectory, &Platforms),
    today: NaiveDate,
    now: DateTime<Utc>,
) -> BookingListRow {
    let draft = &booking.draft;
    let time = span(&draft.time, names.resource_zone(draft.resource), today);
    let path = booking_path(booking);
    BookingListRow {
        edit: format!("{path}/edit"),
        path,
        name: guest_name(booking, platforms),
        title: title_beside_name(booking, platforms),
        reference: booking.reference.clone(),
        when: time.text,
        length: time.length,
        resource: names.resource_name(draft.resource),
        staff: names.staff_names(&draft.staff),
        kind: draft.kind.as_str(),
        status: draft.status.into(),
        overlap: None,
        sync: sync_pill(sync),
        is_over: !draft.status.occupies() || booking.interval.end <= now,
    }
}

/// How a booking stands in all its calendars; `None`: it is in none.
fn sync_pill(sync: &[SyncState]) -> Option<Pill> {
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
        Pill::new(Tone::Waiting, "Pending")
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
        let query = BookingsPageQuery {
            q: "a&b".to_owned(),
            status: "confirmed".to_owned(),
            ..BookingsPageQuery::default()
        };
        assert_eq!(page_url(&query, "", "key"), "/bookings?q=a%26b&status=confirmed&from=&after=key");
    }

    #[test]
    fn the_last_day_belongs_to_what_is_asked_for() {
        let query = BookingsPageQuery { until: "2026-12-01".to_owned(), ..BookingsPageQuery::default() };
        let filter = filter(&query, "2026-12-01", chrono_tz::Europe::Berlin);
        assert_eq!(filter.from.unwrap().to_rfc3339(), "2026-11-30T23:00:00+00:00");
        assert_eq!(filter.until.unwrap().to_rfc3339(), "2026-12-01T23:00:00+00:00");
    }

    #[test]
    fn a_date_that_is_none_is_named() {
        let query = BookingsPageQuery { until: "soon".to_owned(), ..BookingsPageQuery::default() };
        let unread = add_invalid_dates(&query, "2026-13-45", InvalidFilters::default());
        assert!(unread.fault("from").is_some() && unread.fault("until").is_some());
        let unread =
            add_invalid_dates(&BookingsPageQuery::default(), "2026-12-01", InvalidFilters::default());
        assert_eq!(unread.notice(), None);
    }

    #[test]
    fn dates_beyond_all_bookings_narrow_nothing() {
        for beyond in ["+262142-12-31", "-262143-01-01", "9999-12-31", "1969-12-31"] {
            let query = BookingsPageQuery { until: beyond.to_owned(), ..BookingsPageQuery::default() };
            let filter = filter(&query, beyond, chrono_tz::Pacific::Kiritimati);
            assert_eq!((filter.from, filter.until), (None, None), "{beyond}");
            assert_eq!(from_label(beyond, "2026-12-01".parse().unwrap()), "");
        }
    }
}
