//! `/sync_log`: what each attempt to bring a calendar and the bookings into agreement came to.

use axum::Json;
use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    audit::SyncOutcome,
    ids::{BookingId, ChannelId, ConnectionId},
};
use concord_storage::sync_log::{self, SyncLogCounts, SyncLogEntry, SyncLogFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    bookings::business_zone,
    problem::ApiResult,
    request::{ApiQuery, ApiTimeBound},
    responses::page_request,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Filters for log entries.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListSyncLogQuery {
    /// Those about this calendar integration.
    #[param(value_type = Option<Uuid>)]
    connection: Option<ConnectionId>,
    /// Those about the booking of this id.
    #[param(value_type = Option<Uuid>)]
    booking: Option<BookingId>,
    /// Those about this channel.
    #[param(value_type = Option<Uuid>)]
    channel: Option<ChannelId>,
    /// With this result.
    #[param(inline)]
    outcome: Option<SyncOutcome>,
    /// Those since this instant, or since the beginning of this day in the business's zone.
    #[param(value_type = Option<String>, example = "2026-12-01T00:00:00Z")]
    since: Option<ApiTimeBound>,
    /// Page size, 1 to 200; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// A page of the sync log.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SyncLog)]
struct SyncLogResponse {
    /// The lines, newest first.
    items: Vec<SyncLogLineResponse>,
    /// Send as `cursor` to get the next page; null on the last page.
    next_cursor: Option<String>,
    /// Success rate over the last 24 hours, of the filtered integration or of all.
    last_24_hours: LastDayResponse,
}

/// Success rate over a day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = LastDay)]
struct LastDayResponse {
    /// Successful attempts.
    ok: i64,
    /// Failed attempts.
    failed: i64,
    /// Between 0 and 1; null where there was none.
    success_rate: Option<f64>,
}

impl From<SyncLogCounts> for LastDayResponse {
    #[expect(clippy::cast_precision_loss, reason = "a day's attempts are far fewer than 2^52")]
    fn from(counts: SyncLogCounts) -> Self {
        let all = counts.ok + counts.failed;
        let success_rate = (all > 0).then(|| counts.ok as f64 / all as f64);
        Self { ok: counts.ok, failed: counts.failed, success_rate }
    }
}

/// An attempt that has ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SyncLogLine)]
struct SyncLogLineResponse {
    /// Concord's id of the attempt.
    id: Uuid,
    /// When it ended.
    at: DateTime<Utc>,
    /// The calendar integration, if it was about one.
    connection: Option<Uuid>,
    /// The booking's id, if it was about one.
    booking: Option<Uuid>,
    /// The channel, if it was about one.
    channel: Option<Uuid>,
    /// What was attempted.
    #[schema(example = "create")]
    operation: String,
    /// The result.
    outcome: SyncOutcome,
    /// Details, in plain words.
    detail: String,
    /// Duration in milliseconds.
    duration_ms: i64,
}

impl From<SyncLogEntry> for SyncLogLineResponse {
    fn from(line: SyncLogEntry) -> Self {
        Self {
            id: line.id.0,
            at: line.at,
            connection: line.connection_id.map(|id| id.0),
            booking: line.booking_id.map(|id| id.0),
            channel: line.channel_id.map(|id| id.0),
            operation: line.operation,
            outcome: line.outcome,
            detail: line.detail,
            duration_ms: line.duration_ms,
        }
    }
}

/// Read the sync log
#[utoipa::path(get, path = "/sync_log", tag = "Sync", operation_id = "list_sync_log", params(ListSyncLogQuery),
    responses((status = 200, description = "A page of the log", body = SyncLogResponse)))]
async fn list(api: Api, ApiQuery(wanted): ApiQuery<ListSyncLogQuery>) -> ApiResult<SyncLogResponse> {
    let ask = page_request(wanted.limit, wanted.cursor)?;
    let since = match wanted.since {
        None => None,
        Some(since) => Some(since.instant(business_zone(&api).await?)),
    };
    let filter = SyncLogFilter {
        connection: wanted.connection,
        booking: wanted.booking,
        channel: wanted.channel,
        outcome: wanted.outcome,
        since,
        staff: None,
    };
    let db = &api.context.db;
    let page = sync_log::list(db, api.business, filter, &ask).await?;
    let day_ago = api.now() - Duration::hours(24);
    let counts = sync_log::counts_since(db, api.business, wanted.connection, day_ago).await?;
    Ok(Json(SyncLogResponse {
        items: page.items.into_iter().map(SyncLogLineResponse::from).collect(),
        next_cursor: page.next,
        last_24_hours: counts.into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_attempt_is_no_rate() {
        assert_eq!(LastDayResponse::from(SyncLogCounts { ok: 0, failed: 0 }).success_rate, None);
        assert_eq!(LastDayResponse::from(SyncLogCounts { ok: 3, failed: 1 }).success_rate, Some(0.75));
    }
}
