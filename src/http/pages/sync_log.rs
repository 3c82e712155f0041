//! What each attempt to bring calendars and bookings into agreement came to.

use std::collections::HashMap;

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use chrono::Duration;
use concord_domain::{
    audit::SyncOutcome,
    connection::ConnectionState,
    ids::{BookingId, ChannelId, ConnectionId},
};
use concord_storage::{
    PageRequest, bookings, channels,
    connections::{self, Connection},
    sync_log::{self, SyncLogEntry, SyncLogFilter},
};
use serde::Deserialize;

use super::{
    PageError,
    booking_paths::booking_path,
    channels::{channel_name, channel_path},
    components::{Pill, SelectOption, capitalize},
    extract::PageQuery,
    filters::InvalidFilters,
    format::RelativeTime,
    layout::{Layout, NavItem, render_page},
    names::NameDirectory,
    overview::success_rate,
    session::CurrentUser,
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new().route("/settings/sync-log", get(show))
}

#[derive(Template)]
#[template(path = "sync_log.html")]
struct SyncLogPage {
    frame: Layout,
    rows: Vec<SyncLogRow>,
    connections: Vec<SelectOption>,
    channels: Vec<SelectOption>,
    outcomes: Vec<SelectOption>,
    booking: String,
    /// The filters that cannot be read.
    unread: InvalidFilters,
    /// The booking that was asked for is not there.
    is_unknown_booking: bool,
    success: Option<String>,
    ok: i64,
    failed: i64,
    next: Option<String>,
    is_further: bool,
    is_narrowed: bool,
}

/// A line of the log, in words.
pub(super) struct SyncLogRow {
    pub at: RelativeTime,
    pub operation: String,
    pub outcome: Pill,
    pub detail: String,
    pub took: String,
    /// The name and page of the connection, or of the channel.
    pub connection: Option<(String, String)>,
    /// The booking's reference and page.
    pub booking: Option<(String, String)>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct SyncLogPageQuery {
    connection: String,
    channel: String,
    outcome: String,
    booking: String,
    after: Option<String>,
}

const PAGE_SIZE: u32 = 50;

async fn show(
    State(app): State<App>,
    user: CurrentUser,
    PageQuery(wish): PageQuery<SyncLogPageQuery>,
) -> Result<Response, PageError> {
    let (db, business) = (&app.context.db, user.business.id);
    let own: Vec<Connection> = connections::list(db, business)
        .await?
        .into_iter()
        .filter(|connection| user.may_see(connection.staff_id))
        .collect();
    let booking = match wish.booking.trim() {
        "" => None,
        reference => Some(bookings::find(db, business, reference).await?),
    };
    let filter = SyncLogFilter {
        connection: wish.connection.parse().ok(),
        booking: booking.as_ref().and_then(Option::as_ref).map(|booking| booking.id),
        outcome: wish.outcome.parse().ok(),
        since: None,
        channel: wish.channel.parse().ok(),
    };
    let is_unknown_booking = matches!(booking, Some(None));
    let (lines, next) = if is_unknown_booking {
        (Vec::new(), None)
    } else {
        lines(&app, &user, &own, filter, wish.after.clone()).await?
    };
    let counts = counts(&app, &user, &own, filter.connection).await?;
    let mut choices = FilterChoices::load(&app, &user, &own, &wish).await?;
    let log = SyncLogPage {
        frame: Layout::load(&app, &user, NavItem::Settings, "Sync log").await?,
        rows: rows(&app, &user, lines).await?,
        unread: choices.add_unread(filter, &wish),
        connections: choices.connections,
        channels: choices.channels,
        outcomes: choices.outcomes,
        is_unknown_booking,
        success: success_rate(counts),
        ok: counts.ok,
        failed: counts.failed,
        next: next.map(|after| page_url(&wish, &after)),
        is_further: wish.after.is_some(),
        is_narrowed: [&wish.connection, &wish.channel, &wish.outcome, &wish.booking]
            .iter()
            .any(|text| !text.is_empty()),
        booking: wish.booking,
    };
    render_page(&app, &user, &log)
}

/// What the log can be narrowed to.
struct FilterChoices {
    connections: Vec<SelectOption>,
    channels: Vec<SelectOption>,
    outcomes: Vec<SelectOption>,
}

impl FilterChoices {
    async fn load(
        app: &App,
        user: &CurrentUser,
        own: &[Connection],
        wish: &SyncLogPageQuery,
    ) -> Result<Self, PageError> {
        let db = &app.context.db;
        let mut names = NameDirectory::load(db, user.business.id, user.business.zone).await?;
        for connection in own {
            names.load_staff(db, connection.staff_id).await?;
        }
        let connections = own.iter().map(|connection| {
            let label = format!("{}, {}", names.staff_name(connection.staff_id), connection.provider.name());
            SelectOption::new(connection.id.to_string(), label, &wish.connection)
        });
        let outcomes = SyncOutcome::ALL
            .iter()
            .map(|outcome| SelectOption::new(outcome.as_str(), Pill::from(*outcome).word, &wish.outcome));
        Ok(Self {
            connections: connections.collect(),
            channels: channel_choices(app, user, wish).await?,
            outcomes: outcomes.collect(),
        })
    }

    /// The filters that cannot be read; what was typed for them stays chosen.
    fn add_unread(&mut self, filter: SyncLogFilter, wish: &SyncLogPageQuery) -> InvalidFilters {
        let mut unread = InvalidFilters::default();
        if filter.connection.is_none() && !wish.connection.is_empty() {
            let text = "Unknown calendar.";
            unread.add_choice(("connection", "Calendar"), text, &wish.connection, &mut self.connections);
        }
        if filter.channel.is_none() && !wish.channel.is_empty() {
            unread.add_choice(("channel", "Channel"), "Unknown channel.", &wish.channel, &mut self.channels);
        }
        if filter.outcome.is_none() && !wish.outcome.is_empty() {
            unread.add_choice(("outcome", "Status"), "Unknown status.", &wish.outcome, &mut self.outcomes);
        }
        unread
    }
}

/// The channels that the person may see.
async fn channel_choices(
    app: &App,
    user: &CurrentUser,
    wish: &SyncLogPageQuery,
) -> Result<Vec<SelectOption>, PageError> {
    let mut choices = Vec::new();
    if user.is_manager() {
        for channel in channels::list(&app.context.db, user.business.id).await? {
            let name = channel_name(app, &channel).await?;
            choices.push(SelectOption::new(channel.id.to_string(), name, &wish.channel));
        }
    }
    Ok(choices)
}

/// How often it went well in the last 24 hours, in what the person may see.
async fn counts(
    app: &App,
    user: &CurrentUser,
    own: &[Connection],
    wanted: Option<ConnectionId>,
) -> Result<sync_log::SyncLogCounts, PageError> {
    let (db, business, since) = (&app.context.db, user.business.id, app.now() - Duration::hours(24));
    if user.is_manager() {
        return Ok(sync_log::counts_since(db, business, wanted, since).await?);
    }
    let mut all = sync_log::SyncLogCounts::default();
    for connection in own.iter().filter(|one| wanted.is_none_or(|wanted| wanted == one.id)) {
        let counts = sync_log::counts_since(db, business, Some(connection.id), since).await?;
        all.ok += counts.ok;
        all.failed += counts.failed;
    }
    Ok(all)
}

/// A manager reads the log as it is. Everybody else reads the lines of their own connections: with one connection that
/// is one list, with several those that are newest of all.
async fn lines(
    app: &App,
    user: &CurrentUser,
    own: &[Connection],
    filter: SyncLogFilter,
    after: Option<String>,
) -> Result<(Vec<SyncLogEntry>, Option<String>), PageError> {
    let (db, business) = (&app.context.db, user.business.id);
    let ask = PageRequest { limit: PAGE_SIZE, after };
    let is_own = |id: ConnectionId| own.iter().any(|connection| connection.id == id);
    if user.is_manager() || filter.connection.is_some_and(is_own) {
        let page = sync_log::list(db, business, filter, &ask).await?;
        return Ok((page.items, page.next));
    }
    if filter.connection.is_some() {
        return Err(PageError::NotFound("calendar"));
    }
    let mut all = Vec::new();
    let mut more = None;
    for connection in own {
        let filter = SyncLogFilter { connection: Some(connection.id), ..filter };
        let page = sync_log::list(db, business, filter, &ask).await?;
        all.extend(page.items);
        more = page.next.filter(|_| own.len() == 1);
    }
    all.sort_by_key(|line| std::cmp::Reverse((line.at, line.id)));
    all.truncate(PAGE_SIZE as usize);
    Ok((all, more))
}

fn page_url(wish: &SyncLogPageQuery, after: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [
        ("connection", &wish.connection),
        ("channel", &wish.channel),
        ("outcome", &wish.outcome),
        ("booking", &wish.booking),
    ] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    query.append_pair("after", after);
    format!("/settings/sync-log?{}", query.finish())
}

/// Lines in words, with what they are about.
pub(super) async fn rows(
    app: &App,
    user: &CurrentUser,
    lines: Vec<SyncLogEntry>,
) -> Result<Vec<SyncLogRow>, PageError> {
    let (db, business) = (&app.context.db, user.business.id);
    let mut names = NameDirectory::load(db, business, user.business.zone).await?;
    let booked: Vec<BookingId> = lines.iter().filter_map(|line| line.booking_id).collect();
    let booked = bookings::find_by_ids(db, business, &booked).await?;
    let of_booking = |id| booked.get(&id).map(|booking| (booking.reference.clone(), booking_path(booking)));
    let mut of_connections: HashMap<ConnectionId, Option<(String, String)>> = HashMap::new();
    let mut of_channels: HashMap<ChannelId, Option<(String, String)>> = HashMap::new();
    let mut rows = Vec::with_capacity(lines.len());
    for line in lines {
        if let Some(id) = line.connection_id
            && !of_connections.contains_key(&id)
        {
            let connection = connections::find(db, business, id).await?;
            if let Some(connection) = &connection {
                names.load_staff(db, connection.staff_id).await?;
            }
            of_connections.insert(id, connection.map(|connection| connection_link(&connection, &names)));
        }
        if let Some(id) = line.channel_id
            && !of_channels.contains_key(&id)
        {
            // Once it is removed, nobody knows its name any more.
            let channel = channels::find(db, business, id).await?;
            let named = match &channel {
                Some(channel) => Some((channel_name(app, channel).await?, channel_path(id))),
                None => None,
            };
            of_channels.insert(id, named);
        }
        let connection = line.connection_id.and_then(|id| of_connections.get(&id).cloned().flatten());
        let channel = line.channel_id.and_then(|id| of_channels.get(&id).cloned().flatten());
        rows.push(SyncLogRow {
            at: RelativeTime::new(line.at, app.now(), user.business.zone),
            operation: operation_label(&line.operation),
            outcome: line.outcome.into(),
            detail: capitalize(&line.detail),
            took: duration_text(line.duration_ms),
            connection: connection.or(channel),
            booking: line.booking_id.and_then(of_booking),
        });
    }
    Ok(rows)
}

/// What was tried, for people.
fn operation_label(operation: &str) -> String {
    match operation {
        "nothing" => "Check".to_owned(),
        other => capitalize(&other.replace('_', " ")),
    }
}

/// One that is over has no page.
fn connection_link(connection: &Connection, names: &NameDirectory) -> (String, String) {
    let path = if connection.state == ConnectionState::Disconnected {
        String::new()
    } else {
        format!("/calendars/{}", connection.id)
    };
    (format!("{}, {}", names.staff_name(connection.staff_id), connection.provider.name()), path)
}

fn duration_text(milliseconds: i64) -> String {
    if milliseconds < 1000 {
        format!("{milliseconds} ms")
    } else {
        format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_described() {
        for (operation, text) in [("nothing", "Check"), ("create", "Create"), ("two_words", "Two words")] {
            assert_eq!(operation_label(operation), text);
        }
        assert_eq!(Pill::from(SyncOutcome::Nothing).word, "No changes");
    }

    #[test]
    fn durations_are_short() {
        for (milliseconds, text) in [(0, "0 ms"), (999, "999 ms"), (1_250, "1.2 s"), (61_000, "61.0 s")] {
            assert_eq!(duration_text(milliseconds), text);
        }
    }
}
