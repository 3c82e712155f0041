//! Times in other people's zones, around the nights in which their clocks change, and the names of those zones.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{booking::BookingTime, connection::ProviderKind};

use super::own_events::{OwnEventTime, ZoneLabel};

/// The zone; which part of the night of a change (`once` and `again` are the hour that the clocks show twice); from and
/// until as clocks there show it; from and until in UTC, as Python's zoneinfo tells it.
const CASES: &str = "
# Forward from 02:00 to 03:00.
America/New_York  before  2026-03-08T00:30  2026-03-08T01:30  2026-03-08T05:30  2026-03-08T06:30
America/New_York  across  2026-03-08T01:30  2026-03-08T03:30  2026-03-08T06:30  2026-03-08T07:30
America/New_York  after   2026-03-08T03:30  2026-03-08T04:30  2026-03-08T07:30  2026-03-08T08:30
America/New_York  nights  2026-03-07        2026-03-09        2026-03-07T05:00  2026-03-09T04:00
# Back from 02:00 to 01:00.
America/New_York  before  2026-10-31T23:30  2026-11-01T00:30  2026-11-01T03:30  2026-11-01T04:30
America/New_York  across  2026-11-01T00:30  2026-11-01T02:30  2026-11-01T04:30  2026-11-01T07:30
America/New_York  once    2026-11-01T01:10  2026-11-01T01:50  2026-11-01T05:10  2026-11-01T05:50
America/New_York  again   2026-11-01T01:10  2026-11-01T01:50  2026-11-01T06:10  2026-11-01T06:50
America/New_York  after   2026-11-01T02:30  2026-11-01T03:30  2026-11-01T07:30  2026-11-01T08:30
America/New_York  nights  2026-10-31        2026-11-02        2026-10-31T04:00  2026-11-02T05:00
# Forward from 02:00 to 03:00.
America/New_York  before  2027-03-14T00:30  2027-03-14T01:30  2027-03-14T05:30  2027-03-14T06:30
America/New_York  across  2027-03-14T01:30  2027-03-14T03:30  2027-03-14T06:30  2027-03-14T07:30
America/New_York  after   2027-03-14T03:30  2027-03-14T04:30  2027-03-14T07:30  2027-03-14T08:30
America/New_York  nights  2027-03-13        2027-03-15        2027-03-13T05:00  2027-03-15T04:00
# Back from 02:00 to 01:00.
America/New_York  before  2027-11-06T23:30  2027-11-07T00:30  2027-11-07T03:30  2027-11-07T04:30
America/New_York  across  2027-11-07T00:30  2027-11-07T02:30  2027-11-07T04:30  2027-11-07T07:30
America/New_York  once    2027-11-07T01:10  2027-11-07T01:50  2027-11-07T05:10  2027-11-07T05:50
America/New_York  again   2027-11-07T01:10  2027-11-07T01:50  2027-11-07T06:10  2027-11-07T06:50
America/New_York  after   2027-11-07T02:30  2027-11-07T03:30  2027-11-07T07:30  2027-11-07T08:30
America/New_York  nights  2027-11-06        2027-11-08        2027-11-06T04:00  2027-11-08T05:00
# Forward from 01:00 to 02:00.
Europe/London     before  2026-03-28T23:30  2026-03-29T00:30  2026-03-28T23:30  2026-03-29T00:30
Europe/London     across  2026-03-29T00:30  2026-03-29T02:30  2026-03-29T00:30  2026-03-29T01:30
Europe/London     after   2026-03-29T02:30  2026-03-29T03:30  2026-03-29T01:30  2026-03-29T02:30
Europe/London     nights  2026-03-28        2026-03-30        2026-03-28T00:00  2026-03-29T23:00
# Back from 02:00 to 01:00.
Europe/London     before  2026-10-24T23:30  2026-10-25T00:30  2026-10-24T22:30  2026-10-24T23:30
Europe/London     across  2026-10-25T00:30  2026-10-25T02:30  2026-10-24T23:30  2026-10-25T02:30
Europe/London     once    2026-10-25T01:10  2026-10-25T01:50  2026-10-25T00:10  2026-10-25T00:50
Europe/London     again   2026-10-25T01:10  2026-10-25T01:50  2026-10-25T01:10  2026-10-25T01:50
Europe/London     after   2026-10-25T02:30  2026-10-25T03:30  2026-10-25T02:30  2026-10-25T03:30
Europe/London     nights  2026-10-24        2026-10-26        2026-10-23T23:00  2026-10-26T00:00
# Forward from 01:00 to 02:00.
Europe/London     before  2027-03-27T23:30  2027-03-28T00:30  2027-03-27T23:30  2027-03-28T00:30
Europe/London     across  2027-03-28T00:30  2027-03-28T02:30  2027-03-28T00:30  2027-03-28T01:30
Europe/London     after   2027-03-28T02:30  2027-03-28T03:30  2027-03-28T01:30  2027-03-28T02:30
Europe/London     nights  2027-03-27        2027-03-29        2027-03-27T00:00  2027-03-28T23:00
# Back from 02:00 to 01:00.
Europe/London     before  2027-10-30T23:30  2027-10-31T00:30  2027-10-30T22:30  2027-10-30T23:30
Europe/London     across  2027-10-31T00:30  2027-10-31T02:30  2027-10-30T23:30  2027-10-31T02:30
Europe/London     once    2027-10-31T01:10  2027-10-31T01:50  2027-10-31T00:10  2027-10-31T00:50
Europe/London     again   2027-10-31T01:10  2027-10-31T01:50  2027-10-31T01:10  2027-10-31T01:50
Europe/London     after   2027-10-31T02:30  2027-10-31T03:30  2027-10-31T02:30  2027-10-31T03:30
Europe/London     nights  2027-10-30        2027-11-01        2027-10-29T23:00  2027-11-01T00:00
# Back from 03:00 to 02:00.
Australia/Sydney  before  2026-04-05T00:30  2026-04-05T01:30  2026-04-04T13:30  2026-04-04T14:30
Australia/Sydney  across  2026-04-05T01:30  2026-04-05T03:30  2026-04-04T14:30  2026-04-04T17:30
Australia/Sydney  once    2026-04-05T02:10  2026-04-05T02:50  2026-04-04T15:10  2026-04-04T15:50
Australia/Sydney  again   2026-04-05T02:10  2026-04-05T02:50  2026-04-04T16:10  2026-04-04T16:50
Australia/Sydney  after   2026-04-05T03:30  2026-04-05T04:30  2026-04-04T17:30  2026-04-04T18:30
Australia/Sydney  nights  2026-04-04        2026-04-06        2026-04-03T13:00  2026-04-05T14:00
# Forward from 02:00 to 03:00.
Australia/Sydney  before  2026-10-04T00:30  2026-10-04T01:30  2026-10-03T14:30  2026-10-03T15:30
Australia/Sydney  across  2026-10-04T01:30  2026-10-04T03:30  2026-10-03T15:30  2026-10-03T16:30
Australia/Sydney  after   2026-10-04T03:30  2026-10-04T04:30  2026-10-03T16:30  2026-10-03T17:30
Australia/Sydney  nights  2026-10-03        2026-10-05        2026-10-02T14:00  2026-10-04T13:00
# Back from 03:00 to 02:00.
Australia/Sydney  before  2027-04-04T00:30  2027-04-04T01:30  2027-04-03T13:30  2027-04-03T14:30
Australia/Sydney  across  2027-04-04T01:30  2027-04-04T03:30  2027-04-03T14:30  2027-04-03T17:30
Australia/Sydney  once    2027-04-04T02:10  2027-04-04T02:50  2027-04-03T15:10  2027-04-03T15:50
Australia/Sydney  again   2027-04-04T02:10  2027-04-04T02:50  2027-04-03T16:10  2027-04-03T16:50
Australia/Sydney  after   2027-04-04T03:30  2027-04-04T04:30  2027-04-03T17:30  2027-04-03T18:30
Australia/Sydney  nights  2027-04-03        2027-04-05        2027-04-02T13:00  2027-04-04T14:00
# Forward from 02:00 to 03:00.
Australia/Sydney  before  2027-10-03T00:30  2027-10-03T01:30  2027-10-02T14:30  2027-10-02T15:30
Australia/Sydney  across  2027-10-03T01:30  2027-10-03T03:30  2027-10-02T15:30  2027-10-02T16:30
Australia/Sydney  after   2027-10-03T03:30  2027-10-03T04:30  2027-10-02T16:30  2027-10-02T17:30
Australia/Sydney  nights  2027-10-02        2027-10-04        2027-10-01T14:00  2027-10-03T13:00
# Half an hour, and never another.
Asia/Kolkata      before  2026-03-29T00:15  2026-03-29T01:15  2026-03-28T18:45  2026-03-28T19:45
Asia/Kolkata      across  2026-03-29T01:30  2026-03-29T03:30  2026-03-28T20:00  2026-03-28T22:00
Asia/Kolkata      after   2026-03-29T05:00  2026-03-29T06:00  2026-03-28T23:30  2026-03-29T00:30
Asia/Kolkata      nights  2026-03-28        2026-03-30        2026-03-27T18:30  2026-03-29T18:30
Asia/Kolkata      before  2027-10-31T00:15  2027-10-31T01:15  2027-10-30T18:45  2027-10-30T19:45
Asia/Kolkata      across  2027-10-31T01:30  2027-10-31T03:30  2027-10-30T20:00  2027-10-30T22:00
Asia/Kolkata      after   2027-10-31T05:00  2027-10-31T06:00  2027-10-30T23:30  2027-10-31T00:30
Asia/Kolkata      nights  2027-10-30        2027-11-01        2027-10-29T18:30  2027-10-31T18:30
";

pub(super) struct ZoneCase {
    pub(super) part: &'static str,
    /// As the clocks show it, or a date.
    pub(super) local: (&'static str, &'static str),
    pub(super) from: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
}

impl ZoneCase {
    pub(super) fn all(zone: Tz) -> Vec<Self> {
        let lines = CASES.lines().filter(|line| line.starts_with(zone.name()));
        let case = |line: &'static str| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let [_, part, from, until, utc_from, utc_until] = columns[..] else { panic!("{line}") };
            let utc = |text: &str| format!("{text}:00Z").parse().unwrap();
            Self { part, local: (from, until), from: utc(utc_from), until: utc(utc_until) }
        };
        lines.map(case).collect()
    }

    pub(super) fn title(&self) -> String {
        format!("{} {}", self.part, self.from)
    }

    pub(super) fn reference(&self) -> String {
        self.title().replace(' ', "-")
    }

    pub(super) fn is_nights(&self) -> bool {
        self.part == "nights"
    }

    fn days(&self) -> (NaiveDate, NaiveDate) {
        (self.local.0.parse().unwrap(), self.local.1.parse().unwrap())
    }

    pub(super) fn time(&self) -> BookingTime {
        if self.is_nights() {
            let (check_in, check_out) = self.days();
            return BookingTime::Stay { check_in, check_out };
        }
        BookingTime::Timed { starts_at: self.from, ends_at: self.until }
    }

    /// What its owner sees of it.
    pub(super) fn seen(&self, kind: ProviderKind) -> (String, String, String) {
        let utc = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let (from, until) = if self.is_nights() {
            (self.local.0.to_owned(), self.local.1.to_owned())
        } else if kind == ProviderKind::Caldav && self.part == "once" {
            // Of two hours the first is meant (RFC 5545, 3.3.5); the foreign reader does not want to tell.
            (String::new(), String::new())
        } else {
            (utc(self.from), utc(self.until))
        };
        (format!("Sea View — Maria ({})", self.title()), from, until)
    }

    /// `None`: no clock can tell which of two hours it is.
    pub(super) fn own<'a>(&self, zone: ZoneLabel<'a>) -> Option<OwnEventTime<'a>> {
        if self.is_nights() {
            let (from, until) = self.days();
            return Some(OwnEventTime::Days { from, until });
        }
        let clock = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap();
        let (from, until) = (clock(self.local.0), clock(self.local.1));
        (!matches!(self.part, "once" | "again")).then_some(OwnEventTime::Clock { zone, from, until })
    }
}

/// By the names that applications there use for the zone, and for CalDAV by one that the object alone explains.
pub(super) fn zone_labels(kind: ProviderKind, zone: Tz) -> Vec<ZoneLabel<'static>> {
    let (windows, rules) = match zone {
        Tz::America__New_York => (
            "Eastern Standard Time",
            "BEGIN:DAYLIGHT\nDTSTART:20070311T020000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\nTZOFFSETFROM:-0500\n\
             TZOFFSETTO:-0400\nEND:DAYLIGHT\nBEGIN:STANDARD\nDTSTART:20071104T020000\n\
             RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\nTZOFFSETFROM:-0400\nTZOFFSETTO:-0500\nEND:STANDARD",
        ),
        Tz::Europe__London => (
            "GMT Standard Time",
            "BEGIN:DAYLIGHT\nDTSTART:19960331T010000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nTZOFFSETFROM:+0000\n\
             TZOFFSETTO:+0100\nEND:DAYLIGHT\nBEGIN:STANDARD\nDTSTART:19961027T020000\n\
             RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0000\nEND:STANDARD",
        ),
        Tz::Australia__Sydney => (
            "AUS Eastern Standard Time",
            "BEGIN:STANDARD\nDTSTART:20080406T030000\nRRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU\nTZOFFSETFROM:+1100\n\
             TZOFFSETTO:+1000\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:20081005T020000\n\
             RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=1SU\nTZOFFSETFROM:+1000\nTZOFFSETTO:+1100\nEND:DAYLIGHT",
        ),
        Tz::Asia__Kolkata => (
            "India Standard Time",
            "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0530\nTZOFFSETTO:+0530\nEND:STANDARD",
        ),
        other => panic!("there are no cases of {other}"),
    };
    let names = match kind {
        ProviderKind::Google => vec![zone.name()],
        // Not all of IANA's names are on its list.
        ProviderKind::Microsoft if zone == Tz::Europe__Lisbon => vec![windows],
        ProviderKind::Microsoft => vec![zone.name(), windows],
        ProviderKind::Caldav => vec![zone.name(), windows, "The zone at home"],
    };
    names.into_iter().map(|name| ZoneLabel { name, rules }).collect()
}
