//! What people are told when something goes wrong, how often, and when no more.

use std::ops::Range;

use chrono::Duration;
use concord_domain::{connection::ConnectionState, ids::ConnectionId, people::Role};
use concord_jobs::connections as manage;
use concord_storage::{
    notices, on_both_databases,
    people::{self, NewUser, Staff},
    testing::{self, TestDb},
};
use serde_json::json;

use crate::world::{ANA, RUI, World};

pub(crate) const BOSS: &str = "boss@harbour.example";

/// Somebody who signs in as a manager.
pub(crate) async fn manager(world: &World<'_>, email: &str, staff: Option<&Staff>) {
    let new = NewUser {
        business: world.business.id,
        staff: staff.map(|staff| staff.id),
        name: "The Boss".to_owned(),
        email: email.to_owned(),
        role: Role::Manager,
    };
    let mut tx = testing::begin(world.db).await;
    people::create_user(&mut tx, &new, world.clock.now()).await.unwrap();
    testing::commit(tx).await;
}

/// `address: subject` of each mail that came, in order.
pub(crate) async fn told(world: &World<'_>) -> Vec<String> {
    let mut told: Vec<String> = world
        .outside
        .mails()
        .await
        .iter()
        .map(|mail| format!("{}: {}", mail["to"][0].as_str().unwrap(), mail["subject"].as_str().unwrap()))
        .collect();
    told.sort();
    told
}

/// Bookings of an hour each, in these hours after `monday`.
async fn book(world: &World<'_>, staff: &Staff, prefix: &str, hours: Range<i64>) {
    for number in hours {
        let draft = world.draft(&[staff], number * 60, number * 60 + 60);
        world.put(&format!("{prefix}-{number}"), &draft).await;
    }
}

/// Ana takes back her consent, and twenty bookings find out.
async fn revoke(world: &World<'_>, id: ConnectionId, from_hour: i64) {
    world.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    book(world, &world.ana, "A", from_hour..from_hour + 20).await;
    world.settle().await;
    assert_eq!(world.state(id).await, ConnectionState::NeedsReconnect);
}

async fn a_dead_grant_is_told_once_each_time_it_dies(db: &TestDb) {
    let world = World::with_mailbox(db).await;
    manager(&world, BOSS, None).await;
    let id = world.connected(&world.ana).await;
    revoke(&world, id, 0).await;
    let subject = "Ana's Google calendar needs to be reconnected";
    let once = [format!("{ANA}: {subject}"), format!("{BOSS}: {subject}")];
    assert_eq!(told(&world).await, once);
    let mail = world.outside.mails().await.remove(0);
    let link = format!("https://book.example/calendars/{id}");
    for part in [&mail["text"], &mail["html"]] {
        assert!(part.as_str().unwrap().contains(&link), "{part}");
        assert!(part.as_str().unwrap().contains("Nothing is lost"), "{part}");
    }
    // Whatever happens while it is dead, nobody is told again.
    book(&world, &world.ana, "B", 30..33).await;
    world.poll().await;
    assert_eq!(told(&world).await, once);

    assert_eq!(world.connect(&world.ana, ANA).await, id);
    world.settle().await;
    assert_eq!(told(&world).await, once);
    world.clock.advance(Duration::hours(1));
    revoke(&world, id, 40).await;
    let [to_ana, to_boss] = once;
    assert_eq!(told(&world).await, [to_ana.clone(), to_ana, to_boss.clone(), to_boss]);
}

async fn failures_of_all_calendars_are_told_each_in_one_mail(db: &TestDb) {
    let world = World::with_mailbox(db).await;
    manager(&world, BOSS, None).await;
    world.connected(&world.ana).await;
    world.connected(&world.rui).await;
    world.outside.fault(json!({ "kind": "server_error" })).await;
    book(&world, &world.ana, "A", 0..5).await;
    book(&world, &world.rui, "R", 0..5).await;
    for _ in 0..20 {
        world.drain().await;
        world.clock.advance(Duration::seconds(30));
    }
    let cannot = |name: &str| format!("Bookings cannot be written to {name}'s Google calendar");
    let mut expected = vec![
        format!("{ANA}: {}", cannot("Ana")),
        format!("{BOSS}: 2 things at Harbour House need a look"),
        format!("{RUI}: {}", cannot("Rui")),
    ];
    expected.sort();
    assert_eq!(told(&world).await, expected);
    let mails = world.outside.mails().await;
    let digest = mails.iter().find(|mail| mail["to"][0] == BOSS).unwrap()["text"].as_str().unwrap();
    assert!(digest.contains("2 calendars that cannot be written"), "{digest}");
    assert!(digest.contains(&cannot("Ana")) && digest.contains(&cannot("Rui")), "{digest}");

    // It comes right by itself, and nobody is told; when it happens again, they are.
    world.outside.no_faults().await;
    world.clock.advance(Duration::hours(1));
    world.settle().await;
    assert_eq!(world.failed().await.len(), 0);
    assert_eq!(told(&world).await, expected);
    world.outside.fault(json!({ "kind": "server_error" })).await;
    book(&world, &world.ana, "B", 30..31).await;
    for _ in 0..10 {
        world.drain().await;
        world.clock.advance(Duration::seconds(30));
    }
    assert_eq!(told(&world).await.len(), expected.len() + 2);
}

async fn what_is_over_by_then_is_not_told(db: &TestDb) {
    let world = World::with_mailbox(db).await;
    manager(&world, BOSS, None).await;
    world.connected(&world.ana).await;
    world.outside.fault(json!({ "kind": "server_error", "count": 3 })).await;
    book(&world, &world.ana, "A", 0..1).await;
    for _ in 0..4 {
        world.drain().await;
        world.clock.advance(Duration::seconds(3));
    }
    assert_eq!(notices::count_untold(db, world.business.id).await.unwrap(), 2, "it has failed");
    world.clock.advance(Duration::seconds(20));
    world.drain().await;
    assert_eq!(notices::count_untold(db, world.business.id).await.unwrap(), 0, "and came right");
    world.clock.advance(Duration::minutes(10));
    world.settle().await;
    assert_eq!(told(&world).await, [""; 0]);
}

async fn a_manager_who_is_that_person_is_told_once(db: &TestDb) {
    let world = World::with_mailbox(db).await;
    manager(&world, BOSS, Some(&world.ana)).await;
    let id = world.connected(&world.ana).await;
    revoke(&world, id, 0).await;
    assert_eq!(told(&world).await, [format!("{ANA}: Ana's Google calendar needs to be reconnected")]);
}

async fn who_has_left_is_not_told(db: &TestDb) {
    let world = World::with_mailbox(db).await;
    manager(&world, BOSS, None).await;
    manager(&world, "former@harbour.example", None).await;
    let users = people::list_users(db, world.business.id).await.unwrap();
    let former = users.iter().find(|user| user.email.starts_with("former")).unwrap();
    let id = world.connected(&world.ana).await;
    let mut tx = testing::begin(db).await;
    people::archive_user(&mut tx, world.business.id, former.id, world.clock.now()).await.unwrap();
    people::archive_staff(&mut tx, world.business.id, world.ana.id, world.clock.now()).await.unwrap();
    testing::commit(tx).await;
    world.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    world.poll().await;
    assert_eq!(world.state(id).await, ConnectionState::NeedsReconnect);
    assert_eq!(told(&world).await, [format!("{BOSS}: Ana's Google calendar needs to be reconnected")]);
}

async fn what_happened_waits_for_a_mail_server_and_what_is_over_is_not_told(db: &TestDb) {
    let mut world = World::new(db).await;
    manager(&world, BOSS, None).await;
    let of_ana = world.connected(&world.ana).await;
    let of_rui = world.connected(&world.rui).await;
    for account in [ANA, RUI] {
        world.outside.fault(json!({ "kind": "revoke_grant", "count": 1, "account": account })).await;
    }
    world.poll().await;
    for id in [of_ana, of_rui] {
        assert_eq!(world.state(id).await, ConnectionState::NeedsReconnect);
    }
    manage::disconnect(&world.context, &world.change(), of_rui, false).await.unwrap();
    world.settle().await;
    assert_eq!(notices::count_untold(db, world.business.id).await.unwrap(), 2);
    world.open_mailbox(std::time::Duration::from_secs(5));
    world.clock.advance(Duration::minutes(15));
    world.settle().await;
    let subject = "Ana's Google calendar needs to be reconnected";
    assert_eq!(told(&world).await, [format!("{ANA}: {subject}"), format!("{BOSS}: {subject}")]);
}

on_both_databases!(
    a_dead_grant_is_told_once_each_time_it_dies,
    failures_of_all_calendars_are_told_each_in_one_mail,
    what_is_over_by_then_is_not_told,
    a_manager_who_is_that_person_is_told_once,
    who_has_left_is_not_told,
    what_happened_waits_for_a_mail_server_and_what_is_over_is_not_told,
);
