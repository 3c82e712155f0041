//! What stands in a calendar and takes up its owner's time, and what does not.

use concord_domain::{booking::BookingTime, occupancy::OccupancySource};
use concord_storage::{
    on_both_databases,
    testing::{self, TestDb, at},
};
use serde_json::json;

use crate::fixture::{ANA, SyncFixture};

async fn an_appointment_comes_is_moved_and_goes(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    let id = fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 600 - 660"]);

    fixture.outside.person_changes(ANA, &id, json!({ "starts_at": at(700), "ends_at": at(730) })).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 700 - 730"]);

    fixture.outside.person_deletes(ANA, &id).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);
    // Nobody else was concerned, ever.
    assert_eq!(fixture.taken(&fixture.rui).await, [""; 0]);
}

async fn what_was_there_before_is_read_on_connecting(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    fixture.connected(&fixture.ana).await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 600 - 660"]);
}

async fn whole_days_are_days_where_the_calendar_is(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    // In New York the third of March begins at five in the morning UTC: 2,700 minutes after Monday, 8 o'clock.
    let account = json!({ "provider": "google", "email": "ny@harbour.example", "zone": "America/New_York" });
    fixture.outside.control(http::Method::POST, "accounts", Some(account)).await;
    let day = json!({ "all_day": true, "starts_at": "2027-03-03", "ends_at": "2027-03-05" });
    fixture.outside.person_adds("ny@harbour.example", (at(0), at(1)), day).await;
    fixture.connect(&fixture.ana, "ny@harbour.example").await;
    fixture.settle().await;
    assert_eq!(fixture.taken(&fixture.ana).await, [format!("busy: {} - {}", 2_700, 2_700 + 2 * 1_440)]);
}

async fn only_what_takes_up_time_counts(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    let invited = |answer: &str, minute: i64| {
        json!({ "summary": "Meeting", "start": { "dateTime": at(minute) }, "end": { "dateTime": at(minute + 30) },
            "attendees": [{ "email": ANA, "responseStatus": answer }, { "email": "boss@example.com" }] })
    };
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({ "transparency": "transparent" })).await;
    fixture.outside.person_adds(ANA, (at(700), at(760)), json!({ "status": "tentative" })).await;
    fixture.outside.app_adds(ANA, invited("declined", 800)).await;
    let meeting = fixture.outside.app_adds(ANA, invited("accepted", 900)).await;
    fixture.outside.app_adds(ANA, invited("needsAction", 1000)).await;
    fixture.poll().await;
    assert_eq!(
        fixture.taken(&fixture.ana).await,
        ["busy: 700 - 760", "busy: 900 - 930", "busy: 1000 - 1030"]
    );

    // Shown as free from now on.
    fixture.outside.person_changes(ANA, &meeting, json!({ "transparency": "transparent" })).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 700 - 760", "busy: 1000 - 1030"]);
}

async fn tentative_times_are_known_as_such(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({ "status": "tentative" })).await;
    fixture.outside.person_adds(ANA, (at(700), at(760)), json!({})).await;
    fixture.poll().await;
    let known = fixture.known(fixture.calendars(id).await[0].id).await;
    assert_eq!(known.iter().map(|one| one.tentative).collect::<Vec<_>>(), [true, false]);
}

async fn each_occurrence_of_a_series_counts(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    let weekly = json!({ "recurrence": "RRULE:FREQ=WEEKLY;COUNT=4" });
    let id = fixture.outside.person_adds(ANA, (at(60), at(90)), weekly).await;
    fixture.poll().await;
    let week = 7 * 24 * 60;
    // All of them before the clocks change on 28 March.
    let wanted: Vec<String> =
        (0..4).map(|n| format!("busy: {} - {}", 60 + n * week, 90 + n * week)).collect();
    assert_eq!(fixture.taken(&fixture.ana).await, wanted);

    // One occurrence is moved, then the whole series ends.
    let known = fixture.outside.seen_by(ANA).await;
    assert_eq!(known.len(), 1);
    let second = format!("{id}_20270308T090000Z");
    fixture
        .outside
        .person_changes(ANA, &second, json!({ "starts_at": at(week + 120), "ends_at": at(week + 150) }))
        .await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await[1], format!("busy: {} - {}", week + 120, week + 150));
    fixture.outside.person_deletes(ANA, &id).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);
}

async fn a_booking_over_a_busy_time_is_refused_and_the_calendar_named(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    fixture.poll().await;
    let draft = fixture.draft(&[&fixture.ana], 630, 690);
    let taken = fixture.refused("A-1", &draft).await;
    assert_eq!(taken.obstacles.len(), 1);
    let obstacle = &taken.obstacles[0];
    assert_eq!(obstacle.source, OccupancySource::Busy);
    assert_eq!(obstacle.subject_name.as_deref(), Some("Ana"));
    assert_eq!(obstacle.calendar.as_deref(), Some(ANA));
    assert_eq!((obstacle.starts_at, obstacle.ends_at), (at(600), at(660)));
    assert_eq!(obstacle.title, None, "what people do in their own time is nobody's business");
    let BookingTime::Timed { starts_at, .. } = taken.alternatives[0] else { panic!("{taken:?}") };
    assert!(starts_at >= at(660) || starts_at <= at(540), "{taken:?}");

    // Beside it there is room, and Rui is free.
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 660, 690)).await;
    fixture.put("A-3", &fixture.draft(&[&fixture.rui], 630, 690)).await;
}

async fn busy_time_over_booking_is_conflict_until_one_ends(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 600, 660)).await;
    fixture.settle().await;
    fixture.outside.person_adds(ANA, (at(630), at(690)), json!({})).await;
    fixture.poll().await;
    let conflicts =
        concord_storage::occupancy::conflicts(db, fixture.business.id, fixture.clock.now()).await.unwrap();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].source, OccupancySource::Busy);
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 2, "the booking stands");

    fixture.cancel("A-1").await;
    let conflicts =
        concord_storage::occupancy::conflicts(db, fixture.business.id, fixture.clock.now()).await.unwrap();
    assert_eq!(conflicts.len(), 0);
    fixture.refused("A-2", &fixture.draft(&[&fixture.ana], 640, 660)).await;
}

/// A person copies an entry of ours to another day: the copy is theirs.
async fn a_copy_of_an_entry_of_ours_is_a_busy_time(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    let ours = fixture.outside.one_seen_by(ANA).await.raw;
    let copy = json!({ "summary": ours["summary"], "extendedProperties": ours["extendedProperties"],
        "start": { "dateTime": at(600) }, "end": { "dateTime": at(660) } });
    fixture.outside.app_adds(ANA, copy).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["booking: 60 - 120", "busy: 600 - 660"]);
}

/// Somebody works for two businesses with one calendar: what one of them has written there, the other must respect.
async fn an_entry_of_another_business_keeps_its_owner_busy(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let other = testing::business(db).await;
    let room = testing::resource(db, &other, 1).await;
    let hers = testing::staff(db, &other, "Ana").await;
    fixture.connected(&fixture.ana).await;
    fixture.connect(&hers, ANA).await;
    fixture.settle().await;

    let draft =
        concord_domain::booking::BookingDraft { staff: vec![hers.id], ..testing::draft(&room, 60, 120) };
    let change = concord_storage::ChangeContext { business: other.id, ..fixture.change() };
    concord_storage::bookings::put(db, &change, "B-1", &draft, None).await.unwrap();
    fixture.poll().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 60 - 120"]);
    fixture.refused("A-1", &fixture.draft(&[&fixture.ana], 90, 150)).await;

    // Her own business knows her booking, and does not take its entry for another.
    let within = concord_domain::interval::Interval { start: testing::at(0), end: testing::at(1000) };
    let standing = concord_storage::occupancy::list_occupied(db, other.id, hers.id.0, within).await.unwrap();
    assert_eq!(standing.len(), 1);

    let change = concord_storage::ChangeContext { now: fixture.clock.now(), ..change };
    concord_storage::bookings::cancel(db, &change, "B-1", None).await.unwrap();
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);
}

on_both_databases!(
    an_entry_of_another_business_keeps_its_owner_busy,
    an_appointment_comes_is_moved_and_goes,
    what_was_there_before_is_read_on_connecting,
    whole_days_are_days_where_the_calendar_is,
    only_what_takes_up_time_counts,
    tentative_times_are_known_as_such,
    each_occurrence_of_a_series_counts,
    a_booking_over_a_busy_time_is_refused_and_the_calendar_named,
    busy_time_over_booking_is_conflict_until_one_ends,
    a_copy_of_an_entry_of_ours_is_a_busy_time,
);
