//! Pieces that several answers share: pages of lists, what stands somewhere, times.

use chrono::{DateTime, NaiveDate, Utc};
use concord_domain::{
    booking::BookingTime,
    occupancy::{OccupancySource, SubjectKind},
};
use concord_storage::{Page, PageRequest, bookings::Obstacle, occupancy::OccupiedInterval};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{problem::ApiError, schema};

/// A page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Listing<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Send as `cursor` to get the next page; null on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Listing<T> {
    /// A list that is always given whole.
    pub(crate) fn complete(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }

    /// A page of what `make` turns the rows into.
    pub(crate) fn from_page<R>(page: Page<R>, make: impl FnMut(R) -> T) -> Self {
        let page = page.map(make);
        Self { items: page.items, next_cursor: page.next }
    }
}

/// The largest page.
const MAX_LIMIT: u32 = 200;

/// Which page is asked for: `limit` 1 to 200, 50 if it is not said.
pub(crate) fn page_request(limit: Option<u32>, cursor: Option<String>) -> Result<PageRequest, ApiError> {
    let limit = limit.unwrap_or(50);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::invalid("limit", format!("must be between 1 and {MAX_LIMIT}")));
    }
    Ok(PageRequest { limit, after: cursor })
}

/// Pagination.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// Page size, 1 to 200; default 50.
    pub limit: Option<u32>,
    /// `next_cursor` of the previous page.
    pub cursor: Option<String>,
}

impl Paging {
    /// For `storage`.
    pub(crate) fn page_request(self) -> Result<PageRequest, ApiError> {
        page_request(self.limit, self.cursor)
    }
}

/// A free time: either two instants or two dates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FreeTime {
    /// When it starts, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// When it ends, in UTC (exclusive).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// The arrival date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_in: Option<NaiveDate>,
    /// The departure date.
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

/// Something that occupies a resource or a staff member, with its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Conflict)]
pub(crate) struct ConflictResponse {
    /// Its type.
    #[schema(value_type = schema::OccupancySource)]
    pub source: OccupancySource,
    /// Whether a resource or a staff member is occupied.
    #[schema(value_type = schema::SubjectKind)]
    pub subject_kind: SubjectKind,
    /// The resource or staff member.
    pub subject_id: Uuid,
    /// Its name.
    pub subject_name: Option<String>,
    /// When it starts, in UTC, including the buffer before.
    pub starts_at: DateTime<Utc>,
    /// When it ends, in UTC (exclusive), including the buffer after.
    pub ends_at: DateTime<Utc>,
    /// The booking's reference, if it is a booking.
    pub reference: Option<String>,
    /// The booking's title, if it is a booking.
    pub title: Option<String>,
    /// The calendar it was imported from, if any.
    pub calendar: Option<String>,
}

impl From<Obstacle> for ConflictResponse {
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

impl From<OccupiedInterval> for ConflictResponse {
    fn from(standing: OccupiedInterval) -> Self {
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
