//! The first page: is anything wrong, what is next, what can I do?

mod action_items;
mod channels;
mod upcoming;

use action_items::{ActionItems, action_items};
use askama::{Template, filters::HtmlSafe};
use axum::{
    Router,
    routing::{get, post},
};
use channels::{OverviewChannels, channels};
use chrono::Duration;
use concord_domain::ids::JobId;
use concord_services::retries;
use concord_storage::{StorageError, entries, sync_log};
use upcoming::UpcomingBookings;

use super::{
    Attention, CurrentUser, Flash, Layout, Manager, NameDirectory, NavItem, PagePath, PageResult, Pill,
    RelativeTime, capped_count, drift::DriftStatus, pluralize, render_page, render_partial,
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/", get(show))
        .route("/live/needs", get(live_action_items))
        .route("/live/next", get(live_upcoming))
        .route("/live/calendars", get(live_calendars))
        .route("/live/channels", get(live_channels))
        .route("/live/sync-word", get(live_indicator))
        .route("/retry/{job}", post(retry))
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    layout: Layout,
    needs: ActionItems,
    next: UpcomingBookings,
    calendars: OverviewCalendars,
    channels: Option<OverviewChannels>,
}

/// How the calendars stand: it changes while it is looked at.
#[derive(Template)]
#[template(path = "overview_calendars.html")]
struct OverviewCalendars {
    lines: Vec<OverviewCalendarRow>,
    is_under_way: bool,
    /// Whether the person could connect a calendar.
    may_connect: bool,
    /// "3 entries wait"; `None`: nothing does.
    waiting: Option<String>,
    figures: Option<SyncFigures>,
}
impl HtmlSafe for OverviewCalendars {}

/// How the calendars of the business stand altogether.
struct SyncFigures {
    synced: String,
    pending: i64,
    /// Of the last 24 hours, in percent; `None` when nothing was tried.
    success: Option<String>,
}

struct OverviewCalendarRow {
    path: String,
    staff: String,
    account: String,
    state: Pill,
    /// What the last compare found, where that was not all as it should be.
    drift: Option<DriftStatus>,
    last: Option<RelativeTime>,
}

async fn show(user: CurrentUser) -> PageResult {
    // What does not need one another is asked for at the same time: this page asks the most of all.
    let (attention, mut names, counts) =
        futures::try_join!(Attention::of(&user), async { Ok(names(&user).await?) }, counts(&user))?;
    let next = upcoming::upcoming_bookings(&user, &mut names).await?;
    let overview = OverviewPage {
        layout: Layout::with_attention(&user, NavItem::Overview, "Overview", &attention),
        needs: action_items(&user, &attention, &mut names).await?,
        next,
        calendars: calendars(&user, (&attention, counts), &mut names).await?,
        channels: if user.is_manager() { Some(channels(&user, &attention, &mut names).await?) } else { None },
    };
    render_page(&user, &overview)
}

async fn live_action_items(user: CurrentUser) -> PageResult {
    let attention = Attention::of(&user).await?;
    render_partial(&action_items(&user, &attention, &mut names(&user).await?).await?)
}

async fn live_upcoming(user: CurrentUser) -> PageResult {
    let mut names = names(&user).await?;
    render_partial(&upcoming::upcoming_bookings(&user, &mut names).await?)
}

async fn live_channels(user: Manager) -> PageResult {
    let attention = Attention::of(&user).await?;
    render_partial(&channels(&user, &attention, &mut names(&user).await?).await?)
}

async fn live_calendars(user: CurrentUser) -> PageResult {
    let (attention, counts) = futures::try_join!(Attention::of(&user), counts(&user))?;
    render_partial(&calendars(&user, (&attention, counts), &mut names(&user).await?).await?)
}

async fn live_indicator(user: CurrentUser) -> PageResult {
    render_partial(&Attention::of(&user).await?.indicator())
}

async fn names(user: &CurrentUser) -> Result<NameDirectory, StorageError> {
    NameDirectory::load(&user.app.context.db, user.business.id, user.business.zone).await
}

async fn retry(user: CurrentUser, PagePath(id): PagePath<JobId>) -> PageResult {
    let attention = Attention::of(&user).await?;
    if !attention.failures.iter().any(|job| job.id == id) {
        let flash = Flash::information("This was already retried. There is nothing left to retry.");
        return Ok(user.redirect_with_flash("/", &flash));
    }
    retries::retry_job(&user.app.context, user.business.id, id).await?;
    Ok(user.redirect_with_flash("/", &Flash::success("Retrying now.")))
}

/// How many entries stand as they should, and how often it went well in the last 24 hours.
struct OverviewCounts {
    synced: i64,
    log: sync_log::SyncLogCounts,
}

async fn counts(user: &CurrentUser) -> PageResult<Option<OverviewCounts>> {
    if !user.is_manager() {
        return Ok(None);
    }
    let (db, business, now) = (&user.app.context.db, user.business.id, user.app.now());
    let (synced, log) = futures::try_join!(
        entries::count_synced(db, business, None, now),
        sync_log::counts_since(db, business, None, now - Duration::hours(24)),
    )?;
    Ok(Some(OverviewCounts { synced, log }))
}

async fn calendars(
    user: &CurrentUser,
    (attention, counts): (&Attention, Option<OverviewCounts>),
    names: &mut NameDirectory,
) -> PageResult<OverviewCalendars> {
    let (db, now) = (&user.app.context.db, user.app.now());
    let mut lines = Vec::new();
    for connection in &attention.connections {
        names.load_staff(db, connection.staff_id).await?;
        lines.push(OverviewCalendarRow {
            path: format!("/calendars/{}", connection.id),
            staff: names.staff_name(connection.staff_id),
            account: format!("{}, {}", connection.provider.name(), connection.account_email),
            state: connection.state.into(),
            drift: Some(DriftStatus::from_connection(connection, now, user.business.zone))
                .filter(DriftStatus::is_drift),
            last: connection.last_sync_at.map(|at| RelativeTime::new(at, now, user.business.zone)),
        });
    }
    let pending = attention.entries.pending;
    let figures = counts.map(|counts| SyncFigures {
        synced: capped_count(counts.synced),
        pending,
        success: success_rate(counts.log),
    });
    let waiting = attention.entries.waiting;
    Ok(OverviewCalendars {
        lines,
        is_under_way: pending > 0,
        may_connect: user.may_connect(),
        waiting: (waiting > 0).then(|| pluralize(waiting, "entry is waiting", "entries are waiting")),
        figures,
    })
}

/// "100 %", "99.2 %"; `None` when nothing was tried.
pub(super) fn success_rate(counts: sync_log::SyncLogCounts) -> Option<String> {
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
            assert_eq!(success_rate(sync_log::SyncLogCounts { ok, failed }).as_deref(), text);
        }
    }
}
