//! Calendars of others, good and bad.

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;
use crate::{entry::EntryTime, interval::Interval};

fn calendar(events: &str) -> ParsedCalendar {
    let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{events}\nEND:VCALENDAR\n");
    read(text.as_bytes(), chrono_tz::Europe::Lisbon, &ReadLimits::default()).unwrap()
}

fn event(lines: &str) -> ReadEvent {
    let mut calendar = calendar(&format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT"));
    assert_eq!((calendar.warnings.len(), calendar.events.len()), (0, 1), "{:?}", calendar.warnings);
    calendar.events.remove(0)
}

fn window() -> Interval {
    Interval::new("2026-01-01T00:00:00Z".parse().unwrap(), "2027-01-01T00:00:00Z".parse().unwrap()).unwrap()
}

#[test]
fn an_event_says_what_it_says() {
    let event = event(
        "UID:a@b\nSEQUENCE:3\nLAST-MODIFIED:20260102T030405Z\nDTSTART:20260301T090000Z\nDTEND:20260301T100000Z\n\
         SUMMARY:Tea\\, and\n  cake\nDESCRIPTION:one\\ntwo\nLOCATION:Rua 7\\; Porto\nSTATUS:TENTATIVE\n\
         TRANSP:TRANSPARENT\nX-CONCORD-BOOKING:1\\;2;3",
    );
    assert_eq!(event.uid, "a@b");
    assert_eq!(event.summary, "Tea, and cake");
    assert_eq!(event.description, "one\ntwo");
    assert_eq!(event.location, "Rua 7; Porto");
    assert_eq!((event.status, event.transparent, event.sequence), (FeedStatus::Tentative, true, 3));
    assert_eq!(event.last_modified.unwrap().to_rfc3339(), "2026-01-02T03:04:05+00:00");
    assert_eq!(event.property("x-concord-booking"), Some("1;2;3"));
    assert_eq!(event.property("X-OTHER"), None);
    assert!(event.recurrence.is_none() && event.recurrence_id.is_none());
}

#[test]
fn a_time_is_in_its_zone() {
    for (start, utc, zone) in [
        ("DTSTART:20260701T090000Z", "09:00", "UTC"),
        ("DTSTART:20260701T090000", "08:00", "Europe/Lisbon"),
        ("DTSTART;TZID=Asia/Kolkata:20260701T090000", "03:30", "Asia/Kolkata"),
        ("DTSTART;TZID=Eastern Standard Time:20260701T090000", "13:00", "America/New_York"),
        ("DTSTART;TZID=Canberra, Melbourne, Sydney:20260701T090000", "23:00", "Australia/Sydney"),
        ("DTSTART;TZID=GMT+0200:20260701T090000", "07:00", "Etc/GMT-2"),
    ] {
        let EntryTime::Timed { starts_at, zone: shown, .. } = event(start).time else { panic!("{start}") };
        assert_eq!(starts_at.format("%H:%M").to_string(), utc, "{start}");
        assert!(shown.name() == zone || zone == "Australia/Sydney", "{start}: {shown}");
    }
}

#[test]
fn a_calendar_s_own_zone_is_that_of_its_floating_times() {
    let calendar =
        calendar("X-WR-TIMEZONE:America/New_York\nBEGIN:VEVENT\nDTSTART:20260701T090000\nEND:VEVENT");
    assert_eq!(calendar.zone, chrono_tz::America::New_York);
    let EntryTime::Timed { starts_at, .. } = calendar.events[0].time else { panic!() };
    assert_eq!(starts_at.to_rfc3339(), "2026-07-01T13:00:00+00:00");
}

#[test]
fn an_unknown_zone_is_told_with_its_line() {
    let calendar = calendar("BEGIN:VEVENT\nUID:a\nDTSTART;TZID=Nowhere/Middle:20260701T090000\nEND:VEVENT");
    assert_eq!(calendar.events.len(), 1);
    assert_eq!(calendar.warnings, [Warning::new(5, "an unknown time zone: read as Europe/Lisbon")]);
}

#[test]
fn what_is_wrong_in_an_event_is_told_and_the_rest_is_read() {
    for (lines, line) in [
        ("DTSTART:20260301T090000Z\nDTEND:20260301T080000Z", 5),
        ("DTSTART:20260301T090000Z\nDURATION:-PT1H", 5),
        ("DTSTART:20260301T090000Z\nRRULE:FREQ=SOMETIMES", 5),
        ("DTSTART:20260301T090000Z\nRRULE:FREQ=SECONDLY", 5),
        ("DTSTART:20260301T090000Z\nRECURRENCE-ID:yesterday", 5),
    ] {
        let calendar = calendar(&format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT"));
        assert_eq!(
            calendar.warnings.iter().map(|warning| warning.line).collect::<Vec<_>>(),
            [line],
            "{lines}"
        );
        let found = calendar.occurrences(window(), Tz::UTC, &ReadLimits::default()).unwrap();
        assert_eq!(found.len(), 1, "{lines}");
    }
    for lines in ["UID:a", "DTSTART:20260230T090000Z", "DTSTART:soon", "DTSTART:", "DTSTART:20260301T250000Z"]
    {
        let calendar = calendar(&format!(
            "BEGIN:VEVENT\n{lines}\nEND:VEVENT\nBEGIN:VEVENT\nDTSTART:20260301\nEND:VEVENT"
        ));
        assert_eq!((calendar.events.len(), calendar.warnings.len()), (1, 1), "{lines}");
    }
}

#[test]
fn what_is_no_calendar_is_an_error_and_never_an_empty_one() {
    for bytes in
        [&b""[..], b"<!DOCTYPE html><html>BEGIN</html>", b"\0\0\0", b"BEGIN:VCARD\nFN:x\nEND:VCARD\n"]
    {
        assert_eq!(read(bytes, Tz::UTC, &ReadLimits::default()), Err(ReadError::NotCalendar));
    }
    let empty = calendar("");
    assert!(empty.events.is_empty() && empty.whole);
}

#[test]
fn ten_thousand_nested_components_are_refused() {
    let nested = "BEGIN:VEVENT\r\n".repeat(10_000);
    assert!(matches!(
        read(nested.as_bytes(), Tz::UTC, &ReadLimits::default()),
        Err(ReadError::TooDeep { .. })
    ));
}

#[test]
fn a_calendar_that_was_cut_says_so() {
    let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260301T090000Z\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:b\r\nDTSTART:20260302T09";
    let calendar = read(text.as_bytes(), Tz::UTC, &ReadLimits::default()).unwrap();
    assert!(!calendar.whole);
    assert_eq!(calendar.warnings.last().unwrap().line, 0);
}

#[test]
fn several_calendars_in_one_file_are_all_read() {
    let one = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260301\nEND:VEVENT\nEND:VCALENDAR\n";
    let calendar = read(one.repeat(3).as_bytes(), Tz::UTC, &ReadLimits::default()).unwrap();
    assert_eq!(calendar.events.len(), 3);
}

/// Each zone alone may cost what all of them may cost.
#[test]
fn vtimezone_budget_is_shared_by_all_calendars_of_a_file() {
    let observance = "BEGIN:STANDARD\nDTSTART:19000101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n\
                      RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30\nEND:STANDARD\n";
    let one = format!(
        "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Of nowhere\n{}END:VTIMEZONE\nBEGIN:VEVENT\n\
         DTSTART;TZID=Of nowhere:20260301T090000\nEND:VEVENT\nEND:VCALENDAR\n",
        observance.repeat(10)
    );
    let calendar = read(one.repeat(100).as_bytes(), Tz::UTC, &ReadLimits::default()).unwrap();
    assert_eq!(calendar.events.len(), 100);
    assert!(calendar.warnings.last().unwrap().what.starts_with("an unknown time zone"));
}

#[test]
fn an_alarm_is_no_event_and_says_nothing_of_one() {
    let event = event(
        "DTSTART:20260301\nSUMMARY:x\nBEGIN:VALARM\nSUMMARY:alarm\nDURATION:PT5M\nEND:VALARM\nLOCATION:y",
    );
    assert_eq!((event.summary.as_str(), event.location.as_str()), ("x", "y"));
}

/// Pieces of calendars, in an order that no calendar has.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "BEGIN:VCALENDAR\r\n",
        "END:VCALENDAR\n",
        "BEGIN:VEVENT\n",
        "END:VEVENT\r",
        "BEGIN:VTIMEZONE\nTZID:x\n",
        "END:VTIMEZONE\n",
        "BEGIN:STANDARD\n",
        "END:STANDARD\n",
        "TZOFFSETFROM:+0100\n",
        "TZOFFSETTO:-9999\n",
        "DTSTART:20260301T090000Z\n",
        "DTSTART;TZID=x:99991231T235959\n",
        "DTSTART;VALUE=DATE:00010101\n",
        "DTSTART:16010101T000000\n",
        "DTEND:99991231T235959Z\n",
        "DURATION:P4294967295W\n",
        "DURATION:-P1D\n",
        "RRULE:FREQ=",
        "YEARLY",
        "DAILY",
        "HOURLY",
        ";COUNT=4294967295",
        ";INTERVAL=65535",
        ";BYDAY=-53SU,MO",
        ";BYSETPOS=-366",
        ";BYWEEKNO=53",
        ";UNTIL=99999999",
        ";BYMONTHDAY=-31;BYMONTH=2",
        ";BYHOUR=23",
        "\n",
        "EXDATE:20260301T090000Z,,x\n",
        "RDATE;VALUE=PERIOD:20260301T000000Z/P1D,/\n",
        "UID:a\n",
        "SEQUENCE:-9\n",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260302T090000Z\n",
        "RECURRENCE-ID:00010101\n",
        "STATUS:CANCELLED\n",
        "X-WR-TIMEZONE:",
        "SUMMARY;ENCODING=QUOTED-PRINTABLE:=C3=A9=\n",
        "ATTACH;ENCODING=BASE64:AA\n",
        "\"",
        ";",
        ":",
        "\\",
        " ",
        "\t",
        "\u{feff}",
        "é",
        "EXRULE:FREQ=WEEKLY\n",
        "RSCALE=X;",
        "TZID=\"",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

fn read_all(bytes: &[u8]) {
    let limits = ReadLimits { steps: 100_000, occurrences: 1_000, ..ReadLimits::default() };
    if let Ok(calendar) = read(bytes, chrono_tz::Europe::Lisbon, &limits) {
        let ends = [window(), Interval { start: DateTime::<Utc>::MIN_UTC, end: DateTime::<Utc>::MAX_UTC }];
        for window in ends {
            let _ = calendar.occurrences(window, chrono_tz::America::New_York, &limits);
        }
        assert!(calendar.warnings.len() <= MAX_WARNINGS);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        read_all(&bytes);
    }

    #[test]
    fn pieces_of_calendars_never_panic(pieces in hostile()) {
        read_all(&pieces);
        read_all(&[b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260301T090000Z\n", &pieces[..]].concat());
    }
}

#[test]
fn what_ends_in_a_hundred_years_is_not_cut_to_a_night() {
    let start = "DTSTART;VALUE=DATE:20261201";
    for end in [
        "DTEND;VALUE=DATE:99991231",
        "DTEND;VALUE=DATE:21500101",
        "DTEND:99991231T235959Z",
        "DURATION:P99999D",
    ] {
        let calendar = calendar(&format!("BEGIN:VEVENT\nUID:a\n{start}\n{end}\nEND:VEVENT"));
        let event = &calendar.events[0];
        let EntryTime::AllDay { until, .. } = event.time else { panic!("{event:?}") };
        assert_eq!((until.to_string().as_str(), event.ends), ("2200-01-01", true), "{end}");
        let said: Vec<&str> = calendar.warnings.iter().map(|warning| warning.what.as_ref()).collect();
        assert_eq!(
            said,
            ["an end more than a hundred years after the start: taken until 1 Jan 2200"],
            "{end}"
        );
    }
    let timed = calendar("BEGIN:VEVENT\nUID:a\nDTSTART:20261201T100000Z\nDTEND:99991231T000000Z\nEND:VEVENT");
    let EntryTime::Timed { ends_at, .. } = timed.events[0].time else { panic!("{timed:?}") };
    assert_eq!(ends_at.to_rfc3339(), "2200-01-01T10:00:00+00:00");
    // A series whose end is a mistake does not take every day for ever.
    let series =
        format!("BEGIN:VEVENT\nUID:a\n{start}\nDTEND;VALUE=DATE:99991231\nRRULE:FREQ=WEEKLY\nEND:VEVENT");
    assert!(!calendar(&series).events[0].ends);
}
