//! What an object of a calendar says, as entries.

use chrono_tz::Tz;
use concord_domain::{
    connection::ProviderKind,
    entry::{EntryTime, ObservedEntry},
    ical::{
        AttendeeStatus, ParsedCalendar, ReadEvent, ReadLimits,
        entry_object::{ENTRY_PROPERTY, ZONE_PROPERTY, entry_uid},
        feed::FeedStatus,
        read,
    },
    ids::EntryId,
    interval::Interval,
};

use crate::provider::{self, interval_of};

/// An object as a server gave it.
#[derive(Clone, Debug)]
pub(super) struct CalendarObject {
    /// Its name in its collection.
    pub(super) name: String,
    pub(super) etag: Option<String>,
    pub(super) data: String,
}

/// What is to be known to read one.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObjectContext<'a> {
    /// Of the calendar: floating times and whole days are in it.
    pub(super) zone: Tz,
    /// What recurs is told of in it.
    pub(super) window: Interval,
    /// The mail addresses of the calendar's owner, in lower case: by them their answers to invitations are known.
    pub(super) owner: &'a [String],
}

/// One object is one event and whatever stands in the place of its instances (RFC 4791, 4.1).
fn limits() -> ReadLimits {
    ReadLimits { bytes: 4 << 20, events: 5_000, occurrences: 5_000, ..ReadLimits::default() }
}

/// What the object tells of: one entry, or the instances in the window. `None`: it cannot be read, so nothing follows
/// from it.
pub(super) fn read_entries(
    object: &CalendarObject,
    reading: ObjectContext<'_>,
) -> Option<Vec<ObservedEntry>> {
    let limits = limits();
    let told = read(object.data.as_bytes(), reading.zone, &limits).and_then(|calendar| {
        if let Some(event) = single_event(&calendar) {
            return Ok(vec![entry(object, event, event.time.clone(), reading.owner)]);
        }
        let found = calendar.occurrences(reading.window, reading.zone, &limits)?;
        let entries = found.into_iter().map(|occurrence| ObservedEntry {
            external_id: format!("{}#{}", object.name, occurrence.id),
            series: Some(object.name.clone()),
            ..entry(object, occurrence.event, occurrence.time, reading.owner)
        });
        Ok(entries.collect())
    });
    match told {
        Ok(entries) => Some(entries),
        Err(error) => {
            tracing::info!(object = object.name, %error, "an object of a calendar cannot be read");
            None
        }
    }
}

/// The entry itself, where the object is one of ours that may have been made a series meanwhile; `zone` is that of floating
/// times. We invite nobody, so that it does not matter who the owner is.
pub(super) fn entry_of(object: &CalendarObject, zone: Tz) -> Option<ObservedEntry> {
    let calendar = read(object.data.as_bytes(), zone, &limits()).ok()?;
    let event = calendar.events.iter().find(|event| event.recurrence_id.is_none())?;
    Some(entry(object, event, event.time.clone(), &[]))
}

/// Whether the object is what we wrote of that entry, whatever it is called now.
pub(super) fn is_of(object: &CalendarObject, entry: EntryId) -> bool {
    let Ok(calendar) = read(object.data.as_bytes(), Tz::UTC, &limits()) else { return false };
    let mark = |event: &ReadEvent| event.property(ENTRY_PROPERTY).and_then(|id| id.parse().ok()).map(EntryId);
    calendar.events.iter().any(|event| event.uid == entry_uid(entry) && mark(event) == Some(entry))
}

/// Whether it takes the zone of its calendar to know when the entry takes place.
pub(super) fn depends_on_zone(object: &CalendarObject) -> bool {
    entry_of(object, Tz::UTC) != entry_of(object, Tz::Etc__GMTPlus12)
}

/// What is known of an object that says nothing intelligible: that it is there, and may take up time.
pub(super) fn unclear(name: &str, etag: Option<String>) -> ObservedEntry {
    provider::unclear(name.to_owned(), None, etag)
}

/// What is known of an object that is not there any more.
pub(super) fn gone(name: &str) -> ObservedEntry {
    ObservedEntry { deleted: true, busy: false, unreadable: false, ..unclear(name, None) }
}

/// Whether any of it falls into the window; what does not say when may.
pub(super) fn touches(entry: &ObservedEntry, reading: ObjectContext<'_>) -> bool {
    let interval = entry.time.as_ref().and_then(|time| interval_of(time, reading.zone));
    interval.is_none_or(|interval| interval.overlaps(&reading.window))
}

/// When the entry takes up its owner's time.
pub(super) fn busy_time(entry: &ObservedEntry, reading: ObjectContext<'_>) -> Option<Interval> {
    let interval = interval_of(entry.time.as_ref()?, reading.zone);
    interval.filter(|interval| entry.busy && !entry.deleted && interval.overlaps(&reading.window))
}

fn single_event(calendar: &ParsedCalendar) -> Option<&ReadEvent> {
    let [event] = &calendar.events[..] else { return None };
    (event.recurrence.is_none() && event.recurrence_id.is_none()).then_some(event)
}

/// What the calendar's owner answered to an invitation. `None`: they were not invited, or invited others.
fn owner_response(event: &ReadEvent, owner: &[String]) -> Option<AttendeeStatus> {
    let (_, answer) = event.attendees.iter().find(|(address, _)| owner.contains(address))?;
    let is_own = event.organizer.as_ref().is_some_and(|address| owner.contains(address));
    // Who invites need not answer themselves.
    (!is_own || *answer != AttendeeStatus::NoAnswer).then_some(*answer)
}

fn entry(object: &CalendarObject, event: &ReadEvent, time: EntryTime, owner: &[String]) -> ObservedEntry {
    let ours = event.property(ENTRY_PROPERTY).and_then(|id| id.parse().ok()).map(EntryId);
    // A copy of an entry is not ours.
    let ours = ours.filter(|entry| ProviderKind::Caldav.external_id(*entry) == object.name);
    let cancelled = event.status == FeedStatus::Cancelled;
    let answer = owner_response(event, owner);
    ObservedEntry {
        external_id: object.name.clone(),
        series: None,
        etag: object.etag.clone(),
        deleted: cancelled,
        busy: !cancelled && !event.transparent && answer != Some(AttendeeStatus::Declined),
        tentative: event.status == FeedStatus::Tentative
            // An invitation without an answer holds its time, but nobody has accepted it.
            || matches!(answer, Some(AttendeeStatus::Tentative | AttendeeStatus::NoAnswer)),
        title: event.summary.clone(),
        time: Some(display_time(event, time)),
        entry: ours,
        updated_at: event.last_modified,
        unreadable: false,
    }
}

/// In the zone that an entry of ours names, where its hours are told in UTC.
fn display_time(event: &ReadEvent, time: EntryTime) -> EntryTime {
    let named = event.property(ZONE_PROPERTY).and_then(|name| name.parse().ok());
    match (time, named) {
        (EntryTime::Timed { starts_at, ends_at, zone: Tz::UTC }, Some(zone)) => {
            EntryTime::Timed { starts_at, ends_at, zone }
        }
        (time, _) => time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading() -> ObjectContext<'static> {
        let window =
            Interval::new("2026-03-01T00:00:00Z".parse().unwrap(), "2026-05-01T00:00:00Z".parse().unwrap());
        ObjectContext { zone: Tz::Europe__Lisbon, window: window.unwrap(), owner: &[] }
    }

    fn object(lines: &str) -> CalendarObject {
        let data = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:u\nDTSTAMP:20260101T000000Z\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        CalendarObject { name: "a.ics".to_owned(), etag: Some("\"1\"".to_owned()), data }
    }

    fn told(lines: &str) -> Vec<ObservedEntry> {
        read_entries(&object(lines), reading()).unwrap()
    }

    #[test]
    fn what_takes_up_time_is_busy() {
        for (lines, busy, tentative, deleted) in [
            ("", true, false, false),
            ("TRANSP:OPAQUE", true, false, false),
            ("TRANSP:TRANSPARENT", false, false, false),
            ("STATUS:TENTATIVE", true, true, false),
            ("STATUS:CANCELLED", false, false, true),
        ] {
            let lines = format!("DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nSUMMARY:x\n{lines}");
            let seen = &told(&lines)[0];
            assert_eq!((seen.busy, seen.tentative, seen.deleted), (busy, tentative, deleted), "{lines}");
            assert_eq!((seen.external_id.as_str(), &seen.series), ("a.ics", &None));
        }
    }

    #[test]
    fn the_owners_answer_says_whether_a_meeting_takes_up_their_time() {
        let owner = ["ana@example.org".to_owned(), "a.silva@example.org".to_owned()];
        let reading = ObjectContext { owner: &owner, ..reading() };
        for (lines, busy, tentative) in [
            ("ATTENDEE;PARTSTAT=DECLINED:mailto:ana@example.org", false, false),
            ("ATTENDEE;PARTSTAT=DECLINED:MAILTO:A.Silva@Example.org", false, false),
            ("ATTENDEE;PARTSTAT=declined;EMAIL=ana@example.org:/principals/17/", false, false),
            ("ATTENDEE;PARTSTAT=TENTATIVE:mailto:ana@example.org", true, true),
            ("ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:ana@example.org", true, true),
            ("ATTENDEE:mailto:ana@example.org", true, true),
            ("ATTENDEE;PARTSTAT=ACCEPTED:mailto:ana@example.org", true, false),
            ("ATTENDEE;PARTSTAT=DELEGATED:mailto:ana@example.org", true, false),
            ("ATTENDEE;PARTSTAT=DECLINED:mailto:rui@example.org", true, false),
            (
                "ATTENDEE;PARTSTAT=DECLINED:mailto:rui@example.org\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ana@example.org",
                true,
                false,
            ),
            ("ORGANIZER:mailto:ana@example.org\nATTENDEE:mailto:ana@example.org", true, false),
            (
                "ORGANIZER:mailto:ana@example.org\nATTENDEE;PARTSTAT=DECLINED:mailto:ana@example.org",
                false,
                false,
            ),
        ] {
            let object = object(&format!("DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\n{lines}"));
            let seen = &read_entries(&object, reading).unwrap()[0];
            assert_eq!((seen.busy, seen.tentative), (busy, tentative), "{lines}");
        }
    }

    /// Who declines one day of what takes place daily says it of that day alone.
    #[test]
    fn one_instance_may_be_declined() {
        let object = CalendarObject {
            data: "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:u\nDTSTAMP:20260101T000000Z\n\
                   DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nRRULE:FREQ=DAILY;COUNT=3\n\
                   ATTENDEE;PARTSTAT=ACCEPTED:mailto:ana@example.org\nEND:VEVENT\nBEGIN:VEVENT\nUID:u\n\
                   DTSTAMP:20260101T000000Z\nRECURRENCE-ID:20260311T090000Z\nDTSTART:20260311T090000Z\n\
                   DTEND:20260311T100000Z\nATTENDEE;PARTSTAT=DECLINED:mailto:ana@example.org\nEND:VEVENT\n\
                   END:VCALENDAR\n"
                .to_owned(),
            ..object("")
        };
        let owner = ["ana@example.org".to_owned()];
        let entries = read_entries(&object, ObjectContext { owner: &owner, ..reading() }).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.busy).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn a_series_is_its_instances_in_the_window() {
        let entries = told(
            "DTSTART:20260226T090000Z\nDTEND:20260226T100000Z\nRRULE:FREQ=DAILY;COUNT=5\nEXDATE:20260301T090000Z",
        );
        let ids: Vec<&str> = entries.iter().map(|entry| entry.external_id.as_str()).collect();
        assert_eq!(ids, ["a.ics#20260302T090000Z"]);
        assert_eq!(entries[0].series.as_deref(), Some("a.ics"));
    }

    #[test]
    fn only_what_is_told_in_no_zone_depends_on_the_calendars() {
        for (lines, depends) in [
            ("DTSTART:20260310T090000\nDTEND:20260310T100000", true),
            ("DTSTART;TZID=Nowhere:20260310T090000\nDTEND;TZID=Nowhere:20260310T100000", true),
            ("DTSTART:20260310T090000Z\nDTEND:20260310T100000Z", false),
            ("DTSTART;TZID=Asia/Tokyo:20260310T090000\nDURATION:PT1H", false),
            ("DTSTART;VALUE=DATE:20260310", false),
        ] {
            assert_eq!(depends_on_zone(&object(lines)), depends, "{lines}");
        }
    }

    #[test]
    fn a_copy_of_an_entry_is_not_ours() {
        let id = EntryId(uuid::Uuid::from_u128(5));
        let object =
            object(&format!("DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nX-CONCORD-ENTRY:{}", id.0));
        assert_eq!(read_entries(&object, reading()).unwrap()[0].entry, None);
        let ours = CalendarObject { name: ProviderKind::Caldav.external_id(id), ..object };
        assert_eq!(read_entries(&ours, reading()).unwrap()[0].entry, Some(id));
    }

    #[test]
    fn what_is_no_calendar_says_nothing() {
        for data in ["", "<html>", "BEGIN:VCARD\nEND:VCARD"] {
            let object = CalendarObject { data: data.to_owned(), ..object("") };
            assert!(read_entries(&object, reading()).is_none(), "{data}");
        }
        let task = CalendarObject {
            data: "BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:t\nEND:VTODO\nEND:VCALENDAR\n".to_owned(),
            ..object("")
        };
        assert_eq!(read_entries(&task, reading()), Some(Vec::new()));
    }

    #[test]
    fn days_take_place_where_the_calendar_is() {
        let day = &told("DTSTART;VALUE=DATE:20260430\nDTEND;VALUE=DATE:20260501")[0];
        // Midnight in Lisbon is 23:00 in UTC.
        let expected =
            Interval::new("2026-04-29T23:00:00Z".parse().unwrap(), "2026-04-30T23:00:00Z".parse().unwrap());
        assert_eq!(busy_time(day, reading()), expected);
        let next = &told("DTSTART;VALUE=DATE:20260502\nDTEND;VALUE=DATE:20260503")[0];
        assert!(!touches(next, reading()));
    }
}
