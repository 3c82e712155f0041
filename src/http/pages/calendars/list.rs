//! Everybody's connected calendars.

use askama::Template;
use chrono::Duration;
use concord_domain::{
    connection::{ConnectionState, ProviderKind},
    ids::ConnectionId,
};
use concord_storage::{
    calendars::{self, Calendar},
    connections::Connection,
    entries,
    people::{self, Staff},
    sync_log,
};

use crate::http::pages::{
    Attention, CurrentUser, Layout, NavItem, PageResult, Pill, RelativeTime, all_staff, capitalize,
    capped_count, join_names, overview::success_rate, people::trade_label, render_page,
};

#[derive(Template)]
#[template(path = "calendars.html")]
struct CalendarsPage {
    layout: Layout,
    people: Vec<StaffCalendarsRow>,
    /// Providers that can be connected here.
    providers: Vec<ProviderKind>,
    /// Names of those with a consent page, where none of them can be.
    missing_providers: Option<String>,
    is_manager: bool,
    has_connections: bool,
    synced: String,
    pending: i64,
    failed: i64,
    success: Option<String>,
}

struct StaffCalendarsRow {
    id: String,
    name: String,
    trade: &'static str,
    connections: Vec<CalendarConnectionRow>,
}

impl StaffCalendarsRow {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates call it with a reference")]
    fn has(&self, provider: &ProviderKind) -> bool {
        self.connections.iter().any(|line| line.provider == *provider)
    }
}

struct CalendarConnectionRow {
    path: String,
    provider: ProviderKind,
    account: String,
    state: Pill,
    needs_reconnect: bool,
    is_default: bool,
    /// Which calendars are written and read.
    what: String,
    last: Option<RelativeTime>,
    error: Option<String>,
}

pub(super) async fn show(user: CurrentUser) -> PageResult {
    let (db, business, now) = (&user.app.context.db, user.business.id, user.app.now());
    let counts = async { Ok(sync_log::counts_since(db, business, None, now - Duration::hours(24)).await?) };
    let (attention, staff, synced, counts) =
        futures::try_join!(Attention::of(&user), visible_staff(&user), synced_entries(&user), counts)?;
    let ids: Vec<ConnectionId> = attention.connections.iter().map(|connection| connection.id).collect();
    let listed = calendars::of_connections(db, business, &ids).await?;
    let line = |connection: &Connection| {
        let calendars = listed.get(&connection.id).map(Vec::as_slice).unwrap_or_default();
        connection_row(&user, connection, calendars)
    };
    let person = |person: Staff| StaffCalendarsRow {
        id: person.id.to_string(),
        trade: trade_label(person.trade),
        connections: attention
            .connections
            .iter()
            .filter(|connection| connection.staff_id == person.id)
            .map(line)
            .collect(),
        name: person.name,
    };
    let people = staff.into_iter().map(person).collect();
    let providers: Vec<ProviderKind> = user.app.context.providers.kinds().collect();
    let has_oauth = providers.iter().any(|kind| kind.oauth().is_some());
    let with_oauth = ProviderKind::ALL.iter().filter(|kind| kind.oauth().is_some());
    let with_oauth: Vec<String> = with_oauth.map(|kind| kind.name().to_owned()).collect();
    let calendars = CalendarsPage {
        layout: Layout::with_attention(&user, NavItem::Calendars, "Calendars", &attention),
        providers,
        missing_providers: (!has_oauth).then(|| join_names(&with_oauth)),
        is_manager: user.is_manager(),
        has_connections: !attention.connections.is_empty(),
        synced,
        pending: attention.entries.pending,
        failed: attention.entries.failed,
        success: success_rate(counts),
        people,
    };
    render_page(&user, &calendars)
}

/// How many entries stand as they should in the calendars that the person may see.
async fn synced_entries(user: &CurrentUser) -> PageResult<String> {
    let Some(staff) = user.calendar_scope() else { return Ok(capped_count(0)) };
    Ok(capped_count(
        entries::count_synced(&user.app.context.db, user.business.id, staff, user.app.now()).await?,
    ))
}

/// All staff for managers, oneself for everybody else.
async fn visible_staff(user: &CurrentUser) -> PageResult<Vec<Staff>> {
    if user.is_manager() {
        return Ok(all_staff(&user.app.context.db, user.business.id).await?);
    }
    let Some(own) = user.user.staff_id else { return Ok(Vec::new()) };
    let own = people::find_staff(&user.app.context.db, user.business.id, own).await?;
    Ok(own.into_iter().collect())
}

fn connection_row(
    user: &CurrentUser,
    connection: &Connection,
    calendars: &[Calendar],
) -> CalendarConnectionRow {
    let written = calendars.iter().find(|calendar| calendar.writes).map(|calendar| calendar.name.clone());
    let read = calendars.iter().filter(|calendar| calendar.reads).count();
    let mut what = Vec::new();
    if connection.direction.writes() {
        what.push(match written {
            Some(name) => format!("Bookings are written to “{name}”"),
            None => "No calendar selected for bookings".to_owned(),
        });
    }
    if connection.direction.reads() {
        what.push(match read {
            0 => "busy times are not imported".to_owned(),
            1 => "busy times are imported from 1 calendar".to_owned(),
            many => format!("busy times are imported from {many} calendars"),
        });
    }
    let needs_reconnect = connection.state == ConnectionState::NeedsReconnect;
    CalendarConnectionRow {
        path: format!("/calendars/{}", connection.id),
        provider: connection.provider,
        account: connection.account_email.clone(),
        state: connection.state.into(),
        needs_reconnect,
        is_default: connection.is_default,
        what: capitalize(&what.join("; ")),
        last: connection.last_sync_at.map(|at| RelativeTime::new(at, user.app.now(), user.business.zone)),
        error: connection.last_error.as_deref().filter(|_| !needs_reconnect).map(capitalize),
    }
}
