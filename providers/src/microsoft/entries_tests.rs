use concord_domain::{entry::EntryReminder, ids::BookingId};

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
        reminders: Vec::new(),
    }
}

fn timed(start: &str, end: &str, zone: Tz) -> EntryTime {
    EntryTime::Timed { starts_at: start.parse().unwrap(), ends_at: end.parse().unwrap(), zone }
}

fn all_day() -> EntryTime {
    EntryTime::AllDay { from: "2026-03-28".parse().unwrap(), until: "2026-03-30".parse().unwrap() }
}

/// As Graph would give back what was written: times in UTC, the zones beside them.
fn round_trip(content: &EntryContent, with_properties: bool) -> GraphEvent {
    let mut json = event(content, ZoneSpelling::Zone);
    json["id"] = json!("AAMk=");
    json["originalStartTimeZone"] = json["start"]["timeZone"].clone();
    for end in ["start", "end"] {
        let time: DateTimeTimeZone = serde_json::from_value(json[end].clone()).unwrap();
        let utc = instant(&time).unwrap().format("%Y-%m-%dT%H:%M:%S%.6f0").to_string();
        json[end] = json!({ "dateTime": utc, "timeZone": "UTC" });
    }
    if !with_properties {
        json.as_object_mut().unwrap().remove("singleValueExtendedProperties");
    }
    serde_json::from_value(json).unwrap()
}

fn seen(extra: &Value) -> ObservedEntry {
    let mut event = json!({ "id": "AAMk=", "showAs": "busy",
        "start": { "dateTime": "2026-03-29T00:30:00.0000000", "timeZone": "UTC" },
        "end": { "dateTime": "2026-03-29T01:30:00.0000000", "timeZone": "UTC" } });
    event.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    observed(&serde_json::from_value(event).unwrap()).unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    for time in [
        timed("2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", Tz::Europe__Lisbon),
        // Into the hour that clocks show twice, out of it, and both.
        timed("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", Tz::Europe__Lisbon),
        timed("2026-10-24T22:30:00Z", "2026-10-25T00:30:00Z", Tz::Europe__Berlin),
        timed("2026-10-25T00:30:00Z", "2026-10-25T03:30:00Z", Tz::Europe__Berlin),
        timed("2026-11-01T05:15:00Z", "2026-11-01T06:45:00Z", Tz::America__New_York),
        timed("2026-03-10T09:00:00Z", "2026-03-10T09:45:00Z", Tz::Asia__Kathmandu),
        timed("2026-03-10T09:00:00.5Z", "2026-03-10T10:00:00Z", Tz::UTC),
        all_day(),
    ] {
        let content = content(time.clone());
        let event = round_trip(&content, true);
        assert!(says(&event, &content));
        let seen = observed(&event).unwrap();
        assert_eq!(seen.time, Some(time));
        assert_eq!(seen.title, content.title);
        assert_eq!(seen.entry, Some(content.entry));
        assert!(seen.busy && !seen.tentative && !seen.deleted);
    }
}

#[test]
fn delta_event_without_properties_keeps_zone_and_entry() {
    let at = |zone| timed("2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", zone);
    let content = content(at(Tz::Europe__Lisbon));
    let mut event = round_trip(&content, false);
    assert_eq!(observed(&event).unwrap().entry, None);
    event.transaction_id = Some(super::super::extended_properties::transaction(content.entry, None));
    let seen = observed(&event).unwrap();
    // The name that Windows has for both.
    assert_eq!((seen.time, seen.entry), (Some(at(Tz::Europe__London)), Some(content.entry)));
}

#[test]
fn zone_chosen_by_person_overrides_ours() {
    let content = content(timed("2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", Tz::Europe__Lisbon));
    let mut event = round_trip(&content, true);
    event.original_start_time_zone = Some("GMT Standard Time".to_owned());
    assert_eq!(zone(&event), Tz::Europe__Lisbon);
    event.original_start_time_zone = Some("Tokyo Standard Time".to_owned());
    assert_eq!(zone(&event), Tz::Asia__Tokyo);
}

#[test]
fn what_should_be_clear_is_said_to_be() {
    let event = event(&content(all_day()), ZoneSpelling::Zone);
    assert_eq!(event["body"]["content"], "");
    assert_eq!(event["location"]["displayName"], "");
    assert_eq!(event["isReminderOn"], false);
    assert_eq!(event["isAllDay"], true);
    assert_eq!(event["start"], json!({ "dateTime": "2026-03-28T00:00:00", "timeZone": "UTC" }));
    assert_eq!(event.get("categories"), None);
}

#[test]
fn the_first_reminder_on_the_screen_is_the_one() {
    let mut content = content(all_day());
    content.reminders = vec![
        EntryReminder { by: ReminderMeans::Email, minutes: 60 },
        EntryReminder { by: ReminderMeans::Popup, minutes: 30 },
        EntryReminder { by: ReminderMeans::Popup, minutes: 10 },
    ];
    let event = event(&content, ZoneSpelling::Zone);
    assert_eq!((&event["isReminderOn"], &event["reminderMinutesBeforeStart"]), (&json!(true), &json!(30)));
}

#[test]
fn another_spelling_keeps_the_instants() {
    let content = content(timed("2026-07-01T09:00:00Z", "2026-07-01T10:00:00Z", Tz::Asia__Kathmandu));
    let event = event(&content, ZoneSpelling::Utc);
    assert_eq!(event["start"], json!({ "dateTime": "2026-07-01T09:00:00", "timeZone": "UTC" }));
}

#[test]
fn what_takes_up_time_is_busy() {
    let answered = |response: &str| json!({ "responseStatus": { "response": response } });
    for (extra, busy, tentative) in [
        (json!({}), true, false),
        (json!({ "showAs": "free" }), false, false),
        (json!({ "showAs": "workingElsewhere" }), false, false),
        (json!({ "showAs": "oof" }), true, false),
        (json!({ "showAs": "unknown" }), true, false),
        (json!({ "showAs": null }), true, false),
        (json!({ "showAs": "tentative" }), true, true),
        (json!({ "isCancelled": true }), false, false),
        (json!({ "@removed": { "reason": "deleted" } }), false, false),
        (answered("organizer"), true, false),
        (answered("none"), true, false),
        (answered("accepted"), true, false),
        (answered("declined"), false, false),
        (answered("tentativelyAccepted"), true, true),
        (answered("notResponded"), true, true),
    ] {
        let seen = seen(&extra);
        assert_eq!((seen.busy, seen.tentative), (busy, tentative), "{extra}");
    }
}

#[test]
fn event_without_time_is_busy_and_zero_length_is_free() {
    let odd = seen(&json!({ "start": { "dateTime": "soon", "timeZone": "UTC" } }));
    assert_eq!((odd.time, odd.busy), (None, true));
    let zero = seen(&json!({ "end": { "dateTime": "2026-03-29T00:30:00", "timeZone": "UTC" } }));
    assert_eq!((zero.time, zero.busy), (None, false));
}

#[test]
fn whole_days_are_those_of_the_zone_that_they_were_written_in() {
    let berlin = json!({ "isAllDay": true, "originalStartTimeZone": "W. Europe Standard Time",
        "start": { "dateTime": "2026-03-27T23:00:00", "timeZone": "UTC" },
        "end": { "dateTime": "2026-03-29T22:00:00", "timeZone": "UTC" } });
    assert_eq!(seen(&berlin).time, Some(all_day()));
    let event: GraphEvent = serde_json::from_value(berlin).unwrap();
    let busy = busy_time(&event).unwrap();
    assert_eq!(busy.start.to_rfc3339(), "2026-03-27T23:00:00+00:00");
    assert_eq!(busy.end.to_rfc3339(), "2026-03-29T22:00:00+00:00");
}

#[test]
fn an_occurrence_of_what_was_ours_is_not_ours() {
    let mark = json!([{ "id": EntryProperty::Entry.id(), "value": EntryId(uuid::Uuid::nil()).to_string() }]);
    let single = seen(&json!({ "singleValueExtendedProperties": mark }));
    assert_eq!(single.entry, Some(EntryId(uuid::Uuid::nil())));
    let occurrence = seen(&json!({ "singleValueExtendedProperties": mark, "seriesMasterId": "AAMkmaster=" }));
    assert_eq!((occurrence.entry, occurrence.series.as_deref()), (None, Some("AAMkmaster=")));
}

#[test]
fn an_occurrence_takes_from_its_series_what_it_lacks() {
    let series = serde_json::from_value(
        json!({ "id": "s", "type": "seriesMaster", "subject": "Yoga", "showAs": "free",
        "originalStartTimeZone": "Europe/Lisbon" }),
    )
    .unwrap();
    let mut occurrence =
        serde_json::from_value(json!({ "id": "o", "type": "occurrence", "seriesMasterId": "s",
        "start": { "dateTime": "2026-03-18T18:00:00", "timeZone": "UTC" },
        "end": { "dateTime": "2026-03-18T19:00:00", "timeZone": "UTC" } }))
        .unwrap();
    assert!(lacks_its_series(&occurrence));
    fill(&mut occurrence, &series);
    assert!(!lacks_its_series(&occurrence));
    let seen = observed(&occurrence).unwrap();
    assert_eq!((seen.title.as_str(), seen.busy), ("Yoga", false));
    assert_eq!(seen.time, Some(timed("2026-03-18T18:00:00Z", "2026-03-18T19:00:00Z", Tz::Europe__Lisbon)));
}

#[test]
fn a_title_that_is_too_long_is_cut_between_letters() {
    assert_eq!(subject("Massage"), "Massage");
    assert_eq!(subject(&"é".repeat(255)), "é".repeat(255));
    assert_eq!(subject(&"é".repeat(256)), "é".repeat(255));
    assert_eq!(subject(&"🛎".repeat(200)), "🛎".repeat(127));
    let content = EntryContent { title: "x".repeat(1_000), ..content(all_day()) };
    assert!(says(&round_trip(&content, true), &content));
}
