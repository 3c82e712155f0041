//! What a booking looks like to programs: what they send, what they are answered.

use chrono::{DateTime, NaiveDate, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime, Customer, Guest},
    connection::{EntryState, ProviderKind},
    ids::{ResourceId, StaffId},
    language::Language,
};
use concord_storage::{entries::SyncState, occupancy::Overlap};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::api::{
    occupancy::FreeTime,
    problem::{ApiError, FieldProblem},
    request::{ApiDate, ApiInstant},
};

/// A booking to create or replace. Omitted or null fields get their defaults. Send either `starts_at` and `ends_at`,
/// or `check_in` and `check_out`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BookingBody, example = json!({
    "resource": "0197f0c2-6b1e-7d3a-9a4e-2f6d2f1f8b10",
    "check_in": "2026-12-01",
    "check_out": "2026-12-03",
    "title": "Two nights",
    "customer": { "name": "Maria Silva", "email": "maria@example.org", "phone": "+351 912 000 111" },
    "party_size": 2
}))]
pub(crate) struct BookingBody {
    /// What is booked.
    #[schema(value_type = Uuid)]
    pub resource: ResourceId,
    /// What sort of booking it is; `booking` if it is not said.
    pub kind: Option<BookingKind>,
    /// Where it stands; `confirmed` if it is not said.
    pub status: Option<BookingStatus>,
    /// When it starts: RFC 3339 with any offset.
    #[schema(value_type = Option<DateTime<Utc>>, example = "2026-12-01T14:00:00+01:00")]
    pub starts_at: Option<ApiInstant>,
    /// When it ends (exclusive).
    #[schema(value_type = Option<DateTime<Utc>>, example = "2026-12-01T14:00:00+01:00")]
    pub ends_at: Option<ApiInstant>,
    /// For stays by night: the day of arrival, in the resource's zone.
    #[schema(value_type = Option<NaiveDate>, example = "2026-12-01")]
    pub check_in: Option<ApiDate>,
    /// The departure date, which is free again.
    #[schema(value_type = Option<NaiveDate>, example = "2026-12-01")]
    pub check_out: Option<ApiDate>,
    /// One line; at most 300 characters.
    #[schema(max_length = 300)]
    pub title: Option<String>,
    /// For whom.
    pub customer: Option<CustomerBody>,
    /// Number of guests.
    #[schema(minimum = 1, maximum = 100_000)]
    pub party_size: Option<u32>,
    /// How many units of the resource it takes; 1 if it is not said.
    #[schema(minimum = 1, maximum = 1000)]
    pub quantity: Option<u32>,
    /// Who does the work: their calendars get the booking.
    #[schema(value_type = Option<Vec<Uuid>>)]
    pub staff: Option<Vec<StaffId>>,
    /// Where, if not at the resource; at most 500 characters.
    #[schema(max_length = 500)]
    pub location: Option<String>,
    /// For staff; at most 10,000 characters.
    #[schema(max_length = 10_000)]
    pub notes: Option<String>,
    /// Where it came from; `api` if it is not said.
    #[schema(max_length = 64)]
    pub source: Option<String>,
    /// Link to a video meeting; it stands in the invitations.
    #[schema(max_length = 1000, example = "https://meet.example.org/abc")]
    pub meeting_url: Option<String>,
    /// Who is invited besides the customer; at most 50, each address once.
    #[schema(max_items = 50)]
    pub guests: Option<Vec<GuestBody>>,
    /// For `POST /bookings`: the caller's own name for it; one is made up if it is not said. Elsewhere the path says it.
    #[schema(max_length = 128)]
    pub reference: Option<String>,
    // So that an answer can be changed and sent back as it is, what only answers say is passed over.
    #[serde(default, rename = "id")]
    #[schema(ignore)]
    _id: IgnoredAny,
    #[serde(default, rename = "version")]
    #[schema(ignore)]
    _version: IgnoredAny,
    #[serde(default, rename = "created_at")]
    #[schema(ignore)]
    _created_at: IgnoredAny,
    #[serde(default, rename = "updated_at")]
    #[schema(ignore)]
    _updated_at: IgnoredAny,
    #[serde(default, rename = "sync")]
    #[schema(ignore)]
    _sync: IgnoredAny,
    #[serde(default, rename = "overlaps")]
    #[schema(ignore)]
    _overlaps: IgnoredAny,
}

/// The customer.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Customer)]
pub(crate) struct CustomerBody {
    /// Full name.
    #[schema(max_length = 300)]
    pub name: Option<String>,
    /// Email address.
    #[schema(max_length = 300)]
    pub email: Option<String>,
    /// Phone number.
    #[schema(max_length = 64)]
    pub phone: Option<String>,
    /// The language in which they are written to; that of the business if it is not said.
    pub language: Option<Language>,
}

/// Somebody who is invited besides the customer.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Guest)]
pub(crate) struct GuestBody {
    /// Full name.
    #[schema(max_length = 300)]
    pub name: Option<String>,
    /// Email address.
    #[schema(max_length = 254)]
    pub email: String,
}

impl From<GuestBody> for Guest {
    fn from(body: GuestBody) -> Self {
        Self { name: body.name.unwrap_or_default(), email: body.email }
    }
}

impl BookingBody {
    /// What is to be booked, if the time is said in one of the two ways.
    pub(crate) fn into_draft(self) -> Result<BookingDraft, ApiError> {
        let time = self.time()?;
        let customer = self.customer.unwrap_or_default();
        Ok(BookingDraft {
            resource: self.resource,
            kind: self.kind.unwrap_or(BookingKind::Booking),
            status: self.status.unwrap_or(BookingStatus::Confirmed),
            time,
            title: self.title.unwrap_or_default(),
            customer: Customer {
                name: customer.name.unwrap_or_default(),
                email: customer.email.unwrap_or_default(),
                phone: customer.phone.unwrap_or_default(),
                language: customer.language,
            },
            party_size: self.party_size,
            quantity: self.quantity.unwrap_or(1),
            staff: self.staff.unwrap_or_default(),
            location: self.location.unwrap_or_default(),
            notes: self.notes.unwrap_or_default(),
            source: self.source.unwrap_or_else(|| "api".to_owned()),
            meeting_url: self.meeting_url.unwrap_or_default(),
            guests: self.guests.unwrap_or_default().into_iter().map(Guest::from).collect(),
        })
    }

    fn time(&self) -> Result<BookingTime, ApiError> {
        time_from_pairs((self.starts_at, self.ends_at), (self.check_in, self.check_out))
    }
}

/// The one of the two pairs that is given, whole.
pub(crate) fn time_from_pairs(
    instants: (Option<ApiInstant>, Option<ApiInstant>),
    dates: (Option<ApiDate>, Option<ApiDate>),
) -> Result<BookingTime, ApiError> {
    match (instants, dates) {
        ((Some(starts_at), Some(ends_at)), (None, None)) => {
            Ok(BookingTime::Timed { starts_at: starts_at.0, ends_at: ends_at.0 })
        }
        ((None, None), (Some(check_in), Some(check_out))) => {
            Ok(BookingTime::Stay { check_in: check_in.0, check_out: check_out.0 })
        }
        (instants, dates) => Err(ApiError::invalid_fields(time_pair_errors(instants, dates))),
    }
}

fn time_pair_errors(
    instants: (Option<ApiInstant>, Option<ApiInstant>),
    dates: (Option<ApiDate>, Option<ApiDate>),
) -> Vec<FieldProblem> {
    let fault =
        |field: &str, message: &str| FieldProblem { field: field.to_owned(), message: message.to_owned() };
    let timed = instants.0.is_some() || instants.1.is_some();
    let by_date = dates.0.is_some() || dates.1.is_some();
    match (timed, by_date) {
        (true, true) => {
            vec![fault(
                "check_in",
                "cannot be combined with starts_at and ends_at: send one of the two pairs",
            )]
        }
        (true, false) if instants.0.is_none() => vec![fault("starts_at", "is required with ends_at")],
        (true, false) => vec![fault("ends_at", "is required with starts_at")],
        (false, true) if dates.0.is_none() => vec![fault("check_in", "is required with check_out")],
        (false, true) => vec![fault("check_out", "is required with check_in")],
        (false, false) => {
            vec![fault("starts_at", "is required: send starts_at and ends_at, or check_in and check_out")]
        }
    }
}

/// A booking.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Booking)]
pub(crate) struct BookingResponse {
    /// Concord's id.
    pub id: Uuid,
    /// Your own reference.
    #[schema(example = "2026-0412")]
    pub reference: String,
    /// The version, starting at 1; the `ETag`.
    pub version: i64,
    /// What is booked.
    pub resource: Uuid,
    /// The booking type.
    pub kind: BookingKind,
    /// Its status.
    pub status: BookingStatus,
    /// When it starts, in UTC; only of bookings by the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// When it ends, in UTC (exclusive); only of bookings by the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// The arrival date; only of stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_in: Option<NaiveDate>,
    /// The departure date; only of stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_out: Option<NaiveDate>,
    /// One line.
    pub title: String,
    /// For whom.
    #[schema(value_type = CustomerBody)]
    pub customer: Customer,
    /// Number of guests.
    pub party_size: Option<u32>,
    /// Number of units booked.
    pub quantity: u32,
    /// The assigned staff.
    pub staff: Vec<Uuid>,
    /// Location, if different from the resource.
    pub location: String,
    /// Notes for staff; may be empty.
    pub notes: String,
    /// Its source.
    pub source: String,
    /// Link to a video meeting; may be empty.
    pub meeting_url: String,
    /// Who is invited besides the customer.
    #[schema(value_type = Vec<GuestBody>)]
    pub guests: Vec<Guest>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Sync status in each connected calendar.
    pub sync: Vec<SyncStateResponse>,
    /// Other bookings at the same time for which there is no room beside it, or it has none beside them; a double
    /// booking is said of both until it is over. Empty: all is well.
    pub overlaps: Vec<OverlapResponse>,
}

impl BookingResponse {
    /// The answer for `booking`, which stands in calendars as `states` say and beside `overlaps`.
    pub(crate) fn new(booking: Booking, states: Vec<SyncState>, overlaps: Vec<Overlap>) -> Self {
        let draft = booking.draft;
        let FreeTime { starts_at, ends_at, check_in, check_out } = draft.time.into();
        Self {
            id: booking.id.0,
            reference: booking.reference,
            version: booking.version,
            resource: draft.resource.0,
            kind: draft.kind,
            status: draft.status,
            starts_at,
            ends_at,
            check_in,
            check_out,
            title: draft.title,
            customer: draft.customer,
            party_size: draft.party_size,
            quantity: draft.quantity,
            staff: draft.staff.into_iter().map(|id| id.0).collect(),
            location: draft.location,
            notes: draft.notes,
            source: draft.source,
            meeting_url: draft.meeting_url,
            guests: draft.guests,
            created_at: booking.created_at,
            updated_at: booking.updated_at,
            sync: states.into_iter().map(SyncStateResponse::from).collect(),
            overlaps: overlaps.into_iter().map(OverlapResponse::from).collect(),
        }
    }
}

/// An overlapping booking.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Overlap)]
pub(crate) struct OverlapResponse {
    /// Concord's id of the other booking.
    pub id: Uuid,
    /// Its reference.
    pub reference: String,
    /// Its title.
    pub title: String,
    /// When it starts, in UTC.
    pub starts_at: DateTime<Utc>,
    /// When it ends, in UTC (exclusive).
    pub ends_at: DateTime<Utc>,
}

impl From<Overlap> for OverlapResponse {
    fn from(overlap: Overlap) -> Self {
        Self {
            id: overlap.other_id.0,
            reference: overlap.reference,
            title: overlap.title,
            starts_at: overlap.starts_at,
            ends_at: overlap.ends_at,
        }
    }
}

/// How a booking stands in one connected calendar.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SyncState)]
pub(crate) struct SyncStateResponse {
    /// The calendar integration.
    pub connection: Uuid,
    /// The calendar provider.
    pub provider: ProviderKind,
    /// Whose calendar it is.
    pub staff: Uuid,
    /// Their name.
    pub staff_name: String,
    /// The calendar's name.
    pub calendar: String,
    /// The provider's id of the entry.
    pub external_id: String,
    /// Its status.
    pub state: EntryState,
    /// When it was last written.
    pub written_at: Option<DateTime<Utc>>,
    /// Why it could not be written, in plain words.
    pub last_error: Option<String>,
}

impl From<SyncState> for SyncStateResponse {
    fn from(state: SyncState) -> Self {
        Self {
            connection: state.connection.0,
            provider: state.provider,
            staff: state.staff.0,
            staff_name: state.staff_name,
            calendar: state.calendar,
            external_id: state.external_id,
            state: state.state,
            written_at: state.written_at,
            last_error: state.last_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::request::from_json;

    fn draft(more: &str) -> Result<BookingDraft, ApiError> {
        let json = format!("{{\"resource\":\"0197f0c2-6b1e-7d3a-9a4e-2f6d2f1f8b10\"{more}}}");
        from_json::<BookingBody>(json.as_bytes())?.into_draft()
    }

    fn fault(more: &str) -> String {
        format!("{:?}", draft(more).unwrap_err())
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let draft =
            draft(",\"check_in\":\"2026-12-01\",\"check_out\":\"2026-12-02\",\"title\":null").unwrap();
        assert_eq!((draft.kind, draft.status), (BookingKind::Booking, BookingStatus::Confirmed));
        assert_eq!((draft.quantity, draft.source.as_str(), draft.title.as_str()), (1, "api", ""));
    }

    #[test]
    fn a_time_is_said_in_one_way() {
        for (more, words) in [
            ("", "starts_at"),
            (",\"starts_at\":\"2026-12-01T10:00:00Z\"", "is required with starts_at"),
            (",\"ends_at\":\"2026-12-01T10:00:00Z\"", "is required with ends_at"),
            (",\"check_in\":\"2026-12-01\"", "is required with check_in"),
            (",\"check_out\":\"2026-12-01\"", "is required with check_out"),
            (
                ",\"starts_at\":\"2026-12-01T10:00:00Z\",\"check_out\":\"2026-12-01\"",
                "send one of the two pairs",
            ),
        ] {
            assert!(fault(more).contains(words), "{more}: {}", fault(more));
        }
    }

    #[test]
    fn an_answer_can_be_sent_back() {
        let more = ",\"check_in\":\"2026-12-01\",\"check_out\":\"2026-12-02\",\"id\":\"x\",\"reference\":\"r\",\
                    \"version\":3,\"created_at\":\"\",\"updated_at\":\"\",\"sync\":[{\"state\":\"synced\"}]";
        assert!(draft(more).is_ok());
        assert!(fault(",\"sinc\":1").contains("sinc"));
    }
}
