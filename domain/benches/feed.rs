//! How fast a feed of 10,000 bookings is written: `cargo bench -p concord-domain --bench feed`.
#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::{collections::BTreeMap, hint::black_box, time::Instant};

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime, Customer},
    ical::{
        feed::{FeedContext, FeedEvent, FeedHeader, FeedStatus, PRODUCT, booking_feed, write_feed},
        writer::IcalTime,
    },
    ids::{BookingId, BusinessId, ResourceId},
    interval::Interval,
    platform::Platforms,
    privacy::FeedPrivacy,
};
use uuid::Uuid;

const EVENTS: u32 = 10_000;
const ROUNDS: u32 = 20;

fn main() {
    let resources = BTreeMap::from([(ResourceId(Uuid::from_u128(1)), "Sea View".to_owned())]);
    let platforms = Platforms::builtin();
    let names = FeedContext { business: "Casa do Mar", resources: &resources, platforms: &platforms };
    let header = FeedHeader {
        name: "Casa do Mar",
        description: "All bookings",
        zone: chrono_tz::Europe::Lisbon,
        refresh: 30,
        organizer: None,
        product: PRODUCT,
    };
    let bookings: Vec<Booking> = (0..EVENTS).filter_map(booking).collect();
    for privacy in [FeedPrivacy::Busy, FeedPrivacy::Title, FeedPrivacy::Full] {
        measure(&format!("bookings, {privacy}"), || {
            booking_feed(&bookings, names, privacy, "concord.example", &header)
        });
    }
    let uids: Vec<String> = (0..EVENTS).map(|number| format!("{number}@concord.example")).collect();
    measure("the writer alone", || {
        let mut out = Vec::with_capacity(8 << 20);
        write_feed(&mut out, &header, uids.iter().zip(&bookings).map(|(uid, booking)| event(uid, booking)));
        out
    });
}

fn measure(what: &str, mut write: impl FnMut() -> Vec<u8>) {
    let octets = black_box(write()).len();
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        black_box(write());
        best = best.min(start.elapsed().as_secs_f64());
    }
    let megabytes = f64::from(u32::try_from(octets).unwrap_or(u32::MAX)) / 1e6;
    println!(
        "{what:20} {EVENTS} events, {megabytes:6.2} MB: {:7.2} ms, {:6.0} MB/s (best of {ROUNDS})",
        best * 1e3,
        megabytes / best
    );
}

fn instant(number: u32) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(20_000) + Duration::minutes(60 * i64::from(number))
}

fn booking(number: u32) -> Option<Booking> {
    let interval = Interval::new(instant(number), instant(number + 1))?;
    Some(Booking {
        id: BookingId(Uuid::from_u128(u128::from(number))),
        business: BusinessId(Uuid::from_u128(2)),
        reference: format!("R-{number}"),
        version: 3,
        interval,
        draft: BookingDraft {
            resource: ResourceId(Uuid::from_u128(1)),
            kind: BookingKind::Booking,
            status: BookingStatus::Confirmed,
            time: BookingTime::Timed { starts_at: interval.start, ends_at: interval.end },
            title: "Massage, hot stones; 90 minutes".to_owned(),
            customer: Customer {
                name: "João da Conceição".to_owned(),
                email: "joao@example.org".to_owned(),
                phone: "+351 912 000 111".to_owned(),
                language: None,
            },
            party_size: Some(2),
            quantity: 1,
            staff: Vec::new(),
            location: "Rua do Mar 7, Lisboa".to_owned(),
            notes: "Arrives late; please leave the key at the reception.\nTwo dogs, one cot.".to_owned(),
            source: "api".to_owned(),
            meeting_url: String::new(),
            guests: Vec::new(),
        },
        channel: None,
        created_at: instant(0),
        updated_at: instant(1),
    })
}

fn event<'a>(uid: &'a str, booking: &'a Booking) -> FeedEvent<'a> {
    FeedEvent {
        uid: uid.into(),
        sequence: 2,
        starts: IcalTime::At(booking.interval.start),
        ends: IcalTime::At(booking.interval.end),
        zone: None,
        summary: (&booking.draft.title).into(),
        description: (&booking.draft.notes).into(),
        location: (&booking.draft.location).into(),
        status: FeedStatus::Confirmed,
        transparent: false,
        created: booking.created_at,
        last_modified: booking.updated_at,
        url: None,
    }
}
