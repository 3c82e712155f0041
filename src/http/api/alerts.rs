//! `/alerts`: what fails for longer than a moment, and what did.

use axum::Json;
use chrono::{DateTime, Utc};
use concord_domain::alert::{AlertKind, AlertState};
use concord_storage::alerts::{self, Alert};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    problem::ApiResult,
    request::ApiQuery,
    responses::{Listing, page_request},
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Filters for alerts.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListAlertsQuery {
    /// With this status.
    #[param(inline)]
    state: Option<AlertState>,
    /// Page size, 1 to 200; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// Something that fails for longer than a moment, or has failed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Alert)]
struct AlertResponse {
    /// Its id.
    id: Uuid,
    /// What fails.
    kind: AlertKind,
    /// The id of the calendar integration, calendar, channel or webhook endpoint.
    subject: Uuid,
    /// Its status.
    state: AlertState,
    /// What fails, in a few plain words.
    headline: String,
    /// Why, in plain sentences, each a line.
    cause: String,
    /// Where it can be dealt with.
    link: String,
    /// When it was first noticed.
    since: DateTime<Utc>,
    /// When the alert was opened.
    opened_at: Option<DateTime<Utc>>,
    /// Since when all goes well; null: it still fails.
    healthy_since: Option<DateTime<Utc>>,
    /// When it was over; null while it lasts.
    closed_at: Option<DateTime<Utc>>,
    /// When somebody was last emailed about it.
    last_mail_at: Option<DateTime<Utc>>,
}

/// List alerts
///
/// Calendars, channels and webhook endpoints that failed for more than ten minutes, the newest first. An alert is closed
/// once all went well for ten minutes.
#[utoipa::path(get, path = "/alerts", tag = "Notifications", operation_id = "list_alerts", params(ListAlertsQuery),
    responses((status = 200, description = "A page of alerts", body = Listing<AlertResponse>)))]
async fn list(api: Api, ApiQuery(wanted): ApiQuery<ListAlertsQuery>) -> ApiResult<Listing<AlertResponse>> {
    let ask = page_request(wanted.limit, wanted.cursor)?;
    let page = alerts::list(&api.context.db, api.business, (wanted.state, None), &ask).await?;
    Ok(Json(Listing::from_page(page, |alert: Alert| AlertResponse {
        id: alert.id.0,
        kind: alert.kind,
        subject: alert.subject_id,
        state: alert.state(),
        link: api.absolute_url(&alert.link),
        since: alert.failure.since,
        healthy_since: alert.failure.healthy_since,
        headline: alert.headline,
        cause: alert.cause,
        opened_at: alert.opened_at,
        closed_at: alert.closed_at,
        last_mail_at: alert.last_mail_at,
    })))
}
