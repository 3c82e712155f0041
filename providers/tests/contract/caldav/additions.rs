//! What people add to an entry of ours stays when it is written again.

use concord_domain::entry::{EntryContent, EntryReminder, EntryTime, ReminderMeans};
use concord_testing::ServerSoftware;

use super::CaldavFixture;
use crate::{
    fixture::{ProviderFixture, TestAccount},
    suite::{at, code, content},
};

/// What applications write into an event of ours, before its alarms.
const ADDED: &str = "ORGANIZER;CN=Ana:mailto:ana@example.com\r\n\
    ATTENDEE;CN=\"Guest, Rui\";PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:rui@example.com\r\n\
    ATTACH;FILENAME=plan.pdf;FMTTYPE=application/pdf:https://files.example/a-file-with-a-name-that-is-longer-tha\r\n n-a-line.pdf\r\n\
    COLOR:tomato\r\n\
    CATEGORIES:Weekend,Sea\\, sun\r\n\
    SEQUENCE:3\r\n\
    X-APPLE-TRAVEL-DURATION;VALUE=DURATION:PT45M\r\n";

const ALARM: &str =
    "BEGIN:VALARM\r\nUID:5B6C\r\nACTION:AUDIO\r\nTRIGGER:-PT5M\r\nATTACH;VALUE=URI:Basso\r\nEND:VALARM\r\n";

fn ours() -> EntryContent {
    EntryContent {
        description: "Reference: A-1\nStatus: Pending".to_owned(),
        location: "Room 1".to_owned(),
        tentative: true,
        reminders: vec![EntryReminder { by: ReminderMeans::Popup, minutes: 30 }],
        ..content("Massage")
    }
}

fn changed(content: &EntryContent) -> EntryContent {
    EntryContent {
        title: "Massage, long".to_owned(),
        description: "Reference: A-1\nStatus: Confirmed".to_owned(),
        time: EntryTime::Timed {
            starts_at: at("2026-03-11T14:00:00Z"),
            ends_at: at("2026-03-11T16:00:00Z"),
            zone: chrono_tz::Asia::Kathmandu,
        },
        tentative: false,
        ..content.clone()
    }
}

/// A person's application stores the object anew, as theirs do: with what they added.
async fn add_as_user(fixture: &CaldavFixture, place: &TestAccount, id: &str) {
    let (person, path) = (fixture.person(place), format!("{}{id}", place.calendar));
    let object = person.gets(&path).await.replace("\r\n", "\n").replace('\n', "\r\n");
    let object = object.replacen("BEGIN:VALARM", &format!("{ADDED}{ALARM}BEGIN:VALARM"), 1);
    let object = object.replace("Status: Pending", "Status: Pending\\n\\nBring two towels.");
    person.puts(&path, &object).await;
}

async fn additions_outlive_our_next_writes(fixture: &CaldavFixture) {
    let (provider, place, ours) = (fixture.provider(), fixture.place().await, ours());
    let (token, calendar) = (&place.credentials, &place.calendar);
    let id = fixture.external_id(ours.entry);
    let created = provider.create(token, calendar, &id, &ours).await.unwrap();
    add_as_user(fixture, &place, &id).await;

    // Whoever has not seen what they did writes nothing over it.
    let changed = changed(&ours);
    let stale = provider.update(token, calendar, &id, &changed, Some(&created.etag)).await;
    assert_eq!(code(stale), "precondition");

    let found = provider.find(token, calendar, &id).await.unwrap().unwrap();
    assert_eq!(found.title, "Massage");
    let written = provider.update(token, calendar, &id, &changed, found.etag.as_deref()).await.unwrap();
    let again = EntryContent { location: "Room 2".to_owned(), ..changed.clone() };
    provider.update(token, calendar, &id, &again, Some(&written.etag)).await.unwrap();
    provider.update(token, calendar, &id, &again, None).await.unwrap();

    let found = provider.find(token, calendar, &id).await.unwrap().unwrap();
    assert_eq!((found.title.as_str(), found.time.as_ref()), ("Massage, long", Some(&changed.time)));
    assert_eq!((found.entry, found.tentative, found.busy), (Some(ours.entry), false, true));
    let seen = fixture.person(&place).sees(calendar).await;
    let [seen] = &seen[..] else { panic!("{seen:#?}") };
    let words = "Reference: A-1\nStatus: Confirmed\n\nBring two towels.";
    assert_eq!((seen.description.as_str(), seen.location.as_str()), (words, "Room 2"));
    assert_eq!(
        (seen.starts_at.as_str(), seen.ends_at.as_str()),
        ("2026-03-11T14:00:00Z", "2026-03-11T16:00:00Z")
    );
    let text = unfolded(&seen.text);
    for line in unfolded(&format!("{ADDED}{ALARM}")).lines() {
        // Moved once, and no more than that, whatever else was written.
        let line = if line == "SEQUENCE:3" { "SEQUENCE:4" } else { line };
        assert_eq!(text.matches(&format!("\n{line}\n")).count().min(1), 1, "{line} is not in\n{text}");
    }
    assert_eq!(
        (text.matches("BEGIN:VALARM").count(), text.matches("TRIGGER:-PT30M").count()),
        (2, 1),
        "{text}"
    );
}

fn unfolded(object: &str) -> String {
    object.replace("\r\n", "\n").replace("\n ", "")
}

#[tokio::test]
async fn radicale_keeps_what_people_add() {
    additions_outlive_our_next_writes(&CaldavFixture::start(ServerSoftware::Radicale).await).await;
}

#[tokio::test]
async fn xandikos_keeps_what_people_add() {
    additions_outlive_our_next_writes(&CaldavFixture::start(ServerSoftware::Xandikos).await).await;
}

#[tokio::test]
async fn server_without_versions_keeps_what_people_add() {
    additions_outlive_our_next_writes(&CaldavFixture::without_versions().await).await;
}

/// What a person made recurring, with an instance that takes place at another time, is a single event again.
#[tokio::test]
async fn series_is_reverted_to_one_event() {
    for software in [ServerSoftware::Radicale, ServerSoftware::Xandikos] {
        let fixture = CaldavFixture::start(software).await;
        let (provider, place, ours) = (fixture.provider(), fixture.place().await, ours());
        let (token, calendar) = (&place.credentials, &place.calendar);
        let id = fixture.external_id(ours.entry);
        provider.create(token, calendar, &id, &ours).await.unwrap();
        let (person, path) = (fixture.person(&place), format!("{calendar}{id}"));
        let object = person.gets(&path).await.replace("\r\n", "\n").replace('\n', "\r\n");
        let instance = format!(
            "BEGIN:VEVENT\r\nUID:{}\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20260312T090000Z\r\n\
             DTSTART:20260312T110000Z\r\nDTEND:20260312T120000Z\r\nSUMMARY:Later\r\nEND:VEVENT\r\n",
            ours.entry
        );
        let series = object
            .replacen("BEGIN:VALARM", "RRULE:FREQ=DAILY;COUNT=5\r\nCOLOR:tomato\r\nBEGIN:VALARM", 1)
            .replace("END:VCALENDAR", &format!("{instance}END:VCALENDAR"));
        person.puts(&path, &series).await;
        assert_eq!(provider.busy(token, calendar, crate::suite::window()).await.unwrap().len(), 5);

        provider.update(token, calendar, &id, &ours, None).await.unwrap();
        assert_eq!(provider.busy(token, calendar, crate::suite::window()).await.unwrap().len(), 1);
        let text = person.gets(&path).await;
        assert!(text.contains("COLOR:tomato") && !text.contains("RRULE"), "{text}");
        assert_eq!(text.matches("BEGIN:VEVENT").count(), 1, "{text}");
    }
}

#[tokio::test]
async fn update_costs_a_read_and_a_write() {
    for software in [ServerSoftware::Radicale, ServerSoftware::Xandikos] {
        let fixture = CaldavFixture::start(software).await;
        let (provider, place, ours) = (fixture.provider(), fixture.place().await, ours());
        let (token, calendar) = (&place.credentials, &place.calendar);
        let id = fixture.external_id(ours.entry);
        let created = provider.create(token, calendar, &id, &ours).await.unwrap();
        let before = fixture.server.proxy.seen();
        provider.update(token, calendar, &id, &changed(&ours), Some(&created.etag)).await.unwrap();
        assert_eq!(fixture.server.proxy.seen() - before, 2, "{software:?}");

        fixture.person_deletes(&place, &id).await;
        let before = fixture.server.proxy.seen();
        let gone = provider.update(token, calendar, &id, &ours, Some(&created.etag)).await;
        assert_eq!((code(gone), fixture.server.proxy.seen() - before), ("not_found", 1));
    }
}
