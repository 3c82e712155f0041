//! The calendars of an account: which are read, which one is written, and those that are gone.

use concord_domain::connection::EntryState;
use concord_jobs::connections::{self as manage, ManageError};
use concord_storage::{
    on_both_databases,
    testing::{TestDb, at},
};
use serde_json::json;

use crate::world::{ANA, World, titled};

async fn a_new_connection_reads_and_writes_the_main_calendar(db: &TestDb) {
    let world = World::new(db).await;
    let second = world.outside.calendar(ANA, "Clinic").await;
    let id = world.connected(&world.ana).await;
    let calendars = world.calendars(id).await;
    let chosen: Vec<(&str, bool, bool)> =
        calendars.iter().map(|one| (one.external_id.as_str(), one.reads, one.writes)).collect();
    assert_eq!(chosen[0], (ANA, true, true));
    assert!(chosen[1..].iter().all(|(_, reads, writes)| !reads && !writes), "{chosen:?}");
    let clinic = world.calendar(id, &second).await;
    assert!(clinic.writable);
    assert!(!calendars.iter().find(|one| one.name.contains("Holidays")).unwrap().writable);
}

async fn a_calendar_that_is_no_longer_read_frees_its_owner(db: &TestDb) {
    let world = World::new(db).await;
    let second = world.outside.calendar(ANA, "Clinic").await;
    world.outside.person_adds(ANA, (at(600), at(660)), json!({ "calendar": second })).await;
    let id = world.connected(&world.ana).await;
    assert_eq!(world.taken(&world.ana).await, [""; 0]);

    let clinic = world.calendar(id, &second).await.id;
    manage::set_reads(&world.context, &world.change(), id, clinic, true).await.unwrap();
    world.settle().await;
    assert_eq!(world.taken(&world.ana).await, ["busy: 600 - 660"]);
    manage::set_reads(&world.context, &world.change(), id, clinic, false).await.unwrap();
    world.settle().await;
    assert_eq!(world.taken(&world.ana).await, [""; 0]);
    world.outside.forget_calls().await;
    world.poll().await;
    let asked = world.outside.exchanges().await;
    assert!(
        asked.iter().all(|one| !one["path"].as_str().unwrap_or_default().contains("group.calendar")),
        "{asked:?}"
    );
    // And back again: all of it, not only what has changed since.
    manage::set_reads(&world.context, &world.change(), id, clinic, true).await.unwrap();
    world.settle().await;
    assert_eq!(world.taken(&world.ana).await, ["busy: 600 - 660"]);
}

async fn another_written_calendar_gets_what_is_new(db: &TestDb) {
    let world = World::new(db).await;
    let second = world.outside.calendar(ANA, "Clinic").await;
    let id = world.connected(&world.ana).await;
    let draft = world.draft(&[&world.ana], 60, 120);
    world.put("A-1", &draft).await;
    world.settle().await;
    let clinic = world.calendar(id, &second).await.id;
    manage::set_written(&world.context, &world.change(), id, clinic).await.unwrap();
    world.put("A-1", &titled(&draft, "Changed")).await;
    world.put("A-2", &world.draft(&[&world.ana], 120, 180)).await;
    world.settle().await;
    let mut seen: Vec<(String, String)> =
        world.outside.seen_by(ANA).await.into_iter().map(|one| (one.calendar, one.title)).collect();
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
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    let other = world.connected(&world.rui).await;
    let holidays = world.calendars(id).await.into_iter().find(|one| !one.writable).unwrap().id;
    let of_rui = world.calendars(other).await[0].id;
    let unknown = concord_domain::ids::CalendarId(uuid::Uuid::from_u128(7));
    for calendar in [holidays, of_rui, unknown] {
        let refused = manage::set_written(&world.context, &world.change(), id, calendar).await;
        assert!(matches!(refused, Err(ManageError::NotFound)), "{refused:?}");
    }
    for calendar in [of_rui, unknown] {
        let refused = manage::set_reads(&world.context, &world.change(), id, calendar, false).await;
        assert!(matches!(refused, Err(ManageError::NotFound)), "{refused:?}");
    }
    assert!(world.calendars(id).await[0].writes);
    assert!(world.calendars(other).await[0].reads);
}

async fn a_calendar_that_was_deleted_outside_is_noticed_when_it_is_read(db: &TestDb) {
    let world = World::new(db).await;
    let second = world.outside.calendar(ANA, "Clinic").await;
    world.outside.person_adds(ANA, (at(600), at(660)), json!({ "calendar": second })).await;
    let id = world.connected(&world.ana).await;
    let clinic = world.calendar(id, &second).await.id;
    manage::set_reads(&world.context, &world.change(), id, clinic, true).await.unwrap();
    world.settle().await;
    assert_eq!(world.taken(&world.ana).await, ["busy: 600 - 660"]);

    world.outside.delete_calendar(&second).await;
    world.poll().await;
    assert!(world.calendar(id, &second).await.missing_since.is_some());
    assert_eq!(world.taken(&world.ana).await, [""; 0]);
    assert_eq!(world.failed().await.len(), 0);
    // Nobody asks for it again.
    world.outside.forget_calls().await;
    world.poll().await;
    assert!(world.outside.calls().await.iter().all(|call| call == "GET 200"));
}

async fn bookings_of_a_calendar_that_was_deleted_outside_move_to_the_one_that_is_chosen(db: &TestDb) {
    let world = World::new(db).await;
    let second = world.outside.calendar(ANA, "Clinic").await;
    let id = world.connected(&world.ana).await;
    let clinic = world.calendar(id, &second).await.id;
    manage::set_written(&world.context, &world.change(), id, clinic).await.unwrap();
    let draft = world.draft(&[&world.ana], 60, 120);
    world.put("A-1", &draft).await;
    world.put("A-2", &world.draft(&[&world.ana], 120, 180)).await;
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 2);

    world.outside.delete_calendar(&second).await;
    let booking = world.put("A-1", &titled(&draft, "Changed")).await;
    world.settle().await;
    assert_eq!(world.entry_state(&booking).await, EntryState::Failed);
    let reason = world.sync(&booking).await[0].last_error.clone().unwrap_or_default();
    assert!(reason.contains("choose another one"), "{reason}");
    assert!(world.calendar(id, &second).await.missing_since.is_some());
    assert!(world.calendar(id, &second).await.writes, "what the person chose is not forgotten");

    let main = world.calendar(id, ANA).await.id;
    manage::set_written(&world.context, &world.change(), id, main).await.unwrap();
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, ["Sea View — Maria (Changed)", "Sea View — Maria (Massage)"]);
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);
    assert_eq!(world.failed().await.len(), 0);
    // A cancelled one goes from where it is now.
    world.cancel("A-1").await;
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, ["Sea View — Maria (Massage)"]);
}

async fn a_test_tells_what_is_there_and_frees_what_is_gone(db: &TestDb) {
    let world = World::new(db).await;
    let second = world.outside.calendar(ANA, "Clinic").await;
    world.outside.person_adds(ANA, (at(600), at(660)), json!({ "calendar": second })).await;
    let id = world.connected(&world.ana).await;
    let clinic = world.calendar(id, &second).await.id;
    manage::set_reads(&world.context, &world.change(), id, clinic, true).await.unwrap();
    world.settle().await;
    let report = manage::test(&world.context, world.business.id, id).await.unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!(report.calendars, 3);

    world.outside.delete_calendar(&second).await;
    let new = world.outside.calendar(ANA, "Rota").await;
    let report = manage::test(&world.context, world.business.id, id).await.unwrap();
    assert_eq!((report.ok, report.calendars), (true, 3));
    assert_eq!(world.calendar(id, &new).await.name, "Rota");
    world.settle().await;
    assert_eq!(world.taken(&world.ana).await, [""; 0]);

    world.outside.fault(json!({ "kind": "server_error", "count": 1 })).await;
    let report = manage::test(&world.context, world.business.id, id).await.unwrap();
    assert!(!report.ok && report.message.contains("500"), "{report:?}");
    assert_eq!(world.log().await.iter().filter(|line| line.starts_with("test")).count(), 3);
}

async fn a_calendar_that_its_owner_does_not_look_at_is_not_gone(db: &TestDb) {
    let world = World::new(db).await;
    let second = world.outside.calendar(ANA, "Clinic").await;
    world.outside.person_adds(ANA, (at(600), at(660)), json!({ "calendar": second })).await;
    let id = world.connected(&world.ana).await;
    let clinic = world.calendar(id, &second).await.id;
    manage::set_reads(&world.context, &world.change(), id, clinic, true).await.unwrap();
    manage::set_written(&world.context, &world.change(), id, clinic).await.unwrap();
    world.settle().await;
    world.outside.hide_calendar(ANA, &second).await;
    assert!(manage::test(&world.context, world.business.id, id).await.unwrap().ok);
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    assert_eq!(world.taken(&world.ana).await, ["booking: 60 - 120", "busy: 600 - 660"]);
    let seen = world.outside.seen_by(ANA).await;
    assert!(seen.iter().all(|one| one.calendar == second) && seen.len() == 2, "{seen:#?}");
}

on_both_databases!(
    a_new_connection_reads_and_writes_the_main_calendar,
    a_calendar_that_is_no_longer_read_frees_its_owner,
    another_written_calendar_gets_what_is_new,
    a_calendar_that_nobody_knows_or_may_write_is_refused,
    a_calendar_that_was_deleted_outside_is_noticed_when_it_is_read,
    bookings_of_a_calendar_that_was_deleted_outside_move_to_the_one_that_is_chosen,
    a_test_tells_what_is_there_and_frees_what_is_gone,
    a_calendar_that_its_owner_does_not_look_at_is_not_gone,
);
