//! Everybody's connected calendars.

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::Duration;
use concord_domain::connection::{ConnectionState, ProviderKind};
use concord_storage::{
    calendars,
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
    pieces::{Pill, capital},
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
    synced: i64,
    pending: i64,
    failed: i64,
    success: Option<String>,
}

struct Person {
    id: String,
    name: String,
    craft: &'static str,
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
    let attention = Attention::of(&app, &user).await?;
    let staff = staff_shown(&app, &user).await?;
    let mut people = Vec::with_capacity(staff.len());
    for person in staff {
        let mut lines = Vec::new();
        for connection in attention.connections.iter().filter(|connection| connection.staff_id == person.id) {
            lines.push(line(&app, &user, connection).await?);
        }
        people.push(Person {
            id: person.id.to_string(),
            name: person.name,
            craft: super::super::people::craft_label(person.craft),
            connections: lines,
        });
    }
    let counts = sync_log::counts_since(db, business, None, now - Duration::hours(24)).await?;
    let synced = match user.user.staff_id {
        _ if user.is_manager() => entries::counts(db, business, None, now).await?.synced,
        Some(staff) => entries::counts(db, business, Some(staff), now).await?.synced,
        None => 0,
    };
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

/// All staff for managers, oneself for everybody else.
async fn staff_shown(app: &App, user: &CurrentUser) -> Result<Vec<Staff>, PageError> {
    if user.is_manager() {
        return Ok(all_staff(&app.context.db, user.business.id).await?);
    }
    let Some(own) = user.user.staff_id else { return Ok(Vec::new()) };
    let own = people::find_staff(&app.context.db, user.business.id, own).await?;
    Ok(own.into_iter().collect())
}

async fn line(app: &App, user: &CurrentUser, connection: &Connection) -> Result<Line, PageError> {
    let calendars = calendars::of_connection(&app.context.db, user.business.id, connection.id).await?;
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
    Ok(Line {
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
    })
}
