//! Each rule is broken once, and only by what breaks it.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Rule, lint};

/// Good, with something of everything.
const GOOD: &str = "BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Concord//Test//EN
METHOD:PUBLISH
REFRESH-INTERVAL;VALUE=DURATION:PT30M
BEGIN:VTIMEZONE
TZID:Europe/Lisbon
BEGIN:STANDARD
DTSTART:19961027T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:1@x.org
DTSTAMP:20261101T090000Z
DTSTART;TZID=Europe/Lisbon:20261205T090000
DTEND;TZID=Europe/Lisbon:20261205T100000
RRULE:FREQ=WEEKLY;COUNT=3;BYDAY=SA
SUMMARY:Massage\\, hot stones\\; 90 min\\n
 and a fold
ORGANIZER;CN=\"Casa; do: Mar\";PARTSTAT=ACCEPTED:mailto:book@x.org
STATUS:CONFIRMED
SEQUENCE:2
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:Soon
TRIGGER:-PT15M
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:2@x.org
DTSTAMP:20261101T090000Z
DTSTART;VALUE=DATE:20261205
DTEND;VALUE=DATE:20261206
END:VEVENT
END:VCALENDAR
";

fn good() -> String {
    GOOD.replace('\n', "\r\n")
}

#[test]
fn good_is_good() {
    assert_eq!(lint(good().as_bytes()), []);
}

/// A rule, what is replaced in `GOOD` (line ends are CR LF by then), and by what.
const BROKEN: &[(Rule, &str, &str)] = &[
    (Rule::LineEnd, "STATUS:CONFIRMED\r\n", "STATUS:CONFIRMED\n"),
    (Rule::LineEnd, "END:VCALENDAR\r\n", "END:VCALENDAR"),
    (Rule::LineEnd, "Soon", "So\ron"),
    (
        Rule::LineLength,
        "Soon",
        "Soon, or a little later than soon, but by all means before it is too late to come",
    ),
    (Rule::BlankLine, "STATUS:", "\r\nSTATUS:"),
    (Rule::BlankLine, "STATUS:", " \r\nSTATUS:"),
    (Rule::Fold, "BEGIN:VCALENDAR\r\n", " BEGIN:VCALENDAR\r\nBEGIN:VCALENDAR\r\n"),
    (Rule::Utf8, "BEGIN:VCALENDAR\r\nVERSION", "\u{feff}BEGIN:VCALENDAR\r\nVERSION"),
    (Rule::Control, "Soon", "So\u{7}on"),
    (Rule::Control, "Soon", "So\u{85}on"),
    (Rule::Control, "Soon", "So\u{2028}on"),
    (Rule::Syntax, "STATUS:CONFIRMED", "STATUS"),
    (Rule::Syntax, "STATUS:CONFIRMED", "ÉTAT:CONFIRMED"),
    (Rule::Syntax, "PARTSTAT=ACCEPTED", "PARTSTAT"),
    (Rule::Syntax, "CN=\"Casa; do: Mar\"", "CN=\"Casa\"Mar"),
    (Rule::Syntax, "CN=\"Casa; do: Mar\"", "CN=Ca\"sa"),
    (Rule::Syntax, "PARTSTAT=ACCEPTED", "CN=x"),
    (Rule::Nesting, "END:VALARM\r\nEND:VEVENT", "END:VEVENT\r\nEND:VALARM"),
    (Rule::Nesting, "BEGIN:VALARM\r\n", "BEGIN:VEVENT\r\nEND:VEVENT\r\nBEGIN:VALARM\r\n"),
    (Rule::Nesting, "END:VCALENDAR\r\n", ""),
    (Rule::Nesting, "END:VCALENDAR\r\n", "END:VCALENDAR\r\nEND:VCALENDAR\r\n"),
    (Rule::Nesting, "END:VCALENDAR\r\n", "NAME:x\r\nEND:VCALENDAR\r\n"),
    (Rule::Nesting, "END:VCALENDAR\r\n", "END:VCALENDAR\r\nNAME:x\r\n"),
    (Rule::Escape, "\\, hot", ", hot"),
    (Rule::Escape, "\\; 90", "; 90"),
    (Rule::Escape, "\\; 90", "\\: 90"),
    (Rule::Escape, "Soon", "Soon\\"),
    (Rule::Missing, "PRODID:-//Concord//Test//EN\r\n", ""),
    (Rule::Missing, "VERSION:2.0\r\n", ""),
    (Rule::Missing, "UID:1@x.org\r\n", ""),
    (Rule::Missing, "UID:1@x.org\r\nDTSTAMP:20261101T090000Z\r\n", "UID:1@x.org\r\n"),
    (Rule::Missing, "DTSTART;VALUE=DATE:20261205\r\n", ""),
    (Rule::Missing, "ACTION:DISPLAY\r\n", ""),
    (Rule::Missing, "TZOFFSETTO:+0000\r\n", ""),
    (Rule::Repeated, "VERSION:2.0\r\n", "VERSION:2.0\r\nVERSION:2.0\r\n"),
    (Rule::Repeated, "UID:1@x.org\r\n", "UID:1@x.org\r\nUID:3@x.org\r\n"),
    (Rule::Repeated, "SEQUENCE:2\r\n", "SEQUENCE:2\r\nSEQUENCE:2\r\n"),
    (Rule::Version, "VERSION:2.0", "VERSION:1.0"),
    (Rule::SameUid, "UID:2@x.org", "UID:1@x.org"),
    (Rule::Time, "DTSTART;VALUE=DATE:20261205", "DTSTART;VALUE=DATE:20260231"),
    (Rule::Time, "DTSTART;VALUE=DATE:20261205", "DTSTART:20261205"),
    (Rule::Time, "Lisbon:20261205T100000", "Lisbon:20261205T250000"),
    (Rule::Time, "DTSTAMP:20261101T090000Z", "DTSTAMP:2026-11-01T09:00:00Z"),
    (Rule::Utc, "DTSTAMP:20261101T090000Z", "DTSTAMP:20261101T090000"),
    (Rule::Zone, "TZID:Europe/Lisbon", "TZID:Europe/Madrid"),
    (Rule::Zone, "Lisbon:20261205T100000", "Lisbon:20261205T100000Z"),
    (Rule::End, "DTEND;VALUE=DATE:20261206", "DTEND;VALUE=DATE:20261205"),
    (Rule::End, "DTEND;VALUE=DATE:20261206", "DTEND:20261206T000000Z"),
    (Rule::End, "DTEND;VALUE=DATE:20261206", "DTEND;VALUE=DATE:20261206\r\nDURATION:P1D"),
    (Rule::End, "Lisbon:20261205T100000", "Lisbon:20261205T080000"),
    (Rule::Duration, "REFRESH-INTERVAL;VALUE=DURATION:", "REFRESH-INTERVAL:"),
    (Rule::Duration, "PT30M", "30M"),
    (Rule::Duration, "-PT15M", "-P15M"),
    (Rule::Number, "SEQUENCE:2", "SEQUENCE:-1"),
    (Rule::Number, "SEQUENCE:2", "SEQUENCE:two"),
    (Rule::Keyword, "STATUS:CONFIRMED", "STATUS:APPROVED"),
    (Rule::Keyword, "STATUS:CONFIRMED", "TRANSP:FREE"),
    (Rule::Keyword, "METHOD:PUBLISH", "METHOD:POST"),
    (Rule::ParameterWord, "PARTSTAT=ACCEPTED", "PARTSTAT=YES"),
    (Rule::Uri, "mailto:book@x.org", "book@x.org"),
    (Rule::Uri, "mailto:book@x.org", "mailto:book me@x.org"),
    (Rule::Recurrence, "FREQ=WEEKLY;", ""),
    (Rule::Recurrence, "COUNT=3", "COUNT=3;UNTIL=20270101T000000Z"),
    (Rule::Recurrence, "FREQ=WEEKLY", "FREQ=FORTNIGHTLY"),
    (Rule::Method, "SEQUENCE:2\r\n", "SEQUENCE:2\r\nATTENDEE:mailto:a@x.org\r\n"),
    (Rule::Method, "METHOD:PUBLISH", "METHOD:REQUEST"),
];

#[test]
fn every_rule_can_be_broken() {
    for (rule, from, to) in BROKEN {
        assert!(good().contains(from), "{from:?} is not there to be broken");
        let found: BTreeSet<Rule> =
            lint(good().replacen(from, to, 1).as_bytes()).into_iter().map(|fault| fault.rule).collect();
        assert!(found.contains(rule), "{rule} by {to:?}: found {found:?}");
    }
    let tried: BTreeSet<Rule> = BROKEN.iter().map(|(rule, ..)| *rule).collect();
    assert_eq!(tried, Rule::ALL.iter().copied().collect());
}

#[test]
fn a_fault_names_its_line() {
    let faults = lint(good().replace("SEQUENCE:2", "SEQUENCE:x").as_bytes());
    assert_eq!(faults.len(), 1);
    assert_eq!(
        (faults[0].line, faults[0].text.as_str()),
        (24, "SEQUENCE: x is no number from 0 to 2147483647")
    );
}

#[test]
fn a_split_character_is_found() {
    let mut bytes = good().into_bytes();
    let at = good().find("Soon").unwrap();
    bytes.splice(at..at, *b"\xC3\r\n \xBC");
    assert_eq!(lint(&bytes).iter().map(|fault| fault.rule).collect::<Vec<_>>(), [Rule::Utf8, Rule::Utf8]);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(noise in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..900) {
        let mut bytes = good().into_bytes();
        let at = at.min(bytes.len());
        bytes.splice(at..at, noise);
        lint(&bytes);
    }
}
