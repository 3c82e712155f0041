//! What there is to tell, and how it is written.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::payload::{
    AlertPayload, BookingPayload, BookingReminderPayload, ChannelPayload, ConflictPayload, ConnectionPayload,
    InvitationAnswerPayload, ReminderPayload, TestPayload, WebhookEndpointPayload,
};
use crate::{
    booking::{Booking, BookingStatus},
    ids::{EventId, WebhookEndpointId},
    words,
};

words! {
    /// What an event tells.
    EventType "Event type." {
        BookingCreated = "booking.created",
        BookingChanged = "booking.changed",
        BookingCancelled = "booking.cancelled",
        BookingReminder = "booking.reminder",
        InvitationAnswered = "invitation.answered",
        ConflictDetected = "conflict.detected",
        ConflictResolved = "conflict.resolved",
        SyncFailed = "sync.failed",
        SyncRecovered = "sync.recovered",
        ConnectionConnected = "connection.connected",
        ConnectionNeedsReconnect = "connection.needs_reconnect",
        ConnectionDisconnected = "connection.disconnected",
        ChannelFailing = "channel.failing",
        ChannelQuarantined = "channel.quarantined",
        ChannelRecovered = "channel.recovered",
        WebhookEndpointDisabled = "webhook_endpoint.disabled",
        AlertOpened = "alert.opened",
        AlertClosed = "alert.closed",
        /// Sent to one endpoint by hand.
        WebhookTest = "webhook.test",
    }
}

words! {
    /// What an event is about.
    EventSubject "What an event is about." {
        Booking = "booking",
        Connection = "connection",
        Channel = "channel",
        WebhookEndpoint = "webhook_endpoint",
        Alert = "alert",
    }
}

impl EventType {
    /// What it is about: events of one subject are delivered in their order.
    pub fn subject(self) -> EventSubject {
        match self {
            Self::BookingCreated
            | Self::BookingChanged
            | Self::BookingCancelled
            | Self::BookingReminder
            | Self::InvitationAnswered
            | Self::ConflictDetected
            | Self::ConflictResolved => EventSubject::Booking,
            Self::SyncFailed
            | Self::SyncRecovered
            | Self::ConnectionConnected
            | Self::ConnectionNeedsReconnect
            | Self::ConnectionDisconnected => EventSubject::Connection,
            Self::ChannelFailing | Self::ChannelQuarantined | Self::ChannelRecovered => EventSubject::Channel,
            Self::WebhookEndpointDisabled | Self::WebhookTest => EventSubject::WebhookEndpoint,
            Self::AlertOpened | Self::AlertClosed => EventSubject::Alert,
        }
    }

    /// The version of its payload's schema.
    pub fn schema_version(self) -> i64 {
        1
    }

    /// What it tells, as people read it.
    pub fn summary(self) -> &'static str {
        match self {
            Self::BookingCreated => "A booking was created",
            Self::BookingChanged => "A booking was changed",
            Self::BookingCancelled => "A booking was cancelled",
            Self::BookingReminder => "A booking begins soon, by a reminder rule for webhooks",
            Self::InvitationAnswered => "Somebody who was invited to a booking has answered",
            Self::ConflictDetected => "A booking has no room: it overlaps another one",
            Self::ConflictResolved => "A booking that had no room has found some, or needs none any more",
            Self::SyncFailed => "Bookings could not be written to a connected calendar",
            Self::SyncRecovered => "Bookings are written to the calendar again",
            Self::ConnectionConnected => "A calendar account was connected",
            Self::ConnectionNeedsReconnect => "A calendar account needs to be reconnected",
            Self::ConnectionDisconnected => "A calendar account was disconnected",
            Self::ChannelFailing => "A platform's calendar could not be read",
            Self::ChannelQuarantined => "A platform's calendar is missing bookings: they are held for review",
            Self::ChannelRecovered => "A platform's calendar is read again, or its review is over",
            Self::WebhookEndpointDisabled => "A webhook endpoint was disabled",
            Self::AlertOpened => "Something has failed for a while: people are told",
            Self::AlertClosed => "What people were told of is resolved",
            Self::WebhookTest => "A test, sent by hand to one endpoint",
        }
    }
}

/// Something that happened, before it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: EventType,
    /// What it is about.
    pub subject: Uuid,
    /// The version of that, where it counts them.
    pub version: Option<i64>,
    /// The payload, in JSON.
    pub data: String,
}

/// The largest message, in bytes (Standard Webhooks 1.0.0, "Payload size").
pub const MAX_BODY: usize = 20_000;
/// What is kept free for what stands around the payload.
const ENVELOPE: usize = 500;

impl Event {
    /// A booking was written: `before` is what it was.
    pub fn booking(before: Option<&Booking>, after: &Booking) -> Self {
        let is_cancelled = |booking: &Booking| booking.draft.status == BookingStatus::Cancelled;
        let kind = match before {
            None => EventType::BookingCreated,
            Some(before) if is_cancelled(after) && !is_cancelled(before) => EventType::BookingCancelled,
            Some(_) => EventType::BookingChanged,
        };
        Self::of_booking(kind, after, |booking| booking)
    }

    /// A booking begins soon.
    pub fn booking_reminder(booking: &Booking, reminder: ReminderPayload) -> Self {
        Self::of_booking(EventType::BookingReminder, booking, |booking| BookingReminderPayload {
            booking,
            reminder,
        })
    }

    /// `payload`: what is told of the booking, which is told again with shorter notes where that is too long.
    fn of_booking<P: Serialize>(
        kind: EventType,
        booking: &Booking,
        payload: impl Fn(BookingPayload) -> P,
    ) -> Self {
        let mut data = written(&payload(BookingPayload::from(booking)));
        let excess = data.len().saturating_sub(MAX_BODY - ENVELOPE);
        if excess > 0 {
            // Each byte that goes from the notes is one or more in JSON.
            data = written(&payload(BookingPayload::from(booking).without_bytes(excess)));
        }
        Self { kind, subject: booking.id.0, version: Some(booking.version), data }
    }

    /// Somebody who was invited to a booking has answered.
    pub fn invitation_answered(answer: &InvitationAnswerPayload) -> Self {
        let (kind, version) = (EventType::InvitationAnswered, Some(answer.version));
        Self { kind, subject: answer.booking.0, version, data: written(answer) }
    }

    /// A booking stands without a unit, or does so no more.
    pub fn conflict(is_open: bool, conflict: &ConflictPayload) -> Self {
        let kind = if is_open { EventType::ConflictDetected } else { EventType::ConflictResolved };
        let version = Some(conflict.version);
        Self { kind, subject: conflict.booking.0, version, data: written(conflict) }
    }

    /// Something about a connected account.
    pub fn connection(kind: EventType, connection: &ConnectionPayload) -> Self {
        Self { kind, subject: connection.connection.0, version: None, data: written(connection) }
    }

    /// Something about a channel.
    pub fn channel(kind: EventType, channel: &ChannelPayload) -> Self {
        Self { kind, subject: channel.channel.0, version: None, data: written(channel) }
    }

    /// An endpoint was disabled: the others hear of it.
    pub fn endpoint_disabled(endpoint: &WebhookEndpointPayload) -> Self {
        let kind = EventType::WebhookEndpointDisabled;
        Self { kind, subject: endpoint.endpoint.0, version: None, data: written(endpoint) }
    }

    /// Something fails for longer than a moment, or does so no more.
    pub fn alert(alert: &AlertPayload) -> Self {
        let kind = if alert.closed_at.is_none() { EventType::AlertOpened } else { EventType::AlertClosed };
        Self { kind, subject: alert.alert.0, version: None, data: written(alert) }
    }

    /// A test of an endpoint.
    pub fn test(endpoint: WebhookEndpointId) -> Self {
        let message = "This is a test. Nothing happened.".to_owned();
        let data = written(&TestPayload { endpoint, message });
        Self { kind: EventType::WebhookTest, subject: endpoint.0, version: None, data }
    }
}

/// No payload has what JSON cannot say: maps with other keys than texts.
fn written(payload: &impl Serialize) -> String {
    serde_json::to_string(payload).unwrap_or_default()
}

/// The message that is sent: the same bytes at each attempt, as each is signed anew.
pub fn body(id: EventId, (kind, schema_version): (EventType, i64), at: DateTime<Utc>, data: &str) -> String {
    let envelope = json!({
        "id": id,
        "type": kind,
        "schema_version": schema_version,
        "timestamp": at.to_rfc3339_opts(SecondsFormat::Micros, true),
    });
    let envelope = envelope.to_string();
    // `data` is JSON already, and stays as it was written.
    format!("{},\"data\":{data}}}", envelope.trim_end_matches('}'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::{
        booking::{Customer, MAX_LINE, MAX_MEETING_URL, MAX_NOTES},
        ical::fixtures,
        ids::{ReminderId, ReminderRuleId, StaffId},
        language::Language,
    };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn booking(notes: &str, version: i64, status: BookingStatus) -> Booking {
        let mut booking = fixtures::booking();
        booking.version = version;
        booking.draft.status = status;
        booking.draft.customer = Customer { name: "Zoë \"Z\" 🛶".to_owned(), ..Customer::default() };
        notes.clone_into(&mut booking.draft.notes);
        booking
    }

    fn sent(event: &Event) -> Value {
        let body = body(EventId(Uuid::from_u128(1)), (event.kind, 1), at(2), &event.data);
        assert!(body.len() <= MAX_BODY, "{}", body.len());
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn event_tells_what_became_of_a_booking() {
        let [first, changed, cancelled] = [
            booking("", 1, BookingStatus::Confirmed),
            booking("x", 2, BookingStatus::Confirmed),
            booking("x", 3, BookingStatus::Cancelled),
        ];
        let kind = |before: Option<&Booking>, after| Event::booking(before, after).kind;
        assert_eq!(kind(None, &first), EventType::BookingCreated);
        assert_eq!(kind(Some(&first), &changed), EventType::BookingChanged);
        assert_eq!(kind(Some(&changed), &cancelled), EventType::BookingCancelled);
        assert_eq!(kind(Some(&cancelled), &cancelled), EventType::BookingChanged);
        let told = sent(&Event::booking(Some(&first), &changed));
        assert_eq!(told["type"], "booking.changed");
        assert_eq!(told["id"], "00000000-0000-0000-0000-000000000001");
        assert_eq!(told["timestamp"], "2027-01-15T08:00:02.000000Z");
        assert_eq!((&told["data"]["version"], &told["data"]["notes"]), (&json!(2), &json!("x")));
        assert_eq!(told["data"]["customer"]["name"], "Zoë \"Z\" 🛶");
        assert_eq!(told["data"]["notes_cut"], false);
    }

    #[test]
    fn largest_booking_fits() {
        let mut largest = booking(&"\"\n🛶".repeat(MAX_NOTES / 3), 1, BookingStatus::Confirmed);
        let draft = &mut largest.draft;
        (draft.title, draft.location) = ("🛶".repeat(MAX_LINE), "\"".repeat(500));
        draft.customer = Customer {
            name: "🛶".repeat(MAX_LINE),
            email: "x".repeat(254),
            phone: "🛶".repeat(64),
            language: Some(Language::De),
        };
        draft.meeting_url = "x".repeat(MAX_MEETING_URL);
        draft.source = "🛶".repeat(64);
        draft.staff = (0..50).map(|number| StaffId(Uuid::from_u128(number))).collect();
        largest.reference = "🛶".repeat(128);
        for event in [Event::booking(None, &largest), Event::booking_reminder(&largest, reminder())] {
            let told = sent(&event);
            assert_eq!(told["data"]["notes_cut"], true);
            assert!(told["data"]["notes"].as_str().unwrap().len() > 1_000);
        }
    }

    fn reminder() -> ReminderPayload {
        ReminderPayload {
            id: ReminderId(Uuid::from_u128(2)),
            rule: ReminderRuleId(Uuid::from_u128(3)),
            minutes_before: 1440,
            due_at: at(0),
            useful_until: at(3600),
            turned_off: true,
        }
    }

    #[test]
    fn reminder_has_all_of_the_booking_and_when_it_was_due() {
        let booking = booking("x", 4, BookingStatus::Confirmed);
        let event = Event::booking_reminder(&booking, reminder());
        assert_eq!((event.subject, event.version), (booking.id.0, Some(4)));
        let told = sent(&event);
        assert_eq!((&told["type"], &told["schema_version"]), (&json!("booking.reminder"), &json!(1)));
        let mut data = told["data"].clone();
        let reminder = data.as_object_mut().unwrap().remove("reminder");
        let expected = json!({
            "id": "00000000-0000-0000-0000-000000000002",
            "rule": "00000000-0000-0000-0000-000000000003",
            "minutes_before": 1440,
            "due_at": "2027-01-15T08:00:00Z",
            "useful_until": "2027-01-15T09:00:00Z",
            "turned_off": true,
        });
        assert_eq!(reminder, Some(expected));
        assert_eq!(data, sent(&Event::booking(None, &booking))["data"], "as the other events have it");
    }

    #[test]
    fn every_type_says_what_it_is() {
        for kind in EventType::ALL {
            assert!(!kind.summary().is_empty() && kind.schema_version() >= 1, "{kind}");
            let (about, _) = kind.as_str().split_once('.').expect("a word, a dot, a word");
            assert!(about.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{kind}");
        }
    }

    proptest! {
        #[test]
        fn any_notes_are_told_whole_or_cut(notes in "[\\PC\n\r\t\"\\\\]{0,10000}") {
            let told = sent(&Event::booking(None, &booking(&notes, 1, BookingStatus::Confirmed)));
            let kept = told["data"]["notes"].as_str().unwrap();
            prop_assert!(notes.starts_with(kept));
            prop_assert_eq!(told["data"]["notes_cut"] == true, kept.len() < notes.len());
        }
    }
}
