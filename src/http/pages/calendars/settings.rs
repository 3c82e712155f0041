//! What a person chooses for a connection, all in one form: only what differs is changed.

use concord_domain::{
    connection::{Coverage, Direction},
    ids::{CalendarId, ConnectionId},
    sync::remote_change::RemoteChangePolicy,
};
use concord_services::connections::{self, ConnectionUpdate};
use concord_storage::calendars;
use serde::Deserialize;

use super::find_connection;
use crate::http::pages::{CurrentUser, Flash, PageError, PageForm, PagePath, PageResult};

#[derive(Deserialize)]
pub(super) struct CalendarSettingsForm {
    direction: Direction,
    coverage: Coverage,
    /// The calendars that are read.
    #[serde(default)]
    reads: Vec<CalendarId>,
    /// The one that is written.
    writes: Option<CalendarId>,
    /// What becomes of entries that are moved, and of those that are deleted; not sent: as it was.
    moves: Option<String>,
    deletions: Option<String>,
    /// A tick, or nothing.
    default: Option<String>,
}

/// The choice of no rule of one's own: forms cannot tell an empty field from one that is not sent.
pub(super) const BUSINESS_DEFAULT: &str = "business";

fn parse_policy(policy: &str) -> PageResult<Option<RemoteChangePolicy>> {
    if policy == BUSINESS_DEFAULT {
        return Ok(None);
    }
    policy.parse().map(Some).map_err(|_| PageError::Malformed(format!("a policy: {policy}")))
}

pub(super) async fn save(
    user: CurrentUser,
    PagePath(id): PagePath<ConnectionId>,
    PageForm(form): PageForm<CalendarSettingsForm>,
) -> PageResult {
    find_connection(&user, id).await?;
    let calendars = calendars::of_connection(&user.app.context.db, user.business.id, id).await?;
    let wanted = ConnectionUpdate {
        direction: Some(form.direction),
        coverage: Some(form.coverage),
        moves: form.moves.as_deref().map(parse_policy).transpose()?,
        deletions: form.deletions.as_deref().map(parse_policy).transpose()?,
        reads: calendars.iter().map(|calendar| (calendar.id, form.reads.contains(&calendar.id))).collect(),
        writes: form.writes,
        make_default: form.default.is_some(),
    };
    connections::update(&user.app.context, &user.change(), id, &wanted).await?;
    Ok(user.redirect_with_flash(&format!("/calendars/{id}"), &Flash::success("Settings saved.")))
}
