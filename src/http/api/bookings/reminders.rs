//! `/bookings/{reference}/reminders`: what is sent before it begins, and what became of it.

use axum::Json;
use chrono::{DateTime, Utc};
use concord_domain::reminder::{ReminderChannel, ReminderSkip, ReminderState};
use concord_storage::reminders::{self, ListedReminder};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::find_booking;
use crate::{
    app::App,
    http::api::{auth::Api, problem::ApiResult, request::ApiPath, responses::Listing},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The reminder of a booking by one rule.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Reminder)]
struct ReminderResponse {
    /// Its id.
    id: Uuid,
    /// The id of its rule.
    rule: Uuid,
    /// How it is sent.
    channel: ReminderChannel,
    /// Minutes before the start, by its rule.
    minutes_before: u32,
    /// The start of the booking that it is for.
    starts_at: DateTime<Utc>,
    /// When it is, or was, due.
    due_at: DateTime<Utc>,
    /// Its status.
    state: ReminderState,
    /// Why it was not sent; null: it was, or is yet to be.
    skip_reason: Option<ReminderSkip>,
    /// Why its email failed, in plain words.
    error: Option<String>,
    /// When its status became what it is.
    changed_at: DateTime<Utc>,
}

impl From<ListedReminder> for ReminderResponse {
    fn from(listed: ListedReminder) -> Self {
        let ListedReminder { reminder, rule, .. } = listed;
        Self {
            id: reminder.id.0,
            rule: reminder.rule_id.0,
            channel: rule.channel,
            minutes_before: rule.minutes_before,
            starts_at: reminder.starts_at,
            due_at: reminder.due_at,
            state: reminder.state,
            skip_reason: reminder.skip_reason,
            error: reminder.error,
            changed_at: reminder.changed_at,
        }
    }
}

/// List the reminders of a booking
///
/// Also those for a time from which the booking was moved.
#[utoipa::path(get, path = "/bookings/{reference}/reminders", tag = "Bookings", operation_id = "list_reminders",
    params(("reference" = String, Path, description = "Your own reference")),
    responses((status = 200, description = "All reminders", body = Listing<ReminderResponse>)))]
async fn list(api: Api, ApiPath(reference): ApiPath<String>) -> ApiResult<Listing<ReminderResponse>> {
    let booking = find_booking(&api, &reference).await?;
    let all = reminders::of_booking(&api.context.db, api.business, booking.id).await?;
    Ok(Json(Listing::complete(all.into_iter().map(ReminderResponse::from).collect())))
}
