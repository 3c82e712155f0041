//! `/notification_preferences` and `/notification_defaults`: what people are told of by email.

use std::collections::BTreeMap;

use axum::Json;
use chrono_tz::Tz;
use concord_domain::{
    ids::UserId,
    notice::NoticeKind,
    notification::{DigestDay, DigestSchedule, NoticeDelivery, NotificationChoices, NotificationPreferences},
    settings::FieldErrors,
};
use concord_services::notifications;
use concord_storage::{
    businesses::{self, Business},
    notifications as store,
    people::{self, User},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    problem::{ApiError, ApiResult},
    request::{ApiJson, ApiPath},
    responses::Listing,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(find, set))
        .routes(routes!(find_defaults, set_defaults))
}

/// When a digest is sent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DigestSchedule)]
struct DigestBody {
    /// The hour, 0 to 23, in the time zone below.
    #[schema(minimum = 0, maximum = 23)]
    hour: u32,
    /// The days; at least one.
    days: Vec<DigestDay>,
    /// An IANA time zone; null: that of the business.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "Europe/Berlin")]
    zone: Option<Tz>,
}

impl From<DigestSchedule> for DigestBody {
    fn from(digest: DigestSchedule) -> Self {
        Self { hour: digest.hour, days: digest.days.into_iter().collect(), zone: digest.zone }
    }
}

/// What is emailed, and when. What is omitted follows the defaults.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NotificationChoices, example = json!({
    "deliveries": { "conflict": "at_once", "answer": "digest" },
    "digest": { "hour": 8, "days": ["monday", "friday"], "zone": null },
}))]
struct ChoicesBody {
    /// By what a notification is about.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, NoticeDelivery>)]
    deliveries: BTreeMap<NoticeKind, NoticeDelivery>,
    /// When the digest is sent; null: as by default.
    #[serde(default)]
    digest: Option<DigestBody>,
    /// Whether what would be in a digest is not emailed at all.
    #[serde(default)]
    digest_off: bool,
}

impl From<NotificationChoices> for ChoicesBody {
    fn from(choices: NotificationChoices) -> Self {
        Self {
            deliveries: choices.deliveries,
            digest: choices.digest.map(DigestBody::from),
            digest_off: choices.digest_off,
        }
    }
}

impl ChoicesBody {
    fn checked(self) -> Result<NotificationChoices, ApiError> {
        let schedule = |digest: DigestBody| DigestSchedule {
            hour: digest.hour,
            days: digest.days.into_iter().collect(),
            zone: digest.zone,
        };
        let choices = NotificationChoices {
            deliveries: self.deliveries,
            digest: self.digest.map(schedule),
            digest_off: self.digest_off,
        };
        let mut faults = FieldErrors::default();
        choices.check(&mut faults);
        faults.into_result()?;
        Ok(choices)
    }
}

/// What a user is emailed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = NotificationPreferences)]
struct PreferencesResponse {
    /// The user's id.
    user: Uuid,
    /// Full name.
    name: String,
    /// The address that they sign in with.
    email: String,
    /// What they have chosen.
    choices: ChoicesBody,
    /// What holds for them, by what a notification is about.
    #[schema(value_type = std::collections::HashMap<String, NoticeDelivery>)]
    effective: BTreeMap<NoticeKind, NoticeDelivery>,
    /// When their digest is sent.
    effective_digest: DigestBody,
}

fn response(
    user: User,
    own: NotificationChoices,
    defaults: &NotificationChoices,
    business: &Business,
) -> PreferencesResponse {
    let held = NotificationPreferences::resolve(&own, defaults, business.zone);
    let digest = DigestSchedule { zone: Some(held.zone), ..held.digest.clone() };
    PreferencesResponse {
        user: user.id.0,
        name: user.name,
        email: user.email,
        choices: own.into(),
        effective: NoticeKind::ALL.iter().map(|kind| (*kind, held.delivery(*kind))).collect(),
        effective_digest: digest.into(),
    }
}

async fn business(api: &Api) -> Result<Business, ApiError> {
    let found = businesses::find(&api.context.db, api.business).await?;
    found.ok_or_else(|| ApiError::not_found("business"))
}

/// List notification preferences
///
/// Of all users of the business, by name.
#[utoipa::path(get, path = "/notification_preferences", tag = "Notifications",
    operation_id = "list_notification_preferences",
    responses((status = 200, description = "The full list", body = Listing<PreferencesResponse>)))]
async fn list(api: Api) -> ApiResult<Listing<PreferencesResponse>> {
    let business = business(&api).await?;
    let mut chosen = store::choices(&api.context.db, api.business).await?;
    let defaults = chosen.remove(&business.id.0).unwrap_or_default();
    let users = people::list_users(&api.context.db, api.business).await?;
    let items = users.into_iter().map(|user| {
        let own = chosen.remove(&user.id.0).unwrap_or_default();
        response(user, own, &defaults, &business)
    });
    Ok(Json(Listing::complete(items.collect())))
}

/// Read notification preferences
#[utoipa::path(get, path = "/notification_preferences/{user}", tag = "Notifications",
    operation_id = "get_notification_preferences", params(("user" = Uuid, Path, description = "The user's id")),
    responses((status = 200, description = "The preferences", body = PreferencesResponse)))]
async fn find(api: Api, ApiPath(user): ApiPath<UserId>) -> ApiResult<PreferencesResponse> {
    let found = people::find_user(&api.context.db, api.business, user).await?;
    let user = found.filter(|user| user.archived_at.is_none()).ok_or_else(|| ApiError::not_found("user"))?;
    let business = business(&api).await?;
    let mut chosen = store::choices(&api.context.db, api.business).await?;
    let defaults = chosen.remove(&business.id.0).unwrap_or_default();
    let own = chosen.remove(&user.id.0).unwrap_or_default();
    Ok(Json(response(user, own, &defaults, &business)))
}

/// Set notification preferences
///
/// Replaces all that the user has chosen. What was sent is not sent again.
#[utoipa::path(put, path = "/notification_preferences/{user}", tag = "Notifications",
    operation_id = "set_notification_preferences", params(("user" = Uuid, Path, description = "The user's id")),
    request_body = ChoicesBody,
    responses((status = 200, description = "Set", body = PreferencesResponse)))]
async fn set(
    api: Api,
    ApiPath(user): ApiPath<UserId>,
    ApiJson(body): ApiJson<ChoicesBody>,
) -> ApiResult<PreferencesResponse> {
    notifications::set_of_user(&api.context, &api.change(), user, &body.checked()?).await?;
    find(api, ApiPath(user)).await
}

/// Read the default notifications
///
/// They hold for whoever has not chosen something else, and for staff who do not sign in.
#[utoipa::path(get, path = "/notification_defaults", tag = "Notifications",
    operation_id = "get_notification_defaults",
    responses((status = 200, description = "The defaults", body = ChoicesBody)))]
async fn find_defaults(api: Api) -> ApiResult<ChoicesBody> {
    let mut chosen = store::choices(&api.context.db, api.business).await?;
    Ok(Json(chosen.remove(&api.business.0).unwrap_or_default().into()))
}

/// Set the default notifications
///
/// Replaces them all. `digest_off` is a choice of people and is ignored here.
#[utoipa::path(put, path = "/notification_defaults", tag = "Notifications",
    operation_id = "set_notification_defaults", request_body = ChoicesBody,
    responses((status = 200, description = "Set", body = ChoicesBody)))]
async fn set_defaults(api: Api, ApiJson(body): ApiJson<ChoicesBody>) -> ApiResult<ChoicesBody> {
    let choices = NotificationChoices { digest_off: false, ..body.checked()? };
    notifications::set_defaults(&api.context, &api.change(), &choices).await?;
    Ok(Json(choices.into()))
}
