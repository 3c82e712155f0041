//! `/webhooks`: addresses of other systems that are told of what happens.

mod responses;

use axum::{
    Json,
    http::{StatusCode, header},
    response::IntoResponse,
};
use concord_domain::{
    ids::{EventId, WebhookEndpointId},
    webhook::{DeliveryState, EndpointSettings, EndpointState, EventType},
};
use concord_services::webhooks::{self as manage, EndpointChange, EndpointDraft};
use concord_storage::{webhook_deliveries as deliveries, webhook_endpoints as store};
use secrecy::ExposeSecret;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::responses::{
    DeliveryResponse, NewEndpointResponse, ResentResponse, TestedResponse, WebhookEndpointResponse,
};
use super::{
    auth::Api,
    problem::{ApiError, ApiResult},
    request::{ApiInstant, ApiJson, ApiPath, ApiQuery},
    responses::{Listing, page_request},
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(find, change, delete))
        .routes(routes!(rotate))
        .routes(routes!(test))
        .routes(routes!(list_deliveries))
        .routes(routes!(resend))
        .routes(routes!(resend_since))
}

/// An endpoint to be added.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookBody, example = json!({
    "url": "https://shop.example.com/hooks/concord", "event_types": ["booking.created", "booking.cancelled"]
}))]
struct NewEndpointBody {
    /// Where events are sent: an https URL with a public address.
    #[schema(max_length = 2000)]
    url: String,
    /// For people; at most 300 characters.
    #[schema(max_length = 300)]
    description: Option<String>,
    /// Which events are sent; omitted or empty: all, those of later versions too.
    event_types: Option<Vec<EventType>>,
}

/// What changes of an endpoint; what is omitted stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = WebhookChange, example = json!({ "state": "active" }))]
struct EndpointPatch {
    /// Where events are sent.
    #[schema(max_length = 2000)]
    url: Option<String>,
    /// For people.
    #[schema(max_length = 300)]
    description: Option<String>,
    /// Which events are sent; empty: all.
    event_types: Option<Vec<EventType>>,
    /// `disabled`: nothing is sent any more, and what waits is forgotten; `active`: what happens from now on is sent.
    state: Option<EndpointState>,
}

/// List webhook endpoints
#[utoipa::path(get, path = "/webhooks", tag = "Webhooks", operation_id = "list_webhooks",
    responses((status = 200, description = "The full list, oldest first", body = Listing<WebhookEndpointResponse>)))]
async fn list(api: Api) -> ApiResult<Listing<WebhookEndpointResponse>> {
    let found = store::list(&api.context.db, api.business).await?;
    Ok(Json(Listing::complete(found.into_iter().map(WebhookEndpointResponse::from).collect())))
}

/// Add a webhook endpoint
///
/// Events from now on are sent there, signed by Standard Webhooks 1.0.0. The response contains the secret, which is shown
/// only once.
#[utoipa::path(post, path = "/webhooks", tag = "Webhooks", operation_id = "create_webhook",
    request_body = NewEndpointBody,
    responses((status = 201, description = "Added", body = NewEndpointResponse,
        headers(("Location" = String, description = "Its URL")))))]
async fn create(api: Api, ApiJson(body): ApiJson<NewEndpointBody>) -> Result<impl IntoResponse, ApiError> {
    let settings = EndpointSettings {
        description: body.description.unwrap_or_default(),
        event_types: body.event_types.unwrap_or_default(),
    };
    let mut tx = api.context.db.begin().await?;
    let draft = EndpointDraft { url: body.url, settings };
    let (endpoint, secret) = manage::create(&mut tx, &api.context, &api.change(), draft).await?;
    tx.commit().await?;
    let location = api.absolute_url(&format!("/api/v1/webhooks/{}", endpoint.id));
    let answer = NewEndpointResponse { endpoint: endpoint.into(), secret: secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(answer)))
}

/// Read a webhook endpoint
#[utoipa::path(get, path = "/webhooks/{id}", tag = "Webhooks", operation_id = "get_webhook",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The endpoint", body = WebhookEndpointResponse)))]
async fn find(api: Api, ApiPath(id): ApiPath<WebhookEndpointId>) -> ApiResult<WebhookEndpointResponse> {
    Ok(Json(manage::find(&api.context, &api.change(), id).await?.into()))
}

/// Change a webhook endpoint
///
/// Omitted fields and the secret are unchanged.
#[utoipa::path(patch, path = "/webhooks/{id}", tag = "Webhooks", operation_id = "change_webhook",
    params(("id" = Uuid, Path, description = "Its id")), request_body = EndpointPatch,
    responses((status = 200, description = "Changed", body = WebhookEndpointResponse)))]
async fn change(
    api: Api,
    ApiPath(id): ApiPath<WebhookEndpointId>,
    ApiJson(body): ApiJson<EndpointPatch>,
) -> ApiResult<WebhookEndpointResponse> {
    let (context, by) = (&api.context, api.change());
    let change =
        EndpointChange { url: body.url, description: body.description, event_types: body.event_types };
    let changed = manage::change(context, &by, id, change).await?;
    let changed = match body.state {
        None => changed,
        Some(EndpointState::Active) => manage::enable(context, &by, id).await?,
        Some(EndpointState::Disabled) => manage::disable(context, &by, id).await?,
    };
    Ok(Json(changed.into()))
}

/// Delete a webhook endpoint
///
/// Nothing is sent there any more, and its deliveries are forgotten.
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "Webhooks", operation_id = "delete_webhook",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 204, description = "Deleted")))]
async fn delete(api: Api, ApiPath(id): ApiPath<WebhookEndpointId>) -> Result<StatusCode, ApiError> {
    manage::delete(&api.context, &api.change(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotate the secret of a webhook endpoint
///
/// For 24 hours messages carry two signatures, by the new secret and by the one before. The response contains the new one,
/// which is shown only once.
#[utoipa::path(post, path = "/webhooks/{id}/rotate_secret", tag = "Webhooks", operation_id = "rotate_webhook_secret",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The endpoint with its new secret", body = NewEndpointResponse)))]
async fn rotate(api: Api, ApiPath(id): ApiPath<WebhookEndpointId>) -> ApiResult<NewEndpointResponse> {
    let mut tx = api.context.db.begin().await?;
    let (endpoint, secret) = manage::rotate(&mut tx, &api.context, &api.change(), id).await?;
    tx.commit().await?;
    Ok(Json(NewEndpointResponse { endpoint: endpoint.into(), secret: secret.expose_secret().to_owned() }))
}

/// Send a test event
///
/// A `webhook.test` event, whatever the endpoint is sent otherwise. How it went stands in the deliveries.
#[utoipa::path(post, path = "/webhooks/{id}/test", tag = "Webhooks", operation_id = "test_webhook",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 202, description = "Being sent", body = TestedResponse)))]
async fn test(
    api: Api,
    ApiPath(id): ApiPath<WebhookEndpointId>,
) -> Result<(StatusCode, Json<TestedResponse>), ApiError> {
    let event = manage::test(&api.context, &api.change(), id).await?;
    Ok((StatusCode::ACCEPTED, Json(TestedResponse { event: event.0 })))
}

/// Filters for deliveries.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListDeliveriesQuery {
    /// With this status.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// Page size, 1 to 200; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// List the deliveries of a webhook endpoint
///
/// Newest event first, each with the last attempt; kept for 30 days.
#[utoipa::path(get, path = "/webhooks/{id}/deliveries", tag = "Webhooks", operation_id = "list_webhook_deliveries",
    params(("id" = Uuid, Path, description = "The endpoint's id"), ListDeliveriesQuery),
    responses((status = 200, description = "A page of deliveries", body = Listing<DeliveryResponse>)))]
async fn list_deliveries(
    api: Api,
    ApiPath(id): ApiPath<WebhookEndpointId>,
    ApiQuery(wanted): ApiQuery<ListDeliveriesQuery>,
) -> ApiResult<Listing<DeliveryResponse>> {
    let ask = page_request(wanted.limit, wanted.cursor)?;
    manage::find(&api.context, &api.change(), id).await?;
    let page = deliveries::list(&api.context.db, (api.business, id), wanted.state, &ask).await?;
    Ok(Json(Listing::from_page(page, DeliveryResponse::from)))
}

/// Resend an event
///
/// Sends it once more under the same `webhook-id`, whatever came of it before.
#[utoipa::path(post, path = "/webhooks/{id}/deliveries/{event}/resend", tag = "Webhooks",
    operation_id = "resend_webhook_event",
    params(
        ("id" = Uuid, Path, description = "The endpoint's id"),
        ("event" = Uuid, Path, description = "The event's id"),
    ),
    responses((status = 202, description = "Being sent", body = ResentResponse)))]
async fn resend(
    api: Api,
    ApiPath((id, event)): ApiPath<(WebhookEndpointId, EventId)>,
) -> Result<(StatusCode, Json<ResentResponse>), ApiError> {
    manage::resend(&api.context, &api.change(), id, event).await?;
    Ok((StatusCode::ACCEPTED, Json(ResentResponse { sent: 1 })))
}

/// Which events are sent again.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookResendBody, example = json!({ "since": "2026-12-01T00:00:00Z" }))]
struct ResendBody {
    /// The events since this time; at most 30 days ago.
    #[schema(value_type = DateTime<Utc>)]
    since: ApiInstant,
    /// Whether events that the endpoint has taken are sent again too.
    #[serde(default)]
    all: bool,
}

/// Resend events since a time
///
/// Sends all events since then that the endpoint has not taken, also those that happened while it was disabled or did not
/// exist yet. Each has the `webhook-id` that it always had.
#[utoipa::path(post, path = "/webhooks/{id}/resend", tag = "Webhooks", operation_id = "resend_webhook_events",
    params(("id" = Uuid, Path, description = "The endpoint's id")), request_body = ResendBody,
    responses((status = 202, description = "Being sent", body = ResentResponse)))]
async fn resend_since(
    api: Api,
    ApiPath(id): ApiPath<WebhookEndpointId>,
    ApiJson(body): ApiJson<ResendBody>,
) -> Result<(StatusCode, Json<ResentResponse>), ApiError> {
    let sent = manage::resend_since(&api.context, &api.change(), id, (body.since.0, body.all)).await?;
    Ok((StatusCode::ACCEPTED, Json(ResentResponse { sent })))
}
