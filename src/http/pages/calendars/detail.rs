//! One connection: what is read and written, how it goes, and what can be done.

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    connection::{ConnectionState, Coverage, Direction, ProviderKind},
    ids::ConnectionId,
    people::Trade,
    sync::remote_change::RemoteChangePolicy,
};
use concord_storage::{
    calendars::{self, Calendar},
    connections::Connection,
    people,
};

use super::live::{CalendarLive, build_live};
use super::{find_connection, push_status::push_status, revoke_note, settings::BUSINESS_DEFAULT};
use crate::http::pages::{
    CurrentUser, Layout, NavItem, PagePath, PageResult, Pill, RelativeTime, SelectOption, capitalize,
    pluralize, render_page,
};

#[derive(Template)]
#[template(path = "calendar.html")]
struct CalendarPage {
    layout: Layout,
    path: String,
    staff: String,
    staff_id: String,
    provider: ProviderKind,
    end_of_access: String,
    account: String,
    state: Pill,
    sentence: String,
    /// How soon what is done in it is known here; empty if nothing of it is.
    arrival: String,
    is_active: bool,
    is_paused: bool,
    needs_reconnect: bool,
    is_default: bool,
    has_others: bool,
    calendars: Vec<CalendarRow>,
    direction: Direction,
    coverage: Coverage,
    /// What becomes of entries that its owner moves, and of those that they delete.
    moves: Vec<SelectOption>,
    deletions: Vec<SelectOption>,
    /// What suits the person whoever is assigned, such as "deliveries"; `None`: nothing does.
    of_trade: Option<&'static str>,
    /// What a disconnection would remove: "14 entries".
    standing: String,
    has_standing: bool,
    live: CalendarLive,
}

struct CalendarRow {
    id: String,
    name: String,
    colour: Option<String>,
    is_primary: bool,
    writable: bool,
    reads: bool,
    writes: bool,
    is_missing: bool,
    last: Option<RelativeTime>,
    held: Option<String>,
}

pub(super) async fn show(user: CurrentUser, PagePath(id): PagePath<ConnectionId>) -> PageResult {
    let connection = find_connection(&user, id).await?;
    let shown = build_page(&user, &connection).await?;
    render_page(&user, &shown)
}

async fn build_page(user: &CurrentUser, connection: &Connection) -> PageResult<CalendarPage> {
    let (db, business, zone) = (&user.app.context.db, user.business.id, user.business.zone);
    let staff = people::find_staff(db, business, connection.staff_id).await?;
    let of_trade = staff.as_ref().and_then(|staff| trade_bookings(staff.trade));
    let staff = staff.map_or_else(|| "Somebody".to_owned(), |staff| staff.name);
    let all = calendars::of_connection(db, business, connection.id).await?;
    let others = concord_storage::connections::of_staff(db, business, connection.staff_id).await?;
    let title = format!("{staff}'s {} calendar", connection.provider.name());
    let live = build_live(user, connection, &all).await?;
    Ok(CalendarPage {
        layout: Layout::load(user, NavItem::Calendars, title).await?,
        path: format!("/calendars/{}", connection.id),
        staff_id: connection.staff_id.to_string(),
        provider: connection.provider,
        end_of_access: access_end_note(connection.provider),
        account: connection.account_email.clone(),
        state: connection.state.into(),
        sentence: state_sentence(connection, &staff),
        arrival: push_status(&user.app, connection, &all).await?,
        staff,
        is_active: connection.state == ConnectionState::Active,
        is_paused: connection.state == ConnectionState::Paused,
        needs_reconnect: connection.state == ConnectionState::NeedsReconnect,
        is_default: connection.is_default,
        has_others: others.len() > 1,
        calendars: all.iter().map(|calendar| calendar_row(calendar, user.app.now(), zone)).collect(),
        direction: connection.direction,
        coverage: connection.coverage,
        moves: policy_options(connection.remote_moves, user.business.outside.moves, move_policy_label),
        deletions: policy_options(
            connection.remote_deletions,
            user.business.outside.deletions,
            deletion_policy_label,
        ),
        of_trade,
        standing: pluralize(live.standing, "entry", "entries"),
        has_standing: live.standing > 0,
        live,
    })
}

fn trade_bookings(trade: Trade) -> Option<&'static str> {
    match trade {
        Trade::General => None,
        Trade::Technician => Some("maintenance"),
        Trade::Driver => Some("deliveries"),
    }
}

fn state_sentence(connection: &Connection, staff: &str) -> String {
    let provider = connection.provider.name();
    match connection.state {
        ConnectionState::Active => match connection.direction {
            Direction::Both => {
                "Bookings are written to this calendar, and its busy times are imported.".to_owned()
            }
            Direction::Out => "Bookings are written to this calendar; nothing is imported.".to_owned(),
            Direction::In => "Busy times are imported from this calendar; nothing is written.".to_owned(),
        },
        ConnectionState::NeedsReconnect => format!(
            "Concord no longer has access at {provider}. Nothing is lost: pending bookings are written once {staff} reconnects."
        ),
        ConnectionState::Paused => "Sync paused. Nothing is written or imported until you resume.".to_owned(),
        ConnectionState::Disconnected => "This calendar is disconnected.".to_owned(),
    }
}

/// What can be chosen, beginning with what the business has chosen.
fn policy_options(
    own: Option<RemoteChangePolicy>,
    business: RemoteChangePolicy,
    words: fn(RemoteChangePolicy) -> &'static str,
) -> Vec<SelectOption> {
    let chosen = own.map_or(BUSINESS_DEFAULT, RemoteChangePolicy::as_str);
    let usual =
        SelectOption::new(BUSINESS_DEFAULT, format!("Business default ({})", words(business)), chosen);
    let others = RemoteChangePolicy::ALL
        .iter()
        .map(|&policy| SelectOption::new(policy.as_str(), capitalize(words(policy)), chosen));
    std::iter::once(usual).chain(others).collect()
}

fn move_policy_label(policy: RemoteChangePolicy) -> &'static str {
    match policy {
        RemoteChangePolicy::Follow => "follow: the booking is updated",
        RemoteChangePolicy::Ask => "ask: a person decides",
        RemoteChangePolicy::Revert => "revert: the entry is restored",
    }
}

fn deletion_policy_label(policy: RemoteChangePolicy) -> &'static str {
    match policy {
        RemoteChangePolicy::Follow => "follow: the booking is cancelled or reinstated",
        RemoteChangePolicy::Ask => "ask: a person decides",
        RemoteChangePolicy::Revert => "revert: the entry is restored or deleted again",
    }
}

fn calendar_row(calendar: &Calendar, now: DateTime<Utc>, zone: Tz) -> CalendarRow {
    CalendarRow {
        id: calendar.id.to_string(),
        name: calendar.name.clone(),
        colour: calendar.colour.clone().filter(|colour| is_colour(colour)),
        is_primary: calendar.is_primary,
        writable: calendar.writable && calendar.missing_since.is_none(),
        reads: calendar.reads,
        writes: calendar.writes,
        is_missing: calendar.missing_since.is_some(),
        last: calendar.last_import_at.map(|at| RelativeTime::new(at, now, zone)),
        held: calendar.quarantine_reason.clone(),
    }
}

/// `#rrggbb`: it comes from outside and stands in an attribute.
fn is_colour(text: &str) -> bool {
    text.len() == 7 && text.starts_with('#') && text[1..].chars().all(|c| c.is_ascii_hexdigit())
}

#[derive(Template)]
#[template(path = "calendar_disconnect.html")]
struct DisconnectPage {
    layout: Layout,
    path: String,
    staff: String,
    provider: ProviderKind,
    end_of_access: String,
    standing: String,
    has_standing: bool,
}

/// What a disconnection ends at the provider, and what it cannot.
fn access_end_note(provider: ProviderKind) -> String {
    format!("{}{}", provider.description().access_end, revoke_note(provider))
}

/// The question on a page of its own, for whoever has no script.
pub(super) async fn confirm_disconnect(
    user: CurrentUser,
    PagePath(id): PagePath<ConnectionId>,
) -> PageResult {
    let connection = find_connection(&user, id).await?;
    let shown = build_page(&user, &connection).await?;
    let question = DisconnectPage {
        layout: Layout { title: format!("Disconnect {}'s calendar", shown.staff), ..shown.layout },
        path: shown.path,
        staff: shown.staff,
        provider: shown.provider,
        end_of_access: shown.end_of_access,
        standing: shown.standing,
        has_standing: shown.has_standing,
    };
    render_page(&user, &question)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_colour_is_a_colour() {
        assert!(is_colour("#2f5D50"));
        for bad in ["", "#fff", "red", "#2f5d5g", "url(x)1"] {
            assert!(!is_colour(bad), "{bad}");
        }
    }
}
