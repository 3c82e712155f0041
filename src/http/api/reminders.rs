//! `/reminder_rules` and `/quiet_hours`: when customers, staff and other systems are reminded of bookings.

use axum::{
    Json,
    http::{StatusCode, header},
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use concord_domain::{
    booking::BookingKind,
    ids::ReminderRuleId,
    reminder::{QuietHours, ReminderChannel, ReminderRuleSettings},
    settings::FieldErrors,
};
use concord_services::reminders;
use concord_storage::reminder_rules::{self, ReminderRule};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    patch_field::PatchField,
    problem::{ApiError, ApiResult},
    request::{ApiJson, ApiPath},
    responses::Listing,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(change, remove))
        .routes(routes!(find_quiet_hours, set_quiet_hours))
}

/// When somebody is reminded of which bookings.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ReminderRule)]
struct ReminderRuleResponse {
    /// Its id.
    id: Uuid,
    /// How the reminder is sent.
    channel: ReminderChannel,
    /// Only for bookings of this type; null: all.
    kind: Option<BookingKind>,
    /// Minutes before the start.
    minutes_before: u32,
    /// When it was created.
    created_at: DateTime<Utc>,
}

impl From<ReminderRule> for ReminderRuleResponse {
    fn from(rule: ReminderRule) -> Self {
        Self {
            id: rule.id.0,
            channel: rule.settings.channel,
            kind: rule.settings.kind,
            minutes_before: rule.settings.minutes_before,
            created_at: rule.created_at,
        }
    }
}

/// A reminder rule to add.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReminderRuleBody, example = json!({ "channel": "customer_email", "minutes_before": 1440 }))]
struct NewReminderRuleBody {
    /// How the reminder is sent.
    channel: ReminderChannel,
    /// Only for bookings of this type; omitted: all.
    kind: Option<BookingKind>,
    /// Minutes before the start: 5 to 40320 (four weeks).
    #[schema(minimum = 5, maximum = 40320)]
    minutes_before: u32,
}

/// Changes to a reminder rule; omitted fields are unchanged.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReminderRuleChange, example = json!({ "minutes_before": 120 }))]
struct ReminderRulePatch {
    /// How the reminder is sent.
    channel: Option<ReminderChannel>,
    /// Only for bookings of this type; null: all.
    #[serde(default)]
    #[schema(value_type = Option<BookingKind>)]
    kind: PatchField<BookingKind>,
    /// Minutes before the start: 5 to 40320 (four weeks).
    #[schema(minimum = 5, maximum = 40320)]
    minutes_before: Option<u32>,
}

fn validate(settings: ReminderRuleSettings) -> Result<ReminderRuleSettings, ApiError> {
    let mut faults = FieldErrors::default();
    settings.check(&mut faults);
    faults.into_result()?;
    Ok(settings)
}

/// List reminder rules
///
/// The earliest reminder first.
#[utoipa::path(get, path = "/reminder_rules", tag = "Reminders", operation_id = "list_reminder_rules",
    responses((status = 200, description = "All rules", body = Listing<ReminderRuleResponse>)))]
async fn list(api: Api) -> ApiResult<Listing<ReminderRuleResponse>> {
    let rules = reminder_rules::list(&api.context.db, api.business).await?;
    Ok(Json(Listing::complete(rules.into_iter().map(ReminderRuleResponse::from).collect())))
}

/// Add a reminder rule
///
/// It applies to all upcoming bookings for which the reminder is not due yet. The channel `webhook` publishes the event
/// `booking.reminder`. Returns 409 if there are 20 rules, or there is
/// one for the same time, type and channel.
#[utoipa::path(post, path = "/reminder_rules", tag = "Reminders", operation_id = "create_reminder_rule",
    request_body = NewReminderRuleBody,
    responses((status = 201, description = "Created", body = ReminderRuleResponse,
        headers(("Location" = String, description = "Its address")))))]
async fn create(
    api: Api,
    ApiJson(body): ApiJson<NewReminderRuleBody>,
) -> Result<impl IntoResponse, ApiError> {
    let NewReminderRuleBody { channel, kind, minutes_before } = body;
    let settings = validate(ReminderRuleSettings { channel, kind, minutes_before })?;
    let rule = reminders::create(&api.context, &api.change(), &settings).await?;
    let location = api.absolute_url(&format!("/api/v1/reminder_rules/{}", rule.id));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(ReminderRuleResponse::from(rule))))
}

/// Change a reminder rule
///
/// Omitted fields are unchanged. The reminders of upcoming bookings follow; what was sent is not sent again.
#[utoipa::path(patch, path = "/reminder_rules/{id}", tag = "Reminders", operation_id = "change_reminder_rule",
    params(("id" = Uuid, Path, description = "Its id")), request_body = ReminderRulePatch,
    responses((status = 200, description = "Changed, or unchanged", body = ReminderRuleResponse)))]
async fn change(
    api: Api,
    ApiPath(id): ApiPath<ReminderRuleId>,
    ApiJson(body): ApiJson<ReminderRulePatch>,
) -> ApiResult<ReminderRuleResponse> {
    let by = api.change();
    let changed = reminders::change(&api.context, &by, id, |before| {
        validate(ReminderRuleSettings {
            channel: body.channel.unwrap_or(before.channel),
            kind: body.kind.apply_to(before.kind),
            minutes_before: body.minutes_before.unwrap_or(before.minutes_before),
        })
    });
    Ok(Json(changed.await?.into()))
}

/// Delete a reminder rule
///
/// Its reminders that were not sent yet are not sent.
#[utoipa::path(delete, path = "/reminder_rules/{id}", tag = "Reminders", operation_id = "delete_reminder_rule",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 204, description = "Deleted")))]
async fn remove(api: Api, ApiPath(id): ApiPath<ReminderRuleId>) -> Result<StatusCode, ApiError> {
    reminders::remove(&api.context, &api.change(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The hours in which no reminders are sent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QuietHours, example = json!({ "from": "22:00", "until": "07:00" }))]
struct QuietHoursBody {
    /// A local time; null: there are no quiet hours.
    #[schema(example = "22:00")]
    from: Option<String>,
    /// A local time, on the next day if it is earlier; null: there are no quiet hours.
    #[schema(example = "07:00")]
    until: Option<String>,
}

impl From<Option<QuietHours>> for QuietHoursBody {
    fn from(hours: Option<QuietHours>) -> Self {
        Self { from: hours.map(QuietHours::from_text), until: hours.map(QuietHours::until_text) }
    }
}

/// Read the quiet hours
///
/// In the time zone of whoever is reminded: of customers that of the resource, of staff that of the business. Webhooks have
/// none.
#[utoipa::path(get, path = "/quiet_hours", tag = "Reminders", operation_id = "get_quiet_hours",
    responses((status = 200, description = "The quiet hours", body = QuietHoursBody)))]
async fn find_quiet_hours(api: Api) -> ApiResult<QuietHoursBody> {
    Ok(Json(reminder_rules::quiet_hours(&api.context.db, api.business).await?.into()))
}

/// Set the quiet hours
///
/// What would be sent in them is sent when they end, if it is of use then, and otherwise when they begin.
#[utoipa::path(put, path = "/quiet_hours", tag = "Reminders", operation_id = "set_quiet_hours",
    request_body = QuietHoursBody,
    responses((status = 200, description = "Set", body = QuietHoursBody)))]
async fn set_quiet_hours(api: Api, ApiJson(body): ApiJson<QuietHoursBody>) -> ApiResult<QuietHoursBody> {
    let hours = match (&body.from, &body.until) {
        (None, None) => None,
        (from, until) => {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let parsed = QuietHours::parse(&text(from), &text(until));
            let mut faults = FieldErrors::default();
            if let Err(error) = parsed {
                faults.add("from", error.to_string());
            }
            faults.into_result()?;
            parsed.ok()
        }
    };
    reminders::set_quiet_hours(&api.context, &api.change(), hours).await?;
    Ok(Json(hours.into()))
}
