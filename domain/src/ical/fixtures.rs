//! Bookings for the tests of this crate.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime, Customer},
    ids::{BookingId, BusinessId, ResourceId},
    platform::Platforms,
};

/// The platforms inside the program.
pub(crate) static PLATFORMS: LazyLock<Platforms> = LazyLock::new(Platforms::builtin);

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Two nights in December, confirmed.
pub(crate) fn booking() -> Booking {
    let time = stay("2026-12-01", "2026-12-03");
    Booking {
        id: BookingId(Uuid::from_u128(1)),
        business: BusinessId(Uuid::from_u128(2)),
        reference: "SV-1".into(),
        version: 1,
        interval: time.interval(chrono_tz::Europe::Lisbon).unwrap(),
        draft: BookingDraft {
            resource: ResourceId(Uuid::from_u128(3)),
            kind: BookingKind::Booking,
            status: BookingStatus::Confirmed,
            time,
            title: String::new(),
            customer: Customer {
                name: "Maria Silva Costa".into(),
                email: "maria@example.org".into(),
                phone: "+351 912 000 111".into(),
                language: None,
            },
            party_size: Some(2),
            quantity: 1,
            staff: vec![],
            location: String::new(),
            notes: String::new(),
            source: "api".into(),
            meeting_url: String::new(),
            guests: Vec::new(),
        },
        channel: None,
        created_at: at("2026-11-01T09:00:00Z"),
        updated_at: at("2026-11-02T10:30:00Z"),
    }
}

/// `booking()` moved to `time`, with the id `id`.
pub(crate) fn booking_at(id: u128, time: BookingTime) -> Booking {
    let mut booking = booking();
    booking.id = BookingId(Uuid::from_u128(id));
    booking.interval = time.interval(chrono_tz::Europe::Lisbon).unwrap();
    booking.draft.time = time;
    booking
}

pub(crate) fn stay(check_in: &str, check_out: &str) -> BookingTime {
    BookingTime::Stay { check_in: check_in.parse().unwrap(), check_out: check_out.parse().unwrap() }
}

pub(crate) fn timed(starts_at: &str, ends_at: &str) -> BookingTime {
    BookingTime::Timed { starts_at: at(starts_at), ends_at: at(ends_at) }
}
