//! `/channels`: resources on booking platforms.

mod quarantine;
mod responses;
mod webhooks;

use axum::{Json, http::StatusCode, response::IntoResponse};
use concord_domain::{
    channel::{BlockRule, ChannelState, Preference},
    ids::{ChannelId, ResourceId},
    platform::Platform,
};
use concord_jobs::channels::intervals;
use concord_services::channels::{
    self as manage, ChannelError, ChannelUpdate, NewChannelRequest,
    address_check::{self, AddressCandidate},
    address_warnings::AddressWarning,
};
use concord_storage::{
    ChangeContext,
    channels::{self, Channel, items, runs},
    platform_settings,
};
use futures::{StreamExt, TryStreamExt, stream};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::responses::{ChannelEventResponse, ChannelResponse, ChannelRunResponse};
use super::{
    auth::Api,
    patch_field::PatchField,
    problem::{ApiError, ApiResult, Kind},
    request::{ApiJson, ApiPath, ApiQuery},
    responses::{Listing, Paging},
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(find, change, remove))
        .routes(routes!(sync))
        .routes(routes!(events))
        .routes(routes!(list_runs))
        .routes(routes!(rotate))
        .routes(routes!(confirm_read))
        .merge(quarantine::routes())
        .merge(webhooks::routes())
}

impl From<ChannelError> for ApiError {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::Address(error) => Self::invalid("import_url", format!("is not valid: {error}")),
            ChannelError::AddressTaken | ChannelError::OwnFeed | ChannelError::NothingToRead(_) => {
                Self::invalid("import_url", format!("is not accepted: {error}"))
            }
            ChannelError::Published => Self::invalid("import_url", format!("is required: {error}")),
            ChannelError::NoResource => Self::invalid("resource", "is not one of your resources"),
            ChannelError::NoChannel => Self::not_found("channel"),
            ChannelError::NeverFetched => Self::new(Kind::NotPossible, format!("Not possible: {error}.")),
            ChannelError::Storage(error) => error.into(),
        }
    }
}

async fn find_channel(api: &Api, id: ChannelId) -> Result<Channel, ApiError> {
    let found = channels::find(&api.context.db, api.business, id).await?;
    found.ok_or_else(|| ApiError::not_found("channel"))
}

/// A channel to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChannelBody, example = json!({
    "resource": "0197f0c2-6b1e-7d3a-9a4e-2f6d2f1f8b10", "platform": "airbnb",
    "import_url": "https://www.airbnb.com/calendar/ical/123.ics?s=abc"
}))]
struct NewChannelBody {
    /// The listing's resource.
    #[schema(value_type = uuid::Uuid)]
    resource: ResourceId,
    /// The platform: its id, its name or another name of it; see `GET /platforms`.
    platform: String,
    /// Where the platform's feed is. Without it the channel only publishes.
    import_url: Option<String>,
    /// Whose booking gives way; as the business has it for the platform if it is not said.
    preference: Option<Preference>,
    /// What becomes of nights that the platform only closes; likewise.
    blocks: Option<BlockRule>,
    /// Minutes between two readings, 30 to 1440; likewise.
    #[schema(minimum = 30, maximum = 1440)]
    interval_minutes: Option<i64>,
    /// Although something speaks against the address: see 409.
    confirm: Option<bool>,
}

/// What changes of a channel; what is left out stays.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChannelChange, example = json!({ "state": "paused" }))]
struct ChannelPatch {
    /// Its status.
    state: Option<ChannelState>,
    /// Where the platform's feed is; null: nothing is read any more.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    import_url: PatchField<String>,
    /// Which booking to keep in a conflict.
    preference: Option<Preference>,
    /// How blocked dates are handled.
    blocks: Option<BlockRule>,
    /// Minutes between two readings; null: as the business or the platform has it.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    interval_minutes: PatchField<i64>,
    /// Although something speaks against the new address: see 409.
    confirm: Option<bool>,
}

/// Between two readings, in minutes: what the platform allows, and at most a day.
pub(super) fn check_interval(minutes: i64, platform: Option<&Platform>) -> Result<i64, ApiError> {
    let allowed = intervals(platform);
    if allowed.contains(&minutes) {
        Ok(minutes)
    } else {
        let (fewest, most) = (allowed.start(), allowed.end());
        Err(ApiError::invalid("interval_minutes", format!("must be between {fewest} and {most}")))
    }
}

/// Channels of a list are looked at so many at once; each asks for several things.
const MAX_CONCURRENT: usize = 4;

/// List channels
///
/// Those of one resource together.
#[utoipa::path(get, path = "/channels", tag = "Channels", operation_id = "list_channels",
    responses((status = 200, description = "The full list", body = Listing<ChannelResponse>)))]
async fn list(api: Api) -> ApiResult<Listing<ChannelResponse>> {
    let all = channels::list(&api.context.db, api.business).await?;
    let answers = stream::iter(all).map(|channel| ChannelResponse::of(&api, channel));
    Ok(Json(Listing::complete(answers.buffered(MAX_CONCURRENT).try_collect().await?)))
}

/// Make a channel
///
/// Its feed is published at once: `feed_url` is what the platform is to read. What the platform has is read at once, too.
/// Refused with 409 where the address is read already, as another platform's or for another resource, or is another
/// platform's by its host or by its calendar's PRODID; with `confirm` it is connected all the same.
#[utoipa::path(post, path = "/channels", tag = "Channels", operation_id = "create_channel",
    request_body = NewChannelBody,
    responses((status = 201, description = "Created", body = ChannelResponse,
        headers(("Location" = String, description = "Its URL")))))]
async fn create(api: Api, ApiJson(body): ApiJson<NewChannelBody>) -> Result<impl IntoResponse, ApiError> {
    let platform = api.context.platforms.find(&body.platform).ok_or_else(|| unknown_platform(&api))?;
    let known = Some(platform);
    let said = platform_settings::find(&api.context.db, api.business, platform.id.as_str()).await?;
    let wanted = NewChannelRequest {
        resource: body.resource,
        platform,
        import_url: body.import_url.map(SecretString::from),
        preference: body.preference.unwrap_or(said.preference),
        blocks: body.blocks.unwrap_or(said.blocks),
        interval_minutes: body.interval_minutes.map(|minutes| check_interval(minutes, known)).transpose()?,
    };
    let change = api.change();
    if let Some(address) = wanted.import_url.as_ref().filter(|_| body.confirm != Some(true)) {
        let candidate = AddressCandidate { resource: wanted.resource, platform, channel: None, address };
        check_address(&api, &change, &candidate).await?;
    }
    let channel = manage::create(&api.context, &change, &wanted).await?;
    let location = api.absolute_url(&format!("/api/v1/channels/{}", channel.id));
    let answer = ChannelResponse::of(&api, channel).await?;
    Ok((StatusCode::CREATED, [(axum::http::header::LOCATION, location)], Json(answer)))
}

/// Refuses an address against which something speaks.
async fn check_address(
    app: &App,
    change: &ChangeContext,
    candidate: &AddressCandidate<'_>,
) -> Result<(), ApiError> {
    let mut warnings = address_check::warnings(&app.context, change, candidate).await?;
    warnings.retain(AddressWarning::applies_to_api);
    if warnings.is_empty() {
        return Ok(());
    }
    let warnings = warnings.iter().map(AddressWarning::to_string).collect::<Vec<_>>().join("; ");
    let words = format!("Nothing was connected: {warnings}. Send `confirm: true` to connect anyway.");
    Err(ApiError::new(Kind::NotPossible, words))
}

/// A platform that nobody knows; the message names those that are known.
pub(super) fn unknown_platform(app: &App) -> ApiError {
    let known: Vec<&str> = app.context.platforms.iter().map(|platform| platform.id.as_str()).collect();
    ApiError::invalid("platform", format!("is unknown; use one of {}", known.join(", ")))
}

/// Read a channel
#[utoipa::path(get, path = "/channels/{id}", tag = "Channels", operation_id = "get_channel",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The channel", body = ChannelResponse)))]
async fn find(api: Api, ApiPath(id): ApiPath<ChannelId>) -> ApiResult<ChannelResponse> {
    let channel = find_channel(&api, id).await?;
    Ok(Json(ChannelResponse::of(&api, channel).await?))
}

/// Change a channel
///
/// What can be read differently now is read at once. A new address is refused with 409 as it is for a new channel.
#[utoipa::path(patch, path = "/channels/{id}", tag = "Channels", operation_id = "change_channel",
    params(("id" = Uuid, Path, description = "Its id")), request_body = ChannelPatch,
    responses((status = 200, description = "Changed", body = ChannelResponse)))]
async fn change(
    api: Api,
    ApiPath(id): ApiPath<ChannelId>,
    ApiJson(body): ApiJson<ChannelPatch>,
) -> ApiResult<ChannelResponse> {
    let before = find_channel(&api, id).await?;
    let known = api.context.platforms.find(&before.platform);
    let changes = ChannelUpdate {
        state: body.state,
        preference: body.preference,
        blocks: body.blocks,
        interval_minutes: match body.interval_minutes {
            PatchField::Absent => None,
            PatchField::Null => Some(None),
            PatchField::Value(minutes) => Some(Some(check_interval(minutes, known)?)),
        },
        import_url: match body.import_url {
            PatchField::Absent => None,
            PatchField::Null => Some(None),
            PatchField::Value(url) => Some(Some(SecretString::from(url))),
        },
    };
    let change = api.change();
    if let (Some(Some(address)), Some(platform), false) =
        (&changes.import_url, known, body.confirm == Some(true))
    {
        let candidate =
            AddressCandidate { resource: before.resource_id, platform, channel: Some(id), address };
        check_address(&api, &change, &candidate).await?;
    }
    let channel = manage::update(&api.context, &change, id, &changes).await?;
    Ok(Json(ChannelResponse::of(&api, channel).await?))
}

/// Remove a channel
///
/// Its feed is published no more, and nothing is read. The bookings that it brought stay.
#[utoipa::path(delete, path = "/channels/{id}", tag = "Channels", operation_id = "remove_channel",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 204, description = "Removed")))]
async fn remove(api: Api, ApiPath(id): ApiPath<ChannelId>) -> Result<StatusCode, ApiError> {
    manage::remove(&api.context, &api.change(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a platform now
///
/// It is read soon after the answer; `read_at` tells when it was.
#[utoipa::path(post, path = "/channels/{id}/sync", tag = "Channels", operation_id = "sync_channel",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 202, description = "Sync started", body = ChannelResponse)))]
async fn sync(api: Api, ApiPath(id): ApiPath<ChannelId>) -> Result<impl IntoResponse, ApiError> {
    let channel = manage::sync_now(&api.context, &api.change(), id).await?;
    if !channel.polled || channel.state == ChannelState::Paused {
        let why = if channel.polled { "the channel is paused" } else { "the channel has no calendar link" };
        return Err(ApiError::new(Kind::NotPossible, format!("Not synced: {why}.")));
    }
    Ok((StatusCode::ACCEPTED, Json(ChannelResponse::of(&api, channel).await?)))
}

/// List what a platform's feed says
///
/// As it was last read, without what is over, by start.
#[utoipa::path(get, path = "/channels/{id}/events", tag = "Channels", operation_id = "list_channel_events",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The full list", body = Listing<ChannelEventResponse>)))]
async fn events(api: Api, ApiPath(id): ApiPath<ChannelId>) -> ApiResult<Listing<ChannelEventResponse>> {
    find_channel(&api, id).await?;
    let found = items::to_come(&api.context.db, api.business, id, api.now()).await?;
    Ok(Json(Listing::complete(found.into_iter().map(ChannelEventResponse::from).collect())))
}

/// List the readings of a channel
///
/// Those that came to something, and failures; newest first.
#[utoipa::path(get, path = "/channels/{id}/runs", tag = "Channels", operation_id = "list_channel_runs",
    params(("id" = Uuid, Path, description = "Its id"), Paging),
    responses((status = 200, description = "A page", body = Listing<ChannelRunResponse>)))]
async fn list_runs(
    api: Api,
    ApiPath(id): ApiPath<ChannelId>,
    ApiQuery(paging): ApiQuery<Paging>,
) -> ApiResult<Listing<ChannelRunResponse>> {
    find_channel(&api, id).await?;
    let ask = paging.page_request()?;
    let page = runs::list_for_channel(&api.context.db, api.business, id, &ask).await?;
    let now = api.now();
    Ok(Json(Listing::from_page(page, |run| ChannelRunResponse::of(run, now))))
}

/// Give a channel's feed a new address
///
/// The platform must be given the new one: the old one opens nothing any more.
#[utoipa::path(post, path = "/channels/{id}/rotate_feed", tag = "Channels", operation_id = "rotate_channel_feed",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "Published under a new URL", body = ChannelResponse)))]
async fn rotate(api: Api, ApiPath(id): ApiPath<ChannelId>) -> ApiResult<ChannelResponse> {
    manage::rotate_feed(&api.context, &api.change(), id).await?;
    let channel = find_channel(&api, id).await?;
    Ok(Json(ChannelResponse::of(&api, channel).await?))
}

/// Say that a platform has read our feed
///
/// For whoever has seen at the platform that what is taken here is closed there, where its reader was not known as the
/// platform's. It then counts as knowing what the feed said when anybody last fetched it. Refused with 409 where nobody has.
#[utoipa::path(post, path = "/channels/{id}/confirm_read", tag = "Channels", operation_id = "confirm_channel_read",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "Recorded", body = ChannelResponse)))]
async fn confirm_read(api: Api, ApiPath(id): ApiPath<ChannelId>) -> ApiResult<ChannelResponse> {
    // Who has fetched it a moment ago is written down first.
    api.access.flush(&api.context.db).await?;
    manage::confirm_read(&api.context, &api.change(), id).await?;
    let channel = find_channel(&api, id).await?;
    Ok(Json(ChannelResponse::of(&api, channel).await?))
}
