//! `/sync_log`: what each attempt to bring a calendar and the bookings into agreement came to.

use axum::{Json, extract::State};
use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ids::{BookingId, ChannelId, ConnectionId, SyncLogId},
    record::SyncOutcome,
};
use concord_storage::sync_log::{self, Counts, Filter, Line};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answers::page_ask,
    auth::ApiCaller,
    bookings::zone_of,
    problem::ApiError,
    request::{Bound, Search},
    schema,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which lines are wanted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Those about this calendar integration.
    #[param(value_type = Option<uuid::Uuid>)]
    connection: Option<ConnectionId>,
    /// Those about the booking of this id.
    #[param(value_type = Option<uuid::Uuid>)]
    booking: Option<BookingId>,
    /// Those about this channel.
    #[param(value_type = Option<uuid::Uuid>)]
    channel: Option<ChannelId>,
    /// Those that ended so.
    #[param(value_type = Option<schema::SyncOutcome>, inline)]
    outcome: Option<SyncOutcome>,
    /// Those since this instant, or since the beginning of this day in the business's zone.
    #[param(value_type = Option<String>, example = "2026-12-01T00:00:00Z")]
    since: Option<Bound>,
    /// How many at the most, 1 to 200; 50 if it is not said.
    limit: Option<u32>,
    /// What the page before said as `next_cursor`.
    cursor: Option<String>,
}

/// A page of the sync log.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SyncLog)]
struct LogAnswer {
    /// The lines, newest first.
    items: Vec<LineAnswer>,
    /// Send it as `cursor` for the next part; null at the end.
    next_cursor: Option<String>,
    /// How it went in the last 24 hours: of the integration, if the lines of one are asked for, otherwise of all.
    last_24_hours: Day,
}

/// How it went over a day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = LastDay)]
struct Day {
    /// Attempts that went well.
    ok: i64,
    /// Attempts that failed for good.
    failed: i64,
    /// Between 0 and 1; null where there was none.
    success_rate: Option<f64>,
}

impl From<Counts> for Day {
    #[expect(clippy::cast_precision_loss, reason = "a day's attempts are far fewer than 2^52")]
    fn from(counts: Counts) -> Self {
        let all = counts.ok + counts.failed;
        let success_rate = (all > 0).then(|| counts.ok as f64 / all as f64);
        Self { ok: counts.ok, failed: counts.failed, success_rate }
    }
}

/// An attempt that has ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SyncLogLine)]
struct LineAnswer {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    id: SyncLogId,
    /// When it ended.
    at: DateTime<Utc>,
    /// The calendar integration, if it was about one.
    #[schema(value_type = Option<uuid::Uuid>)]
    connection: Option<ConnectionId>,
    /// The booking's id, if it was about one.
    #[schema(value_type = Option<uuid::Uuid>)]
    booking: Option<BookingId>,
    /// The channel, if it was about one.
    #[schema(value_type = Option<uuid::Uuid>)]
    channel: Option<ChannelId>,
    /// What was attempted.
    #[schema(example = "create")]
    operation: String,
    /// What came of it.
    #[schema(value_type = schema::SyncOutcome)]
    outcome: SyncOutcome,
    /// For people.
    detail: String,
    /// Milliseconds that it took.
    duration_ms: i64,
}

impl From<Line> for LineAnswer {
    fn from(line: Line) -> Self {
        Self {
            id: line.id,
            at: line.at,
            connection: line.connection_id,
            booking: line.booking_id,
            channel: line.channel_id,
            operation: line.operation,
            outcome: line.outcome,
            detail: line.detail,
            duration_ms: line.duration_ms,
        }
    }
}

/// Read the sync log
#[utoipa::path(get, path = "/sync_log", tag = "Synchronisation", operation_id = "list_sync_log", params(Wanted),
    responses((status = 200, description = "A page of the log", body = LogAnswer)))]
async fn list(
    State(app): State<App>,
    caller: ApiCaller,
    Search(wanted): Search<Wanted>,
) -> Result<Json<LogAnswer>, ApiError> {
    let ask = page_ask(wanted.limit, wanted.cursor)?;
    let since = match wanted.since {
        None => None,
        Some(since) => Some(since.instant(zone_of(&app, caller.business).await?)),
    };
    let filter = Filter {
        connection: wanted.connection,
        booking: wanted.booking,
        channel: wanted.channel,
        outcome: wanted.outcome,
        since,
    };
    let db = &app.context.db;
    let page = sync_log::list(db, caller.business, filter, &ask).await?;
    let day_ago = app.now() - Duration::hours(24);
    let counts = sync_log::counts_since(db, caller.business, wanted.connection, day_ago).await?;
    Ok(Json(LogAnswer {
        items: page.items.into_iter().map(LineAnswer::from).collect(),
        next_cursor: page.next,
        last_24_hours: counts.into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_attempt_is_no_rate() {
        assert_eq!(Day::from(Counts { ok: 0, failed: 0 }).success_rate, None);
        assert_eq!(Day::from(Counts { ok: 3, failed: 1 }).success_rate, Some(0.75));
    }
}
