//! What is attacked with bytes: each target takes any, and panics if something holds no longer.
//!
//! `make fuzz` drives them by what they reach; `domain/src/ical/fuzz_tests.rs` runs them over seeds, over what was once
//! found, and over some thousands of mutations in each test run.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use concord_domain::{
    entry::EntryTime,
    ical::{
        Occurrence, ParsedCalendar, ReadLimits,
        feed::{FeedEvent, FeedHeader, FeedStatus, PRODUCT, write_feed},
        lint::lint,
        read,
        scheduling::Organizer,
        writer::IcalTime,
    },
    interval::{Interval, start_of_day},
};
use icalendar::parser::{read_calendar, unfold};

/// A target and its name, which is that of its folder of seeds.
pub(crate) type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: [Target; 4] =
    [("reader", reader), ("zones", zones), ("recurrence", recurrence), ("writer", writer)];

const ZONE: Tz = chrono_tz::America::New_York;

fn limits() -> ReadLimits {
    ReadLimits { steps: 100_000, occurrences: 500, ..ReadLimits::default() }
}

fn day(number: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(number)
}

/// Half a year from the beginning of 2026 on.
fn half_year() -> Interval {
    Interval { start: day(20_454), end: day(20_454 + 182) }
}

pub(crate) fn reader(bytes: &[u8]) {
    let Ok(calendar) = read(bytes, chrono_tz::Europe::Lisbon, &limits()) else { return };
    assert!(calendar.warnings.len() <= 50);
    assert!(calendar.left_out == 0 || !calendar.warnings.is_empty(), "something was left out in silence");
    expanded(&calendar);
}

/// A calendar whose zone says what the bytes say: the lines of its observances, separated by `|`.
pub(crate) fn zones(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == b'|');
    let [standard, daylight, rest] = [(); 3].map(|()| parts.next().unwrap_or_default());
    let calendar = [
        b"BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Of nowhere\n",
        rest,
        b"\nBEGIN:STANDARD\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n",
        standard,
        b"\nEND:STANDARD\nBEGIN:DAYLIGHT\n",
        daylight,
        b"\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:a\n\
          DTSTART;TZID=Of nowhere:20260301T013000\nRRULE:FREQ=DAILY\nEND:VEVENT\nBEGIN:VEVENT\nUID:b\nDTSTART;TZID=\"",
        rest,
        b"\":20260301T013000\nEND:VEVENT\nEND:VCALENDAR\n",
    ];
    reader(&calendar.concat());
}

/// A series whose rule, exceptions and additions the bytes are, line by line, and how its start is told.
pub(crate) fn recurrence(bytes: &[u8]) {
    const STARTS: [&str; 5] = [
        ";VALUE=DATE:20260130",
        ":20251130T090000Z",
        ";TZID=Europe/Berlin:20260329T023000",
        ":19700101T000000",
        ";TZID=Pacific Standard Time:20240229T235959",
    ];
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let start = STARTS[usize::from(*first) % STARTS.len()];
    let mut calendar = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART{start}\n").into_bytes();
    let names = ["RRULE:", "EXDATE:", "RDATE:", "RRULE:", "EXRULE:", "DURATION:", "RDATE;VALUE=PERIOD:"];
    for (name, line) in names.iter().zip(rest.split(|byte| *byte == b'\n')) {
        calendar.extend_from_slice(name.as_bytes());
        calendar.extend_from_slice(line);
        calendar.push(b'\n');
    }
    calendar.extend_from_slice(b"END:VEVENT\nEND:VCALENDAR\n");
    reader(&calendar);
}

/// What holds of any expansion: it keeps to its window and its order, names no instance twice, and finds in a part of the
/// window what it finds there in the whole.
fn expanded(calendar: &ParsedCalendar) {
    let whole = half_year();
    let Ok(found) = calendar.occurrences(whole, ZONE, &limits()) else { return };
    assert!(found.iter().all(|one| touches(one, whole)));
    assert!(found.is_sorted_by_key(starts));
    let names = |found: &[Occurrence<'_>]| -> BTreeSet<(usize, String, DateTime<Utc>)> {
        found.iter().map(|one| (std::ptr::from_ref(one.event).addr(), one.id.clone(), starts(one))).collect()
    };
    let all = names(&found);
    let part = Interval { start: day(20_454 + 60), end: day(20_454 + 90) };
    if let Ok(some) = calendar.occurrences(part, ZONE, &limits()) {
        let there: Vec<Occurrence<'_>> = found.into_iter().filter(|one| touches(one, part)).collect();
        assert_eq!(names(&some), names(&there));
    }
    assert!(all.len() <= limits().occurrences);
}

fn span(one: &Occurrence<'_>) -> (DateTime<Utc>, DateTime<Utc>) {
    match one.time {
        EntryTime::Timed { starts_at, ends_at, .. } => (starts_at, ends_at),
        EntryTime::AllDay { from, until } => (start_of_day(from, ZONE), start_of_day(until, ZONE)),
    }
}

fn starts(one: &Occurrence<'_>) -> DateTime<Utc> {
    span(one).0
}

fn touches(one: &Occurrence<'_>, window: Interval) -> bool {
    let (start, end) = span(one);
    start < window.end && (end > window.start || start >= window.start)
}

/// What an event of the writer's target says.
struct FuzzEvent<'a> {
    uid: String,
    starts: IcalTime,
    ends: IcalTime,
    texts: [&'a str; 3],
    url: String,
    status: FeedStatus,
}

/// Events made of the bytes: eight for times and such, then three texts, each ended by 0xFF. What is written keeps to the
/// RFC, and two readers find what was said.
pub(crate) fn writer(bytes: &[u8]) {
    let mut pieces = bytes.split(|byte| *byte == 0xFF).map(text_of);
    let [name, owner, mail] = [(); 3].map(|()| pieces.next().unwrap_or_default());
    let mut said = Vec::new();
    while let (Some(numbers), true) = (pieces.next(), said.len() < 20) {
        let texts = [(); 3].map(|()| pieces.next().unwrap_or_default());
        said.push(event_of(said.len(), numbers.as_bytes(), texts));
    }
    let header = FeedHeader {
        name,
        description: owner,
        zone: ZONE,
        refresh: 30,
        organizer: (!mail.is_empty()).then_some(Organizer { name: owner, mail }),
        product: PRODUCT,
    };
    let mut out = Vec::new();
    write_feed(&mut out, &header, said.iter().map(feed_event));
    assert_eq!(lint(&out), []);
    read_here(&out, &said);
    read_there(&out, &said);
}

fn text_of(octets: &[u8]) -> &str {
    octets.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

fn event_of<'a>(number: usize, numbers: &[u8], texts: [&'a str; 3]) -> FuzzEvent<'a> {
    let mut four = numbers.iter().copied().chain(std::iter::repeat(0)).map(i64::from);
    let mut next = || four.next().unwrap_or_default();
    let starts = day(next() * 200) + Duration::seconds(next() * 337) + Duration::milliseconds(next() * 3);
    let ends = starts + Duration::seconds((next() - 3) * 11);
    let (starts, ends) = match next() % 3 {
        0 => (IcalTime::On(starts.date_naive()), IcalTime::On(ends.date_naive())),
        1 => (IcalTime::On(starts.date_naive()), IcalTime::At(ends)),
        _ => (IcalTime::At(starts), IcalTime::At(ends)),
    };
    let status = [FeedStatus::Confirmed, FeedStatus::Tentative, FeedStatus::Cancelled][number % 3];
    let url = format!("https://concord.example/{}", texts[1]);
    FuzzEvent { uid: format!("{number}-{}@x", texts[0]), starts, ends, texts, url, status }
}

fn feed_event<'a>(said: &'a FuzzEvent<'a>) -> FeedEvent<'a> {
    FeedEvent {
        uid: said.uid.as_str().into(),
        sequence: 1,
        starts: said.starts,
        ends: said.ends,
        zone: None,
        summary: said.texts[0].into(),
        description: said.texts[1].into(),
        location: said.texts[2].into(),
        status: said.status,
        transparent: false,
        created: day(20_000),
        last_modified: day(20_001),
        url: Some(said.url.as_str().into()),
    }
}

/// Line breaks of any kind are one kind, and other control characters are gone.
fn as_read(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if matches!(c, '\r' | '\u{85}' | '\u{2028}' | '\u{2029}') { '\n' } else { c })
        .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
        .collect()
}

fn read_here(bytes: &[u8], said: &[FuzzEvent<'_>]) {
    let calendar = read(bytes, ZONE, &limits()).expect("what we write is a calendar");
    assert_eq!((calendar.events.len(), calendar.left_out, &calendar.warnings[..]), (said.len(), 0, &[][..]));
    for (event, said) in calendar.events.iter().zip(said) {
        assert_eq!(event.uid, as_read(&said.uid));
        let texts = [&event.summary, &event.description, &event.location];
        assert_eq!(texts.map(String::as_str), said.texts.map(as_read).each_ref().map(String::as_str));
        assert_eq!(event.status, said.status);
        let same = match (&event.time, said.starts) {
            (EntryTime::Timed { starts_at, ends_at, .. }, IcalTime::At(start)) => {
                starts_at.timestamp() == start.timestamp() && ends_at > starts_at
            }
            (EntryTime::AllDay { from, until }, IcalTime::On(start)) => *from == start && until > from,
            _ => false,
        };
        assert!(same, "{:?} read as {:?}", said.starts, event.time);
    }
}

fn read_there(bytes: &[u8], said: &[FuzzEvent<'_>]) {
    let text = unfold(std::str::from_utf8(bytes).expect("what we write is UTF-8"));
    let calendar = read_calendar(&text).expect("the other reader reads it");
    assert_eq!(calendar.components.len(), said.len());
    for (component, said) in calendar.components.iter().zip(said) {
        let value = |name: &str| component.find_prop(name).map_or("", |property| property.val.as_str());
        assert_eq!(value("UID"), as_read(&said.uid));
        let texts = ["SUMMARY", "DESCRIPTION", "LOCATION"].map(value);
        assert_eq!(texts, said.texts.map(as_read).each_ref().map(String::as_str));
        let start = match said.starts {
            IcalTime::At(start) => start.format("%Y%m%dT%H%M%SZ").to_string(),
            IcalTime::On(start) => start.format("%Y%m%d").to_string(),
        };
        assert_eq!(value("DTSTART"), start);
    }
}
