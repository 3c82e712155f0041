use concord_domain::{
    entry::{EntryReminder, EntryTime, ReminderMeans},
    ical::lint::lint,
    ids::{BookingId, EntryId},
};

use super::*;

#[path = "merge/any_tests.rs"]
mod any;

fn now() -> DateTime<Utc> {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn content() -> EntryContent {
    EntryContent {
        booking: BookingId(uuid::Uuid::from_u128(1)),
        entry: EntryId(uuid::Uuid::from_u128(2)),
        title: "Massage, long".to_owned(),
        description: "Reference: A-1\nStatus: Confirmed".to_owned(),
        location: "Room 1".to_owned(),
        time: timed("2026-07-10T09:00:00Z", Tz::Europe__Lisbon),
        colour: Some("Blue category".to_owned()),
        tentative: false,
        busy: true,
        reminders: alarms(&[30]),
    }
}

fn timed(start: &str, zone: Tz) -> EntryTime {
    let starts_at: DateTime<Utc> = start.parse().unwrap();
    EntryTime::Timed { starts_at, ends_at: starts_at + chrono::Duration::hours(1), zone }
}

fn alarms(minutes: &[u32]) -> Vec<EntryReminder> {
    minutes.iter().map(|minutes| EntryReminder { by: ReminderMeans::Popup, minutes: *minutes }).collect()
}

fn after(remote: &str, content: &EntryContent) -> String {
    String::from_utf8(merged(remote, content, now())).unwrap()
}

fn object(content: &EntryContent) -> String {
    String::from_utf8(whole(content, now())).unwrap()
}

fn added(object: &str, lines: &str) -> String {
    let lines = format!("{}\r\n", lines.trim().replace('\n', "\r\n"));
    let at = object.find("BEGIN:VALARM").or_else(|| object.find("END:VEVENT")).unwrap();
    format!("{}{lines}{}", &object[..at], &object[at..])
}

fn count(object: &str, line: &str) -> usize {
    object.replace("\r\n ", "").split("\r\n").filter(|one| *one == line).count()
}

fn event(object: &str) -> RawComponent {
    let calendar = RawComponent::read(object).unwrap_or_else(|| panic!("{object}"));
    let mut events = calendar.components().filter(|one| one.is("VEVENT"));
    let event = events.next().unwrap().clone();
    assert_eq!(events.next(), None, "{object}");
    event
}

/// What a reader makes of the object is what was to be written.
fn assert_matches(object: &str, content: &EntryContent) {
    let calendar = read(object.as_bytes(), Tz::Pacific__Apia, &ReadLimits::default()).unwrap();
    let [event] = &calendar.events[..] else { panic!("{object}") };
    assert_eq!((&event.summary, &event.location), (&content.title, &content.location), "{object}");
    assert!(event.description.starts_with(&content.description), "{object}");
    assert_eq!(
        (event.status == FeedStatus::Tentative, !event.transparent),
        (content.tentative, content.busy)
    );
    assert_eq!(event.time, content.time, "{object}");
    assert!(event.recurrence.is_none() && event.recurrence_id.is_none() && event.ends, "{object}");
    assert_eq!(event.property("X-CONCORD-ENTRY"), Some(content.entry.to_string().as_str()));
    assert_eq!(calendar.warnings, [], "{object}");
}

#[test]
fn unchanged_entry_stays_to_the_letter() {
    let object = added(&object(&content()), "ATTACH:https://files.example/a\nX-MOZ-GENERATION:3");
    assert_eq!(after(&object, &content()), object);
    // Nor does the form matter in which an application says the same.
    let object = object
        .replace("SUMMARY:", "SUMMARY;LANGUAGE=en:")
        .replace("Reference: A-1\\nStatus", "Reference: A-1 \\N\r\n  Status");
    assert_eq!(after(&object, &content()), object);
}

#[test]
fn ours_replaces_what_says_it_otherwise() {
    let former = EntryContent {
        time: timed("2026-07-09T12:00:00Z", Tz::Asia__Tokyo),
        title: "Old".to_owned(),
        ..content()
    };
    for (from, to) in [
        ("X:", "X:"),
        ("SUMMARY:Old", "summary:A person's\r\nSUMMARY:Old"),
        ("DTEND;TZID=Asia/Tokyo:20260709T220000", "DURATION:PT1H"),
        (
            "DTEND",
            "RRULE:FREQ=DAILY\r\nEXDATE;TZID=Asia/Tokyo:20260710T210000\r\nRDATE:20270101T000000Z\r\nDTEND",
        ),
        ("STATUS:CONFIRMED\r\n", "STATUS:CANCELLED\r\n"),
        ("TRANSP:OPAQUE\r\n", ""),
        ("DTSTART;TZID=Asia/Tokyo:20260709T210000", "DTSTART;VALUE=DATE:20260709"),
        ("LOCATION:Room 1", "LOCATION;ALTREP=\"https://x.example/;\":Elsewhere"),
    ] {
        let remote = object(&former).replace(from, to);
        let object = after(&remote, &content());
        assert_matches(&object, &content());
        assert_eq!(lint(object.as_bytes()), [], "{object}");
        assert!(!object.contains("Tokyo"), "a zone that nothing names is left: {object}");
    }
}

#[test]
fn cleared_field_is_clear() {
    let bare = EntryContent {
        description: String::new(),
        location: String::new(),
        colour: None,
        reminders: vec![],
        time: EntryTime::AllDay { from: "2026-07-10".parse().unwrap(), until: "2026-07-12".parse().unwrap() },
        ..content()
    };
    assert_eq!(after(&object(&content()), &bare), object(&bare));
    assert_eq!(
        event(&after(&object(&bare), &content())).lines().count(),
        event(&object(&content())).lines().count()
    );
}

#[test]
fn overridden_instances_go_with_the_series() {
    let series = added(&object(&content()), "RRULE:FREQ=DAILY;COUNT=9\nCOLOR:tomato");
    let instance = "BEGIN:VEVENT\r\nUID:x\r\nRECURRENCE-ID:20260711T090000Z\r\nDTSTART:20260711T100000Z\r\nCOLOR:red\r\nEND:VEVENT\r\n";
    for series in [
        series.replace("BEGIN:VEVENT", &format!("{instance}BEGIN:VEVENT")),
        series.replace("END:VCALENDAR", &format!("{instance}END:VCALENDAR")),
    ] {
        let object = after(&series, &content());
        assert_matches(&object, &content());
        assert_eq!((count(&object, "COLOR:tomato"), count(&object, "COLOR:red")), (1, 0));
    }
}

#[test]
fn what_cannot_be_read_is_written_over() {
    let whole = object(&content());
    for remote in [
        "",
        "<html>",
        "BEGIN:VCALENDAR\r\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:t\r\nEND:VTODO\r\nEND:VCALENDAR",
        "BEGIN:VEVENT\r\nDTSTART:20260711T100000Z\r\nEND:VEVENT",
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:soon\r\nEND:VEVENT\r\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nRECURRENCE-ID:20260711T090000Z\r\nDTSTART:20260711T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR",
        &whole.replace("END:VCALENDAR", ""),
        &whole.replace("END:VALARM", ""),
    ] {
        assert_eq!(after(remote, &content()), whole, "{remote}");
    }
}

/// A client that keeps nothing that it does not know has written it, or a person has.
#[test]
fn object_without_our_marks_gets_them() {
    let remote = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Phone//EN\nX-WR-CALNAME:Mine\nBEGIN:VEVENT\nUID:phone-1\n\
        DTSTAMP:20250101T000000Z\nDTSTART;TZID=Mine:20260711T100000\nDURATION:PT5M\nSUMMARY:Walk\nDESCRIPTION:With the dog\n\
        ATTENDEE:mailto:rui@example.com\nEND:VEVENT\nBEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:STANDARD\nDTSTART:19700101T000000\n\
        TZOFFSETFROM:+0000\nTZOFFSETTO:+0000\nEND:STANDARD\nEND:VTIMEZONE\nEND:VCALENDAR";
    let object = after(remote, &content());
    assert_matches(&object, &content());
    assert_eq!(lint(object.as_bytes()), [], "{object}");
    for line in [
        "PRODID:-//Phone//EN",
        "X-WR-CALNAME:Mine",
        "UID:phone-1",
        "ATTENDEE:mailto:rui@example.com",
        "SEQUENCE:1",
    ] {
        assert_eq!(count(&object, line), 1, "{line}: {object}");
    }
    assert!(!object.contains("TZID:Mine") && !object.contains("DURATION"), "{object}");
    assert!(!object.contains("With the dog"), "without a mark all words count as ours");
}

#[test]
fn zone_that_another_line_names_stays() {
    let lisbon = object(&content());
    let remote = added(&lisbon, "X-REMIND;TZID=Europe/Lisbon:20260710T080000");
    let tokyo = EntryContent { time: timed("2026-07-10T09:00:00Z", Tz::Asia__Tokyo), ..content() };
    let object = after(&remote, &tokyo);
    assert_eq!((count(&object, "TZID:Europe/Lisbon"), count(&object, "TZID:Asia/Tokyo")), (1, 1), "{object}");
    assert_eq!(lint(object.as_bytes()), [], "{object}");
    assert_matches(&object, &tokyo);
    // One that nothing has named before is nobody's to take away.
    let unnamed = lisbon.replace("Europe/Lisbon", "Asia/Tokyo").replacen("TZID:Asia/Tokyo", "TZID:Extra", 1);
    let bare = after(&unnamed, &content());
    assert_eq!((count(&bare, "TZID:Extra"), count(&bare, "TZID:Europe/Lisbon")), (1, 1), "{bare}");
}

#[test]
fn words_of_people_stay_below_ours() {
    let former = EntryContent { description: "Reference: A-1\nStatus: Pending".to_owned(), ..content() };
    let html = "X-ALT-DESC;FMTTYPE=text/html:<b>Bring towels.</b>";
    let remote = object(&former).replace("Status: Pending", "Status: Pending\\nBring two towels\\, Rui.");
    let described = |object: &str| event(object).line("DESCRIPTION").unwrap().text();
    let next = after(&added(&remote, html), &content());
    assert_eq!(described(&next), "Reference: A-1\nStatus: Confirmed\n\nBring two towels, Rui.");
    assert_eq!(count(&next, html), 0, "it says what ours does not say any more");
    let same = after(&added(&remote, html), &former);
    assert_eq!((described(&same), count(&same, html)), (described(&remote), 1));
    // A line of ours that they changed is theirs.
    let changed = remote.replace("Status: Pending", "Status: ask Ana");
    assert_eq!(
        described(&after(&changed, &content())),
        "Reference: A-1\nStatus: Confirmed\n\nStatus: ask Ana\nBring two towels, Rui."
    );
    // Nothing of ours is left to say.
    let silent = EntryContent { description: String::new(), ..content() };
    assert_eq!(described(&after(&next, &silent)), "Bring two towels, Rui.");
}

#[test]
fn guests_are_told_of_another_time_by_a_higher_sequence() {
    let guest = "ATTENDEE:mailto:rui@example.com";
    let ours = object(&content());
    let later = EntryContent { time: timed("2026-07-11T09:00:00Z", Tz::Europe__Lisbon), ..content() };
    let renamed = EntryContent { title: "Other".to_owned(), ..content() };
    let pending = EntryContent { tentative: true, ..content() };
    let elsewhere = EntryContent { time: timed("2026-07-10T09:00:00Z", Tz::Asia__Tokyo), ..content() };
    for (lines, next, sequence) in [
        ("X-NOTHING:1", &later, None),
        (guest, &later, Some(1)),
        ("SEQUENCE:4", &later, Some(5)),
        ("SEQUENCE:2147483647", &later, Some(2_147_483_647)),
        ("SEQUENCE:-3", &later, Some(1)),
        ("SEQUENCE:4\nRRULE:FREQ=DAILY", &content(), Some(5)),
        ("SEQUENCE:4", &pending, Some(5)),
        ("SEQUENCE:4", &renamed, Some(4)),
        ("SEQUENCE:4", &elsewhere, Some(4)),
        (guest, &renamed, None),
    ] {
        let object = after(&added(&ours, lines), next);
        let said = event(&object).line("SEQUENCE").map(|line| line.value().parse::<i64>().unwrap());
        assert_eq!(said, sequence, "{lines} {object}");
        assert_eq!(after(&object, next), object);
    }
}

#[test]
fn categories_of_people_stay_beside_ours() {
    let with = |category: Option<&str>| EntryContent { colour: category.map(str::to_owned), ..content() };
    let categories = |object: &str| -> Vec<String> {
        event(object)
            .lines()
            .filter(|line| line.is("CATEGORIES"))
            .map(|line| line.value().to_owned())
            .collect()
    };
    let ours = object(&content());
    for (remote, next, left) in [
        ("CATEGORIES:Blue category", Some("Red"), &["Red"][..]),
        ("CATEGORIES:Blue category", None, &[]),
        ("CATEGORIES:Sea\\, sun,Blue category,Own", Some("Red"), &["Sea\\, sun,Own", "Red"]),
        ("CATEGORIES:Blue category\r\nCATEGORIES:Own", Some("Red"), &["Own", "Red"]),
        ("CATEGORIES:Blue category,Red", Some("Red"), &["Red"]),
        ("CATEGORIES:Own", Some("Red"), &["Own"]),
        ("CATEGORIES:Own", Some("Blue category"), &["Own"]),
        ("X-NONE:", Some("Red"), &[]),
    ] {
        let object = after(&ours.replace("CATEGORIES:Blue category", remote), &with(next));
        assert_eq!(categories(&object), left, "{remote} {next:?}");
    }
    // Ours is new.
    let plain = object(&with(None));
    assert_eq!(categories(&after(&added(&plain, "CATEGORIES:Own"), &with(Some("Red")))), ["Own", "Red"]);
    assert_eq!(categories(&after(&added(&plain, "CATEGORIES:Own"), &with(Some("5")))), ["Own"]);
}

const OWN_ALARM: &str = "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT30M\nX-WR-ALARMUID:7\nEND:VALARM\n\
    BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nDESCRIPTION:Massage\\, long\nEND:VALARM";

fn triggers(object: &str) -> Vec<String> {
    let line =
        |alarm: &RawComponent, name| alarm.line(name).map(|line| line.value().to_owned()).unwrap_or_default();
    event(object)
        .components()
        .map(|alarm| format!("{} {}", line(alarm, "ACTION"), line(alarm, "TRIGGER")))
        .collect()
}

#[test]
fn alarms_of_people_stay_beside_ours() {
    let with = |minutes: &[u32]| EntryContent { reminders: alarms(minutes), ..content() };
    let theirs = ["AUDIO -PT30M", "DISPLAY -PT10M"];
    let remote = added(&object(&content()), OWN_ALARM);
    for (minutes, ours) in [
        (&[30][..], &["DISPLAY -PT30M"][..]),
        (&[60], &["DISPLAY -PT60M"]),
        (&[], &[]),
        (&[30, 60], &["DISPLAY -PT30M", "DISPLAY -PT60M"]),
        (&[10], &[]),
    ] {
        let object = after(&remote, &with(minutes));
        assert_eq!(triggers(&object), [&theirs[..], ours].concat(), "{minutes:?}");
        assert_eq!(after(&object, &with(minutes)), object);
    }
    let free = EntryContent { busy: false, reminders: vec![], ..content() };
    assert_eq!(triggers(&after(&remote, &free)), theirs, "we remind nobody of what does not take place");
}

/// Each application writes an alarm in its own way; one that goes off when ours should is not set a second time.
#[test]
fn our_alarm_is_known_in_other_words() {
    for (trigger, more) in [
        ("TRIGGER:-P0DT0H30M0S", ""),
        ("TRIGGER;VALUE=DURATION:-PT30M", "X-WR-ALARMUID:7\r\nUID:7\r\nACKNOWLEDGED:20260709T080000Z\r\n"),
    ] {
        let remote = object(&content())
            .replace("TRIGGER:-PT30M", trigger)
            .replace("END:VALARM", &format!("{more}END:VALARM"));
        let renamed = EntryContent { title: "Other".to_owned(), ..content() };
        let next = after(&remote, &renamed);
        assert!(next.contains(trigger) && next.contains(more), "{next}");
        assert_eq!((triggers(&next).len(), count(&next, "DESCRIPTION:Other")), (1, 1));
        let later = EntryContent { reminders: alarms(&[60]), ..content() };
        assert_eq!(triggers(&after(&remote, &later)), ["DISPLAY -PT60M"]);
    }
    // Written before we kept what we wrote.
    let old = object(&content()).replace("X-CONCORD-REMINDERS:30\r\n", "");
    let old = old
        .lines()
        .filter(|line| !line.starts_with("X-CONCORD-WORDS"))
        .flat_map(|line| [line, "\r\n"])
        .collect::<String>();
    let later = EntryContent { reminders: alarms(&[60]), ..content() };
    assert_eq!(triggers(&after(&old, &later)), ["DISPLAY -PT60M"]);
    let theirs =
        old.replace("ACTION:DISPLAY\r\nDESCRIPTION:Massage", "ACTION:DISPLAY\r\nDESCRIPTION:My massage");
    assert_eq!(triggers(&after(&theirs, &later)), ["DISPLAY -PT30M", "DISPLAY -PT60M"]);
}
