//! The same events written by us and by the crate `icalendar`, both from plain values.

use chrono::{DateTime, Duration, Utc};
use concord_domain::ical::{
    feed::{FeedEvent, FeedHeader, FeedStatus, PRODUCT, write_feed},
    writer::IcalTime,
};
use icalendar::{Component, EventLike};

use super::{best, feed::now, print};

struct BenchEvent {
    uid: String,
    starts: DateTime<Utc>,
    ends: DateTime<Utc>,
    changed: DateTime<Utc>,
}

const SUMMARY: &str = "Massage, hot stones; 90 minutes";
const DESCRIPTION: &str = "Arrives late; please leave the key at the reception.\nTwo dogs, one cot.";
const LOCATION: &str = "Rua do Mar 7, Lisboa";

pub(crate) fn measure(events: u32) {
    let said: Vec<BenchEvent> = (0..events)
        .map(|number| {
            let starts = now() + Duration::hours(i64::from(number));
            let uid = format!("{number}@concord.example");
            BenchEvent { uid, starts, ends: starts + Duration::minutes(90), changed: now() }
        })
        .collect();
    print("concord writes", best(|| ours(&said)));
    print("icalendar (Rust) writes", best(|| theirs(&said)));
}

fn ours(said: &[BenchEvent]) -> Vec<u8> {
    let header = FeedHeader {
        name: "Casa do Mar",
        description: "",
        zone: chrono_tz::Europe::Lisbon,
        refresh: 30,
        organizer: None,
        product: PRODUCT,
    };
    let mut out = Vec::with_capacity(512 + 512 * said.len());
    let events = said.iter().map(|said| FeedEvent {
        uid: said.uid.as_str().into(),
        sequence: 2,
        starts: IcalTime::At(said.starts),
        ends: IcalTime::At(said.ends),
        zone: None,
        summary: SUMMARY.into(),
        description: DESCRIPTION.into(),
        location: LOCATION.into(),
        status: FeedStatus::Confirmed,
        transparent: false,
        created: said.changed,
        last_modified: said.changed,
        url: None,
    });
    write_feed(&mut out, &header, events);
    out
}

fn theirs(said: &[BenchEvent]) -> String {
    let mut calendar = icalendar::Calendar::new();
    calendar.name("Casa do Mar");
    for said in said {
        let event = icalendar::Event::new()
            .uid(&said.uid)
            .sequence(2)
            .starts(said.starts)
            .ends(said.ends)
            .summary(SUMMARY)
            .description(DESCRIPTION)
            .location(LOCATION)
            .status(icalendar::EventStatus::Confirmed)
            .timestamp(said.changed)
            .created(said.changed)
            .last_modified(said.changed)
            .done();
        calendar.push(event);
    }
    calendar.to_string()
}
