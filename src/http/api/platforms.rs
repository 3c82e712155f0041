//! `/platforms`: the booking platforms that this installation knows, and how a business treats them.

use axum::{Json, extract::State};
use concord_domain::{
    channel::{BlockRule, Preference},
    platform::{Platform, PlatformKind},
};
use concord_jobs::channels::manage;
use concord_storage::platform_settings::{self, PlatformSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answers::Listing,
    auth::ApiCaller,
    channels::check_interval,
    given::Given,
    problem::ApiError,
    request::{Body, PathOf},
    schema,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(find, change))
}

/// A booking platform.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Platform)]
struct PlatformAnswer {
    /// Its name for programs.
    #[schema(example = "airbnb")]
    id: String,
    /// Its name for people.
    name: String,
    /// How it learns of what is taken.
    #[schema(value_type = schema::PlatformKind)]
    kind: PlatformKind,
    /// Whether it reads a feed of ours.
    reads_our_feed: bool,
    /// Whether it offers a feed of its own.
    offers_feed: bool,
    /// Minutes between two readings of its feed.
    interval_minutes: i64,
    /// Whose booking gives way, for new channels.
    #[schema(value_type = schema::Preference)]
    preference: Preference,
    /// What becomes of nights that it only closes, for new channels.
    #[schema(value_type = schema::BlockRule)]
    blocks: BlockRule,
    /// How a person gets our feed into it.
    import_steps: Vec<String>,
    /// Where a person finds the address of its feed.
    export_steps: Vec<String>,
    /// What a person should know.
    notes: Vec<String>,
}

impl PlatformAnswer {
    fn of(platform: &Platform, said: &PlatformSettings) -> Self {
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

/// How a business wants a platform to be treated; what is left out stays.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlatformChange, example = json!({ "interval_minutes": 45, "preference": "keep" }))]
struct ChangedPlatform {
    /// Minutes between two readings of its feed; null: as the platform's file has it.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    interval_minutes: Given<i64>,
    /// Whose booking gives way, for new channels.
    #[serde(default)]
    #[schema(value_type = Option<schema::Preference>)]
    preference: Option<Preference>,
    /// What becomes of nights that it only closes, for new channels.
    #[serde(default)]
    #[schema(value_type = Option<schema::BlockRule>)]
    blocks: Option<BlockRule>,
}

/// List platforms
#[utoipa::path(get, path = "/platforms", tag = "Channels", operation_id = "list_platforms",
    responses((status = 200, description = "All of them", body = Listing<PlatformAnswer>)))]
async fn list(State(app): State<App>, caller: ApiCaller) -> Result<Json<Listing<PlatformAnswer>>, ApiError> {
    let said = platform_settings::of_business(&app.context.db, caller.business).await?;
    let answer = |platform: &Platform| {
        let own = said.iter().find(|said| said.platform == platform.id.as_str()).cloned();
        let own = own.unwrap_or_else(|| PlatformSettings::unsaid(platform.id.as_str()));
        PlatformAnswer::of(platform, &own)
    };
    Ok(Json(Listing::whole(app.context.platforms.iter().map(answer).collect())))
}

fn known<'a>(app: &'a App, name: &str) -> Result<&'a Platform, ApiError> {
    app.context.platforms.find(name).ok_or_else(|| ApiError::not_found("platform"))
}

/// Read a platform
#[utoipa::path(get, path = "/platforms/{platform}", tag = "Channels", operation_id = "get_platform",
    params(("platform" = String, Path, description = "Its id, its name or another name of it")),
    responses((status = 200, description = "The platform", body = PlatformAnswer)))]
async fn find(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(name): PathOf<String>,
) -> Result<Json<PlatformAnswer>, ApiError> {
    let platform = known(&app, &name)?;
    let said = platform_settings::find(&app.context.db, caller.business, platform.id.as_str()).await?;
    Ok(Json(PlatformAnswer::of(platform, &said)))
}

/// Say how a platform is to be treated
#[utoipa::path(patch, path = "/platforms/{platform}", tag = "Channels", operation_id = "change_platform",
    params(("platform" = String, Path, description = "Its id, its name or another name of it")),
    request_body = ChangedPlatform,
    responses((status = 200, description = "Changed", body = PlatformAnswer)))]
async fn change(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(name): PathOf<String>,
    Body(body): Body<ChangedPlatform>,
) -> Result<Json<PlatformAnswer>, ApiError> {
    let platform = known(&app, &name)?;
    let before = platform_settings::find(&app.context.db, caller.business, platform.id.as_str()).await?;
    let said = PlatformSettings {
        interval_minutes: match body.interval_minutes {
            Given::Value(minutes) => Some(check_interval(minutes, Some(platform))?),
            other => other.or(before.interval_minutes),
        },
        preference: body.preference.unwrap_or(before.preference),
        blocks: body.blocks.unwrap_or(before.blocks),
        platform: before.platform,
    };
    manage::save_platform(&app.context, &caller.change(app.now()), &said).await?;
    Ok(Json(PlatformAnswer::of(platform, &said)))
}
