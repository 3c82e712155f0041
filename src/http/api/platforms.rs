//! `/platforms`: the booking platforms that this installation knows, and how a business treats them.

use axum::Json;
use concord_domain::{
    channel::{BlockRule, Preference},
    platform::{Platform, PlatformKind},
};
use concord_services::channels as manage;
use concord_storage::platform_settings::{self, PlatformSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Api,
    channels::check_interval,
    patch_field::PatchField,
    problem::{ApiError, ApiResult},
    request::{ApiJson, ApiPath},
    responses::Listing,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(find, change))
}

/// A booking platform.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Platform)]
struct PlatformResponse {
    /// Its name for programs.
    #[schema(example = "airbnb")]
    id: String,
    /// Its name for people.
    name: String,
    /// How it is updated.
    kind: PlatformKind,
    /// Whether it can import our feed.
    reads_our_feed: bool,
    /// Whether it has a feed to import.
    offers_feed: bool,
    /// Sync interval in minutes.
    interval_minutes: i64,
    /// Which booking to keep in a conflict, for new channels.
    preference: Preference,
    /// How blocked dates are handled, for new channels.
    blocks: BlockRule,
    /// Steps to import our feed there.
    import_steps: Vec<String>,
    /// Steps to find its feed URL.
    export_steps: Vec<String>,
    /// Notes.
    notes: Vec<String>,
}

impl PlatformResponse {
    fn from_platform(platform: &Platform, said: &PlatformSettings) -> Self {
        Self {
            id: platform.id.to_string(),
            name: platform.name.clone(),
            kind: platform.kind,
            reads_our_feed: platform.imports,
            offers_feed: platform.exports,
            interval_minutes: said.interval_minutes.unwrap_or(i64::from(platform.interval_minutes)),
            preference: said.preference,
            blocks: said.blocks,
            import_steps: platform.import_steps.clone(),
            export_steps: platform.export_steps.clone(),
            notes: platform.notes.clone(),
        }
    }
}

/// Settings for a platform; omitted fields are unchanged.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlatformChange, example = json!({ "interval_minutes": 45, "preference": "keep" }))]
struct PlatformPatch {
    /// Sync interval in minutes; null: the platform's default.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    interval_minutes: PatchField<i64>,
    /// Which booking to keep in a conflict, for new channels.
    preference: Option<Preference>,
    /// How blocked dates are handled, for new channels.
    blocks: Option<BlockRule>,
}

/// List platforms
#[utoipa::path(get, path = "/platforms", tag = "Channels", operation_id = "list_platforms",
    responses((status = 200, description = "The full list", body = Listing<PlatformResponse>)))]
async fn list(api: Api) -> ApiResult<Listing<PlatformResponse>> {
    let said = platform_settings::of_business(&api.context.db, api.business).await?;
    let answer = |platform: &Platform| {
        let own = said.iter().find(|said| said.platform == platform.id.as_str()).cloned();
        let own = own.unwrap_or_else(|| PlatformSettings::unsaid(platform.id.as_str()));
        PlatformResponse::from_platform(platform, &own)
    };
    Ok(Json(Listing::complete(api.context.platforms.iter().map(answer).collect())))
}

fn find_platform<'a>(app: &'a App, name: &str) -> Result<&'a Platform, ApiError> {
    app.context.platforms.find(name).ok_or_else(|| ApiError::not_found("platform"))
}

/// Read a platform
#[utoipa::path(get, path = "/platforms/{platform}", tag = "Channels", operation_id = "get_platform",
    params(("platform" = String, Path, description = "Its id, its name or another name of it")),
    responses((status = 200, description = "The platform", body = PlatformResponse)))]
async fn find(api: Api, ApiPath(name): ApiPath<String>) -> ApiResult<PlatformResponse> {
    let platform = find_platform(&api, &name)?;
    let said = platform_settings::find(&api.context.db, api.business, platform.id.as_str()).await?;
    Ok(Json(PlatformResponse::from_platform(platform, &said)))
}

/// Change a platform's settings
#[utoipa::path(patch, path = "/platforms/{platform}", tag = "Channels", operation_id = "change_platform",
    params(("platform" = String, Path, description = "Its id, its name or another name of it")),
    request_body = PlatformPatch,
    responses((status = 200, description = "Changed", body = PlatformResponse)))]
async fn change(
    api: Api,
    ApiPath(name): ApiPath<String>,
    ApiJson(body): ApiJson<PlatformPatch>,
) -> ApiResult<PlatformResponse> {
    let platform = find_platform(&api, &name)?;
    let before = platform_settings::find(&api.context.db, api.business, platform.id.as_str()).await?;
    let said = PlatformSettings {
        interval_minutes: match body.interval_minutes {
            PatchField::Value(minutes) => Some(check_interval(minutes, Some(platform))?),
            other => other.apply_to(before.interval_minutes),
        },
        preference: body.preference.unwrap_or(before.preference),
        blocks: body.blocks.unwrap_or(before.blocks),
        platform: before.platform,
    };
    manage::save_platform(&api.context, &api.change(), &said).await?;
    Ok(Json(PlatformResponse::from_platform(platform, &said)))
}
