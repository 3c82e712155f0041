//! One connection: what is read and written, how it goes, and what can be done.

use askama::{Template, filters::HtmlSafe};
use axum::{extract::State, response::Response};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
use concord_domain::{
    connection::{ConnectionState, Coverage, Direction, ProviderKind},
    ids::ConnectionId,
    interval::Interval,
    job::JobKind,
    people::Trade,
    sync::remote_change::RemoteChangePolicy,
};
use concord_storage::{
    PageRequest, busy_times,
    calendars::{self, Calendar},
    connections::Connection,
    entries,
    jobs::{self, KeyWait},
    people,
    sync_log::{self, SyncLogFilter},
};

use super::{
    super::{
        PageError,
        components::{Pill, SelectOption, capitalize, pluralize},
        drift::DriftStatus,
        extract::PagePath,
        format::{RelativeTime, stretch},
        layout::{Layout, NavItem, render_page, render_partial},
        overview::success_rate,
        session::CurrentUser,
        sync_log::{SyncLogRow, rows},
    },
    find_connection,
    push_status::push_status,
    revoke_note,
    settings::BUSINESS_DEFAULT,
};
use crate::app::App;

#[derive(Template)]
#[template(path = "calendar.html")]
struct CalendarPage {
    frame: Layout,
    path: String,
    staff: String,
    staff_id: String,
    provider: &'static str,
    provider_word: &'static str,
    end_of_access: String,
    account: String,
    state: Pill,
    sentence: String,
    /// How soon what is done in it is known here; empty if nothing of it is.
    arrival: String,
    is_active: bool,
    is_paused: bool,
    needs_reconnect: bool,
    is_default: bool,
    has_others: bool,
    calendars: Vec<CalendarRow>,
    direction: Direction,
    coverage: Coverage,
    /// What becomes of entries that its owner moves, and of those that they delete.
    moves: Vec<SelectOption>,
    deletions: Vec<SelectOption>,
    /// What suits the person whoever is assigned, such as "deliveries"; `None`: nothing does.
    of_trade: Option<&'static str>,
    /// What a disconnection would remove: "14 entries".
    standing: String,
    has_standing: bool,
    live: CalendarLive,
}

struct CalendarRow {
    id: String,
    name: String,
    colour: Option<String>,
    is_primary: bool,
    writable: bool,
    reads: bool,
    writes: bool,
    is_missing: bool,
    last: Option<RelativeTime>,
    held: Option<String>,
}

/// What changes while it is looked at.
#[derive(Template)]
#[template(path = "calendar_live.html")]
struct CalendarLive {
    id: String,
    /// What is being done at this moment; empty once all is quiet.
    under_way: Vec<String>,
    standing: i64,
    success: Option<String>,
    /// How far what stands there is from what should.
    drift: DriftStatus,
    /// What the last compare found to be otherwise than it should.
    differences: Vec<SyncLogRow>,
    last: Option<RelativeTime>,
    error: Option<String>,
    log: Vec<SyncLogRow>,
    busy: Vec<BusyTimeRow>,
    reads: bool,
    zone: String,
}
impl HtmlSafe for CalendarLive {}

struct BusyTimeRow {
    when: String,
    calendar: String,
    tentative: bool,
}

const LOG_LINES: u32 = 12;
const DIFFERENCES: u32 = 20;
const BUSY_LINES: usize = 12;

pub(super) async fn show(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<ConnectionId>,
) -> Result<Response, PageError> {
    let connection = find_connection(&app, &user, id).await?;
    let shown = build_page(&app, &user, &connection).await?;
    render_page(&app, &user, &shown)
}

async fn build_page(
    app: &App,
    user: &CurrentUser,
    connection: &Connection,
) -> Result<CalendarPage, PageError> {
    let (db, business, zone) = (&app.context.db, user.business.id, user.business.zone);
    let staff = people::find_staff(db, business, connection.staff_id).await?;
    let of_trade = staff.as_ref().and_then(|staff| trade_bookings(staff.trade));
    let staff = staff.map_or_else(|| "Somebody".to_owned(), |staff| staff.name);
    let all = calendars::of_connection(db, business, connection.id).await?;
    let others = concord_storage::connections::of_staff(db, business, connection.staff_id).await?;
    let title = format!("{staff}'s {} calendar", connection.provider.name());
    let live = build_live(app, user, connection, &all).await?;
    Ok(CalendarPage {
        frame: Layout::load(app, user, NavItem::Calendars, title).await?,
        path: format!("/calendars/{}", connection.id),
        staff_id: connection.staff_id.to_string(),
        provider: connection.provider.name(),
        provider_word: connection.provider.as_str(),
        end_of_access: access_end_note(connection.provider),
        account: connection.account_email.clone(),
        state: connection.state.into(),
        sentence: state_sentence(connection, &staff),
        arrival: push_status(app, connection, &all).await?,
        staff,
        is_active: connection.state == ConnectionState::Active,
        is_paused: connection.state == ConnectionState::Paused,
        needs_reconnect: connection.state == ConnectionState::NeedsReconnect,
        is_default: connection.is_default,
        has_others: others.len() > 1,
        calendars: all.iter().map(|calendar| calendar_row(calendar, app.now(), zone)).collect(),
        direction: connection.direction,
        coverage: connection.coverage,
        moves: policy_options(connection.remote_moves, user.business.outside.moves, move_policy_label),
        deletions: policy_options(
            connection.remote_deletions,
            user.business.outside.deletions,
            deletion_policy_label,
        ),
        of_trade,
        standing: pluralize(live.standing, "entry", "entries"),
        has_standing: live.standing > 0,
        live,
    })
}

fn trade_bookings(trade: Trade) -> Option<&'static str> {
    match trade {
        Trade::General => None,
        Trade::Technician => Some("maintenance"),
        Trade::Driver => Some("deliveries"),
    }
}

fn state_sentence(connection: &Connection, staff: &str) -> String {
    let provider = connection.provider.name();
    match connection.state {
        ConnectionState::Active => match connection.direction {
            Direction::Both => {
                "Bookings are written to this calendar, and its busy times are imported.".to_owned()
            }
            Direction::Out => "Bookings are written to this calendar; nothing is imported.".to_owned(),
            Direction::In => "Busy times are imported from this calendar; nothing is written.".to_owned(),
        },
        ConnectionState::NeedsReconnect => format!(
            "Concord no longer has access at {provider}. Nothing is lost: pending bookings are written once {staff} reconnects."
        ),
        ConnectionState::Paused => "Sync paused. Nothing is written or imported until you resume.".to_owned(),
        ConnectionState::Disconnected => "This calendar is disconnected.".to_owned(),
    }
}

/// What can be chosen, beginning with what the business has chosen.
fn policy_options(
    own: Option<RemoteChangePolicy>,
    business: RemoteChangePolicy,
    words: fn(RemoteChangePolicy) -> &'static str,
) -> Vec<SelectOption> {
    let chosen = own.map_or(BUSINESS_DEFAULT, RemoteChangePolicy::as_str);
    let usual =
        SelectOption::new(BUSINESS_DEFAULT, format!("Business default ({})", words(business)), chosen);
    let others = RemoteChangePolicy::ALL
        .iter()
        .map(|&policy| SelectOption::new(policy.as_str(), capitalize(words(policy)), chosen));
    std::iter::once(usual).chain(others).collect()
}

fn move_policy_label(policy: RemoteChangePolicy) -> &'static str {
    match policy {
        RemoteChangePolicy::Follow => "follow: the booking is updated",
        RemoteChangePolicy::Ask => "ask: a person decides",
        RemoteChangePolicy::Revert => "revert: the entry is restored",
    }
}

fn deletion_policy_label(policy: RemoteChangePolicy) -> &'static str {
    match policy {
        RemoteChangePolicy::Follow => "follow: the booking is cancelled or reinstated",
        RemoteChangePolicy::Ask => "ask: a person decides",
        RemoteChangePolicy::Revert => "revert: the entry is restored or deleted again",
    }
}

fn calendar_row(calendar: &Calendar, now: DateTime<Utc>, zone: Tz) -> CalendarRow {
    CalendarRow {
        id: calendar.id.to_string(),
        name: calendar.name.clone(),
        colour: calendar.colour.clone().filter(|colour| is_colour(colour)),
        is_primary: calendar.is_primary,
        writable: calendar.writable && calendar.missing_since.is_none(),
        reads: calendar.reads,
        writes: calendar.writes,
        is_missing: calendar.missing_since.is_some(),
        last: calendar.last_import_at.map(|at| RelativeTime::new(at, now, zone)),
        held: calendar.quarantine_reason.clone(),
    }
}

/// `#rrggbb`: it comes from outside and stands in an attribute.
fn is_colour(text: &str) -> bool {
    text.len() == 7 && text.starts_with('#') && text[1..].chars().all(|c| c.is_ascii_hexdigit())
}

pub(super) async fn live(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<ConnectionId>,
) -> Result<Response, PageError> {
    let connection = find_connection(&app, &user, id).await?;
    let all = calendars::of_connection(&app.context.db, user.business.id, id).await?;
    render_partial(&build_live(&app, &user, &connection, &all).await?)
}

async fn build_live(
    app: &App,
    user: &CurrentUser,
    connection: &Connection,
    all: &[Calendar],
) -> Result<CalendarLive, PageError> {
    let (db, business, id, now) = (&app.context.db, user.business.id, connection.id, app.now());
    let zone = user.business.zone;
    let ask = PageRequest { limit: LOG_LINES, after: None };
    let log = sync_log::list(
        db,
        business,
        SyncLogFilter { connection: Some(id), ..SyncLogFilter::default() },
        &ask,
    )
    .await?;
    let counts = sync_log::counts_since(db, business, Some(id), now - Duration::hours(24)).await?;
    let at_work = match connection.state {
        ConnectionState::Active => jobs::under_way(db, business, id, now).await?,
        // What waits for a person to resume or to connect again is not on its way.
        _ => Vec::new(),
    };
    let mut under_way = progress(&at_work);
    if !under_way.is_empty() {
        let wait = jobs::find_wait(db, id.into(), now).await?;
        under_way.extend(wait.and_then(|wait| wait_message(&wait, now, zone)));
    }
    Ok(CalendarLive {
        id: id.to_string(),
        under_way,
        standing: entries::count_present(db, business, id).await?,
        success: success_rate(counts),
        drift: DriftStatus::from_connection(connection, now, zone),
        differences: differences(app, user, connection).await?,
        last: connection.last_sync_at.map(|at| RelativeTime::new(at, now, zone)),
        error: connection.last_error.as_deref().map(capitalize),
        log: rows(app, user, log.items).await?,
        busy: busy_time_rows(app, user, all, now.with_timezone(&zone).date_naive()).await?,
        reads: connection.direction.reads(),
        zone: zone.name().replace('_', " "),
    })
}

/// Which entries the figures of the last compare are about.
async fn differences(
    app: &App,
    user: &CurrentUser,
    connection: &Connection,
) -> Result<Vec<SyncLogRow>, PageError> {
    let found = connection.drift.checked_at.filter(|_| !connection.drift.is_clean());
    let Some(since) = found else { return Ok(Vec::new()) };
    let (db, business) = (&app.context.db, user.business.id);
    let lines = sync_log::differences(db, business, connection.id, since, DIFFERENCES).await?;
    rows(app, user, lines).await
}

/// What is being done, in sentences.
fn progress(at_work: &[(JobKind, i64)]) -> Vec<String> {
    let number = |wanted: &[JobKind]| -> i64 {
        at_work.iter().filter(|(kind, _)| wanted.contains(kind)).map(|(_, number)| number).sum()
    };
    let mut sentences = Vec::new();
    if number(&[JobKind::BatchSync]) > 0 {
        sentences.push("Checking which bookings belong in this calendar.".to_owned());
    }
    let entries = number(&[JobKind::SyncBooking, JobKind::DeleteBooking]);
    if entries > 0 {
        sentences.push(format!("{} to sync.", pluralize(entries, "entry", "entries")));
    }
    if number(&[JobKind::CompareDrift]) > 0 {
        sentences.push("Comparing the calendar with your bookings.".to_owned());
    }
    let reads = number(&[JobKind::ImportAvailability]);
    if reads > 0 {
        let calendars = pluralize(reads, "calendar", "calendars");
        sentences.push(format!("Importing busy times from {calendars}."));
    }
    sentences
}

/// A wait that is shorter than that nobody has time to read of.
const MIN_SHOWN_WAIT: Duration = Duration::seconds(3);

/// What all of it waits for, if it does.
fn wait_message(wait: &KeyWait, now: DateTime<Utc>, zone: Tz) -> Option<String> {
    let until = if wait.wait_until > now { wait.wait_until } else { wait.batches_wait_until };
    (until - now > MIN_SHOWN_WAIT).then(|| {
        let time = until.with_timezone(&zone).format("%H:%M:%S");
        format!("{}. Next retry at {time}.", capitalize(&wait.reason))
    })
}

async fn busy_time_rows(
    app: &App,
    user: &CurrentUser,
    all: &[Calendar],
    today: NaiveDate,
) -> Result<Vec<BusyTimeRow>, PageError> {
    let mut events = Vec::new();
    for calendar in all.iter().filter(|calendar| calendar.reads) {
        let upcoming =
            busy_times::upcoming(&app.context.db, user.business.id, calendar.id, app.now()).await?;
        events.extend(upcoming.into_iter().map(|event| (event, &calendar.name)));
    }
    events.sort_by_key(|(event, _)| event.starts_at);
    Ok(events
        .into_iter()
        .take(BUSY_LINES)
        .map(|(event, calendar)| BusyTimeRow {
            when: stretch(Interval { start: event.starts_at, end: event.ends_at }, user.business.zone, today),
            calendar: calendar.clone(),
            tentative: event.tentative,
        })
        .collect())
}

#[derive(Template)]
#[template(path = "calendar_disconnect.html")]
struct DisconnectPage {
    frame: Layout,
    path: String,
    staff: String,
    provider: &'static str,
    end_of_access: String,
    standing: String,
    has_standing: bool,
}

/// What a disconnection ends at the provider, and what it cannot.
fn access_end_note(provider: ProviderKind) -> String {
    format!("{}{}", provider.description().access_end, revoke_note(provider))
}

/// The question on a page of its own, for whoever has no script.
pub(super) async fn confirm_disconnect(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<ConnectionId>,
) -> Result<Response, PageError> {
    let connection = find_connection(&app, &user, id).await?;
    let shown = build_page(&app, &user, &connection).await?;
    let question = DisconnectPage {
        frame: Layout { title: format!("Disconnect {}'s calendar", shown.staff), ..shown.frame },
        path: shown.path,
        staff: shown.staff,
        provider: shown.provider,
        end_of_access: shown.end_of_access,
        standing: shown.standing,
        has_standing: shown.has_standing,
    };
    render_page(&app, &user, &question)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_done_is_told_until_nothing_is() {
        assert_eq!(progress(&[]), Vec::<String>::new());
        let at_work = [
            (JobKind::ImportAvailability, 2),
            (JobKind::SyncBooking, 3),
            (JobKind::DeleteBooking, 1),
            (JobKind::BatchSync, 1),
            (JobKind::CompareDrift, 1),
        ];
        assert_eq!(
            progress(&at_work),
            [
                "Checking which bookings belong in this calendar.",
                "4 entries to sync.",
                "Comparing the calendar with your bookings.",
                "Importing busy times from 2 calendars.",
            ]
        );
    }

    #[test]
    fn only_a_colour_is_a_colour() {
        assert!(is_colour("#2f5D50"));
        for bad in ["", "#fff", "red", "#2f5d5g", "url(x)1"] {
            assert!(!is_colour(bad), "{bad}");
        }
    }
}
