//! `/feeds`: published iCalendar feeds, as those who publish them see them. Readers meet `http/feeds`.

use axum::{
    Json,
    http::{StatusCode, header},
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use concord_domain::{
    feed::FeedScope,
    ids::{FeedId, ResourceId, StaffId},
    privacy::FeedPrivacy,
    settings::FieldErrors,
};
use concord_services::feeds;
use concord_storage::{
    StorageError,
    feed_reads::{self, FeedRead},
    feeds::{self as store, Feed, FeedSubject, NewFeed},
};
use secrecy::{ExposeSecret, SecretString};
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
use crate::{
    app::App,
    http::feeds::{feed_url, is_shown_as_person},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(find, change, revoke))
        .routes(routes!(rotate))
        .routes(routes!(readers))
}

/// A published feed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Feed)]
struct FeedResponse {
    /// Its id, for `/feeds/{id}`.
    id: Uuid,
    /// Whose bookings it shows.
    scope: FeedScope,
    /// The resource or staff member; null for the whole business.
    subject: Option<Uuid>,
    /// What readers call the calendar.
    name: String,
    /// How much it tells: `busy` says only that the time is taken.
    privacy: FeedPrivacy,
    /// How its token begins, to know it again.
    token_prefix: String,
    /// When it was last read.
    last_read_at: Option<DateTime<Utc>>,
    /// Since when it is no longer published.
    revoked_at: Option<DateTime<Utc>>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// Its address, which is a secret: whoever has it can read the feed. Given once, when it is made or rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl From<Feed> for FeedResponse {
    fn from(feed: Feed) -> Self {
        Self {
            id: feed.id.0,
            scope: feed.scope,
            subject: feed.subject_id,
            name: feed.name,
            privacy: feed.privacy,
            token_prefix: feed.token_prefix,
            last_read_at: feed.last_read_at,
            revoked_at: feed.revoked_at,
            created_at: feed.created_at,
            url: None,
        }
    }
}

impl FeedResponse {
    fn with_token(app: &App, feed: Feed, token: &SecretString) -> Self {
        Self { url: Some(feed_url(app, token.expose_secret())), ..Self::from(feed) }
    }
}

/// A feed to be published.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FeedBody, example = json!({
    "scope": "resource", "subject": "0197f0c2-6b1e-7d3a-9a4e-2f6d2f1f8b10", "name": "Sea View", "privacy": "busy"
}))]
struct NewFeedBody {
    /// Whose bookings it shows.
    scope: FeedScope,
    /// The resource or staff member; nothing for the whole business.
    subject: Option<Uuid>,
    /// What readers call the calendar; at most 300 characters.
    #[schema(max_length = 300)]
    name: String,
    /// How much it tells; `busy` if it is not said.
    privacy: Option<FeedPrivacy>,
}

impl NewFeedBody {
    fn subject(&self, faults: &mut FieldErrors) -> FeedSubject {
        match (self.scope, self.subject) {
            (FeedScope::Business, None) => FeedSubject::Business,
            (FeedScope::Resource, Some(id)) => FeedSubject::Resource(ResourceId(id)),
            (FeedScope::Staff, Some(id)) => FeedSubject::Staff(StaffId(id)),
            (FeedScope::Driver, Some(id)) => FeedSubject::Driver(StaffId(id)),
            (FeedScope::Channel, _) => {
                faults.add("scope", "is made with its channel, at /channels");
                FeedSubject::Business
            }
            (FeedScope::Business, Some(_)) => {
                faults.add("subject", "must be omitted: the feed covers the whole business");
                FeedSubject::Business
            }
            (FeedScope::Resource | FeedScope::Staff | FeedScope::Driver, None) => {
                faults.add("subject", format!("is required: the id of the {}", subject_hint(self.scope)));
                FeedSubject::Business
            }
        }
    }
}

fn subject_hint(scope: FeedScope) -> &'static str {
    match scope {
        FeedScope::Business => "business",
        FeedScope::Resource => "resource",
        FeedScope::Staff | FeedScope::Driver => "staff member",
        FeedScope::Channel => "channel",
    }
}

/// Somebody who reads a feed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FeedReader)]
struct FeedReaderResponse {
    /// What it calls itself (`User-Agent`).
    reader: String,
    /// Whether it is a browser, and so a person who looks.
    person: bool,
    /// Where it last asked from.
    address: String,
    /// How often it asked.
    reads: i64,
    /// When it first did.
    first_read_at: DateTime<Utc>,
    /// When it last did.
    last_read_at: DateTime<Utc>,
    /// The revision that it has.
    revision: i64,
    /// Whether that is what the feed says now.
    current: bool,
}

/// What changes of a feed; what is left out stays.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FeedChange, example = json!({ "privacy": "title" }))]
struct FeedPatch {
    /// What readers call the calendar.
    #[schema(max_length = 300)]
    name: Option<String>,
    /// Its privacy.
    privacy: Option<FeedPrivacy>,
}

/// List feeds
///
/// Published feeds, oldest first.
#[utoipa::path(get, path = "/feeds", tag = "Feeds", operation_id = "list_feeds",
    responses((status = 200, description = "The full list", body = Listing<FeedResponse>)))]
async fn list(api: Api) -> ApiResult<Listing<FeedResponse>> {
    let found = store::list(&api.context.db, api.business).await?;
    Ok(Json(Listing::complete(found.into_iter().map(FeedResponse::from).collect())))
}

/// Publish a feed
///
/// The response contains the feed's URL, which is shown only once.
#[utoipa::path(post, path = "/feeds", tag = "Feeds", operation_id = "create_feed", request_body = NewFeedBody,
    responses((status = 201, description = "Published", body = FeedResponse,
        headers(("Location" = String, description = "URL of its settings")))))]
async fn create(api: Api, ApiJson(body): ApiJson<NewFeedBody>) -> Result<impl IntoResponse, ApiError> {
    let mut faults = FieldErrors::default();
    let subject = body.subject(&mut faults);
    let name = faults.name("name", &body.name);
    faults.into_result()?;
    let words = subject_hint(body.scope);
    let new =
        NewFeed { business: api.business, subject, name, privacy: body.privacy.unwrap_or(FeedPrivacy::Busy) };
    let mut tx = api.context.db.begin().await?;
    let (feed, token) = match feeds::create(&mut tx, &api.change(), &new).await {
        Err(StorageError::NotFound) => {
            return Err(ApiError::invalid("subject", format!("is not one of your {words}s")));
        }
        made => made?,
    };
    tx.commit().await?;
    let location = api.absolute_url(&format!("/api/v1/feeds/{}", feed.id));
    let answer = FeedResponse::with_token(&api, feed, &token);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(answer)))
}

async fn find_feed(api: &Api, id: FeedId) -> Result<Feed, ApiError> {
    let found = store::find(&api.context.db, api.business, id).await?;
    found.ok_or_else(|| ApiError::not_found("feed"))
}

/// Read the settings of a feed
#[utoipa::path(get, path = "/feeds/{id}", tag = "Feeds", operation_id = "get_feed",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The feed", body = FeedResponse)))]
async fn find(api: Api, ApiPath(id): ApiPath<FeedId>) -> ApiResult<FeedResponse> {
    Ok(Json(find_feed(&api, id).await?.into()))
}

/// List the subscribers of a feed
///
/// Most recent first, at most 100. Each fetch is listed within seconds.
#[utoipa::path(get, path = "/feeds/{id}/readers", tag = "Feeds", operation_id = "list_feed_readers",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The full list", body = Listing<FeedReaderResponse>)))]
async fn readers(api: Api, ApiPath(id): ApiPath<FeedId>) -> ApiResult<Listing<FeedReaderResponse>> {
    let feed = find_feed(&api, id).await?;
    let newest = store::revision_of(&api.context.db, &feed).await?;
    let readers = feed_reads::of_feed(&api.context.db, api.business, id).await?;
    let answer = |read: FeedRead| FeedReaderResponse {
        current: read.revision >= newest,
        person: is_shown_as_person(&read),
        reader: read.reader,
        address: read.address,
        reads: read.reads,
        first_read_at: read.first_read_at,
        last_read_at: read.read_at,
        revision: read.revision,
    };
    Ok(Json(Listing::complete(readers.into_iter().map(answer).collect())))
}

/// Change a feed
///
/// Omitted fields and the URL are unchanged.
#[utoipa::path(patch, path = "/feeds/{id}", tag = "Feeds", operation_id = "change_feed",
    params(("id" = Uuid, Path, description = "Its id")), request_body = FeedPatch,
    responses((status = 200, description = "Changed", body = FeedResponse)))]
async fn change(
    api: Api,
    ApiPath(id): ApiPath<FeedId>,
    ApiJson(body): ApiJson<FeedPatch>,
) -> ApiResult<FeedResponse> {
    let by = api.change();
    let changed = feeds::change(&api.context, &by, id, |before| {
        let mut faults = FieldErrors::default();
        let name = faults.name("name", body.name.as_deref().unwrap_or(&before.name));
        faults.into_result()?;
        Ok::<_, ApiError>((name, body.privacy.unwrap_or(before.privacy)))
    });
    Ok(Json(changed.await?.into()))
}

/// Rotate a feed's URL
///
/// The old URL stops working. The response contains the new one, which is shown only once.
#[utoipa::path(post, path = "/feeds/{id}/rotate", tag = "Feeds", operation_id = "rotate_feed",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "Published under a new URL", body = FeedResponse)))]
async fn rotate(api: Api, ApiPath(id): ApiPath<FeedId>) -> ApiResult<FeedResponse> {
    let mut tx = api.context.db.begin().await?;
    let (feed, token) = feeds::rotate(&mut tx, &api.context, &api.change(), id).await?;
    tx.commit().await?;
    Ok(Json(FeedResponse::with_token(&api, feed, &token)))
}

/// Revoke a feed
///
/// Its URL stops working permanently.
#[utoipa::path(delete, path = "/feeds/{id}", tag = "Feeds", operation_id = "revoke_feed",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "Revoked", body = FeedResponse)))]
async fn revoke(api: Api, ApiPath(id): ApiPath<FeedId>) -> ApiResult<FeedResponse> {
    Ok(Json(feeds::revoke(&api.context, &api.change(), id).await?.into()))
}
