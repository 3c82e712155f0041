//! What each attempt to bring calendars and bookings into agreement came to.

use std::collections::HashMap;

use askama::Template;
use axum::{Router, routing::get};
use chrono::Duration;
use concord_domain::{
    audit::SyncOutcome,
    connection::ConnectionState,
    ids::{BookingId, ChannelId, ConnectionId},
};
use concord_storage::{
    Page, PageRequest, StorageError, bookings, channels,
    connections::{self, Connection},
    sync_log::{self, SyncLogCounts, SyncLogEntry, SyncLogFilter},
};
use serde::Deserialize;

use super::channels::{channel_name, channel_path};
use super::{
    CurrentUser, InvalidFilters, Layout, NameDirectory, NavItem, PageError, PageQuery, PageResult, Pill,
    RelativeTime, SelectOption, booking_path, capitalize, overview::success_rate, render_page,
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new().route("/settings/sync-log", get(show))
}

#[derive(Template)]
#[template(path = "sync_log.html")]
struct SyncLogPage {
    layout: Layout,
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

async fn show(user: CurrentUser, PageQuery(query): PageQuery<SyncLogPageQuery>) -> PageResult {
    let (db, business) = (&user.app.context.db, user.business.id);
    let own: Vec<Connection> = connections::list(db, business)
        .await?
        .into_iter()
        .filter(|connection| user.may_see(connection.staff_id))
        .collect();
    let booking = match query.booking.trim() {
        "" => None,
        reference => Some(bookings::find(db, business, reference).await?),
    };
    let scope = user.calendar_scope();
    let filter = SyncLogFilter {
        staff: scope.flatten(),
        connection: query.connection.parse().ok(),
        booking: booking.as_ref().and_then(Option::as_ref).map(|booking| booking.id),
        outcome: query.outcome.parse().ok(),
        since: None,
        channel: query.channel.parse().ok(),
    };
    let is_unknown_booking = matches!(booking, Some(None));
    if filter.connection.is_some_and(|id| !user.is_manager() && !own.iter().any(|one| one.id == id)) {
        return Err(PageError::NotFound("calendar"));
    }
    let page = PageRequest { limit: PAGE_SIZE, after: query.after.clone() };
    let lines = if is_unknown_booking || scope.is_none() {
        Page { items: Vec::new(), next: None }
    } else {
        sync_log::list(db, business, filter, &page).await?
    };
    let counts = if scope.is_some() { counts(&user, filter).await? } else { SyncLogCounts::default() };
    let mut choices = FilterChoices::load(&user, &own, &query).await?;
    let log = SyncLogPage {
        layout: Layout::load(&user, NavItem::Settings, "Sync log").await?,
        rows: rows(&user, lines.items).await?,
        unread: choices.add_unread(filter, &query),
        connections: choices.connections,
        channels: choices.channels,
        outcomes: choices.outcomes,
        is_unknown_booking,
        success: success_rate(counts),
        ok: counts.ok,
        failed: counts.failed,
        next: lines.next.map(|after| page_url(&query, &after)),
        is_further: query.after.is_some(),
        is_narrowed: [&query.connection, &query.channel, &query.outcome, &query.booking]
            .iter()
            .any(|text| !text.is_empty()),
        booking: query.booking,
    };
    render_page(&user, &log)
}

/// What the log can be narrowed to.
struct FilterChoices {
    connections: Vec<SelectOption>,
    channels: Vec<SelectOption>,
    outcomes: Vec<SelectOption>,
}

impl FilterChoices {
    async fn load(user: &CurrentUser, own: &[Connection], query: &SyncLogPageQuery) -> PageResult<Self> {
        let db = &user.app.context.db;
        let mut names = NameDirectory::load(db, user.business.id, user.business.zone).await?;
        for connection in own {
            names.load_staff(db, connection.staff_id).await?;
        }
        let connections = own.iter().map(|connection| {
            let label = format!("{}, {}", names.staff_name(connection.staff_id), connection.provider.name());
            SelectOption::new(connection.id.to_string(), label, &query.connection)
        });
        let outcomes = SyncOutcome::ALL
            .iter()
            .map(|outcome| SelectOption::new(outcome.as_str(), Pill::from(*outcome).word, &query.outcome));
        Ok(Self {
            connections: connections.collect(),
            channels: channel_choices(user, query).await?,
            outcomes: outcomes.collect(),
        })
    }

    /// The filters that cannot be read; what was typed for them stays chosen.
    fn add_unread(&mut self, filter: SyncLogFilter, query: &SyncLogPageQuery) -> InvalidFilters {
        let mut unread = InvalidFilters::default();
        if filter.connection.is_none() && !query.connection.is_empty() {
            let text = "Unknown calendar.";
            unread.add_choice(("connection", "Calendar"), text, &query.connection, &mut self.connections);
        }
        if filter.channel.is_none() && !query.channel.is_empty() {
            unread.add_choice(("channel", "Channel"), "Unknown channel.", &query.channel, &mut self.channels);
        }
        if filter.outcome.is_none() && !query.outcome.is_empty() {
            unread.add_choice(("outcome", "Status"), "Unknown status.", &query.outcome, &mut self.outcomes);
        }
        unread
    }
}

/// The channels that the person may see.
async fn channel_choices(user: &CurrentUser, query: &SyncLogPageQuery) -> PageResult<Vec<SelectOption>> {
    let mut choices = Vec::new();
    if user.is_manager() {
        for channel in channels::list(&user.app.context.db, user.business.id).await? {
            let name = channel_name(&user.app, &channel).await?;
            choices.push(SelectOption::new(channel.id.to_string(), name, &query.channel));
        }
    }
    Ok(choices)
}

/// How often it went well in the last 24 hours, in what the person may see.
async fn counts(user: &CurrentUser, filter: SyncLogFilter) -> Result<SyncLogCounts, StorageError> {
    let (db, business, since) =
        (&user.app.context.db, user.business.id, user.app.now() - Duration::hours(24));
    match (filter.connection, filter.staff) {
        (None, Some(staff)) => sync_log::counts_of_staff(db, business, staff, since).await,
        (connection, _) => sync_log::counts_since(db, business, connection, since).await,
    }
}

fn page_url(query: &SyncLogPageQuery, after: &str) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [
        ("connection", &query.connection),
        ("channel", &query.channel),
        ("outcome", &query.outcome),
        ("booking", &query.booking),
    ] {
        if !value.is_empty() {
            pairs.append_pair(name, value);
        }
    }
    pairs.append_pair("after", after);
    format!("/settings/sync-log?{}", pairs.finish())
}

/// Lines in words, with what they are about.
pub(super) async fn rows(user: &CurrentUser, lines: Vec<SyncLogEntry>) -> PageResult<Vec<SyncLogRow>> {
    let (db, business) = (&user.app.context.db, user.business.id);
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
                Some(channel) => Some((channel_name(&user.app, channel).await?, channel_path(id))),
                None => None,
            };
            of_channels.insert(id, named);
        }
        let connection = line.connection_id.and_then(|id| of_connections.get(&id).cloned().flatten());
        let channel = line.channel_id.and_then(|id| of_channels.get(&id).cloned().flatten());
        rows.push(SyncLogRow {
            at: RelativeTime::new(line.at, user.app.now(), user.business.zone),
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
