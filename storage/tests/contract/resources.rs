use concord_domain::{
    booking::{BookingDraft, BookingTime},
    ids::ResourceId,
    interval::Interval,
    occupancy::{OccupancySource, SubjectKind},
    people::Actor,
};
use concord_storage::{
    ChangeContext, Db, StorageError, bookings,
    businesses::{self, BusinessSettings},
    occupancy::{self, OccupancyRequest, OccupancySubject},
    resources::{self, Resource, ResourceSettings},
    testing::{self, TestDb, at, begin, commit, monday},
};

use crate::{at_once, first, following, is_not_found, precise};

fn settings(name: &str, capacity: u32) -> ResourceSettings {
    ResourceSettings {
        name: name.to_owned(),
        zone: Some(chrono_tz::Atlantic::Azores),
        capacity,
        buffer_before_minutes: 10,
        buffer_after_minutes: 25,
    }
}

async fn what_is_written_is_read_back(db: &TestDb) {
    let business = testing::business(db).await;
    let mut tx = begin(db).await;
    let made = resources::create(&mut tx, business.id, &settings("Boat", 3), precise(0)).await.unwrap();
    commit(tx).await;
    assert_eq!((made.name.as_str(), made.zone), ("Boat", Some(chrono_tz::Atlantic::Azores)));
    assert_eq!((made.capacity, made.buffer_before_minutes, made.buffer_after_minutes), (3, 10, 25));
    assert_eq!((made.revision, made.archived_at, made.created_at), (1, None, precise(0)));
    assert_eq!(resources::find(db, business.id, made.id).await.unwrap(), Some(made.clone()));
    let mut tx = begin(db).await;
    assert_eq!(resources::capacity(&mut tx, business.id, made.id.0).await.unwrap(), 3);
    drop(tx);
    assert_eq!(resources::find(db, business.id, ResourceId::new(monday())).await.unwrap(), None);
    let plain = testing::resource(db, &business, 1).await;
    assert_eq!(resources::find(db, business.id, plain.id).await.unwrap().unwrap().zone, None);
}

async fn resources_are_listed_by_name_a_page_at_a_time(db: &TestDb) {
    let business = testing::business(db).await;
    let mut made = Vec::new();
    for name in ["Sauna", "Boat", "Boat", "Attic", "Cellar"] {
        let mut tx = begin(db).await;
        made.push(resources::create(&mut tx, business.id, &settings(name, 1), monday()).await.unwrap());
        commit(tx).await;
    }
    let mut tx = begin(db).await;
    resources::set_archived(&mut tx, business.id, made[3].id, Some(at(1))).await.unwrap();
    resources::set_archived(&mut tx, business.id, made[3].id, Some(at(2))).await.unwrap();
    commit(tx).await;
    let archived = resources::find(db, business.id, made[3].id).await.unwrap().unwrap();
    assert_eq!(archived.archived_at, Some(at(1)));

    let page = resources::list(db, business.id, &first(3)).await.unwrap();
    let mut names: Vec<&str> = page.items.iter().map(|one| one.name.as_str()).collect();
    let rest = resources::list(db, business.id, &following(3, page.next)).await.unwrap();
    names.extend(rest.items.iter().map(|one| one.name.as_str()));
    assert_eq!((names, rest.next), (vec!["Boat", "Boat", "Cellar", "Sauna"], None));
}

async fn what_was_archived_is_listed_and_can_be_booked_again(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let room = testing::resource(db, &business, 1).await;
    testing::resource(db, &business, 1).await;
    assert_eq!(resources::list_archived(db, business.id).await.unwrap(), []);
    let mut tx = begin(db).await;
    resources::set_archived(&mut tx, business.id, room.id, Some(at(1))).await.unwrap();
    commit(tx).await;
    let archived = resources::list_archived(db, business.id).await.unwrap();
    assert_eq!(archived.iter().map(|one| one.id).collect::<Vec<_>>(), [room.id]);
    assert_eq!(resources::list_archived(db, other.id).await.unwrap(), []);

    let mut tx = begin(db).await;
    is_not_found(resources::set_archived(&mut tx, other.id, room.id, None).await);
    resources::set_archived(&mut tx, business.id, room.id, None).await.unwrap();
    commit(tx).await;
    assert_eq!(resources::list_archived(db, business.id).await.unwrap(), []);
    let restored = resources::find(db, business.id, room.id).await.unwrap().unwrap();
    assert_eq!(restored, Resource { revision: room.revision + 2, ..room });
}

async fn a_new_name_or_zone_counts_for_every_feed_of_the_business(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    let revision = async || businesses::find(db, business.id).await.unwrap().unwrap().revision;
    let buffers = ResourceSettings { zone: None, ..settings(&room.name, 1) };
    let changed = change(db, &room, &buffers).await.unwrap();
    assert_eq!((changed.revision, changed.buffer_after_minutes), (room.revision + 1, 25));
    assert_eq!(revision().await, business.revision);
    change(db, &room, &ResourceSettings { zone: None, ..settings("Boat", 1) }).await.unwrap();
    assert_eq!(revision().await, business.revision + 1);
    change(db, &room, &settings("Boat", 1)).await.unwrap();
    assert_eq!(revision().await, business.revision + 2);
}

async fn change(db: &Db, room: &Resource, to: &ResourceSettings) -> Result<Resource, StorageError> {
    let mut tx = begin(db).await;
    let changed = resources::update(&mut tx, room.business_id, room.id, to, monday()).await?;
    tx.commit().await?;
    Ok(changed)
}

/// Allocates a block of two units, from and to minutes after `monday`.
async fn occupy_two(db: &Db, room: &Resource, from: i64, to: i64) {
    let arrival = OccupancyRequest {
        business: room.business_id,
        subject: OccupancySubject { kind: SubjectKind::Resource, id: room.id.0, capacity: room.capacity },
        interval: Interval::new(at(from), at(to)).unwrap(),
        source: OccupancySource::Block,
        source_id: concord_domain::ids::new_uuid(monday()),
        quantity: 2,
    };
    let mut tx = begin(db).await;
    resources::lock(&mut tx, room.business_id, room.id).await.unwrap();
    occupancy::allocate(&mut tx, &arrival, monday()).await.unwrap().unwrap();
    commit(tx).await;
}

async fn units_in_use_cannot_be_taken_away(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 3).await;
    let of = |capacity| ResourceSettings { zone: None, ..settings(&room.name, capacity) };
    occupy_two(db, &room, -60, 0).await;
    assert_eq!(change(db, &room, &of(1)).await.unwrap().capacity, 1, "what has ended is in nobody's way");
    change(db, &room, &of(3)).await.unwrap();
    occupy_two(db, &room, 60, 120).await;
    assert_eq!(change(db, &room, &of(2)).await.unwrap().capacity, 2);
    let refused = change(db, &room, &of(1)).await;
    assert!(matches!(refused, Err(StorageError::UnitsTaken { highest: 2 })), "{refused:?}");
    let standing = resources::find(db, business.id, room.id).await.unwrap().unwrap();
    assert_eq!(standing.capacity, 2, "nothing was changed");
}

async fn fewer_units_are_enough_when_alike_ones_can_be_moved(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 2).await;
    for (reference, from, to) in [("a", 0, 60), ("b", 30, 90)] {
        testing::booking(db, &business, reference, &testing::draft(&room, from, to)).await;
    }
    let change_of = ChangeContext { business: business.id, actor: Actor::System, now: monday() };
    bookings::cancel(db, &change_of, "a", None).await.unwrap();
    let of = |capacity| ResourceSettings { zone: None, ..settings(&room.name, capacity) };
    assert_eq!(change(db, &room, &of(1)).await.unwrap().capacity, 1, "b moves to the first unit");
}

async fn a_zone_stays_while_nights_are_counted_in_it(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    let (check_in, check_out) = ("2027-03-02".parse().unwrap(), "2027-03-04".parse().unwrap());
    let stay =
        BookingDraft { time: BookingTime::Stay { check_in, check_out }, ..testing::draft(&room, 0, 60) };
    testing::booking(db, &business, "stay", &stay).await;
    let elsewhere = ResourceSettings { zone: Some(chrono_tz::Asia::Tokyo), ..settings(&room.name, 1) };
    assert!(matches!(change(db, &room, &elsewhere).await, Err(StorageError::StaysAhead)));
    let moved = BusinessSettings { zone: chrono_tz::Asia::Tokyo, ..business.settings() };
    let mut tx = begin(db).await;
    let refused = businesses::update(&mut tx, business.id, &moved, monday()).await;
    assert!(matches!(refused, Err(StorageError::StaysAhead)), "{refused:?}");
    let later = businesses::update(&mut tx, business.id, &moved, at(7 * 24 * 60)).await.unwrap();
    assert_eq!(later.zone, chrono_tz::Asia::Tokyo, "they are over by then");
}

async fn who_locks_a_resource_is_alone_with_it(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await.id;
    let mut seen = at_once(db, 20, |db, _| async move {
        let mut tx = begin(&db).await;
        let locked = resources::lock(&mut tx, business.id, room).await.unwrap();
        commit(tx).await;
        locked.revision
    })
    .await;
    seen.sort_unstable();
    assert_eq!(seen, (2..=21).collect::<Vec<i64>>());
}

async fn another_business_finds_no_resource(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let room = testing::resource(db, &business, 1).await;
    assert_eq!(resources::find(db, other.id, room.id).await.unwrap(), None);
    assert_eq!(resources::list(db, other.id, &first(10)).await.unwrap().items, []);
    let mut tx = begin(db).await;
    is_not_found(resources::lock(&mut tx, other.id, room.id).await);
    is_not_found(resources::capacity(&mut tx, other.id, room.id.0).await);
    is_not_found(resources::bump_revision(&mut tx, other.id, room.id).await);
    is_not_found(resources::update(&mut tx, other.id, room.id, &settings("Boat", 1), monday()).await);
    is_not_found(resources::set_archived(&mut tx, other.id, room.id, Some(monday())).await);
    commit(tx).await;
    assert_eq!(resources::find(db, business.id, room.id).await.unwrap(), Some(room));
}

concord_storage::on_both_databases!(
    what_is_written_is_read_back,
    resources_are_listed_by_name_a_page_at_a_time,
    what_was_archived_is_listed_and_can_be_booked_again,
    a_new_name_or_zone_counts_for_every_feed_of_the_business,
    units_in_use_cannot_be_taken_away,
    fewer_units_are_enough_when_alike_ones_can_be_moved,
    a_zone_stays_while_nights_are_counted_in_it,
    who_locks_a_resource_is_alone_with_it,
    another_business_finds_no_resource,
);
