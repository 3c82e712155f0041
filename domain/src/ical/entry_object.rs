//! An entry as an object of a calendar collection (RFC 4791, 4.1): one VEVENT with the zone that it names.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    feed::PRODUCT,
    property::{self as p, ComponentName},
    timezone::{EventTimes, write_timezones},
    writer::{IcalTime, IcalWriter},
};
use crate::{
    entry::{EntryContent, EntryTime},
    ids::EntryId,
};

/// The property by which an entry of ours is known again.
pub const ENTRY_PROPERTY: &str = p::X_CONCORD_ENTRY.as_str();
/// The zone of an entry whose hours only UTC can tell.
pub const ZONE_PROPERTY: &str = p::X_CONCORD_ZONE.as_str();
/// The mark of the words that we wrote last.
pub const WORDS_PROPERTY: &str = p::X_CONCORD_WORDS.as_str();
/// The category that we wrote last.
pub const COLOUR_PROPERTY: &str = p::X_CONCORD_COLOUR.as_str();
/// How many minutes before the entry our alarms are, separated by blanks.
pub const REMINDERS_PROPERTY: &str = p::X_CONCORD_REMINDERS.as_str();

/// The UID of an entry's object.
///
/// It is not the booking's: a UID may stand in one calendar of an account only (RFC 4791, 5.3.2.1, and iCloud means the
/// whole account), while a booking may stand in two of them, for two members of the staff.
pub fn entry_uid(entry: EntryId) -> String {
    entry.to_string()
}

/// Appends the object of an entry, written at `now`. `words` is the mark of its description, by which a later write knows
/// what people have added to that.
///
/// It names no ORGANIZER and no ATTENDEE, so a server that schedules by itself invites nobody.
pub fn write_entry(out: &mut Vec<u8>, content: &EntryContent, words: &str, now: DateTime<Utc>) {
    let mut writer = IcalWriter::new(out);
    writer.begin(ComponentName::Calendar);
    writer.keyword(p::VERSION, "2.0");
    writer.text(p::PRODID, PRODUCT);
    writer.keyword(p::CALSCALE, "GREGORIAN");
    let times = event_times(&content.time);
    write_timezones(&mut writer, [&times.0]);
    write_event(&mut writer, content, words, times, now);
    writer.end(ComponentName::Calendar);
}

/// On the clock of its zone where that can tell it; and the zone in which people read it, where it cannot.
fn event_times(time: &EntryTime) -> (EventTimes, Option<Tz>) {
    match *time {
        EntryTime::AllDay { from, until } => {
            (EventTimes::plain(IcalTime::On(from), IcalTime::On(until)), None)
        }
        EntryTime::Timed { starts_at, ends_at, zone } => {
            let times = EventTimes::on_the_clock(zone, IcalTime::At(starts_at), IcalTime::At(ends_at));
            (times, (zone != Tz::UTC && !times.is_zoned()).then_some(zone))
        }
    }
}

fn write_event(
    writer: &mut IcalWriter<'_>,
    content: &EntryContent,
    words: &str,
    times: (EventTimes, Option<Tz>),
    now: DateTime<Utc>,
) {
    writer.begin(ComponentName::Event);
    writer.text(p::UID, &entry_uid(content.entry));
    writer.instant(p::DTSTAMP, now);
    writer.instant(p::LAST_MODIFIED, now);
    let (times, zone) = times;
    times.write(writer);
    if let Some(zone) = zone {
        writer.text(p::X_CONCORD_ZONE, zone.name());
    }
    writer.text(p::SUMMARY, &content.title);
    if !content.description.is_empty() {
        writer.text(p::DESCRIPTION, &content.description);
    }
    if !content.location.is_empty() {
        writer.text(p::LOCATION, &content.location);
    }
    writer.keyword(p::STATUS, if content.tentative { "TENTATIVE" } else { "CONFIRMED" });
    writer.keyword(p::TRANSP, if content.busy { "OPAQUE" } else { "TRANSPARENT" });
    if let Some(category) = category(content) {
        writer.text(p::CATEGORIES, category);
    }
    writer.text(p::X_CONCORD_ENTRY, &content.entry.to_string());
    writer.text(p::X_CONCORD_BOOKING, &content.booking.to_string());
    write_own_properties(writer, content, words);
    for reminder in &content.reminders {
        // By mail, too: ACTION:EMAIL needs an ATTENDEE (3.6.6), and servers would take that for a guest.
        writer.begin(ComponentName::Alarm);
        writer.keyword(p::ACTION, "DISPLAY");
        writer.text(p::DESCRIPTION, &content.title);
        writer.minutes_before(p::TRIGGER, reminder.minutes);
        writer.end(ComponentName::Alarm);
    }
    writer.end(ComponentName::Event);
}

/// Google's colours are numbers, which say nothing to anybody else.
fn category(content: &EntryContent) -> Option<&str> {
    content.colour.as_deref().filter(|colour| colour.parse::<u8>().is_err())
}

/// What we write of what people write too, so that a later write knows theirs from ours.
fn write_own_properties(writer: &mut IcalWriter<'_>, content: &EntryContent, words: &str) {
    writer.text(p::X_CONCORD_WORDS, words);
    if let Some(category) = category(content) {
        writer.text(p::X_CONCORD_COLOUR, category);
    }
    if !content.reminders.is_empty() {
        let minutes: Vec<String> =
            content.reminders.iter().map(|reminder| reminder.minutes.to_string()).collect();
        writer.text(p::X_CONCORD_REMINDERS, &minutes.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use icalendar::{CalendarDateTime, Component as _, DatePerhapsTime};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        entry::{EntryReminder, ReminderMeans},
        ical::lint::lint,
        ids::BookingId,
    };

    fn content(time: EntryTime) -> EntryContent {
        EntryContent {
            booking: BookingId(uuid::Uuid::from_u128(1)),
            entry: EntryId(uuid::Uuid::from_u128(2)),
            title: "Massage, hot stones; 90 min".to_owned(),
            description: "Reference: SV-1\nCustomer: Maria".to_owned(),
            location: "Rua do Mar 7, Lisboa".to_owned(),
            time,
            colour: Some("Blue category".to_owned()),
            tentative: false,
            busy: true,
            reminders: vec![EntryReminder { by: ReminderMeans::Popup, minutes: 30 }],
        }
    }

    fn written(content: &EntryContent) -> String {
        let mut out = Vec::new();
        write_entry(&mut out, content, "0a1b2c", "2026-01-02T03:04:05Z".parse().unwrap());
        assert_eq!(lint(&out), []);
        String::from_utf8(out).unwrap()
    }

    fn timed(start: &str, end: &str, zone: Tz) -> EntryTime {
        EntryTime::Timed { starts_at: start.parse().unwrap(), ends_at: end.parse().unwrap(), zone }
    }

    #[test]
    fn an_entry_on_the_clock_of_its_zone() {
        let time = timed("2026-07-10T09:00:00Z", "2026-07-10T10:30:00Z", Tz::Asia__Kathmandu);
        insta::assert_snapshot!(written(&content(time)).replace('\r', ""), @r"
        BEGIN:VCALENDAR
        VERSION:2.0
        PRODID:-//Concord//Concord//EN
        CALSCALE:GREGORIAN
        BEGIN:VTIMEZONE
        TZID:Asia/Kathmandu
        BEGIN:STANDARD
        DTSTART:20250605T144500
        TZOFFSETFROM:+0545
        TZOFFSETTO:+0545
        END:STANDARD
        END:VTIMEZONE
        BEGIN:VEVENT
        UID:00000000-0000-0000-0000-000000000002
        DTSTAMP:20260102T030405Z
        LAST-MODIFIED:20260102T030405Z
        DTSTART;TZID=Asia/Kathmandu:20260710T144500
        DTEND;TZID=Asia/Kathmandu:20260710T161500
        SUMMARY:Massage\, hot stones\; 90 min
        DESCRIPTION:Reference: SV-1\nCustomer: Maria
        LOCATION:Rua do Mar 7\, Lisboa
        STATUS:CONFIRMED
        TRANSP:OPAQUE
        CATEGORIES:Blue category
        X-CONCORD-ENTRY:00000000-0000-0000-0000-000000000002
        X-CONCORD-BOOKING:00000000-0000-0000-0000-000000000001
        X-CONCORD-WORDS:0a1b2c
        X-CONCORD-COLOUR:Blue category
        X-CONCORD-REMINDERS:30
        BEGIN:VALARM
        ACTION:DISPLAY
        DESCRIPTION:Massage\, hot stones\; 90 min
        TRIGGER:-PT30M
        END:VALARM
        END:VEVENT
        END:VCALENDAR
        ");
    }

    #[test]
    fn whole_days_are_dates() {
        let time =
            EntryTime::AllDay { from: "2026-12-01".parse().unwrap(), until: "2026-12-03".parse().unwrap() };
        let object = written(&content(time));
        assert!(object.contains("DTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:20261203\r\n"), "{object}");
        assert!(!object.contains("VTIMEZONE"));
    }

    /// The second of the two half past one in a night of autumn.
    #[test]
    fn an_hour_that_the_clock_shows_twice_is_told_in_utc() {
        let time = timed("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", Tz::Europe__Lisbon);
        let object = written(&content(time));
        assert!(object.contains("DTSTART:20261025T003000Z\r\nDTEND:20261025T013000Z\r\n"), "{object}");
        assert!(object.contains("X-CONCORD-ZONE:Europe/Lisbon\r\n"));
    }

    fn instant(time: Option<DatePerhapsTime>) -> DateTime<Utc> {
        match time.unwrap() {
            DatePerhapsTime::DateTime(CalendarDateTime::Utc(at)) => at,
            DatePerhapsTime::DateTime(CalendarDateTime::WithTimezone { date_time, tzid }) => {
                let zone: Tz = tzid.parse().unwrap();
                zone.from_local_datetime(&date_time).earliest().unwrap().to_utc()
            }
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        /// What an independent reader makes of it is what was meant, and the zone described is the zone.
        #[test]
        fn a_reader_reads_the_same_times(
            zone in proptest::sample::select(chrono_tz::TZ_VARIANTS.to_vec()),
            start in 946_684_800_i64..2_200_000_000,
            minutes in 1_i64..5_000,
        ) {
            let starts_at = DateTime::from_timestamp(start / 60 * 60, 0).unwrap();
            let ends_at = starts_at + chrono::Duration::minutes(minutes);
            let object = written(&content(EntryTime::Timed { starts_at, ends_at, zone }));
            let calendar: icalendar::Calendar = object.parse().unwrap();
            let event = calendar.events().next().unwrap();
            prop_assert_eq!(instant(event.get_start()), starts_at);
            prop_assert_eq!(instant(event.get_end()), ends_at);
            prop_assert_eq!(event.get_summary(), Some("Massage, hot stones; 90 min"));
        }
    }
}
