//! What an entry looks like at Google, in both directions.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use concord_domain::{
    entry::{EntryContent, EntryReminder, EntryTime, ObservedEntry, ReminderMeans},
    ids::EntryId,
};
use google_calendar3::api::{Event, EventDateTime, EventExtendedProperties, EventReminder, EventReminders};

use serde_json::{Value, json};

use super::ids::external_id;
use crate::text_merge;

/// The private properties by which we know our own entries again.
const ENTRY: &str = "concord_entry";
const BOOKING: &str = "concord_booking";

/// What we wrote last of what people change, too, so that a later write knows theirs from ours.
const TEXT_MARK: &str = "concord_words";
const COLOUR: &str = "concord_colour";

/// Google's limits: five overrides, none more than four weeks before.
const MAX_REMINDERS: usize = 5;
const MAX_REMINDER_MINUTES: u32 = 40_320;

/// The whole of a new entry, without its id.
pub(super) fn event(content: &EntryContent) -> Event {
    let (start, end) = date_times(&content.time);
    let own = [(ENTRY, content.entry.to_string()), (BOOKING, content.booking.to_string())];
    let left = [(TEXT_MARK, Some(text_merge::mark(&content.description))), (COLOUR, colour(content))];
    let left = left.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let properties = own.into_iter().chain(left);
    Event {
        summary: Some(content.title.clone()),
        description: non_empty(&content.description),
        location: non_empty(&content.location),
        start: Some(start),
        end: Some(end),
        // Said outright, it brings a tombstone back to life.
        status: Some(if content.tentative { "tentative" } else { "confirmed" }.to_owned()),
        transparency: Some(if content.busy { "opaque" } else { "transparent" }.to_owned()),
        // Other providers' colours are names, which Google would refuse.
        color_id: colour(content),
        reminders: Some(EventReminders {
            use_default: Some(false),
            overrides: Some(content.reminders.iter().copied().take(MAX_REMINDERS).map(reminder).collect()),
        }),
        extended_properties: Some(EventExtendedProperties {
            private: Some(properties.map(|(name, value)| (name.to_owned(), value)).collect()),
            shared: None,
        }),
        ..Event::default()
    }
}

fn colour(content: &EntryContent) -> Option<String> {
    content.colour.clone().filter(|colour| matches!(colour.parse::<u8>(), Ok(1..=11)))
}

/// What a later write sets whatever stands there, as a patch has it: what it does not name stays, guests and attachments
/// among it; null clears.
pub(super) fn patch(content: &EntryContent) -> Value {
    let (start, end) = match &content.time {
        EntryTime::Timed { starts_at, ends_at, zone } => {
            let at = |instant: &DateTime<Utc>| json!({ "dateTime": instant, "timeZone": zone.name(), "date": null });
            (at(starts_at), at(ends_at))
        }
        EntryTime::AllDay { from, until } => {
            let on = |date: &NaiveDate| json!({ "date": date, "dateTime": null, "timeZone": null });
            (on(from), on(until))
        }
    };
    let new = event(content);
    let mut patch = json!({
        "summary": new.summary,
        "location": new.location,
        "start": start,
        "end": end,
        // A series that a person has made of it is put back to the one time that it has.
        "recurrence": null,
        "status": new.status,
        "transparency": new.transparency,
        "extendedProperties": { "private": { ENTRY: content.entry.to_string(), BOOKING: content.booking.to_string() } },
    });
    // Where we want none, those that people have set are theirs; but nobody is reminded of what does not take place.
    if !content.reminders.is_empty() || !content.busy {
        patch["reminders"] = json!(new.reminders);
    }
    patch
}

/// What a later write sets besides of what people change, too; `None` if it is as it should be. A text is brought up to date
/// around what they added, a colour that they chose stays.
pub(super) fn shared_patch(stands: &Event, content: &EntryContent) -> Option<Value> {
    let kept =
        |name: &str| stands.extended_properties.as_ref()?.private.as_ref()?.get(name).map(String::as_str);
    let current = stands.description.as_deref().unwrap_or_default();
    let wanted = text_merge::merged(current, kept(TEXT_MARK), &content.description);
    let (colour, mark) = (colour(content), text_merge::mark(&content.description));
    // Written before we kept such marks, all of it is ours.
    let is_unmarked = kept(TEXT_MARK).is_none();
    let is_ours = is_unmarked || stands.color_id.as_deref() == kept(COLOUR);
    let recolour = is_ours && stands.color_id != colour;
    // A text that has no mark yet gets one, so that the next knows what was added to this one.
    let needs_mark = is_unmarked && !current.is_empty();
    if text_merge::is_same_text(current, &wanted) && !recolour && !needs_mark {
        return None;
    }
    let mut patch = json!({
        "description": non_empty(&wanted),
        "extendedProperties": { "private": { TEXT_MARK: mark } },
    });
    if recolour {
        patch["colorId"] = json!(colour);
    }
    if recolour || is_unmarked {
        patch["extendedProperties"]["private"][COLOUR] = json!(colour);
    }
    Some(patch)
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn date_times(time: &EntryTime) -> (EventDateTime, EventDateTime) {
    match time {
        EntryTime::Timed { starts_at, ends_at, zone } => {
            let at = |instant| EventDateTime {
                date: None,
                date_time: Some(instant),
                time_zone: Some(zone.name().to_owned()),
            };
            (at(*starts_at), at(*ends_at))
        }
        // `end.date` is exclusive, as ours is.
        EntryTime::AllDay { from, until } => {
            let on = |date| EventDateTime { date: Some(date), date_time: None, time_zone: None };
            (on(*from), on(*until))
        }
    }
}

fn reminder(reminder: EntryReminder) -> EventReminder {
    let method = match reminder.by {
        ReminderMeans::Email => "email",
        ReminderMeans::Popup => "popup",
    };
    EventReminder {
        method: Some(method.to_owned()),
        minutes: i32::try_from(reminder.minutes.min(MAX_REMINDER_MINUTES)).ok(),
    }
}

/// What an event tells us; `None` for one without an id. `zone` is the calendar's, for times that name none.
pub(super) fn observed(event: Event, zone: Tz) -> Option<ObservedEntry> {
    let said = entry_time(&event, zone);
    // One that takes no time (an import can bring such) takes up nobody's. One that does not say when may.
    let is_empty = said.as_ref().is_some_and(is_empty);
    let deleted = event.status.as_deref() == Some("cancelled");
    let own_answer = own_answer(&event);
    let busy = !deleted
        && !is_empty
        && event.transparency.as_deref() != Some("transparent")
        // Where somebody works, not whether they are free. Out of office and focus time do take up time.
        && event.event_type.as_deref() != Some("workingLocation")
        && own_answer != Some("declined");
    let tentative = event.status.as_deref() == Some("tentative")
        // An invitation without an answer holds its time in Google's own free/busy, but nobody has accepted it.
        || matches!(own_answer, Some("tentative" | "needsAction"));
    let entry = own_entry_id(&event);
    Some(ObservedEntry {
        external_id: event.id?,
        series: event.recurring_event_id,
        etag: event.etag,
        deleted,
        busy,
        tentative,
        title: event.summary.unwrap_or_default(),
        time: said.filter(|_| !is_empty),
        entry,
        updated_at: event.updated,
        unreadable: false,
    })
}

/// What the calendar's owner answered to an invitation; `None` for what they were not invited to.
fn own_answer(event: &Event) -> Option<&str> {
    let own = event.attendees.iter().flatten().find(|attendee| attendee.self_ == Some(true))?;
    own.response_status.as_deref()
}

/// The mapping that we wrote into it. A person can copy an entry of ours, properties and all; the copy has another id
/// and is not ours.
fn own_entry_id(event: &Event) -> Option<EntryId> {
    let private: &HashMap<String, String> = event.extended_properties.as_ref()?.private.as_ref()?;
    let entry = private.get(ENTRY)?.parse().ok()?;
    (event.id.as_deref() == Some(external_id(entry).as_str())).then_some(entry)
}

fn entry_time(event: &Event, calendar_zone: Tz) -> Option<EntryTime> {
    let (start, end) = (event.start.as_ref()?, event.end.as_ref()?);
    if let (Some(starts_at), Some(ends_at)) = (start.date_time, end.date_time) {
        let zone = start.time_zone.as_deref().and_then(|name| name.parse().ok()).unwrap_or(calendar_zone);
        return Some(EntryTime::Timed { starts_at, ends_at, zone });
    }
    let (from, until) = (start.date?, end.date?);
    Some(EntryTime::AllDay { from, until })
}

fn is_empty(time: &EntryTime) -> bool {
    match time {
        EntryTime::Timed { starts_at, ends_at, .. } => starts_at >= ends_at,
        EntryTime::AllDay { from, until } => from >= until,
    }
}

#[cfg(test)]
mod tests {
    use concord_domain::ids::BookingId;

    use super::*;

    fn content(time: EntryTime) -> EntryContent {
        let now = "2026-03-01T00:00:00Z".parse().unwrap();
        EntryContent {
            booking: BookingId::new(now),
            entry: EntryId::new(now),
            title: "Massage, Ana".to_owned(),
            description: String::new(),
            location: String::new(),
            time,
            colour: Some("5".to_owned()),
            tentative: false,
            busy: true,
            reminders: vec![EntryReminder { by: ReminderMeans::Popup, minutes: 50_000 }],
        }
    }

    fn timed() -> EntryTime {
        EntryTime::Timed {
            starts_at: "2026-03-29T00:30:00Z".parse().unwrap(),
            ends_at: "2026-03-29T01:30:00Z".parse::<chrono::DateTime<Utc>>().unwrap(),
            zone: chrono_tz::Europe::Lisbon,
        }
    }

    fn all_day() -> EntryTime {
        EntryTime::AllDay { from: "2026-03-28".parse().unwrap(), until: "2026-03-30".parse().unwrap() }
    }

    fn seen(json: Value) -> ObservedEntry {
        observed(serde_json::from_value(json).unwrap(), chrono_tz::Europe::Berlin).unwrap()
    }

    fn with(extra: &Value) -> ObservedEntry {
        let mut event = json!({ "id": "abcde",
            "start": { "dateTime": "2026-03-29T01:30:00+01:00" }, "end": { "dateTime": "2026-03-29T02:30:00+01:00" } });
        event.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        seen(event)
    }

    #[test]
    fn what_is_written_is_read_back() {
        for time in [timed(), all_day()] {
            let content = content(time.clone());
            let event = Event { id: Some(external_id(content.entry)), ..event(&content) };
            let seen = observed(event, Tz::UTC).unwrap();
            assert_eq!(seen.time, Some(time));
            assert_eq!(seen.title, content.title);
            assert_eq!(seen.entry, Some(content.entry));
            assert!(seen.busy && !seen.tentative && !seen.deleted);
            let free = EntryContent { busy: false, ..content };
            assert!(
                !observed(Event { id: Some("abcde".to_owned()), ..self::event(&free) }, Tz::UTC)
                    .unwrap()
                    .busy
            );
        }
    }

    #[test]
    fn empty_texts_are_left_out_and_limits_are_kept() {
        let mut content = content(timed());
        content.reminders = vec![content.reminders[0]; 7];
        let event = event(&content);
        assert_eq!((event.description, event.location), (None, None));
        let overrides = event.reminders.unwrap().overrides.unwrap();
        assert_eq!(overrides.len(), 5);
        assert_eq!(overrides[0].minutes, Some(40_320));
    }

    #[test]
    fn a_later_write_leaves_what_people_chose() {
        let content = content(timed());
        let ours = Event { id: Some(external_id(content.entry)), ..event(&content) };
        assert_eq!(shared_patch(&ours, &content), None);
        let patch = patch(&content);
        for theirs in ["attendees", "attachments", "colorId", "description", "conferenceData"] {
            assert_eq!(patch.get(theirs), None, "{theirs}");
        }
        let none = EntryContent { reminders: Vec::new(), ..content.clone() };
        assert_eq!(self::patch(&none).get("reminders"), None);

        let other = EntryContent { colour: Some("10".to_owned()), ..content.clone() };
        assert_eq!(shared_patch(&ours, &other).unwrap()["colorId"], "10");
        let cleared = EntryContent { colour: None, ..content };
        assert_eq!(shared_patch(&ours, &cleared).unwrap()["colorId"], Value::Null);
        let words = EntryContent { description: "Reference: A-1".to_owned(), ..cleared };
        let ours = Event { id: Some(external_id(words.entry)), ..event(&words) };
        let chosen = Event { color_id: Some("7".to_owned()), ..ours };
        assert_eq!(shared_patch(&chosen, &EntryContent { colour: Some("5".to_owned()), ..words }), None);
    }

    #[test]
    fn a_colour_of_another_provider_is_left_out() {
        for (colour, kept) in
            [("5", true), ("11", true), ("0", false), ("12", false), ("Red category", false)]
        {
            let content = EntryContent { colour: Some(colour.to_owned()), ..content(timed()) };
            assert_eq!(event(&content).color_id.is_some(), kept, "{colour}");
        }
    }

    #[test]
    fn a_copy_of_an_entry_is_not_ours() {
        let content = content(timed());
        let copy = Event { id: Some("someotherid".to_owned()), ..event(&content) };
        assert_eq!(observed(copy, Tz::UTC).unwrap().entry, None);
    }

    #[test]
    fn what_takes_up_time_is_busy() {
        let me = |answer: &str| {
            json!({ "attendees": [
            { "email": "boss@example.com", "responseStatus": "accepted" },
            { "email": "ana@example.com", "self": true, "responseStatus": answer },
        ] })
        };
        for (extra, busy, tentative) in [
            (json!({}), true, false),
            (json!({ "transparency": "transparent" }), false, false),
            (json!({ "transparency": "opaque" }), true, false),
            (json!({ "status": "tentative" }), true, true),
            (json!({ "status": "cancelled" }), false, false),
            (json!({ "eventType": "outOfOffice" }), true, false),
            (json!({ "eventType": "focusTime" }), true, false),
            (json!({ "eventType": "workingLocation" }), false, false),
            (me("accepted"), true, false),
            (me("declined"), false, false),
            (me("tentative"), true, true),
            (me("needsAction"), true, true),
            (
                json!({ "attendees": [{ "email": "b@example.com", "responseStatus": "declined" }] }),
                true,
                false,
            ),
        ] {
            let seen = with(&extra);
            assert_eq!((seen.busy, seen.tentative), (busy, tentative), "{extra}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_shown_in_the_calendars() {
        let zone_of = |seen: ObservedEntry| match seen.time {
            Some(EntryTime::Timed { zone, .. }) => zone,
            other => panic!("{other:?}"),
        };
        assert_eq!(zone_of(with(&json!({}))), chrono_tz::Europe::Berlin);
        let start = json!({ "dateTime": "2026-03-29T01:30:00+01:00", "timeZone": "Asia/Tokyo" });
        assert_eq!(zone_of(with(&json!({ "start": start }))), chrono_tz::Asia::Tokyo);
        let start = json!({ "dateTime": "2026-03-29T01:30:00+01:00", "timeZone": "Mars/Olympus" });
        assert_eq!(zone_of(with(&json!({ "start": start }))), chrono_tz::Europe::Berlin);
    }

    #[test]
    fn what_has_no_length_takes_no_time() {
        let zero = with(&json!({ "end": { "dateTime": "2026-03-29T01:30:00+01:00" } }));
        assert_eq!((zero.time, zero.busy), (None, false));
    }

    #[test]
    fn what_does_not_say_when_may_take_up_time_all_the_same() {
        let mixed = with(&json!({ "end": { "date": "2026-03-29" } }));
        assert_eq!((mixed.time, mixed.busy), (None, true));
        let timeless = seen(json!({ "id": "abcde", "status": "confirmed" }));
        assert_eq!((timeless.time, timeless.busy), (None, true));
        let free = seen(json!({ "id": "abcde", "status": "confirmed", "transparency": "transparent" }));
        assert_eq!((free.time, free.busy), (None, false));
    }

    #[test]
    fn a_bare_tombstone_is_enough() {
        let seen = seen(json!({ "id": "abcde", "status": "cancelled" }));
        assert!(seen.deleted && !seen.busy && seen.time.is_none() && seen.title.is_empty());
    }
}
