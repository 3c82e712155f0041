//! What takes place in a window: series, what replaces their instances, and the change of the clock.

use super::super::reader::read;
use super::*;

/// The occurrences of a calendar with these VEVENTs (each without BEGIN and END) in a window, as
/// `id start summary`.
fn found(events: &[&str], from: &str, to: &str) -> Vec<String> {
    let events: Vec<String> =
        events.iter().map(|event| format!("BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n")).collect();
    let events = events.concat();
    let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n");
    let zone = chrono_tz::Europe::Lisbon;
    let calendar = read(text.as_bytes(), zone, &ReadLimits::default()).unwrap();
    assert_eq!(calendar.warnings, []);
    let window = Interval::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
    let found = calendar.occurrences(window, zone, &ReadLimits::default()).unwrap();
    found
        .iter()
        .map(|one| {
            assert_eq!(one.recurring, !one.id.is_empty());
            let start = match &one.time {
                EntryTime::Timed { starts_at, .. } => starts_at.format("%m-%dT%H:%MZ").to_string(),
                EntryTime::AllDay { from, .. } => from.format("%m-%d").to_string(),
            };
            format!("{} {start} {}", one.id, one.event.summary).trim().to_owned()
        })
        .collect()
}

const YEAR: (&str, &str) = ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");

fn year(events: &[&str]) -> Vec<String> {
    found(events, YEAR.0, YEAR.1)
}

#[test]
fn a_single_event_is_found_where_it_touches_the_window() {
    let event = "UID:a\nDTSTART:20260301T100000Z\nDTEND:20260301T110000Z\nSUMMARY:x";
    let find = |from, to| found(&[event], from, to).len();
    assert_eq!(find("2026-03-01T10:59:00Z", "2026-03-01T12:00:00Z"), 1);
    assert_eq!(find("2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"), 0);
    assert_eq!(find("2026-03-01T09:00:00Z", "2026-03-01T10:00:00Z"), 0);
}

#[test]
fn an_event_of_no_length_is_found_where_it_starts() {
    let event = "UID:a\nDTSTART:20260301T100000Z";
    assert_eq!(found(&[event], "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"), ["03-01T10:00Z"]);
    assert_eq!(found(&[event], "2026-03-01T09:00:00Z", "2026-03-01T10:00:00Z").len(), 0);
}

#[test]
fn a_day_begins_at_midnight_where_the_reader_is() {
    let event = "UID:a\nDTSTART;VALUE=DATE:20260701";
    // Lisbon is an hour ahead of UTC in July.
    assert_eq!(found(&[event], "2026-06-30T22:00:00Z", "2026-06-30T23:00:00Z").len(), 0);
    assert_eq!(found(&[event], "2026-06-30T22:00:00Z", "2026-06-30T23:00:01Z"), ["07-01"]);
    assert_eq!(found(&[event], "2026-07-01T23:00:00Z", "2026-07-02T00:00:00Z").len(), 0);
}

#[test]
fn a_series_keeps_its_hour_when_the_clock_changes() {
    for (zone, from, utc) in [
        ("America/New_York", "20260306", ["14:00", "14:00", "13:00", "13:00"]),
        ("Europe/London", "20260327", ["09:00", "09:00", "08:00", "08:00"]),
        ("Asia/Kolkata", "20260327", ["03:30", "03:30", "03:30", "03:30"]),
        ("Australia/Sydney", "20260403", ["22:00", "22:00", "23:00", "23:00"]),
    ] {
        let event =
            format!("UID:a\nDTSTART;TZID={zone}:{from}T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4");
        let found: Vec<String> = year(&[&event]).iter().map(|one| one[23..28].to_owned()).collect();
        assert_eq!(found, utc, "{zone}");
    }
}

#[test]
fn recurrence_in_dst_gap_or_overlap_occurs_once() {
    let gap = "UID:a\nDTSTART;TZID=America/New_York:20260307T023000\nRRULE:FREQ=DAILY;COUNT=3";
    assert_eq!(
        year(&[gap]),
        ["20260307T073000Z 03-07T07:30Z", "20260308T073000Z 03-08T07:30Z", "20260309T063000Z 03-09T06:30Z"]
    );
    let twice = "UID:a\nDTSTART;TZID=America/New_York:20261031T013000\nRRULE:FREQ=DAILY;COUNT=3";
    assert_eq!(
        year(&[twice]),
        ["20261031T053000Z 10-31T05:30Z", "20261101T053000Z 11-01T05:30Z", "20261102T063000Z 11-02T06:30Z"]
    );
}

#[test]
fn a_dtend_is_kept_exactly_and_a_duration_in_days_by_the_clock() {
    let ends = |event: &str| {
        let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{event}\nEND:VEVENT\nEND:VCALENDAR\n");
        let calendar = read(text.as_bytes(), Tz::UTC, &ReadLimits::default()).unwrap();
        let window = Interval::new(YEAR.0.parse().unwrap(), YEAR.1.parse().unwrap()).unwrap();
        let found = calendar.occurrences(window, Tz::UTC, &ReadLimits::default()).unwrap();
        let lengths: Vec<i64> = found
            .iter()
            .map(|one| match one.time {
                EntryTime::Timed { starts_at, ends_at, .. } => (ends_at - starts_at).num_hours(),
                EntryTime::AllDay { from, until } => (until - from).num_days(),
            })
            .collect();
        lengths
    };
    let start = "DTSTART;TZID=Europe/Berlin:20260328T120000";
    let rule = "RRULE:FREQ=DAILY;COUNT=2";
    assert_eq!(ends(&format!("{start}\nDTEND;TZID=Europe/Berlin:20260329T120000\n{rule}")), [23, 23]);
    assert_eq!(ends(&format!("{start}\nDURATION:P1D\n{rule}")), [23, 24]);
    assert_eq!(ends(&format!("{start}\nDURATION:PT24H\n{rule}")), [24, 24]);
    assert_eq!(ends("DTSTART;VALUE=DATE:20260328\nDURATION:P2D"), [2]);
    assert_eq!(ends("DTSTART;VALUE=DATE:20260328\nDTEND;VALUE=DATE:20260328"), [1]);
}

#[test]
fn until_is_of_any_kind() {
    for until in ["20260303T090000Z", "20260303", "20260303T090000", "20260304T085959Z"] {
        let event =
            format!("UID:a\nDTSTART;TZID=Europe/Lisbon:20260301T090000\nRRULE:FREQ=DAILY;UNTIL={until}");
        assert_eq!(year(&[&event]).len(), 3, "{until}");
    }
    // In New York 21:00 on the third is the fourth in UTC.
    let event =
        "UID:a\nDTSTART;TZID=America/New_York:20260301T210000\nRRULE:FREQ=DAILY;UNTIL=20260304T020000Z";
    assert_eq!(year(&[event]).len(), 3);
    for until in ["20260303", "20260303T000000Z", "20260303T235959"] {
        let event = format!("UID:a\nDTSTART;VALUE=DATE:20260301\nRRULE:FREQ=DAILY;UNTIL={until}");
        assert_eq!(year(&[&event]).len(), 3, "{until}");
    }
}

#[test]
fn exdate_is_of_any_kind() {
    for exdate in [
        "EXDATE:20260302T090000Z",
        "EXDATE;TZID=Europe/Lisbon:20260302T090000",
        "EXDATE;TZID=Europe/Berlin:20260302T100000",
        "EXDATE:20260302T090000",
        "EXDATE;VALUE=DATE:20260302",
        "EXDATE:20260302",
        "EXDATE;TZID=Europe/Lisbon:20260301T080000,20260302T090000",
    ] {
        let event =
            format!("UID:a\nDTSTART;TZID=Europe/Lisbon:20260301T090000\nRRULE:FREQ=DAILY;COUNT=3\n{exdate}");
        assert_eq!(year(&[&event]).len(), 2, "{exdate}");
    }
    for exdate in ["EXDATE;VALUE=DATE:20260302", "EXDATE:20260302T000000", "EXDATE:20260302T000000Z"] {
        let event = format!("UID:a\nDTSTART;VALUE=DATE:20260301\nRRULE:FREQ=DAILY;COUNT=3\n{exdate}");
        assert_eq!(year(&[&event]), ["20260301 03-01", "20260303 03-03"], "{exdate}");
    }
}

#[test]
fn rdate_adds_and_a_period_brings_its_length() {
    let event = "UID:a\nDTSTART:20260301T090000Z\nDURATION:PT1H\nRDATE:20260305T090000Z,20260305T090000Z\n\
        RDATE;VALUE=PERIOD:20260307T090000Z/PT3H\nRDATE;VALUE=DATE:20260309";
    assert_eq!(
        year(&[event]),
        [
            "20260301T090000Z 03-01T09:00Z",
            "20260305T090000Z 03-05T09:00Z",
            "20260307T090000Z 03-07T09:00Z",
            "20260309T090000Z 03-09T09:00Z"
        ]
    );
    assert_eq!(found(&[event], "2026-03-07T11:00:00Z", "2026-03-07T12:00:00Z").len(), 1);
}

const DAILY: &str =
    "UID:a\nDTSTART;TZID=Europe/Lisbon:20260301T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nSUMMARY:m";

#[test]
fn an_override_takes_the_place_of_its_instance() {
    for place in [
        "RECURRENCE-ID:20260302T090000Z",
        "RECURRENCE-ID;TZID=Europe/Lisbon:20260302T090000",
        "RECURRENCE-ID;TZID=Europe/Berlin:20260302T100000",
        "RECURRENCE-ID:20260302T090000",
    ] {
        let moved = format!("UID:a\n{place}\nDTSTART:20260302T150000Z\nSUMMARY:moved");
        assert_eq!(
            year(&[&moved, DAILY]),
            [
                "20260301T090000Z 03-01T09:00Z m",
                "20260302T090000Z 03-02T15:00Z moved",
                "20260303T090000Z 03-03T09:00Z m"
            ],
            "{place}"
        );
    }
    let by_date = "UID:a\nRECURRENCE-ID;VALUE=DATE:20260302\nDTSTART:20260302T150000Z\nSUMMARY:moved";
    assert_eq!(year(&[DAILY, by_date]).len(), 3);
}

#[test]
fn an_override_is_found_where_it_was_moved_to() {
    let moved = "UID:a\nRECURRENCE-ID:20260302T090000Z\nDTSTART:20260901T150000Z\nSUMMARY:moved";
    assert_eq!(
        found(&[DAILY, moved], "2026-09-01T00:00:00Z", "2026-09-02T00:00:00Z"),
        ["20260302T090000Z 09-01T15:00Z moved"]
    );
    assert_eq!(found(&[DAILY, moved], "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z").len(), 0);
}

#[test]
fn of_two_versions_the_higher_sequence_counts() {
    let first = "UID:a\nSEQUENCE:2\nRECURRENCE-ID:20260302T090000Z\nDTSTART:20260302T150000Z\nSUMMARY:two";
    let second = "UID:a\nSEQUENCE:1\nRECURRENCE-ID:20260302T090000Z\nDTSTART:20260302T160000Z\nSUMMARY:one";
    assert_eq!(year(&[DAILY, first, second])[1], "20260302T090000Z 03-02T15:00Z two");
    let single = [
        "UID:b\nSEQUENCE:1\nDTSTART:20260301T090000Z\nSUMMARY:new",
        "UID:b\nDTSTART:20260301T100000Z\nSUMMARY:old",
    ];
    assert_eq!(year(&single), ["03-01T09:00Z new"]);
}

#[test]
fn what_is_cancelled_is_left_out() {
    let gone = "UID:a\nRECURRENCE-ID:20260302T090000Z\nDTSTART:20260302T090000Z\nSTATUS:CANCELLED";
    assert_eq!(year(&[DAILY, gone]).len(), 2);
    assert_eq!(year(&[&format!("{DAILY}\nSTATUS:CANCELLED")]).len(), 0);
    assert_eq!(year(&["UID:b\nDTSTART:20260301T090000Z\nSTATUS:CANCELED"]).len(), 0);
}

#[test]
fn an_override_without_its_series_stands_for_itself() {
    let moved = "UID:a\nRECURRENCE-ID:20260302T090000Z\nDTSTART:20260302T150000Z\nSUMMARY:moved";
    assert_eq!(year(&[moved]), ["20260302T090000Z 03-02T15:00Z moved"]);
}

#[test]
fn a_hostile_calendar_ends_by_the_budget() {
    let places = |count: usize| -> Vec<String> {
        (0..count)
            .map(|n| {
                format!("2026{:02}{:02}T{:02}{:02}00Z", n / 28 % 12 + 1, n % 28 + 1, n / 336 % 24, n / 8064)
            })
            .collect()
    };
    let series = format!("UID:a\nSEQUENCE:2\nDTSTART:20260101T000000Z\nRDATE:{}", places(10_000).join(","));
    let overrides = places(4_000)
        .into_iter()
        .map(|place| format!("UID:a\nRECURRENCE-ID;RANGE=THISANDFUTURE:{place}\nDTSTART:{place}"));
    let events: Vec<String> = std::iter::once(series)
        .chain(overrides)
        .map(|event| format!("BEGIN:VEVENT\n{event}\nEND:VEVENT\n"))
        .collect();
    let text = format!("BEGIN:VCALENDAR\n{}END:VCALENDAR\n", events.concat());
    let calendar = read(text.as_bytes(), Tz::UTC, &ReadLimits::default()).unwrap();
    let window = Interval::new(YEAR.0.parse().unwrap(), YEAR.1.parse().unwrap()).unwrap();
    let end = calendar.occurrences(window, Tz::UTC, &ReadLimits::default());
    assert_eq!(end.map(|found| found.len()), Err(ReadError::TooMuchWork));
}

#[test]
fn an_older_override_goes_with_its_place() {
    let moved = "UID:a\nSEQUENCE:1\nRECURRENCE-ID:20260302T090000Z\nDTSTART:20260302T150000Z\nSUMMARY:moved";
    let series = |rest: &str| format!("{DAILY}\n{rest}");
    assert_eq!(year(&[moved, &series("SEQUENCE:2\nEXDATE:20260302T090000Z")]).len(), 2);
    assert_eq!(year(&[moved, &series("SEQUENCE:1\nEXDATE:20260302T090000Z")]).len(), 3);
    assert_eq!(year(&[moved, &series("SEQUENCE:2")])[1], "20260302T090000Z 03-02T15:00Z moved");
    assert_eq!(year(&[moved, "UID:a\nSEQUENCE:2\nDTSTART:20260301T090000Z"]), ["03-01T09:00Z"]);
}

#[test]
fn until_goes_before_count_and_may_leave_nothing() {
    let both = "UID:a\nDTSTART;VALUE=DATE:20260301\nRRULE:FREQ=DAILY;UNTIL=20260304;COUNT=-1";
    assert_eq!(year(&[both]).len(), 4);
    let nothing = "UID:a\nDTSTART;VALUE=DATE:20260301\nRRULE:FREQ=DAILY;UNTIL=20260228";
    assert_eq!(year(&[nothing]).len(), 0);
}

#[test]
fn each_of_several_rules_counts_its_own() {
    let event = "UID:a\nDTSTART:20260305T090000Z\nRRULE:FREQ=WEEKLY;BYDAY=TH;COUNT=3\nRRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2";
    assert_eq!(year(&[event]).len(), 5);
}

#[test]
fn this_and_future_moves_all_that_follow() {
    let later = "UID:a\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260302T090000Z\nDTSTART;TZID=Europe/Lisbon:20260302T150000\n\
        DURATION:PT2H\nSUMMARY:later";
    assert_eq!(
        year(&[DAILY, later]),
        [
            "20260301T090000Z 03-01T09:00Z m",
            "20260302T090000Z 03-02T15:00Z later",
            "20260303T090000Z 03-03T15:00Z later"
        ]
    );
    let gone = format!("{later}\nSTATUS:CANCELLED");
    assert_eq!(year(&[DAILY, &gone]).len(), 1);
}

#[test]
fn a_series_far_back_is_found_in_its_window() {
    let event = "UID:a\nDTSTART;VALUE=DATE:19700101\nRRULE:FREQ=YEARLY\nSUMMARY:birthday";
    assert_eq!(year(&[event]), ["20260101 01-01 birthday"]);
    let days = "UID:a\nDTSTART:19700101T080000Z\nRRULE:FREQ=HOURLY";
    assert_eq!(found(&[days], "2026-03-01T00:30:00Z", "2026-03-01T03:00:00Z").len(), 2);
}

#[test]
fn a_long_event_that_began_before_the_window_is_found() {
    let event = "UID:a\nDTSTART;VALUE=DATE:20260101\nDTEND;VALUE=DATE:20260131\nRRULE:FREQ=MONTHLY";
    assert_eq!(found(&[event], "2026-03-25T00:00:00Z", "2026-03-26T00:00:00Z"), ["20260301 03-01"]);
}

#[test]
fn events_without_a_uid_are_all_found() {
    assert_eq!(year(&["DTSTART:20260301T090000Z", "DTSTART:20260302T090000Z"]).len(), 2);
}

#[test]
fn more_than_is_allowed_is_an_error() {
    let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101T000000Z\nRRULE:FREQ=DAILY\nEND:VEVENT\nEND:VCALENDAR\n";
    let calendar = read(text.as_bytes(), Tz::UTC, &ReadLimits::default()).unwrap();
    let window = Interval::new(YEAR.0.parse().unwrap(), YEAR.1.parse().unwrap()).unwrap();
    let most = |occurrences, steps| {
        let limits = ReadLimits { occurrences, steps, ..ReadLimits::default() };
        calendar.occurrences(window, Tz::UTC, &limits).map(|found| found.len())
    };
    assert_eq!(most(400, 100_000), Ok(365));
    assert_eq!(most(300, 100_000), Err(ReadError::TooManyOccurrences));
    assert_eq!(most(400, 100), Err(ReadError::TooMuchWork));
}

#[test]
fn one_uid_for_all_is_still_all() {
    let night = |day: u8, sequence: u8| {
        format!(
            "UID:a\nSEQUENCE:{sequence}\nDTSTAMP:202603{day:02}T000000Z\nDTSTART;VALUE=DATE:202603{day:02}"
        )
    };
    assert_eq!(year(&[&night(1, 0), &night(5, 0), &night(3, 0), &night(5, 0)]), ["03-01", "03-03", "03-05"]);
    // Nor is a later one's new version another one, or the first one's.
    assert_eq!(year(&[&night(1, 0), &night(5, 0), &night(5, 1)]), ["03-01", "03-05"]);
    // Unless one says that it takes the place of the other.
    assert_eq!(year(&[&night(1, 0), &night(5, 1)]), ["03-05"]);
}
