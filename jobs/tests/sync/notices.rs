//! What people are told when something goes wrong, how often, and when no more.

use std::ops::Range;

use chrono::Duration;
use concord_domain::{connection::ConnectionState, ids::ConnectionId, people::Role};
use concord_services::connections as manage;
use concord_storage::{
    alerts, notices, on_both_databases,
    people::{self, NewUser, Staff},
    testing::{self, TestDb},
};
use serde_json::json;

use crate::fixture::{ANA, RUI, SyncFixture};

pub(crate) const BOSS: &str = "boss@harbour.example";

/// Somebody who signs in as a manager.
pub(crate) async fn manager(fixture: &SyncFixture<'_>, email: &str, staff: Option<&Staff>) {
    let new = NewUser {
        business: fixture.business.id,
        staff: staff.map(|staff| staff.id),
        name: "The Boss".to_owned(),
        email: email.to_owned(),
        role: Role::Manager,
    };
    let mut tx = testing::begin(fixture.db).await;
    people::create_user(&mut tx, &new, fixture.clock.now()).await.unwrap();
    testing::commit(tx).await;
}

/// `address: subject` of each mail that came, in order.
pub(crate) async fn told(fixture: &SyncFixture<'_>) -> Vec<String> {
    let mut told: Vec<String> = fixture
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
async fn book(fixture: &SyncFixture<'_>, staff: &Staff, prefix: &str, hours: Range<i64>) {
    for number in hours {
        let draft = fixture.draft(&[staff], number * 60, number * 60 + 60);
        fixture.put(&format!("{prefix}-{number}"), &draft).await;
    }
}

/// Ana takes back her consent, and twenty bookings find out.
async fn revoke(fixture: &SyncFixture<'_>, id: ConnectionId, from_hour: i64) {
    fixture.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    book(fixture, &fixture.ana, "A", from_hour..from_hour + 20).await;
    fixture.settle().await;
    assert_eq!(fixture.state(id).await, ConnectionState::NeedsReconnect);
}

async fn a_dead_grant_is_told_once_each_time_it_dies(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    manager(&fixture, BOSS, None).await;
    let id = fixture.connected(&fixture.ana).await;
    revoke(&fixture, id, 0).await;
    let subject = "Ana's Google calendar needs to be reconnected";
    let once = [format!("{ANA}: {subject}"), format!("{BOSS}: {subject}")];
    assert_eq!(told(&fixture).await, once);
    let mail = fixture.outside.mails().await.remove(0);
    let link = format!("https://book.example/calendars/{id}");
    for part in [&mail["text"], &mail["html"]] {
        assert!(part.as_str().unwrap().contains(&link), "{part}");
        assert!(part.as_str().unwrap().contains("Nothing is lost"), "{part}");
    }
    // Whatever happens while it is dead, nobody is told again.
    book(&fixture, &fixture.ana, "B", 30..33).await;
    fixture.poll().await;
    assert_eq!(told(&fixture).await, once);

    assert_eq!(fixture.connect(&fixture.ana, ANA).await, id);
    fixture.settle().await;
    assert_eq!(told(&fixture).await, once);
    fixture.clock.advance(Duration::hours(1));
    revoke(&fixture, id, 40).await;
    let [to_ana, to_boss] = once;
    assert_eq!(told(&fixture).await, [to_ana.clone(), to_ana, to_boss.clone(), to_boss]);
}

async fn failures_of_all_calendars_are_told_each_in_one_mail(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    manager(&fixture, BOSS, None).await;
    fixture.connected(&fixture.ana).await;
    fixture.connected(&fixture.rui).await;
    fixture.outside.fault(json!({ "kind": "server_error" })).await;
    book(&fixture, &fixture.ana, "A", 0..5).await;
    book(&fixture, &fixture.rui, "R", 0..5).await;
    for _ in 0..30 {
        fixture.drain().await;
        fixture.clock.advance(Duration::seconds(30));
    }
    let cannot = |name: &str| format!("Bookings are not reaching {name}'s Google calendar");
    let mut expected = vec![
        format!("{ANA}: {}", cannot("Ana")),
        format!("{BOSS}: 2 items at Harbour House need attention"),
        format!("{RUI}: {}", cannot("Rui")),
    ];
    expected.sort();
    assert_eq!(told(&fixture).await, expected);
    let mails = fixture.outside.mails().await;
    let digest = mails.iter().find(|mail| mail["to"][0] == BOSS).unwrap()["text"].as_str().unwrap();
    assert!(digest.contains("2 calendars with sync errors"), "{digest}");
    assert!(digest.contains(&cannot("Ana")) && digest.contains(&cannot("Rui")), "{digest}");

    // It comes right by itself, and each who was told is told so in a line.
    fixture.outside.no_faults().await;
    fixture.clock.advance(Duration::hours(1));
    for _ in 0..30 {
        fixture.drain().await;
        fixture.clock.advance(Duration::seconds(30));
    }
    assert_eq!(fixture.failed().await.len(), 0);
    let healed = told(&fixture).await;
    assert_eq!(healed.len(), expected.len() + 3, "{healed:?}");
    assert!(healed.contains(&format!("{ANA}: Resolved: {}", cannot("Ana"))), "{healed:?}");
    let mails = fixture.outside.mails().await;
    let digest = mails.iter().rfind(|mail| mail["to"][0] == BOSS).unwrap();
    assert!(digest["text"].as_str().unwrap().contains("2 resolved problems"), "{digest}");
}

async fn what_is_over_by_then_is_not_told(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    manager(&fixture, BOSS, None).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "server_error", "count": 3 })).await;
    book(&fixture, &fixture.ana, "A", 0..1).await;
    for _ in 0..4 {
        fixture.drain().await;
        fixture.clock.advance(Duration::seconds(3));
    }
    let fails = async || {
        let connections = concord_storage::connections::list(db, fixture.business.id).await.unwrap();
        let mut tx = testing::begin(db).await;
        let place = (fixture.business.id, connections[0].id);
        let found = alerts::unclosed_of_connection(&mut tx, place.0, place.1).await.unwrap();
        found.iter().filter(|alert| alert.failure.healthy_since.is_none()).count()
    };
    assert_eq!(fails().await, 1, "it has failed");
    fixture.clock.advance(Duration::seconds(20));
    fixture.drain().await;
    assert_eq!(fails().await, 0, "and came right");
    fixture.clock.advance(Duration::minutes(10));
    fixture.settle().await;
    assert_eq!(told(&fixture).await, [""; 0]);
}

async fn a_manager_who_is_that_person_is_told_once(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    manager(&fixture, BOSS, Some(&fixture.ana)).await;
    let id = fixture.connected(&fixture.ana).await;
    revoke(&fixture, id, 0).await;
    assert_eq!(told(&fixture).await, [format!("{ANA}: Ana's Google calendar needs to be reconnected")]);
}

async fn who_has_left_is_not_told(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    manager(&fixture, BOSS, None).await;
    manager(&fixture, "former@harbour.example", None).await;
    let users = people::list_users(db, fixture.business.id).await.unwrap();
    let former = users.iter().find(|user| user.email.starts_with("former")).unwrap();
    let id = fixture.connected(&fixture.ana).await;
    let mut tx = testing::begin(db).await;
    people::archive_user(&mut tx, fixture.business.id, former.id, fixture.clock.now()).await.unwrap();
    people::set_staff_archived(&mut tx, fixture.business.id, fixture.ana.id, Some(fixture.clock.now()))
        .await
        .unwrap();
    testing::commit(tx).await;
    fixture.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    fixture.poll().await;
    assert_eq!(fixture.state(id).await, ConnectionState::NeedsReconnect);
    assert_eq!(told(&fixture).await, [format!("{BOSS}: Ana's Google calendar needs to be reconnected")]);
}

async fn notices_wait_for_mail_server_and_closed_ones_are_dropped(db: &TestDb) {
    let mut fixture = SyncFixture::new(db).await;
    manager(&fixture, BOSS, None).await;
    let of_ana = fixture.connected(&fixture.ana).await;
    let of_rui = fixture.connected(&fixture.rui).await;
    for account in [ANA, RUI] {
        fixture.outside.fault(json!({ "kind": "revoke_grant", "count": 1, "account": account })).await;
    }
    fixture.poll().await;
    for id in [of_ana, of_rui] {
        assert_eq!(fixture.state(id).await, ConnectionState::NeedsReconnect);
    }
    manage::disconnect(&fixture.context, &fixture.change(), of_rui, false).await.unwrap();
    fixture.settle().await;
    assert_eq!(notices::count_unsent(db, fixture.business.id).await.unwrap(), 2);
    fixture.open_mailbox(std::time::Duration::from_secs(5));
    fixture.clock.advance(Duration::minutes(15));
    fixture.settle().await;
    let subject = "Ana's Google calendar needs to be reconnected";
    assert_eq!(told(&fixture).await, [format!("{ANA}: {subject}"), format!("{BOSS}: {subject}")]);
}

on_both_databases!(
    a_dead_grant_is_told_once_each_time_it_dies,
    failures_of_all_calendars_are_told_each_in_one_mail,
    what_is_over_by_then_is_not_told,
    a_manager_who_is_that_person_is_told_once,
    who_has_left_is_not_told,
    notices_wait_for_mail_server_and_closed_ones_are_dropped,
);
