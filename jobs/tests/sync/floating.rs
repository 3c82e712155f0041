//! Times that a calendar tells in no zone: they are its owner's, wherever they are read and compared.

use chrono_tz::Tz;
use concord_domain::{connection::EntryState, ids::ConnectionId};
use concord_services::connections as manage;
use concord_storage::{on_both_databases, people::Staff, testing::TestDb};

use crate::{
    fixture::{PATIENCE, SyncFixture, unhurried},
    two_way::minutes,
};

const EVA: &str = "eva@newyork.example";

/// A business in New York, and somebody there whose calendar tells no zone. Five hours behind UTC on that day.
async fn in_new_york(db: &TestDb) -> (SyncFixture<'_>, Staff, ConnectionId) {
    let monday = concord_storage::testing::monday();
    let kind = concord_domain::connection::ProviderKind::Caldav;
    let fixture = SyncFixture::of(db, kind, unhurried(), PATIENCE, monday).await;
    fixture.change_business(|settings| settings.zone = Tz::America__New_York).await;
    let eva = concord_storage::testing::staff(db, &fixture.business, "Eva").await;
    fixture.outside.radicale().add_account(EVA).await;
    let id = fixture.connect(&eva, EVA).await;
    fixture.settle().await;
    (fixture, eva, id)
}

impl SyncFixture<'_> {
    /// Another application of theirs writes an entry without its zone, by the same clock.
    async fn floats(&self, path: &str) {
        let object = self.outside.person(EVA).gets(path).await;
        let (before, zone) = object.split_once("BEGIN:VTIMEZONE").expect("it names its zone");
        let (_, after) = zone.split_once("END:VTIMEZONE").expect("the zone ends");
        let object = format!("{}{}", before, after.trim_start());
        let object = object.replace(";TZID=America/New_York:", ":");
        assert!(!object.contains("TZID"), "{object}");
        self.outside.person(EVA).puts(path, &object).await;
    }

    /// An hour later, still without its zone.
    async fn floats_on(&self, path: &str) {
        let object = self.outside.person(EVA).gets(path).await;
        let later = |line: &str| {
            let time = line.strip_prefix("DTSTART:").or_else(|| line.strip_prefix("DTEND:"));
            let Some((day, clock)) = time.and_then(|at| at.split_once('T')) else { return line.to_owned() };
            let (name, _) = line.split_once(':').expect("it has a name");
            let hour: u32 = clock[..2].parse().expect("an hour");
            format!("{name}:{day}T{:02}{}", hour + 1, &clock[2..])
        };
        let object: Vec<String> = object.lines().map(later).collect();
        self.outside.person(EVA).puts(path, &(object.join("\r\n") + "\r\n")).await;
    }
}

async fn an_appointment_keeps_its_owner_busy_by_their_own_clock(db: &TestDb) {
    let (fixture, eva, id) = in_new_york(db).await;
    let main = fixture.outside.radicale().calendar_of(EVA);
    let object = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:dentist\r\n\
        DTSTAMP:20260101T000000Z\r\nDTSTART:20270301T150000\r\nDTEND:20270301T160000\r\nSUMMARY:Dentist\r\n\
        END:VEVENT\r\nEND:VCALENDAR\r\n";
    fixture.outside.person(EVA).puts(&format!("{main}dentist.ics"), object).await;
    fixture.poll().await;
    // 15:00 is 20:00 in UTC, twelve hours after eight.
    assert_eq!(fixture.taken(&eva).await, ["busy: 720 - 780"]);
    fixture.refused("A-1", &fixture.draft(&[&eva], 730, 740)).await;
    fixture.put("A-2", &fixture.draft(&[&eva], 420, 480)).await;

    // Another calendar of theirs tells where they live.
    let rota = main.replace("/calendar/", "/rota/");
    fixture.outside.person(EVA).make_calendar(&rota).await;
    fixture.outside.person(EVA).set_timezone(&rota, "Europe/London").await;
    assert!(manage::test(&fixture.context, fixture.business.id, id).await.unwrap().ok);
    fixture.cancel("A-2").await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&eva).await, ["busy: 420 - 480"]);
}

async fn an_entry_without_its_zone_is_where_it_was(db: &TestDb) {
    let (fixture, eva, id) = in_new_york(db).await;
    let booking = fixture.put("A-1", &fixture.draft(&[&eva], 6_000, 6_060)).await;
    fixture.settle().await;
    fixture.poll().await;
    let path = fixture.outside.one_seen_by(EVA).await.id;

    fixture.floats(&path).await;
    // Compared in whole, and then by what changed.
    manage::compare(&fixture.context, fixture.business.id, id).await.unwrap();
    fixture.settle().await;
    fixture.poll().await;
    assert_eq!(minutes(&fixture.now(&booking).await), (6_000, 6_060));
    assert_eq!(fixture.changes(&booking).await.len(), 0);
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);

    fixture.floats_on(&path).await;
    fixture.poll().await;
    assert_eq!(minutes(&fixture.now(&booking).await), (6_060, 6_120));
    assert_eq!(fixture.changes(&booking).await.len(), 1);
    assert_eq!(fixture.taken(&eva).await, ["booking: 6060 - 6120"]);
}

/// Whoever is about to write finds it by its name.
async fn an_entry_without_its_zone_is_found_where_it_is(db: &TestDb) {
    let (fixture, eva, _) = in_new_york(db).await;
    let draft = fixture.draft(&[&eva], 6_000, 6_060);
    let booking = fixture.put("A-1", &draft).await;
    fixture.settle().await;
    fixture.poll().await;
    let path = fixture.outside.one_seen_by(EVA).await.id;
    fixture.floats(&path).await;
    let draft = crate::fixture::titled(&draft, "Changed");
    fixture.put("A-1", &draft).await;
    fixture.settle().await;
    assert_eq!(minutes(&fixture.now(&booking).await), (6_000, 6_060));
    assert_eq!(fixture.changes(&booking).await.len(), 0, "nobody moved it");
    let seen = fixture.outside.one_seen_by(EVA).await;
    assert_eq!(
        (seen.title.as_str(), seen.starts_at.as_str()),
        ("Sea View — Maria (Changed)", "2027-03-05T12:00:00Z")
    );
}

on_both_databases!(
    an_appointment_keeps_its_owner_busy_by_their_own_clock,
    an_entry_without_its_zone_is_where_it_was,
    an_entry_without_its_zone_is_found_where_it_is,
);
