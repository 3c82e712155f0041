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
        let event = Event { id: Some(ProviderKind::Google.external_id(content.entry)), ..event(&content) };
        let seen = observed(event, Tz::UTC).unwrap();
        assert_eq!(seen.time, Some(time));
        assert_eq!(seen.title, content.title);
        assert_eq!(seen.entry, Some(content.entry));
        assert!(seen.busy && !seen.tentative && !seen.deleted);
        let free = EntryContent { busy: false, ..content };
        assert!(
            !observed(Event { id: Some("abcde".to_owned()), ..self::event(&free) }, Tz::UTC).unwrap().busy
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
    let ours = Event { id: Some(ProviderKind::Google.external_id(content.entry)), ..event(&content) };
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
    let ours = Event { id: Some(ProviderKind::Google.external_id(words.entry)), ..event(&words) };
    let chosen = Event { color_id: Some("7".to_owned()), ..ours };
    assert_eq!(shared_patch(&chosen, &EntryContent { colour: Some("5".to_owned()), ..words }), None);
}

#[test]
fn a_colour_of_another_provider_is_left_out() {
    for (colour, kept) in [("5", true), ("11", true), ("0", false), ("12", false), ("Red category", false)] {
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
        (json!({ "attendees": [{ "email": "b@example.com", "responseStatus": "declined" }] }), true, false),
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
