//! What a person chooses for a connection, all in one form: only what differs is changed.

use axum::{extract::State, response::Response};
use concord_domain::{
    connection::{Coverage, Direction},
    ids::{CalendarId, ConnectionId},
    sync::remote_change::RemoteChangePolicy,
};
use concord_services::connections as manage;
use concord_storage::{calendars, connections::ConnectionSettings};
use serde::Deserialize;

use super::{
    super::{
        PageError,
        extract::{PageForm, PagePath},
        flash::Flash,
        session::CurrentUser,
    },
    find_connection,
};
use crate::app::App;

#[derive(Deserialize)]
pub(super) struct CalendarSettingsForm {
    direction: Direction,
    coverage: Coverage,
    /// The calendars that are read.
    #[serde(default)]
    reads: Vec<CalendarId>,
    /// The one that is written.
    writes: Option<CalendarId>,
    /// What becomes of entries that are moved, and of those that are deleted.
    moves: Option<String>,
    deletions: Option<String>,
    /// A tick, or nothing.
    default: Option<String>,
}

/// The choice of no rule of one's own: forms cannot tell an empty field from one that is not sent.
pub(super) const BUSINESS_DEFAULT: &str = "business";

/// A field that is not sent changes nothing.
fn parse_policy(
    sent: Option<&str>,
    before: Option<RemoteChangePolicy>,
) -> Result<Option<RemoteChangePolicy>, PageError> {
    match sent {
        None => Ok(before),
        Some(BUSINESS_DEFAULT) => Ok(None),
        Some(policy) => {
            policy.parse().map(Some).map_err(|_| PageError::Malformed(format!("a policy: {policy}")))
        }
    }
}

pub(super) async fn save(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<ConnectionId>,
    PageForm(choices): PageForm<CalendarSettingsForm>,
) -> Result<Response, PageError> {
    let connection = find_connection(&app, &user, id).await?;
    let (context, change) = (&app.context, user.change(&app));
    for calendar in calendars::of_connection(&context.db, user.business.id, id).await? {
        let reads = choices.reads.contains(&calendar.id);
        if reads != calendar.reads {
            manage::set_reads(context, &change, id, calendar.id, reads).await?;
        }
        if choices.writes == Some(calendar.id) && !calendar.writes {
            manage::set_written(context, &change, id, calendar.id).await?;
        }
    }
    if choices.default.is_some() && !connection.is_default {
        manage::set_default(context, &change, id).await?;
    }
    let settings = ConnectionSettings {
        direction: (choices.direction != connection.direction).then_some(choices.direction),
        coverage: (choices.coverage != connection.coverage).then_some(choices.coverage),
    };
    if settings.direction.is_some() || settings.coverage.is_some() {
        manage::set_settings(context, &change, id, settings).await?;
    }
    let rules = (
        parse_policy(choices.moves.as_deref(), connection.remote_moves)?,
        parse_policy(choices.deletions.as_deref(), connection.remote_deletions)?,
    );
    if rules != (connection.remote_moves, connection.remote_deletions) {
        manage::set_remote_change_rules(context, &change, id, rules).await?;
    }
    Ok(user.redirect_with_flash(&app, &format!("/calendars/{id}"), &Flash::success("Settings saved.")))
}
