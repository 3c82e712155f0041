//! The first page: is anything wrong, what is next, what can I do?

mod channels;
mod needs;
mod next;

use askama::{Template, filters::HtmlSafe};
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use channels::{Channels, channels};
use chrono::Duration;
use concord_domain::ids::JobId;
use concord_storage::{StorageError, entries, jobs, sync_log};
use needs::{Needs, needs};
use next::NextBookings;

use super::{
    PageError,
    asked::Named,
    attention::Attention,
    drift::DriftLine,
    flash::Flash,
    frame::{Frame, Place, page, part},
    names::Names,
    pieces::{Pill, count, counted},
    session::CurrentUser,
    when::When,
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/", get(show))
        .route("/live/needs", get(live_needs))
        .route("/live/next", get(live_next))
        .route("/live/calendars", get(live_calendars))
        .route("/live/channels", get(live_channels))
        .route("/live/sync-word", get(live_word))
        .route("/retry/{job}", post(retry))
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    needs: Needs,
    next: NextBookings,
    calendars: Calendars,
    /// For managers.
    channels: Option<Channels>,
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
    synced: String,
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

async fn show(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    // What does not need one another is asked for at the same time: this page asks the most of all.
    let (attention, mut names, counts) = futures::try_join!(
        Attention::of(&app, &user),
        async { Ok(names(&app, &user).await?) },
        counts(&app, &user),
    )?;
    let next = next::next_bookings(&app, &user, &mut names).await?;
    let overview = OverviewPage {
        frame: Frame::with_attention(&user, Place::Overview, "Overview", &attention),
        needs: needs(&app, &user, &attention, &mut names).await?,
        next,
        calendars: calendars(&app, &user, (&attention, counts), &mut names).await?,
        channels: if user.is_manager() {
            Some(channels(&app, &user, &attention, &mut names).await?)
        } else {
            None
        },
    };
    page(&app, &user, &overview)
}

async fn live_needs(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    let attention = Attention::of(&app, &user).await?;
    part(&needs(&app, &user, &attention, &mut names(&app, &user).await?).await?)
}

async fn live_next(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    let mut names = names(&app, &user).await?;
    part(&next::next_bookings(&app, &user, &mut names).await?)
}

async fn live_channels(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let attention = Attention::of(&app, &user).await?;
    part(&channels(&app, &user, &attention, &mut names(&app, &user).await?).await?)
}

async fn live_calendars(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    let (attention, counts) = futures::try_join!(Attention::of(&app, &user), counts(&app, &user))?;
    part(&calendars(&app, &user, (&attention, counts), &mut names(&app, &user).await?).await?)
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
    Named(id): Named<JobId>,
) -> Result<Response, PageError> {
    let (db, business) = (&app.context.db, user.business.id);
    let attention = Attention::of(&app, &user).await?;
    if !attention.failures.iter().any(|job| job.id == id) {
        let flash = Flash::information("That was tried again already; there is nothing left to retry.");
        return Ok(user.go(&app, "/", &flash));
    }
    let mut tx = db.begin().await?;
    let job = jobs::retry(&mut tx, business, id, app.now()).await?;
    tx.commit().await?;
    app.context.push(&[job]).await;
    Ok(user.go(&app, "/", &Flash::good("It is being tried again now.")))
}

/// How many entries stand as they should, and how often it went well in the last 24 hours.
struct Counts {
    synced: i64,
    log: sync_log::Counts,
}

/// For managers.
async fn counts(app: &App, user: &CurrentUser) -> Result<Option<Counts>, PageError> {
    if !user.is_manager() {
        return Ok(None);
    }
    let (db, business, now) = (&app.context.db, user.business.id, app.now());
    let (synced, log) = futures::try_join!(
        entries::count_synced(db, business, None, now),
        sync_log::counts_since(db, business, None, now - Duration::hours(24)),
    )?;
    Ok(Some(Counts { synced, log }))
}

async fn calendars(
    app: &App,
    user: &CurrentUser,
    (attention, counts): (&Attention, Option<Counts>),
    names: &mut Names,
) -> Result<Calendars, PageError> {
    let (db, now) = (&app.context.db, app.now());
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
    let pending = attention.entries.pending;
    let figures = counts.map(|counts| Figures {
        synced: counted(counts.synced),
        pending,
        success: success_rate(counts.log),
    });
    let waiting = attention.entries.waiting;
    Ok(Calendars {
        lines,
        is_under_way: pending > 0,
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
