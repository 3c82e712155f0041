//! What stands somewhere, and when it would be free instead, as answers and problems say it.

use chrono::{DateTime, NaiveDate, Utc};
use concord_domain::{
    booking::BookingTime,
    occupancy::{OccupancySource, SubjectKind},
};
use concord_storage::occupancy::OccupiedInterval;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

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
    pub source: OccupancySource,
    /// Whether a resource or a staff member is occupied.
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
