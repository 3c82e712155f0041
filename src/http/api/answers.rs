//! Pieces that several answers share: pages of lists, what stands somewhere, times.

use chrono::{DateTime, NaiveDate, Utc};
use concord_domain::{
    booking::BookingTime,
    occupancy::{OccupancySource, SubjectKind},
};
use concord_storage::{Page, PageAsk, bookings::Obstacle, occupancy::Standing};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{problem::ApiError, schema};

/// A part of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Listing<T> {
    /// This part.
    pub items: Vec<T>,
    /// Send it as `cursor` for the next part; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> Listing<T> {
    /// A list that is always given whole.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }

    /// A page of what `make` turns the rows into.
    pub(crate) fn of<R>(page: Page<R>, make: impl FnMut(R) -> T) -> Self {
        let page = page.map(make);
        Self { items: page.items, next_cursor: page.next }
    }
}

/// The largest page.
const MAX_LIMIT: u32 = 200;

/// Which page is asked for: `limit` 1 to 200, 50 if it is not said.
pub(crate) fn page_ask(limit: Option<u32>, cursor: Option<String>) -> Result<PageAsk, ApiError> {
    let limit = limit.unwrap_or(50);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::invalid("limit", format!("must be between 1 and {MAX_LIMIT}")));
    }
    Ok(PageAsk { limit, after: cursor })
}

/// Which part of a list, where nothing else narrows it.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// How many at the most, 1 to 200; 50 if it is not said.
    pub limit: Option<u32>,
    /// What the page before said as `next_cursor`.
    pub cursor: Option<String>,
}

impl Paging {
    /// For `storage`.
    pub(crate) fn ask(self) -> Result<PageAsk, ApiError> {
        page_ask(self.limit, self.cursor)
    }
}

/// A time that is free: either two instants or two dates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FreeTime {
    /// When it starts, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// When it ends, in UTC (exclusive).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// The day of arrival.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_in: Option<NaiveDate>,
    /// The day of departure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_out: Option<NaiveDate>,
}

impl From<BookingTime> for FreeTime {
    fn from(time: BookingTime) -> Self {
        match time {
            BookingTime::Timed { starts_at, ends_at } => {
                Self { starts_at: Some(starts_at), ends_at: Some(ends_at), check_in: None, check_out: None }
            }
            BookingTime::Stay { check_in, check_out } => {
                Self { starts_at: None, ends_at: None, check_in: Some(check_in), check_out: Some(check_out) }
            }
        }
    }
}

/// Something that occupies a resource or a staff member, and where that is known from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Conflict)]
pub(crate) struct ConflictAnswer {
    /// What sort of fact it is.
    #[schema(value_type = schema::OccupancySource)]
    pub source: OccupancySource,
    /// Whether it is a resource or a staff member that is occupied.
    #[schema(value_type = schema::SubjectKind)]
    pub subject_kind: SubjectKind,
    /// The resource or staff member.
    pub subject_id: Uuid,
    /// Its name.
    pub subject_name: Option<String>,
    /// When it starts, in UTC, with what the resource needs before.
    pub starts_at: DateTime<Utc>,
    /// When it ends, in UTC (exclusive), with what the resource needs after.
    pub ends_at: DateTime<Utc>,
    /// The booking's reference, if it is a booking.
    pub reference: Option<String>,
    /// The booking's title, if it is a booking.
    pub title: Option<String>,
    /// The calendar that it was read from, if it was.
    pub calendar: Option<String>,
}

impl From<Obstacle> for ConflictAnswer {
    fn from(obstacle: Obstacle) -> Self {
        Self {
            source: obstacle.source,
            subject_kind: obstacle.subject_kind,
            subject_id: obstacle.subject_id,
            subject_name: obstacle.subject_name,
            starts_at: obstacle.starts_at,
            ends_at: obstacle.ends_at,
            reference: obstacle.reference,
            title: obstacle.title,
            calendar: obstacle.calendar,
        }
    }
}

impl From<Standing> for ConflictAnswer {
    fn from(standing: Standing) -> Self {
        Self {
            source: standing.source,
            subject_kind: standing.subject_kind,
            subject_id: standing.subject_id,
            subject_name: standing.subject_name,
            starts_at: standing.starts_at,
            ends_at: standing.ends_at,
            reference: standing.reference,
            title: standing.title,
            calendar: standing.calendar,
        }
    }
}
