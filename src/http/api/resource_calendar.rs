//! `/resources/{id}/calendar`: what occupies a resource, and how much of it is free each day.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use concord_domain::{
    ids::ResourceId,
    interval::{Interval, start_of_day},
};
use concord_storage::occupancy::{self, Standing};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answers::ConflictAnswer,
    auth::ApiCaller,
    bookings::zone_of,
    problem::ApiError,
    request::{Date, PathOf, Search},
    resources::existing,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(calendar)).routes(routes!(product_calendar))
}

const DEFAULT_DAYS: u64 = 31;
const MAX_DAYS: i64 = 366;
/// More than this `storage` does not give at a time.
const MOST_ROWS: usize = 1000;

/// Which days.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DayRange {
    /// The first day, in the resource's zone; today if it is not said.
    #[param(value_type = Option<NaiveDate>, example = "2026-12-01")]
    from: Option<Date>,
    /// The day after the last; 31 days after `from` if it is not said.
    #[param(value_type = Option<NaiveDate>, example = "2026-12-01")]
    to: Option<Date>,
}

/// A resource over some days.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ResourceCalendar)]
struct CalendarAnswer {
    /// The resource.
    #[schema(value_type = uuid::Uuid)]
    resource: ResourceId,
    /// The zone in which the days are meant.
    #[schema(value_type = String, example = "Europe/Lisbon")]
    zone: &'static str,
    /// The first day.
    from: NaiveDate,
    /// The day after the last.
    to: NaiveDate,
    /// How many units there are.
    capacity: u32,
    /// Each day.
    days: Vec<DayAnswer>,
    /// Everything that occupies it, where that is known from, and its time with what the resource needs around it.
    occupied: Vec<ConflictAnswer>,
}

/// A day of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ResourceDay)]
struct DayAnswer {
    /// Which day.
    date: NaiveDate,
    /// Units that are free for all of the day.
    free_units: u32,
    /// Whether at least one unit is free for all of the day.
    available: bool,
}

/// Read the calendar of a resource
///
/// What occupies it, why, and how many units are free each day.
#[utoipa::path(get, path = "/resources/{id}/calendar", tag = "Resources", operation_id = "get_resource_calendar",
    params(("id" = uuid::Uuid, Path, description = "The resource's id"), DayRange),
    responses((status = 200, description = "The calendar", body = CalendarAnswer)))]
async fn calendar(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ResourceId>,
    Search(days): Search<DayRange>,
) -> Result<Json<CalendarAnswer>, ApiError> {
    read(&app, &caller, id, &days).await.map(Json)
}

/// Read the calendar of a product
///
/// The same as the calendar of a resource, for shops that call their resources products.
#[utoipa::path(get, path = "/products/{id}/calendar", tag = "Resources", operation_id = "get_product_calendar",
    params(("id" = uuid::Uuid, Path, description = "The resource's id"), DayRange),
    responses((status = 200, description = "The calendar", body = CalendarAnswer)))]
async fn product_calendar(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ResourceId>,
    Search(days): Search<DayRange>,
) -> Result<Json<CalendarAnswer>, ApiError> {
    read(&app, &caller, id, &days).await.map(Json)
}

async fn read(
    app: &App,
    caller: &ApiCaller,
    id: ResourceId,
    days: &DayRange,
) -> Result<CalendarAnswer, ApiError> {
    let resource = existing(app, caller, id).await?;
    let zone = match resource.zone {
        Some(zone) => zone,
        None => zone_of(app, caller.business).await?,
    };
    let today = app.now().with_timezone(&zone).date_naive();
    let (from, to) = bounds(days, today)?;
    let within = Interval::new(start_of_day(from, zone), start_of_day(to, zone))
        .ok_or_else(|| ApiError::invalid("to", "must be after from"))?;
    let standing = occupancy::standing(&app.context.db, caller.business, id.0, within).await?;
    if standing.len() >= MOST_ROWS {
        return Err(ApiError::invalid("to", "takes in more than can be shown at once; ask for fewer days"));
    }
    Ok(CalendarAnswer {
        resource: id,
        zone: zone.name(),
        from,
        to,
        capacity: resource.capacity,
        days: free_by_day(&standing, resource.capacity, from, to, zone),
        occupied: standing.into_iter().map(ConflictAnswer::from).collect(),
    })
}

fn bounds(days: &DayRange, today: NaiveDate) -> Result<(NaiveDate, NaiveDate), ApiError> {
    let from = days.from.map_or(today, |from| from.0);
    let to = match days.to {
        Some(to) => to.0,
        None => from.checked_add_days(Days::new(DEFAULT_DAYS)).unwrap_or(from),
    };
    if to <= from {
        Err(ApiError::invalid("to", "must be after from"))
    } else if (to - from).num_days() > MAX_DAYS {
        Err(ApiError::invalid("to", format!("is more than {MAX_DAYS} days after from")))
    } else {
        Ok((from, to))
    }
}

/// A unit is free for a day if no instant of it needs that many: units are alike, and what is seated can move.
fn free_by_day(
    standing: &[Standing],
    capacity: u32,
    from: NaiveDate,
    to: NaiveDate,
    zone: Tz,
) -> Vec<DayAnswer> {
    let steps = steps(standing);
    let mut days = Vec::new();
    let mut date = from;
    while date < to {
        let Some(next) = date.succ_opt() else { break };
        let taken = most_at_once(&steps, start_of_day(date, zone), start_of_day(next, zone));
        let free_units = capacity.saturating_sub(taken);
        days.push(DayAnswer { date, free_units, available: free_units > 0 });
        date = next;
    }
    days
}

/// How many more (or, negative, fewer) rows there are from an instant on.
fn steps(standing: &[Standing]) -> BTreeMap<DateTime<Utc>, i64> {
    let mut steps = BTreeMap::new();
    for row in standing {
        *steps.entry(row.starts_at).or_default() += 1;
        *steps.entry(row.ends_at).or_default() -= 1;
    }
    steps
}

fn most_at_once(steps: &BTreeMap<DateTime<Utc>, i64>, start: DateTime<Utc>, end: DateTime<Utc>) -> u32 {
    let mut level: i64 = steps.range(..=start).map(|(_, step)| step).sum();
    let mut most = level;
    for (_, step) in steps.range(start..end).filter(|(at, _)| **at > start) {
        level += step;
        most = most.max(level);
    }
    u32::try_from(most).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use concord_domain::{
        ids::OccupancyId,
        occupancy::{OccupancySource, SubjectKind},
    };
    use uuid::Uuid;

    use super::*;

    fn row(starts_at: &str, hours: i64) -> Standing {
        let starts_at: DateTime<Utc> = starts_at.parse().unwrap();
        Standing {
            id: OccupancyId(Uuid::nil()),
            subject_kind: SubjectKind::Resource,
            subject_id: Uuid::nil(),
            subject_name: None,
            unit: None,
            starts_at,
            ends_at: starts_at + Duration::hours(hours),
            source: OccupancySource::Booking,
            source_id: Uuid::nil(),
            reference: None,
            title: None,
            calendar: None,
        }
    }

    #[test]
    fn what_ends_before_the_next_begins_takes_one_unit() {
        let rows = [
            row("2026-12-01T08:00:00Z", 2),
            row("2026-12-01T10:00:00Z", 2),
            row("2026-12-02T09:00:00Z", 1),
            row("2026-12-02T09:30:00Z", 30),
        ];
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let free: Vec<u32> = free_by_day(&rows, 2, day("2026-12-01"), day("2026-12-05"), chrono_tz::UTC)
            .into_iter()
            .map(|day| day.free_units)
            .collect();
        assert_eq!(free, [1, 0, 1, 2]);
    }

    #[test]
    fn days_have_an_order_and_an_end() {
        let day = |text: &str| Some(Date(text.parse().unwrap()));
        let today = "2026-12-01".parse().unwrap();
        let of = |from, to| bounds(&DayRange { from, to }, today);
        assert_eq!(of(None, None).unwrap().1.to_string(), "2027-01-01");
        assert!(of(day("2026-12-02"), day("2026-12-02")).is_err());
        assert!(of(day("2026-12-02"), day("2027-12-31")).is_err());
    }
}
