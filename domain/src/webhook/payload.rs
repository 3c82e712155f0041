//! What events say: the whole state of what they are about, so that nobody needs the one before.
//!
//! A field is added without a new schema version; one that goes, or means something else, makes a new version
//! ([`super::EventType::schema_version`]).

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use uuid::Uuid;

use crate::{
    alert::AlertKind,
    booking::{Booking, BookingKind, BookingStatus, BookingTime},
    customer::CustomerAnswer,
    ids::{
        AlertId, BookingId, ChannelId, ConnectionId, ReminderId, ReminderRuleId, ResourceId, StaffId,
        WebhookEndpointId,
    },
    invitation::AttendeeRole,
    language::Language,
    provider::ProviderKind,
};

/// A booking as it stands.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BookingPayload {
    /// Concord's id.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub id: BookingId,
    /// Your own reference.
    pub reference: String,
    /// Counts the changes of the booking, from 1: an event with a lower one than you have is outdated.
    pub version: i64,
    /// What is booked.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub resource: ResourceId,
    /// The booking type.
    pub kind: BookingKind,
    /// Its status.
    pub status: BookingStatus,
    /// When it starts, in UTC.
    pub starts_at: DateTime<Utc>,
    /// When it ends, in UTC (exclusive).
    pub ends_at: DateTime<Utc>,
    /// The arrival date; only of stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_in: Option<NaiveDate>,
    /// The departure date; only of stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_out: Option<NaiveDate>,
    /// One line.
    pub title: String,
    /// For whom.
    pub customer: CustomerPayload,
    /// Number of guests.
    pub party_size: Option<u32>,
    /// Number of units booked.
    pub quantity: u32,
    /// The assigned staff.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Uuid>))]
    pub staff: Vec<StaffId>,
    /// Location, if different from the resource.
    pub location: String,
    /// Notes for staff; may be empty.
    pub notes: String,
    /// Whether `notes` were cut to keep the message small; `GET /bookings/{reference}` has all of them.
    pub notes_cut: bool,
    /// Its source.
    pub source: String,
    /// Link to a video meeting; may be empty.
    pub meeting_url: String,
    /// How many people are invited besides the customer; `GET /bookings/{reference}` names them.
    pub invited_guests: usize,
    /// The channel by whose feed it came.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Uuid>))]
    pub channel: Option<ChannelId>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// The customer of a booking.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CustomerPayload {
    /// Full name.
    pub name: String,
    /// Email address.
    pub email: String,
    /// Phone number.
    pub phone: String,
    /// The language in which they are written to; null: that of the business.
    pub language: Option<Language>,
}

impl From<&Booking> for BookingPayload {
    fn from(booking: &Booking) -> Self {
        let draft = &booking.draft;
        let (check_in, check_out) = match draft.time {
            BookingTime::Stay { check_in, check_out } => (Some(check_in), Some(check_out)),
            BookingTime::Timed { .. } => (None, None),
        };
        Self {
            id: booking.id,
            reference: booking.reference.clone(),
            version: booking.version,
            resource: draft.resource,
            kind: draft.kind,
            status: draft.status,
            starts_at: booking.interval.start,
            ends_at: booking.interval.end,
            check_in,
            check_out,
            title: draft.title.clone(),
            customer: CustomerPayload {
                name: draft.customer.name.clone(),
                email: draft.customer.email.clone(),
                phone: draft.customer.phone.clone(),
                language: draft.customer.language,
            },
            party_size: draft.party_size,
            quantity: draft.quantity,
            staff: draft.staff.clone(),
            location: draft.location.clone(),
            notes: draft.notes.clone(),
            notes_cut: false,
            source: draft.source.clone(),
            meeting_url: draft.meeting_url.clone(),
            invited_guests: draft.guests.len(),
            channel: booking.channel,
            created_at: booking.created_at,
            updated_at: booking.updated_at,
        }
    }
}

impl BookingPayload {
    /// The same with the notes shorter by so many bytes: all other fields are short.
    pub(super) fn without_bytes(mut self, excess: usize) -> Self {
        let end = self.notes.len().saturating_sub(excess);
        self.notes.truncate(self.notes.floor_char_boundary(end));
        self.notes_cut = true;
        self
    }
}

/// A booking that begins soon, as it stands, and by which reminder it is told.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BookingReminderPayload {
    #[serde(flatten)]
    pub booking: BookingPayload,
    /// Why it is told now.
    pub reminder: ReminderPayload,
}

/// The reminder of a booking by one rule.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReminderPayload {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub id: ReminderId,
    /// The id of its rule.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub rule: ReminderRuleId,
    /// Minutes before the start, by its rule.
    pub minutes_before: u32,
    /// When it was due.
    pub due_at: DateTime<Utc>,
    /// What arrives later helps nobody any more: ignore it.
    pub useful_until: DateTime<Utc>,
    /// Whether the customer has turned reminders of this booking off: send them none.
    pub turned_off: bool,
}

/// A booking that stands without a unit, or has found one.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConflictPayload {
    /// The booking's id.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub booking: BookingId,
    /// Your own reference of the booking.
    pub reference: String,
    /// The version that the booking is at.
    pub version: i64,
    /// What is booked.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub resource: ResourceId,
    /// When it starts, in UTC.
    pub starts_at: DateTime<Utc>,
    /// When it ends, in UTC (exclusive).
    pub ends_at: DateTime<Utc>,
}

/// What somebody who was invited to a booking has answered.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InvitationAnswerPayload {
    /// The booking's id.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub booking: BookingId,
    /// Your own reference of the booking.
    pub reference: String,
    /// The version that the booking is at.
    pub version: i64,
    /// Whether it is the customer or a guest.
    pub role: AttendeeRole,
    /// Full name; may be empty.
    pub name: String,
    /// Email address.
    pub email: String,
    /// What they answered.
    pub answer: CustomerAnswer,
    /// When they answered.
    pub answered_at: DateTime<Utc>,
}

/// A connected calendar account.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectionPayload {
    /// The id of the calendar integration.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub connection: ConnectionId,
    /// The calendar provider.
    pub provider: ProviderKind,
    /// Whose calendars they are.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub staff: StaffId,
    /// The account's email address.
    pub account: String,
    /// What is wrong, in plain words; null if nothing is.
    pub reason: Option<String>,
}

/// A channel: a resource's listing on a platform.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelPayload {
    /// The channel's id.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub channel: ChannelId,
    /// What is listed.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub resource: ResourceId,
    /// The platform.
    pub platform: String,
    /// What is wrong, in plain words; null if nothing is.
    pub reason: Option<String>,
}

/// A webhook endpoint that was disabled.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookEndpointPayload {
    /// The endpoint's id.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub endpoint: WebhookEndpointId,
    /// The host of its URL.
    pub host: String,
    /// Why it was disabled, in plain words.
    pub reason: String,
}

/// Something that fails for longer than a moment, or has failed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertPayload {
    /// The alert's id.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub alert: AlertId,
    /// What fails.
    pub kind: AlertKind,
    /// The id of the calendar integration, calendar, channel or webhook endpoint.
    pub subject: Uuid,
    /// What fails, in a few plain words.
    pub headline: String,
    /// Why, in plain sentences, each a line.
    pub cause: String,
    /// When it was first noticed.
    pub since: DateTime<Utc>,
    /// When the alert was opened.
    pub opened_at: DateTime<Utc>,
    /// When it was over; null while it lasts.
    pub closed_at: Option<DateTime<Utc>>,
}

/// What a test of an endpoint says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestPayload {
    /// The endpoint's id.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid))]
    pub endpoint: WebhookEndpointId,
    /// That it is a test, in plain words.
    pub message: String,
}
