//! Everybody's connected calendars.

use askama::Template;
use axum::{extract::State, response::Response};
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

use super::super::{
    PageError,
    attention::Attention,
    frame::{Frame, Place, page},
    names::all_staff,
    overview::success_rate,
    pieces::{Pill, capital, counted},
    session::CurrentUser,
    when::When,
};
use crate::app::App;

#[derive(Template)]
#[template(path = "calendars.html")]
struct CalendarsPage {
    frame: Frame,
    people: Vec<Person>,
    /// Providers that can be connected here, by their consent page.
    providers: Vec<ProviderKind>,
    /// Whether an account can be connected by a name and a password.
    has_caldav: bool,
    is_manager: bool,
    has_connections: bool,
    synced: String,
    pending: i64,
    failed: i64,
    success: Option<String>,
}

struct Person {
    id: String,
    name: String,
    trade: &'static str,
    connections: Vec<Line>,
}

impl Person {
    fn has(&self, provider_word: &str) -> bool {
        self.connections.iter().any(|line| line.provider_word == provider_word)
    }
}

struct Line {
    path: String,
    provider: &'static str,
    provider_word: &'static str,
    account: String,
    state: Pill,
    needs_reconnect: bool,
    /// Whether it opens to a password.
    by_password: bool,
    is_default: bool,
    /// Which calendars are written and read.
    what: String,
    last: Option<When>,
    error: Option<String>,
}

pub(super) async fn show(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    let (db, business, now) = (&app.context.db, user.business.id, app.now());
    let counts = async { Ok(sync_log::counts_since(db, business, None, now - Duration::hours(24)).await?) };
    let (attention, staff, synced, counts) = futures::try_join!(
        Attention::of(&app, &user),
        staff_shown(&app, &user),
        synced(&app, &user),
        counts,
    )?;
    let ids: Vec<ConnectionId> = attention.connections.iter().map(|connection| connection.id).collect();
    let listed = calendars::of_connections(db, business, &ids).await?;
    let line = |connection: &Connection| {
        let calendars = listed.get(&connection.id).map(Vec::as_slice).unwrap_or_default();
        line(&app, &user, connection, calendars)
    };
    let person = |person: Staff| Person {
        id: person.id.to_string(),
        trade: super::super::people::trade_label(person.trade),
        connections: attention
            .connections
            .iter()
            .filter(|connection| connection.staff_id == person.id)
            .map(line)
            .collect(),
        name: person.name,
    };
    let people = staff.into_iter().map(person).collect();
    let providers = app.context.providers.kinds().filter(|kind| app.context.providers.oauth(*kind).is_some());
    let calendars = CalendarsPage {
        frame: Frame::with_attention(&user, Place::Calendars, "Calendars", &attention),
        providers: providers.collect(),
        has_caldav: app.context.providers.caldav().is_some(),
        is_manager: user.is_manager(),
        has_connections: !attention.connections.is_empty(),
        synced,
        pending: attention.entries.pending,
        failed: attention.entries.failed,
        success: success_rate(counts),
        people,
    };
    page(&app, &user, &calendars)
}

/// How many entries stand as they should in the calendars that the person may see.
async fn synced(app: &App, user: &CurrentUser) -> Result<String, PageError> {
    let whose = user.user.staff_id.filter(|_| !user.is_manager());
    if whose.is_none() && !user.is_manager() {
        return Ok(counted(0));
    }
    Ok(counted(entries::count_synced(&app.context.db, user.business.id, whose, app.now()).await?))
}

/// All staff for managers, oneself for everybody else.
async fn staff_shown(app: &App, user: &CurrentUser) -> Result<Vec<Staff>, PageError> {
    if user.is_manager() {
        return Ok(all_staff(&app.context.db, user.business.id).await?);
    }
    let Some(own) = user.user.staff_id else { return Ok(Vec::new()) };
    let own = people::find_staff(&app.context.db, user.business.id, own).await?;
    Ok(own.into_iter().collect())
}

fn line(app: &App, user: &CurrentUser, connection: &Connection, calendars: &[Calendar]) -> Line {
    let written = calendars.iter().find(|calendar| calendar.writes).map(|calendar| calendar.name.clone());
    let read = calendars.iter().filter(|calendar| calendar.reads).count();
    let mut what = Vec::new();
    if connection.direction.writes() {
        what.push(match written {
            Some(name) => format!("Bookings go to “{name}”"),
            None => "No calendar is chosen for bookings".to_owned(),
        });
    }
    if connection.direction.reads() {
        what.push(match read {
            0 => "no calendar is read for busy times".to_owned(),
            1 => "busy times are read from 1 calendar".to_owned(),
            many => format!("busy times are read from {many} calendars"),
        });
    }
    let needs_reconnect = connection.state == ConnectionState::NeedsReconnect;
    Line {
        path: format!("/calendars/{}", connection.id),
        provider: connection.provider.name(),
        provider_word: connection.provider.as_str(),
        account: connection.account_email.clone(),
        state: connection.state.into(),
        needs_reconnect,
        by_password: connection.provider == ProviderKind::Caldav,
        is_default: connection.is_default,
        what: capital(&what.join("; ")),
        last: connection.last_sync_at.map(|at| When::of(at, app.now(), user.business.zone)),
        error: connection.last_error.as_deref().filter(|_| !needs_reconnect).map(capital),
    }
}
