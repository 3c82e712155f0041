//! Objects as a person's own application writes and shows them. Nothing of ours writes or reads them here.

use crate::fixture::Appointment;
use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Europe::Lisbon;

const ZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:Europe/Lisbon\r\n\
    BEGIN:DAYLIGHT\r\nDTSTART:19960331T010000\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\nTZNAME:WEST\r\n\
    RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\n\
    BEGIN:STANDARD\r\nDTSTART:19961027T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0000\r\nTZNAME:WET\r\n\
    RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";

fn clock(at: DateTime<Utc>) -> String {
    Lisbon.from_utc_datetime(&at.naive_utc()).format("%Y%m%dT%H%M%S").to_string()
}

/// An appointment in Lisbon.
pub(super) fn of(appointment: &Appointment) -> String {
    let (start, end) = (clock(appointment.time.start), clock(appointment.time.end));
    let rule = appointment.recurrence.map(|rule| format!("{rule}\r\n")).unwrap_or_default();
    let transparency = if appointment.free { "TRANSP:TRANSPARENT\r\n" } else { "" };
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//A person//EN\r\n{ZONE}BEGIN:VEVENT\r\nUID:{}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Lisbon:{start}\r\nDTEND;TZID=Europe/Lisbon:{end}\r\n\
         SUMMARY:{}\r\n{rule}{transparency}END:VEVENT\r\nEND:VCALENDAR\r\n",
        uuid::Uuid::now_v7(),
        appointment.title,
    )
}

/// A meeting of an hour on 1 December 2026, to which somebody is invited and has given an answer.
pub(super) fn invitation(email: &str, answer: &str, hour: u32) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//A person//EN\r\nBEGIN:VEVENT\r\nUID:{}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T{hour:02}0000Z\r\nDURATION:PT1H\r\nSUMMARY:Meeting\r\n\
         ORGANIZER:mailto:boss@example.com\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:boss@example.com\r\n\
         ATTENDEE;PARTSTAT={answer}:mailto:{email}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        uuid::Uuid::now_v7(),
    )
}

/// The object with other times.
pub(super) fn moved(object: &str, starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> String {
    let unfolded = object.replace("\r\n ", "").replace("\n ", "");
    let mut in_event = false;
    let mut lines = Vec::new();
    for line in unfolded.lines() {
        in_event |= line == "BEGIN:VEVENT";
        if in_event && ["DTSTART", "DTEND", "DURATION"].iter().any(|name| line.starts_with(name)) {
            continue;
        }
        lines.push(line.to_owned());
        if line == "BEGIN:VEVENT" {
            lines.push(format!("DTSTART:{}", starts_at.format("%Y%m%dT%H%M%SZ")));
            lines.push(format!("DTEND:{}", ends_at.format("%Y%m%dT%H%M%SZ")));
        }
    }
    lines.join("\r\n") + "\r\n"
}
