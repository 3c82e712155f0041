//! One booking: what it is, how it stands in each calendar, and what became of it.

use askama::{Template, filters::HtmlSafe};
use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::{Booking, BookingStatus},
    connection::EntryState,
};
use concord_storage::{
    PageAsk, bookings, channels,
    entries::{self, SyncState},
    history, occupancy, remote_changes,
};

use super::super::{
    PageError,
    asked::Named,
    changes::{ChangeLine, Where, lines},
    channels::{path_of as channel_path, platform_name, words::hue_class},
    frame::{Frame, Place, page, part},
    names::Names,
    pieces::{Pill, capital, kind_label},
    session::CurrentUser,
    when::{When, span},
};
use super::{
    change::former_status,
    differences::{Difference, deed, differences, learn},
    found,
    guest::notes_of,
    link_to, name_of, path_of,
};
use crate::app::App;

#[derive(Template)]
#[template(path = "booking.html")]
struct BookingPage {
    frame: Frame,
    path: String,
    booking: Booking,
    name: String,
    /// For whom.
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
    created: When,
    /// Where it came from, as the end of a sentence.
    source: String,
    /// The platform that it came by.
    origin: Option<Origin>,
    /// The bookings that it overlaps, each by its name and page.
    overlaps: Vec<(String, String)>,
    live: BookingLive,
    /// What people did to its entries in their own calendars.
    outside: Vec<ChangeLine>,
    history: Vec<Change>,
    is_cancelled: bool,
    /// What it would be again.
    former: BookingStatus,
}

/// The platform that a booking came by.
pub(super) struct Origin {
    pub(super) platform: String,
    hue: String,
    /// The channel's page, for those who may see it.
    path: Option<String>,
    /// When the channel was last read.
    read: Option<When>,
}

/// How it stands in each calendar: the part that changes while it is looked at.
#[derive(Template)]
#[template(path = "booking_live.html")]
struct BookingLive {
    entries: Vec<Entry>,
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
        let standing: Vec<&Entry> = self.entries.iter().filter(|entry| entry.is_kept_up).collect();
        match standing.as_slice() {
            [] => None,
            [only] => Some(format!("{}'s calendar", only.staff)),
            many => Some(format!("{} calendars", many.len())),
        }
    }
}

struct Entry {
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
    written: Option<When>,
    error: Option<String>,
}

/// So many of the bookings that one overlaps are named.
const SHOWN_OVERLAPS: usize = 5;

struct Change {
    at: When,
    who: String,
    deed: String,
    differences: Vec<Difference>,
}

pub(super) async fn show(
    State(app): State<App>,
    user: CurrentUser,
    Named(key): Named<String>,
) -> Result<Response, PageError> {
    let (db, business, now) = (&app.context.db, user.business.id, app.now());
    let booking = found(db, &user, &key).await?;
    let mut names = Names::load(db, business, user.business.zone).await?;
    names.learn(db, std::slice::from_ref(&booking)).await?;
    let told = history::of_subject(db, business, booking.id.0, &PageAsk::default()).await?.items;
    learn(&mut names, db, &told).await?;
    let zone = names.zone_of(booking.draft.resource);
    let today = now.with_timezone(&zone).date_naive();
    let time = span(&booking.draft.time, zone, today);
    let former = former_status(&told);
    let outside = remote_changes::of_booking(db, business, booking.id).await?;
    let shown = BookingPage {
        frame: Frame::around(&app, &user, Place::Bookings, name_of(&booking, &app.context.platforms)).await?,
        path: path_of(&booking),
        name: name_of(&booking, &app.context.platforms),
        customer: app.context.platforms.guest_of(&booking),
        title: app.context.platforms.title_of(&booking).to_owned(),
        notes: notes_of(&booking).to_owned(),
        kind: kind_label(booking.draft.kind),
        status: booking.draft.status.into(),
        when: time.text,
        length: time.length,
        zone: zone.name().replace('_', " "),
        resource: names.of_resource(booking.draft.resource),
        staff: names.of_all_staff(&booking.draft.staff),
        people: booking.draft.party_size.map(|size| size.to_string()).unwrap_or_default(),
        created: When::of(booking.created_at, now, zone),
        source: match booking.draft.source.as_str() {
            "" => String::new(),
            "page" => " on a page".to_owned(),
            "api" => " by a program".to_owned(),
            _ if booking.channel.is_some() => String::new(),
            other => format!(", from {other}"),
        },
        origin: origin(&app, &user, &booking).await?,
        overlaps: overlaps(&app, &booking).await?,
        live: live_part(&app, &user, &booking, zone).await?,
        outside: lines(&app, &user, &mut names, &outside, (Where::Booking, &path_of(&booking))).await?,
        history: told
            .iter()
            .map(|line| Change {
                at: When::of(line.at, now, zone),
                who: line.actor.label(),
                deed: deed(line),
                differences: differences(line, &names, zone, today),
            })
            .collect(),
        is_cancelled: booking.draft.status == BookingStatus::Cancelled,
        former,
        booking,
    };
    page(&app, &user, &shown)
}

/// The bookings that it overlaps without room for all of them, each by its name and page.
async fn overlaps(app: &App, booking: &Booking) -> Result<Vec<(String, String)>, PageError> {
    let ids = [booking.id];
    let mut found = occupancy::overlaps_of(&app.context.db, booking.business, &ids, app.now()).await?;
    let found = found.remove(&booking.id).unwrap_or_default();
    let mut named = Vec::new();
    for other in found.into_iter().take(SHOWN_OVERLAPS) {
        let path = link_to(&other.reference).unwrap_or_else(|| format!("/bookings/{}", other.other_id));
        let beside = bookings::by_id(&app.context.db, booking.business, other.other_id).await?;
        let title = beside.map(|beside| app.context.platforms.subject_of(&beside)).unwrap_or_default();
        let name = if title.is_empty() { other.reference } else { format!("{title} ({})", other.reference) };
        named.push((name, path));
    }
    Ok(named)
}

/// `None`: it came by no channel.
pub(super) async fn origin(
    app: &App,
    user: &CurrentUser,
    booking: &Booking,
) -> Result<Option<Origin>, PageError> {
    let Some(id) = booking.channel else { return Ok(None) };
    // One that was removed has no page.
    let channel = channels::find(&app.context.db, user.business.id, id).await?;
    let platform = channel.as_ref().map_or(&booking.draft.source, |channel| &channel.platform);
    Ok(Some(Origin {
        platform: platform_name(app, platform),
        hue: hue_class(app.context.platforms.find(platform)),
        path: channel.as_ref().filter(|_| user.is_manager()).map(|channel| channel_path(channel.id)),
        read: channel
            .and_then(|channel| channel.read_at)
            .map(|at| When::of(at, app.now(), user.business.zone)),
    }))
}

pub(super) async fn live(
    State(app): State<App>,
    user: CurrentUser,
    Named(key): Named<String>,
) -> Result<Response, PageError> {
    let booking = found(&app.context.db, &user, &key).await?;
    part(&live_part(&app, &user, &booking, user.business.zone).await?)
}

async fn live_part(
    app: &App,
    user: &CurrentUser,
    booking: &Booking,
    zone: Tz,
) -> Result<BookingLive, PageError> {
    let states = entries::sync_states(&app.context.db, user.business.id, booking.id).await?;
    Ok(BookingLive {
        is_under_way: states.iter().any(|entry| entry.state == EntryState::Pending && !entry.is_over),
        may_connect: user.may_connect(),
        is_anybodys: !booking.draft.staff.is_empty(),
        entries: states.iter().map(|state| entry(state, user, (app.now(), zone))).collect(),
    })
}

fn entry(state: &SyncState, user: &CurrentUser, (now, zone): (DateTime<Utc>, Tz)) -> Entry {
    let may_see = user.may_see(state.staff);
    Entry {
        // A connection that is over has no page.
        path: (may_see && !state.is_over).then(|| format!("/calendars/{}", state.connection)),
        staff: state.staff_name.clone(),
        calendar: may_see.then(|| state.calendar.clone()),
        provider: state.provider.name(),
        state: state.state.into(),
        is_kept_up: state.is_kept_up(),
        is_left_there: state.state == EntryState::Left,
        written: state.written_at.map(|at| When::of(at, now, zone)),
        error: state.last_error.as_deref().filter(|_| may_see && !state.is_over).map(capital),
    }
}
