//! The first page: is anything wrong, what is next, what can I do?

mod needs;

use std::collections::BTreeMap;

use askama::{Template, filters::HtmlSafe};
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use concord_domain::{
    booking::{Booking, BookingTime},
    ids::DutyId,
};
use concord_storage::{
    PageAsk, StorageError,
    bookings::{self, BookingFilter},
    duties, sync_log,
};
use needs::{Needs, needs};

use super::{
    PageError,
    asked::Named,
    attention::Attention,
    bookings::path_of,
    drift::DriftLine,
    flash::Flash,
    frame::{Frame, Place, page, part},
    names::Names,
    pieces::{Pill, count, kind_label},
    session::CurrentUser,
    when::{When, day_heading, span},
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/", get(show))
        .route("/live/needs", get(live_needs))
        .route("/live/calendars", get(live_calendars))
        .route("/live/sync-word", get(live_word))
        .route("/retry/{duty}", post(retry))
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    needs: Needs,
    calendars: Calendars,
    days: Vec<Day>,
    /// Whether there is anything to book at all.
    has_resources: bool,
    is_manager: bool,
}

/// How the calendars stand: it changes while it is looked at.
#[derive(Template)]
#[template(path = "overview_calendars.html")]
struct Calendars {
    lines: Vec<CalendarLine>,
    is_under_way: bool,
    /// Whether the person could connect a calendar.
    may_connect: bool,
    /// "3 entries wait"; `None`: nothing does.
    waiting: Option<String>,
    /// For managers.
    figures: Option<Figures>,
}
impl HtmlSafe for Calendars {}

/// How the calendars of the business stand altogether.
struct Figures {
    synced: i64,
    pending: i64,
    /// Of the last 24 hours, in percent; `None` when nothing was tried.
    success: Option<String>,
}

struct CalendarLine {
    path: String,
    staff: String,
    account: String,
    state: Pill,
    /// What the last compare found, where that was not all as it should be.
    drift: Option<DriftLine>,
    last: Option<When>,
}

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
}

const SHOWN_NEXT: u32 = 12;

async fn show(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    let attention = Attention::of(&app, &user).await?;
    let mut names = names(&app, &user).await?;
    let next = next_bookings(&app, &user).await?;
    names.learn(&app.context.db, &next).await?;
    let overview = OverviewPage {
        frame: Frame::with_attention(&user, Place::Overview, "Overview", &attention),
        needs: needs(&app, &user, &attention, &mut names).await?,
        calendars: calendars(&app, &user, &attention, &mut names).await?,
        days: by_day(&next, &names, &user, app.now()),
        has_resources: !names.resources.is_empty(),
        is_manager: user.is_manager(),
    };
    page(&app, &user, &overview)
}

async fn live_needs(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    let attention = Attention::of(&app, &user).await?;
    part(&needs(&app, &user, &attention, &mut names(&app, &user).await?).await?)
}

async fn live_calendars(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    let attention = Attention::of(&app, &user).await?;
    part(&calendars(&app, &user, &attention, &mut names(&app, &user).await?).await?)
}

async fn live_word(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    part(&Attention::of(&app, &user).await?.word())
}

async fn names(app: &App, user: &CurrentUser) -> Result<Names, StorageError> {
    Names::load(&app.context.db, user.business.id, user.business.zone).await
}

async fn retry(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<DutyId>,
) -> Result<Response, PageError> {
    let (db, business) = (&app.context.db, user.business.id);
    let attention = Attention::of(&app, &user).await?;
    if !attention.failures.iter().any(|duty| duty.id == id) {
        let flash = Flash::information("That was tried again already; there is nothing left to retry.");
        return Ok(user.go(&app, "/", &flash));
    }
    let mut tx = db.begin().await?;
    let duty = duties::retry(&mut tx, business, id, app.now()).await?;
    tx.commit().await?;
    app.context.push(&[duty]).await;
    Ok(user.go(&app, "/", &Flash::good("It is being tried again now.")))
}

async fn calendars(
    app: &App,
    user: &CurrentUser,
    attention: &Attention,
    names: &mut Names,
) -> Result<Calendars, PageError> {
    let (db, business, now) = (&app.context.db, user.business.id, app.now());
    let mut lines = Vec::new();
    for connection in &attention.connections {
        names.learn_staff(db, connection.staff_id).await?;
        lines.push(CalendarLine {
            path: format!("/calendars/{}", connection.id),
            staff: names.of_staff(connection.staff_id),
            account: format!("{}, {}", connection.provider.name(), connection.account_email),
            state: connection.state.into(),
            drift: Some(DriftLine::of(connection, now, user.business.zone)).filter(DriftLine::is_drift),
            last: connection.last_sync_at.map(|at| When::of(at, now, user.business.zone)),
        });
    }
    let mut figures = None;
    if user.is_manager() {
        let counts = sync_log::counts_since(db, business, None, now - Duration::hours(24)).await?;
        let (synced, pending) = (attention.entries.synced, attention.entries.pending);
        figures = Some(Figures { synced, pending, success: success_rate(counts) });
    }
    let waiting = attention.entries.waiting;
    Ok(Calendars {
        lines,
        is_under_way: attention.entries.pending > 0,
        may_connect: user.may_connect(),
        waiting: (waiting > 0).then(|| count(waiting, "entry waits", "entries wait")),
        figures,
    })
}

/// "100 %", "99.2 %"; `None` when nothing was tried.
pub(super) fn success_rate(counts: sync_log::Counts) -> Option<String> {
    let all = counts.ok + counts.failed;
    let tenths = (counts.ok * 1000).checked_div(all)?;
    Some(if tenths % 10 == 0 {
        format!("{} %", tenths / 10)
    } else {
        format!("{}.{} %", tenths / 10, tenths % 10)
    })
}

async fn next_bookings(app: &App, user: &CurrentUser) -> Result<Vec<Booking>, StorageError> {
    let filter = BookingFilter { from: Some(app.now()), standing: true, ..BookingFilter::default() };
    let ask = PageAsk { limit: SHOWN_NEXT, after: None };
    Ok(bookings::list(&app.context.db, user.business.id, &filter, &ask).await?.items)
}

/// What has begun counts as today's.
fn by_day(bookings: &[Booking], names: &Names, user: &CurrentUser, now: DateTime<Utc>) -> Vec<Day> {
    let today = now.with_timezone(&user.business.zone).date_naive();
    let mut days: BTreeMap<NaiveDate, Vec<Next>> = BTreeMap::new();
    for booking in bookings {
        let zone = names.zone_of(booking.draft.resource);
        let starts = match booking.draft.time {
            BookingTime::Stay { check_in, .. } => check_in,
            BookingTime::Timed { starts_at, .. } => starts_at.with_timezone(&zone).date_naive(),
        };
        days.entry(starts.max(today)).or_default().push(next(booking, names, today));
    }
    days.into_iter().map(|(date, bookings)| Day { heading: day_heading(date, today), bookings }).collect()
}

fn next(booking: &Booking, names: &Names, today: NaiveDate) -> Next {
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
        title_beside_name(booking),
    ]
    .into_iter()
    .filter(|part| !part.is_empty())
    .collect();
    Next {
        path: path_of(booking),
        when,
        name: name_of(booking),
        detail,
        kind: draft.kind.as_str(),
        status: draft.status.into(),
    }
}

/// The title, where `name_of` is something else.
pub(super) fn title_beside_name(booking: &Booking) -> String {
    let draft = &booking.draft;
    if draft.customer.name.trim().is_empty() { String::new() } else { draft.title.trim().to_owned() }
}

/// What a booking is called in lists: its customer, or its title, or its kind.
pub(super) fn name_of(booking: &Booking) -> String {
    let draft = &booking.draft;
    let (name, title) = (draft.customer.name.trim(), draft.title.trim());
    match (name, title) {
        ("", "") => kind_label(draft.kind).to_owned(),
        ("", title) => title.to_owned(),
        (name, _) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_success_is_exact_to_a_tenth() {
        for (ok, failed, text) in [
            (0, 0, None),
            (10, 0, Some("100 %")),
            (999, 1, Some("99.9 %")),
            (1, 2, Some("33.3 %")),
            (0, 3, Some("0 %")),
        ] {
            assert_eq!(success_rate(sync_log::Counts { ok, failed }).as_deref(), text);
        }
    }
}
