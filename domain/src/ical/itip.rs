//! A message about one booking to one attendee (iTIP, RFC 5546), and the same booking to be downloaded.
//!
//! What real readers need, beside the RFCs: hours in UTC, since Exchange refuses some descriptions of zones; TRANSP and
//! Microsoft's own word for it, or a stay counts as free time in Outlook; no quotes in a name, which few readers unescape
//! (RFC 6868).

use chrono::{DateTime, Utc};

use super::{
    FeedStatus,
    feed::{PRODUCT, booking_times},
    property::{self as p, ComponentName, PropertyParameter},
    scheduling::{Attendee, Method, Organizer},
    writer::IcalWriter,
};
use crate::booking::BookingTime;

/// One booking, as it stands in a message or in a file.
#[derive(Clone, Copy, Debug)]
pub struct BookingEvent<'a> {
    pub uid: &'a str,
    pub sequence: u32,
    /// When the message was made; of a file, when the booking was last changed.
    pub dtstamp: DateTime<Utc>,
    pub created: DateTime<Utc>,
    pub time: BookingTime,
    pub summary: &'a str,
    /// Lines separated by `\n`; may be empty.
    pub description: &'a str,
    /// Where it takes place; empty where nobody has said it.
    pub location: &'a str,
    /// Where the people meet by video; may be empty.
    pub meeting_url: &'a str,
    /// The attendee's own page of the booking; may be empty.
    pub url: &'a str,
    pub status: FeedStatus,
    pub organizer: Organizer<'a>,
}

/// What an event is written for.
#[derive(Clone, Copy, Debug)]
pub enum EventUse<'a> {
    /// To be put into a calendar by whoever downloads it (METHOD:PUBLISH, which has no attendees: RFC 5546, 3.2.1).
    Download,
    /// To invite the attendee, or to tell them of a change.
    Request(Attendee<'a>),
    /// To take it out of the calendar of every attendee.
    Cancel(Attendee<'a>),
    /// To take it out of the calendar of this attendee alone: without STATUS, which would be that of the booking.
    Remove(Attendee<'a>),
}

impl<'a> EventUse<'a> {
    /// METHOD of the calendar.
    pub fn method(self) -> Method {
        match self {
            Self::Download => Method::Publish,
            Self::Request(_) => Method::Request,
            Self::Cancel(_) | Self::Remove(_) => Method::Cancel,
        }
    }

    fn attendee(self) -> Option<Attendee<'a>> {
        match self {
            Self::Download => None,
            Self::Request(attendee) | Self::Cancel(attendee) | Self::Remove(attendee) => Some(attendee),
        }
    }
}

/// The calendar with the one event.
pub fn write_booking_event(event: &BookingEvent<'_>, purpose: EventUse<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    let mut writer = IcalWriter::new(&mut out);
    writer.begin(ComponentName::Calendar);
    writer.keyword(p::VERSION, "2.0");
    writer.text(p::PRODID, PRODUCT);
    writer.keyword(p::CALSCALE, "GREGORIAN");
    purpose.method().write(&mut writer);
    writer.begin(ComponentName::Event);
    writer.text(p::UID, event.uid);
    writer.integer(p::SEQUENCE, event.sequence);
    writer.instant(p::DTSTAMP, event.dtstamp);
    writer.instant(p::CREATED, event.created);
    let (starts, ends) = booking_times(event.time);
    writer.moment(p::DTSTART, starts);
    writer.moment(p::DTEND, ends);
    writer.text(p::SUMMARY, event.summary);
    write_texts(&mut writer, event);
    event.organizer.write(&mut writer);
    if let Some(attendee) = purpose.attendee() {
        attendee.write(&mut writer);
    }
    if !matches!(purpose, EventUse::Remove(_)) {
        writer.keyword(p::STATUS, event.status.keyword());
    }
    writer.keyword(p::TRANSP, "OPAQUE");
    let busy = if event.status == FeedStatus::Tentative { "TENTATIVE" } else { "BUSY" };
    writer.keyword(p::X_MICROSOFT_CDO_BUSYSTATUS, busy);
    writer.end(ComponentName::Event);
    writer.end(ComponentName::Calendar);
    out
}

fn write_texts(writer: &mut IcalWriter<'_>, event: &BookingEvent<'_>) {
    if !event.description.is_empty() {
        writer.text(p::DESCRIPTION, event.description);
    }
    // Most readers make a link of what stands in LOCATION, and few know CONFERENCE.
    let location = match (event.location, event.meeting_url) {
        (place, "") => place.to_owned(),
        ("", link) => link.to_owned(),
        (place, link) => format!("{place}, {link}"),
    };
    if !location.is_empty() {
        writer.text(p::LOCATION, &location);
    }
    if !event.meeting_url.is_empty() {
        writer.uri_with(p::CONFERENCE, &[PropertyParameter::keyword("FEATURE", "VIDEO")], event.meeting_url);
    }
    if !event.url.is_empty() {
        writer.uri(p::URL, event.url);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::{
        fixtures::{at, stay, timed},
        lint::lint,
    };

    const ORGANIZER: Organizer<'static> = Organizer { name: "Casa \"do\" Mar", mail: "book@casa.example" };
    const ATTENDEE: Attendee<'static> = Attendee {
        name: "Silva; Maria \"Mia\"\r\nATTENDEE:mailto:x@y.z",
        mail: "maria@example.org",
        answer: None,
    };

    fn event(time: BookingTime) -> BookingEvent<'static> {
        BookingEvent {
            uid: "booking-1@concord.example",
            sequence: 2,
            dtstamp: at("2026-11-20T09:00:00Z"),
            created: at("2026-11-01T09:00:00Z"),
            time,
            summary: "Massage, hot stones \u{1f33f} – Casa do Mar",
            description: "Reference: SV-1\nBring a towel; please.",
            location: "Rua do Mar 7",
            meeting_url: "https://meet.example/a?b=c,d",
            url: "https://book.example/b/cb_1",
            status: FeedStatus::Confirmed,
            organizer: ORGANIZER,
        }
    }

    fn lines(event: &BookingEvent<'_>, purpose: EventUse<'_>) -> Vec<String> {
        let out = write_booking_event(event, purpose);
        assert_eq!(lint(&out), []);
        String::from_utf8(out).unwrap().replace("\r\n ", "").lines().map(str::to_owned).collect()
    }

    #[test]
    fn hours_are_in_utc_and_stays_are_dates_that_take_time() {
        let hours =
            lines(&event(timed("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z")), EventUse::Request(ATTENDEE));
        for line in [
            "DTSTART:20261201T100000Z",
            "DTEND:20261201T110000Z",
            "TRANSP:OPAQUE",
            "METHOD:REQUEST",
            "SEQUENCE:2",
        ] {
            assert!(hours.iter().any(|found| found == line), "{line}: {hours:#?}");
        }
        let nights = lines(&event(stay("2026-12-01", "2026-12-03")), EventUse::Request(ATTENDEE));
        for line in [
            "DTSTART;VALUE=DATE:20261201",
            "DTEND;VALUE=DATE:20261203",
            "TRANSP:OPAQUE",
            "X-MICROSOFT-CDO-BUSYSTATUS:BUSY",
        ] {
            assert!(nights.iter().any(|found| found == line), "{line}: {nights:#?}");
        }
    }

    #[test]
    fn names_have_no_quotes_and_inject_nothing() {
        let lines = lines(&event(stay("2026-12-01", "2026-12-03")), EventUse::Request(ATTENDEE));
        let attendees: Vec<&String> = lines.iter().filter(|line| line.starts_with("ATTENDEE")).collect();
        assert_eq!(
            attendees,
            ["ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;\
              CN=\"Silva; Maria 'Mia' ATTENDEE:mailto:x@y.z\":mailto:maria@example.org"]
        );
        assert!(lines.contains(&"ORGANIZER;CN=\"Casa 'do' Mar\":mailto:book@casa.example".to_owned()));
    }

    #[test]
    fn meeting_stands_where_every_reader_looks() {
        let lines = lines(&event(stay("2026-12-01", "2026-12-03")), EventUse::Download);
        assert!(
            lines.contains(&"LOCATION:Rua do Mar 7\\, https://meet.example/a?b=c\\,d".to_owned()),
            "{lines:#?}"
        );
        assert!(
            lines.contains(&"CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://meet.example/a?b=c,d".to_owned()),
            "{lines:#?}"
        );
        assert!(lines.contains(&"METHOD:PUBLISH".to_owned()));
        assert!(!lines.iter().any(|line| line.starts_with("ATTENDEE")));
    }

    #[test]
    fn cancellation_of_one_attendee_says_nothing_of_the_booking() {
        let mut event = event(timed("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z"));
        event.status = FeedStatus::Cancelled;
        let cancelled = lines(&event, EventUse::Cancel(ATTENDEE));
        let removed = lines(&event, EventUse::Remove(ATTENDEE));
        assert!(cancelled.contains(&"STATUS:CANCELLED".to_owned()));
        assert!(!removed.iter().any(|line| line.starts_with("STATUS")));
        for lines in [cancelled, removed] {
            assert!(lines.contains(&"METHOD:CANCEL".to_owned()));
        }
    }
}
