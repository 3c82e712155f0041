//! How a connection goes, as long as somebody looks: what is being done, what was done, and what was read.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
use concord_domain::{connection::ConnectionState, ids::ConnectionId, interval::Interval, job::JobKind};
use concord_storage::{
    PageRequest, busy_times,
    calendars::{self, Calendar},
    connections::Connection,
    entries,
    jobs::{self, KeyWait},
    sync_log::{self, SyncLogFilter},
};

use super::find_connection;
use crate::http::pages::sync_log::{SyncLogRow, rows};
use crate::http::pages::{
    CurrentUser, PagePath, PageResult, RelativeTime, capitalize, drift::DriftStatus, overview::success_rate,
    pluralize, render_partial, stretch,
};

/// What changes while it is looked at.
#[derive(Template)]
#[template(path = "calendar_live.html")]
pub(super) struct CalendarLive {
    id: String,
    /// What is being done at this moment; empty once all is quiet.
    under_way: Vec<String>,
    pub standing: i64,
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

pub(super) async fn show(user: CurrentUser, PagePath(id): PagePath<ConnectionId>) -> PageResult {
    let connection = find_connection(&user, id).await?;
    let all = calendars::of_connection(&user.app.context.db, user.business.id, id).await?;
    render_partial(&build_live(&user, &connection, &all).await?)
}

pub(super) async fn build_live(
    user: &CurrentUser,
    connection: &Connection,
    all: &[Calendar],
) -> PageResult<CalendarLive> {
    let (db, business, id, now) = (&user.app.context.db, user.business.id, connection.id, user.app.now());
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
        differences: differences(user, connection).await?,
        last: connection.last_sync_at.map(|at| RelativeTime::new(at, now, zone)),
        error: connection.last_error.as_deref().map(capitalize),
        log: rows(user, log.items).await?,
        busy: busy_time_rows(user, all, now.with_timezone(&zone).date_naive()).await?,
        reads: connection.direction.reads(),
        zone: zone.name().replace('_', " "),
    })
}

/// Which entries the figures of the last compare are about.
async fn differences(user: &CurrentUser, connection: &Connection) -> PageResult<Vec<SyncLogRow>> {
    let found = connection.drift.checked_at.filter(|_| !connection.drift.is_clean());
    let Some(since) = found else { return Ok(Vec::new()) };
    let (db, business) = (&user.app.context.db, user.business.id);
    let lines = sync_log::differences(db, business, connection.id, since, DIFFERENCES).await?;
    rows(user, lines).await
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
    user: &CurrentUser,
    all: &[Calendar],
    today: NaiveDate,
) -> PageResult<Vec<BusyTimeRow>> {
    let mut events = Vec::new();
    for calendar in all.iter().filter(|calendar| calendar.reads) {
        let upcoming =
            busy_times::upcoming(&user.app.context.db, user.business.id, calendar.id, user.app.now()).await?;
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
}
