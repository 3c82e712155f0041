//! One booking: what it is, how it stands in each calendar, and what became of it.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::{Booking, BookingStatus},
    connection::EntryState,
};
use concord_storage::{
    PageRequest, bookings,
    entries::{self, SyncState},
    history, occupancy, remote_changes,
};
use serde_json::Value;

use super::differences::{FieldDifference, action_label, differences, load_names};
use super::platform::{BookingPlatform, booking_platform};
use super::{
    cancel::{CancelEffects, cancel_confirmation},
    find_booking,
    guest::guest_notes,
    guest_name,
    invitations::BookingInvitations,
};
use crate::app::App;
use crate::http::pages::changes::{ChangeViewPlacement, RemoteChangeView, change_views};
use crate::http::pages::{
    Confirmation, CurrentUser, Layout, NameDirectory, NavItem, PagePath, PageResult, Pill, RelativeTime,
    booking_path, capitalize, kind_label, linkable_path, render_page, render_partial, span,
};

#[derive(Template)]
#[template(path = "booking.html")]
struct BookingPage {
    layout: Layout,
    path: String,
    booking: Booking,
    name: String,
    customer: String,
    /// Where it says more than the customer does.
    title: String,
    notes: String,
    kind: &'static str,
    status: Pill,
    when: String,
    length: String,
    zone: String,
    resource: String,
    staff: String,
    people: String,
    created: RelativeTime,
    /// Where it came from, as the end of a sentence.
    source: String,
    /// The platform that it came by.
    origin: Option<BookingPlatform>,
    /// The bookings that it overlaps, each by its name and page.
    overlaps: Vec<(String, String)>,
    live: BookingLive,
    invitations: BookingInvitations,
    /// What people did to its entries in their own calendars.
    outside: Vec<RemoteChangeView>,
    history: Vec<BookingHistoryRow>,
    is_cancelled: bool,
    /// Whether it waits for somebody to approve it.
    is_pending: bool,
    /// Asks before it is cancelled.
    cancel: Confirmation,
    /// What it would be again.
    status_before: BookingStatus,
}

/// How it stands in each calendar: the part that changes while it is looked at.
#[derive(Template)]
#[template(path = "booking_live.html")]
struct BookingLive {
    entries: Vec<BookingEntryRow>,
    is_under_way: bool,
    /// Whether anything could be in a calendar at all.
    is_anybodys: bool,
    /// Whether the person could connect a calendar.
    may_connect: bool,
}
impl HtmlSafe for BookingLive {}

impl BookingLive {
    /// Where it is kept up: "Ana's calendar", "3 calendars"; `None`: nowhere.
    fn places(&self) -> Option<String> {
        let standing: Vec<&BookingEntryRow> = self.entries.iter().filter(|entry| entry.is_kept_up).collect();
        match standing.as_slice() {
            [] => None,
            [only] => Some(format!("{}'s calendar", only.staff)),
            many => Some(format!("{} calendars", many.len())),
        }
    }
}

struct BookingEntryRow {
    /// The connection's page, for those who may see it.
    path: Option<String>,
    staff: String,
    /// For those who may see it.
    calendar: Option<String>,
    provider: &'static str,
    state: Pill,
    /// Whether a change of the booking changes it too.
    is_kept_up: bool,
    /// Whether it stands in a calendar that is no longer connected.
    is_left_there: bool,
    written: Option<RelativeTime>,
    error: Option<String>,
}

/// So many of the bookings that one overlaps are named.
const SHOWN_OVERLAPS: usize = 5;

struct BookingHistoryRow {
    at: RelativeTime,
    who: String,
    action: String,
    /// What a customer wrote.
    wish: Option<String>,
    differences: Vec<FieldDifference>,
}

pub(super) async fn show(user: CurrentUser, PagePath(key): PagePath<String>) -> PageResult {
    let (db, business, now) = (&user.app.context.db, user.business.id, user.app.now());
    let booking = find_booking(&user, &key).await?;
    let mut names = NameDirectory::load(db, business, user.business.zone).await?;
    names.load_archived(db, std::slice::from_ref(&booking)).await?;
    let lines = history::list_for_subject(db, business, booking.id.0, &PageRequest::default()).await?.items;
    load_names(&mut names, db, &lines).await?;
    let zone = names.resource_zone(booking.draft.resource);
    let today = now.with_timezone(&zone).date_naive();
    let time = span(&booking.draft.time, zone, today);
    let status_before = status_before_cancel(&lines);
    let outside = remote_changes::of_booking(db, business, booking.id).await?;
    let origin = booking_platform(&user, &booking).await?;
    let live = build_live(&user, &booking, zone).await?;
    let invitations = BookingInvitations::load(&user, &booking, zone).await?;
    let shown = BookingPage {
        layout: Layout::load(&user, NavItem::Bookings, guest_name(&booking, &user.app.context.platforms))
            .await?,
        path: booking_path(&booking),
        name: guest_name(&booking, &user.app.context.platforms),
        customer: user.app.context.platforms.guest_of(&booking),
        title: user.app.context.platforms.title_of(&booking).to_owned(),
        notes: guest_notes(&booking).to_owned(),
        kind: kind_label(booking.draft.kind),
        status: booking.draft.status.into(),
        zone: zone.name().replace('_', " "),
        resource: names.resource_name(booking.draft.resource),
        staff: names.staff_names(&booking.draft.staff),
        people: booking.draft.party_size.map(|size| size.to_string()).unwrap_or_default(),
        created: RelativeTime::new(booking.created_at, now, zone),
        source: match booking.draft.source.as_str() {
            "" => String::new(),
            "page" => " in Concord".to_owned(),
            "api" => " via API".to_owned(),
            _ if booking.channel.is_some() => String::new(),
            other => format!(", from {other}"),
        },
        cancel: cancel_confirmation(
            &user.app,
            &booking,
            &time.text,
            CancelEffects {
                places: live.places(),
                sold_by: origin.as_ref().map(|origin| origin.platform.as_str()),
                is_anyone_invited: invitations.is_anyone_invited(),
            },
        ),
        when: time.text,
        length: time.length,
        origin,
        overlaps: overlaps(&user.app, &booking).await?,
        live,
        invitations,
        outside: change_views(
            &user,
            &mut names,
            &outside,
            (ChangeViewPlacement::Booking, &booking_path(&booking)),
        )
        .await?,
        history: lines.iter().map(|line| history_row(line, &names, (now, zone))).collect(),
        is_cancelled: booking.draft.status == BookingStatus::Cancelled,
        is_pending: booking.draft.status == BookingStatus::Pending,
        status_before,
        booking,
    };
    render_page(&user, &shown)
}

fn history_row(
    line: &history::HistoryEntry,
    names: &NameDirectory,
    (now, zone): (DateTime<Utc>, Tz),
) -> BookingHistoryRow {
    BookingHistoryRow {
        at: RelativeTime::new(line.at, now, zone),
        who: line.actor.label(),
        action: action_label(line),
        wish: line.detail.get("wish").and_then(Value::as_str).map(str::to_owned),
        differences: differences(line, names, zone, now.with_timezone(&zone).date_naive()),
    }
}

/// What a cancelled booking was before.
fn status_before_cancel(newest_first: &[history::HistoryEntry]) -> BookingStatus {
    newest_first
        .iter()
        .find(|line| line.action == "cancelled")
        .and_then(|line| line.detail.pointer("/changes/status/0"))
        .and_then(Value::as_str)
        .and_then(|status| status.parse().ok())
        .unwrap_or(BookingStatus::Confirmed)
}

/// The bookings that it overlaps without room for all of them, each by its name and page.
async fn overlaps(app: &App, booking: &Booking) -> PageResult<Vec<(String, String)>> {
    let ids = [booking.id];
    let mut found = occupancy::overlaps_of(&app.context.db, booking.business, &ids, app.now()).await?;
    let found = found.remove(&booking.id).unwrap_or_default();
    let mut named = Vec::new();
    for other in found.into_iter().take(SHOWN_OVERLAPS) {
        let path = linkable_path(&other.reference).unwrap_or_else(|| format!("/bookings/{}", other.other_id));
        let beside = bookings::by_id(&app.context.db, booking.business, other.other_id).await?;
        let title = beside.map(|beside| app.context.platforms.subject_of(&beside)).unwrap_or_default();
        let name = if title.is_empty() { other.reference } else { format!("{title} ({})", other.reference) };
        named.push((name, path));
    }
    Ok(named)
}

pub(super) async fn live(user: CurrentUser, PagePath(key): PagePath<String>) -> PageResult {
    let booking = find_booking(&user, &key).await?;
    render_partial(&build_live(&user, &booking, user.business.zone).await?)
}

async fn build_live(user: &CurrentUser, booking: &Booking, zone: Tz) -> PageResult<BookingLive> {
    let states = entries::sync_states(&user.app.context.db, user.business.id, booking.id).await?;
    Ok(BookingLive {
        is_under_way: states.iter().any(|entry| entry.state == EntryState::Pending && !entry.is_over),
        may_connect: user.may_connect(),
        is_anybodys: !booking.draft.staff.is_empty(),
        entries: states.iter().map(|state| entry_row(state, user, (user.app.now(), zone))).collect(),
    })
}

fn entry_row(state: &SyncState, user: &CurrentUser, (now, zone): (DateTime<Utc>, Tz)) -> BookingEntryRow {
    let may_see = user.may_see(state.staff);
    BookingEntryRow {
        // A connection that is over has no page.
        path: (may_see && !state.is_over).then(|| format!("/calendars/{}", state.connection)),
        staff: state.staff_name.clone(),
        calendar: may_see.then(|| state.calendar.clone()),
        provider: state.provider.name(),
        state: state.state.into(),
        is_kept_up: state.is_kept_up(),
        is_left_there: state.state == EntryState::Left,
        written: state.written_at.map(|at| RelativeTime::new(at, now, zone)),
        error: state.last_error.as_deref().filter(|_| may_see && !state.is_over).map(capitalize),
    }
}
