//! What fails for longer than a moment, and what did.

use askama::Template;
use axum::{Router, routing::get};
use concord_domain::alert::{AlertKind, AlertState};
use concord_storage::{
    Page, PageRequest,
    alerts::{self, Alert},
};
use serde::Deserialize;

use super::{CurrentUser, Layout, NavItem, PageQuery, PageResult, Pill, RelativeTime, Tone, render_page};
use crate::app::App;

const PAGE_SIZE: u32 = 50;

pub(super) fn router() -> Router<App> {
    Router::new().route("/alerts", get(show))
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    layout: Layout,
    rows: Vec<AlertRow>,
    next: Option<String>,
    is_further: bool,
}

struct AlertRow {
    headline: String,
    kind: &'static str,
    /// Why, a paragraph a line.
    cause: Vec<String>,
    link: String,
    pill: Pill,
    since: RelativeTime,
    until: Option<RelativeTime>,
    last_mail: Option<RelativeTime>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AlertsPageQuery {
    after: Option<String>,
}

/// What fails, as people call it.
pub(super) fn kind_label(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::CalendarExport => "Calendar",
        AlertKind::CalendarImport => "Busy times",
        AlertKind::ChannelFeed => "Channel",
        AlertKind::ChannelExport => "Calendar link",
        AlertKind::Mailbox => "Mailbox",
        AlertKind::Webhook => "Webhook",
    }
}

async fn show(user: CurrentUser, PageQuery(query): PageQuery<AlertsPageQuery>) -> PageResult {
    let page = PageRequest { limit: PAGE_SIZE, after: query.after.clone() };
    let found = match user.calendar_scope() {
        Some(staff) => alerts::list(&user.app.context.db, user.business.id, (None, staff), &page).await?,
        None => Page { items: Vec::new(), next: None },
    };
    let shown = AlertsPage {
        layout: Layout::load(&user, NavItem::Overview, "Alerts").await?,
        rows: found.items.into_iter().map(|alert| row(&user, alert)).collect(),
        next: found.next.map(|after| format!("/alerts?after={after}")),
        is_further: query.after.is_some(),
    };
    render_page(&user, &shown)
}

fn row(user: &CurrentUser, alert: Alert) -> AlertRow {
    let (now, zone) = (user.app.now(), user.business.zone);
    let pill = match (alert.state(), alert.failure.healthy_since) {
        (AlertState::Closed, _) => Pill::new(Tone::Good, "Resolved"),
        (AlertState::Open, Some(_)) => Pill::new(Tone::Waiting, "Recovering"),
        (AlertState::Open, None) => Pill::new(Tone::Wrong, "Open"),
    };
    let when = |at| RelativeTime::new(at, now, zone);
    AlertRow {
        kind: kind_label(alert.kind),
        cause: alert.cause.lines().map(str::to_owned).collect(),
        pill,
        since: when(alert.failure.since),
        until: alert.closed_at.map(when),
        last_mail: alert.last_mail_at.map(when),
        headline: alert.headline,
        link: alert.link,
    }
}
