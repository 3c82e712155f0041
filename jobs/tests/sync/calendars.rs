//! The calendars of an account: which are read, which one is written, and those that are gone.

use concord_domain::connection::EntryState;
use concord_services::{ServiceError, connections as manage};
use concord_storage::{
    on_both_databases,
    testing::{TestDb, at},
};
use serde_json::json;

use crate::{
    connection_choices,
    fixture::{ANA, SyncFixture, titled},
};

async fn a_new_connection_reads_and_writes_the_main_calendar(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let second = fixture.outside.calendar(ANA, "Clinic").await;
    let id = fixture.connected(&fixture.ana).await;
    let calendars = fixture.calendars(id).await;
    let chosen: Vec<(&str, bool, bool)> =
        calendars.iter().map(|one| (one.external_id.as_str(), one.reads, one.writes)).collect();
    assert_eq!(chosen[0], (ANA, true, true));
    assert!(chosen[1..].iter().all(|(_, reads, writes)| !reads && !writes), "{chosen:?}");
    let clinic = fixture.calendar(id, &second).await;
    assert!(clinic.writable);
    assert!(!calendars.iter().find(|one| one.name.contains("Holidays")).unwrap().writable);
}

async fn a_calendar_that_is_no_longer_read_frees_its_owner(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let second = fixture.outside.calendar(ANA, "Clinic").await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({ "calendar": second })).await;
    let id = fixture.connected(&fixture.ana).await;
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);

    let clinic = fixture.calendar(id, &second).await.id;
    connection_choices::set_reads(&fixture.context, &fixture.change(), id, clinic, true).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 600 - 660"]);
    connection_choices::set_reads(&fixture.context, &fixture.change(), id, clinic, false).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);
    fixture.outside.forget_calls().await;
    fixture.poll().await;
    let asked = fixture.outside.exchanges().await;
    assert!(
        asked.iter().all(|one| !one["path"].as_str().unwrap_or_default().contains("group.calendar")),
        "{asked:?}"
    );
    // And back again: all of it, not only what has changed since.
    connection_choices::set_reads(&fixture.context, &fixture.change(), id, clinic, true).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 600 - 660"]);
}

async fn another_written_calendar_gets_what_is_new(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let second = fixture.outside.calendar(ANA, "Clinic").await;
    let id = fixture.connected(&fixture.ana).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    fixture.put("A-1", &draft).await;
    fixture.settle().await;
    let clinic = fixture.calendar(id, &second).await.id;
    connection_choices::set_written(&fixture.context, &fixture.change(), id, clinic).await.unwrap();
    fixture.put("A-1", &titled(&draft, "Changed")).await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.settle().await;
    let mut seen: Vec<(String, String)> =
        fixture.outside.seen_by(ANA).await.into_iter().map(|one| (one.calendar, one.title)).collect();
    seen.sort();
    assert_eq!(
        seen,
        [
            (ANA.to_owned(), "Sea View — Maria (Changed)".to_owned()),
            (second, "Sea View — Maria (Massage)".to_owned()),
        ]
    );
}

async fn a_calendar_that_nobody_knows_or_may_write_is_refused(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let other = fixture.connected(&fixture.rui).await;
    let holidays = fixture.calendars(id).await.into_iter().find(|one| !one.writable).unwrap().id;
    let of_rui = fixture.calendars(other).await[0].id;
    let unknown = concord_domain::ids::CalendarId(uuid::Uuid::from_u128(7));
    for calendar in [holidays, of_rui, unknown] {
        let refused =
            connection_choices::set_written(&fixture.context, &fixture.change(), id, calendar).await;
        assert!(matches!(refused, Err(ServiceError::NotFound(_))), "{refused:?}");
    }
    for calendar in [of_rui, unknown] {
        let refused =
            connection_choices::set_reads(&fixture.context, &fixture.change(), id, calendar, false).await;
        assert!(matches!(refused, Err(ServiceError::NotFound(_))), "{refused:?}");
    }
    assert!(fixture.calendars(id).await[0].writes);
    assert!(fixture.calendars(other).await[0].reads);
}

async fn remotely_deleted_calendar_is_noticed_on_read(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let second = fixture.outside.calendar(ANA, "Clinic").await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({ "calendar": second })).await;
    let id = fixture.connected(&fixture.ana).await;
    let clinic = fixture.calendar(id, &second).await.id;
    connection_choices::set_reads(&fixture.context, &fixture.change(), id, clinic, true).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 600 - 660"]);

    fixture.outside.delete_calendar(&second).await;
    fixture.poll().await;
    assert!(fixture.calendar(id, &second).await.missing_since.is_some());
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);
    assert_eq!(fixture.failed().await.len(), 0);
    // Nobody asks for it again.
    fixture.outside.forget_calls().await;
    fixture.poll().await;
    assert!(fixture.outside.calls().await.iter().all(|call| call == "GET 200"));
}

async fn remotely_deleted_calendar_moves_bookings_to_chosen_one(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let second = fixture.outside.calendar(ANA, "Clinic").await;
    let id = fixture.connected(&fixture.ana).await;
    let clinic = fixture.calendar(id, &second).await.id;
    connection_choices::set_written(&fixture.context, &fixture.change(), id, clinic).await.unwrap();
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    fixture.put("A-1", &draft).await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 2);

    fixture.outside.delete_calendar(&second).await;
    let booking = fixture.put("A-1", &titled(&draft, "Changed")).await;
    fixture.settle().await;
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Failed);
    let reason = fixture.sync(&booking).await[0].last_error.clone().unwrap_or_default();
    assert!(reason.contains("choose another one"), "{reason}");
    assert!(fixture.calendar(id, &second).await.missing_since.is_some());
    assert!(fixture.calendar(id, &second).await.writes, "what the person chose is not forgotten");

    let main = fixture.calendar(id, ANA).await.id;
    connection_choices::set_written(&fixture.context, &fixture.change(), id, main).await.unwrap();
    fixture.settle().await;
    assert_eq!(
        fixture.outside.titles(ANA).await,
        ["Sea View — Maria (Changed)", "Sea View — Maria (Massage)"]
    );
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    assert_eq!(fixture.failed().await.len(), 0);
    // A cancelled one goes from where it is now.
    fixture.cancel("A-1").await;
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await, ["Sea View — Maria (Massage)"]);
}

async fn a_test_tells_what_is_there_and_frees_what_is_gone(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let second = fixture.outside.calendar(ANA, "Clinic").await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({ "calendar": second })).await;
    let id = fixture.connected(&fixture.ana).await;
    let clinic = fixture.calendar(id, &second).await.id;
    connection_choices::set_reads(&fixture.context, &fixture.change(), id, clinic, true).await.unwrap();
    fixture.settle().await;
    let report = manage::test(&fixture.context, fixture.business.id, id).await.unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!(report.calendars, 3);

    fixture.outside.delete_calendar(&second).await;
    let new = fixture.outside.calendar(ANA, "Rota").await;
    let report = manage::test(&fixture.context, fixture.business.id, id).await.unwrap();
    assert_eq!((report.ok, report.calendars), (true, 3));
    assert_eq!(fixture.calendar(id, &new).await.name, "Rota");
    fixture.settle().await;
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);

    fixture.outside.fault(json!({ "kind": "server_error", "count": 1 })).await;
    let report = manage::test(&fixture.context, fixture.business.id, id).await.unwrap();
    assert!(!report.ok && report.message.contains("500"), "{report:?}");
    assert_eq!(fixture.log().await.iter().filter(|line| line.starts_with("test")).count(), 3);
}

async fn a_calendar_that_its_owner_does_not_look_at_is_not_gone(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let second = fixture.outside.calendar(ANA, "Clinic").await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({ "calendar": second })).await;
    let id = fixture.connected(&fixture.ana).await;
    let clinic = fixture.calendar(id, &second).await.id;
    connection_choices::set_reads(&fixture.context, &fixture.change(), id, clinic, true).await.unwrap();
    connection_choices::set_written(&fixture.context, &fixture.change(), id, clinic).await.unwrap();
    fixture.settle().await;
    fixture.outside.hide_calendar(ANA, &second).await;
    assert!(manage::test(&fixture.context, fixture.business.id, id).await.unwrap().ok);
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["booking: 60 - 120", "busy: 600 - 660"]);
    let seen = fixture.outside.seen_by(ANA).await;
    assert!(seen.iter().all(|one| one.calendar == second) && seen.len() == 2, "{seen:#?}");
}

on_both_databases!(
    a_new_connection_reads_and_writes_the_main_calendar,
    a_calendar_that_is_no_longer_read_frees_its_owner,
    another_written_calendar_gets_what_is_new,
    a_calendar_that_nobody_knows_or_may_write_is_refused,
    remotely_deleted_calendar_is_noticed_on_read,
    remotely_deleted_calendar_moves_bookings_to_chosen_one,
    a_test_tells_what_is_there_and_frees_what_is_gone,
    a_calendar_that_its_owner_does_not_look_at_is_not_gone,
);
