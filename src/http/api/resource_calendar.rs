//! `/resources/{id}/calendar`: what occupies a resource, and how much of it is free each day.

use axum::Json;
use chrono::{Days, NaiveDate};
use concord_domain::{
    availability::{DayRoom, DayVacancy, daily_vacancy},
    ids::ResourceId,
    interval::{Interval, start_of_day},
};
use concord_storage::occupancy;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    bookings::business_zone,
    occupancy::ConflictResponse,
    problem::{ApiError, ApiResult},
    request::{ApiDate, ApiPath, ApiQuery},
    resources::find_resource,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(calendar)).routes(routes!(product_calendar))
}

const DEFAULT_DAYS: u64 = 31;
const MAX_DAYS: i64 = 366;
/// More than this `storage` does not give at a time.
const MAX_ROWS: usize = 1000;

/// The date range.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResourceCalendarQuery {
    /// The first day, in the resource's time zone; default today.
    #[param(value_type = Option<NaiveDate>, example = "2026-12-01")]
    from: Option<ApiDate>,
    /// The day after the last; default 31 days after `from`. `to` is an alias.
    #[param(value_type = Option<NaiveDate>, example = "2027-01-01")]
    #[serde(alias = "to")]
    until: Option<ApiDate>,
}

/// A resource over some days.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ResourceCalendar)]
struct ResourceCalendarResponse {
    /// The resource.
    resource: Uuid,
    /// The zone in which the days are meant.
    #[schema(value_type = String, example = "Europe/Lisbon")]
    zone: &'static str,
    /// The first day.
    from: NaiveDate,
    /// The day after the last.
    until: NaiveDate,
    /// How many units there are.
    capacity: u32,
    /// Each day.
    days: Vec<ResourceDayResponse>,
    /// Everything that occupies it, where that is known from, and its time with what the resource needs around it.
    occupied: Vec<ConflictResponse>,
}

/// A day of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ResourceDay)]
struct ResourceDayResponse {
    /// Which day.
    date: NaiveDate,
    /// Units that are free for all of the day.
    free_units: u32,
    /// Whether at least one unit is free for all of the day.
    available: bool,
    /// How much of the day is free, for what is booked by the hour: `free` (every unit, all day), `partly`, or `full` (no
    /// unit at any time).
    room: DayRoom,
}

impl From<DayVacancy> for ResourceDayResponse {
    fn from(day: DayVacancy) -> Self {
        Self { date: day.date, free_units: day.units, available: day.units > 0, room: day.room }
    }
}

/// Read the calendar of a resource
///
/// What occupies it, why, and how many units are free each day.
#[utoipa::path(get, path = "/resources/{id}/calendar", tag = "Resources", operation_id = "get_resource_calendar",
    params(("id" = Uuid, Path, description = "The resource's id"), ResourceCalendarQuery),
    responses((status = 200, description = "The calendar", body = ResourceCalendarResponse)))]
async fn calendar(
    api: Api,
    ApiPath(id): ApiPath<ResourceId>,
    ApiQuery(days): ApiQuery<ResourceCalendarQuery>,
) -> ApiResult<ResourceCalendarResponse> {
    load_calendar(&api, id, &days).await.map(Json)
}

/// Read the calendar of a product
///
/// The same as the calendar of a resource, for shops that call their resources products.
#[utoipa::path(get, path = "/products/{id}/calendar", tag = "Resources", operation_id = "get_product_calendar",
    params(("id" = Uuid, Path, description = "The resource's id"), ResourceCalendarQuery),
    responses((status = 200, description = "The calendar", body = ResourceCalendarResponse)))]
async fn product_calendar(
    api: Api,
    ApiPath(id): ApiPath<ResourceId>,
    ApiQuery(days): ApiQuery<ResourceCalendarQuery>,
) -> ApiResult<ResourceCalendarResponse> {
    load_calendar(&api, id, &days).await.map(Json)
}

async fn load_calendar(
    api: &Api,
    id: ResourceId,
    days: &ResourceCalendarQuery,
) -> Result<ResourceCalendarResponse, ApiError> {
    let resource = find_resource(api, id).await?;
    let zone = match resource.zone {
        Some(zone) => zone,
        None => business_zone(api).await?,
    };
    let today = api.now().with_timezone(&zone).date_naive();
    let (from, until) = bounds(days, today)?;
    let within = Interval::new(start_of_day(from, zone), start_of_day(until, zone))
        .ok_or_else(|| ApiError::invalid("until", "must be after from"))?;
    let standing = occupancy::list_occupied(&api.context.db, api.business, id.0, within).await?;
    if standing.len() >= MAX_ROWS {
        return Err(ApiError::invalid("until", "covers too many results; request fewer days"));
    }
    let taken: Vec<Interval> =
        standing.iter().map(|row| Interval { start: row.starts_at, end: row.ends_at }).collect();
    let days = daily_vacancy(&taken, resource.capacity, (from, until), zone)
        .into_iter()
        .map(ResourceDayResponse::from);
    Ok(ResourceCalendarResponse {
        resource: id.0,
        zone: zone.name(),
        from,
        until,
        capacity: resource.capacity,
        days: days.collect(),
        occupied: standing.into_iter().map(ConflictResponse::from).collect(),
    })
}

fn bounds(days: &ResourceCalendarQuery, today: NaiveDate) -> Result<(NaiveDate, NaiveDate), ApiError> {
    let from = days.from.map_or(today, |from| from.0);
    let until = match days.until {
        Some(until) => until.0,
        None => from.checked_add_days(Days::new(DEFAULT_DAYS)).unwrap_or(from),
    };
    if until <= from {
        Err(ApiError::invalid("until", "must be after from"))
    } else if (until - from).num_days() > MAX_DAYS {
        Err(ApiError::invalid("until", format!("is more than {MAX_DAYS} days after from")))
    } else {
        Ok((from, until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_an_order_and_an_end() {
        let day = |text: &str| Some(ApiDate(text.parse().unwrap()));
        let today = "2026-12-01".parse().unwrap();
        let of = |from, until| bounds(&ResourceCalendarQuery { from, until }, today);
        assert_eq!(of(None, None).unwrap().1.to_string(), "2027-01-01");
        assert!(of(day("2026-12-02"), day("2026-12-02")).is_err());
        assert!(of(day("2026-12-02"), day("2027-12-31")).is_err());
    }
}
