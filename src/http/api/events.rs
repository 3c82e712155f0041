//! `/events`: what happened, for those who missed webhooks, or take none.

use axum::Json;
use chrono::{DateTime, Utc};
use concord_domain::{ids::EventId, webhook::EventType};
use concord_storage::events::{self, StoredEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    problem::{ApiError, ApiResult},
    request::ApiQuery,
    responses::page_request,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which events.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListEventsQuery {
    /// The id of the last event that you have seen; omitted: from the oldest that is kept.
    #[param(value_type = Option<Uuid>)]
    after: Option<EventId>,
    /// Page size, 1 to 200; default 50.
    limit: Option<u32>,
}

/// Events, in their order.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Events)]
struct EventsResponse {
    /// The events, as webhooks send them.
    items: Vec<EventResponse>,
    /// Send as `after` the next time; null if there is no event at all.
    next_after: Option<Uuid>,
    /// Whether there are more events already.
    has_more: bool,
}

/// An event, as webhooks send it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Event)]
struct EventResponse {
    /// The event's id: the `webhook-id` of its messages.
    id: Uuid,
    /// What it tells.
    #[serde(rename = "type")]
    kind: EventType,
    /// The version of the schema of `data`.
    schema_version: i64,
    /// When it happened.
    timestamp: DateTime<Utc>,
    /// The whole state of what it is about; see the webhooks for the schema of each type.
    #[schema(value_type = Object)]
    data: Value,
}

impl TryFrom<StoredEvent> for EventResponse {
    type Error = ApiError;

    fn try_from(event: StoredEvent) -> Result<Self, ApiError> {
        Ok(Self {
            id: event.id.0,
            kind: event.kind,
            schema_version: event.schema_version,
            timestamp: event.created_at,
            data: serde_json::from_str(&event.data).map_err(ApiError::internal)?,
        })
    }
}

/// List events
///
/// What happened, oldest first; events are kept for 30 days. Whoever missed webhooks reads on from the last one that they
/// have seen. Events of one booking are in the order of its versions. 404: the event in `after` is no longer kept; start
/// without `after`.
#[utoipa::path(get, path = "/events", tag = "Webhooks", operation_id = "list_events", params(ListEventsQuery),
    responses((status = 200, description = "Events", body = EventsResponse)))]
async fn list(api: Api, ApiQuery(wanted): ApiQuery<ListEventsQuery>) -> ApiResult<EventsResponse> {
    let limit = page_request(wanted.limit, None)?.limit;
    let page = events::after(&api.context.db, api.business, wanted.after, limit).await?;
    let has_more = page.next.is_some();
    let items = page.items.into_iter().map(EventResponse::try_from).collect::<Result<Vec<_>, _>>()?;
    let next_after = items.last().map(|last| last.id).or(wanted.after.map(|after| after.0));
    Ok(Json(EventsResponse { items, next_after, has_more }))
}
