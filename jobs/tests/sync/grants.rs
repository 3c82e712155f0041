//! Tokens that expire, grants that die, accounts that are connected again.

use std::time::Duration as StdDuration;

use chrono::Duration;
use concord_domain::{
    connection::{ConnectionState, EntryState, ProviderKind},
    ids::ConnectionId,
};
use concord_jobs::{connections as manage, job::JobRunner};
use concord_storage::{
    connections, history, jobs, on_both_databases,
    testing::{self, TestDb},
};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::{task::JoinSet, time::timeout};

use crate::world::{ANA, World};

/// Sixteen jobs that are due, in as many tasks, half of them in another process.
async fn all_at_once(world: &World<'_>) {
    let due = jobs::due(world.db, world.clock.now(), 100).await.unwrap();
    let elsewhere = world.elsewhere();
    let mut running = JoinSet::new();
    for (number, job) in due.into_iter().enumerate() {
        let context = if number % 2 == 0 { world.context.clone() } else { elsewhere.clone() };
        let jobs = JobRunner::new(context, &format!("worker-{}", number % 2));
        running.spawn(async move { jobs.run(job).await.unwrap() });
    }
    running.join_all().await;
}

/// What a reconnection of Ana's account stores, without its calls: they would be in the way. Returns its access token.
async fn new_grant(world: &World<'_>, id: ConnectionId) -> String {
    let given = world.outside.consent(ANA).await;
    let tokens = connections::Tokens {
        access: given.access.clone().into(),
        access_expires_at: world.clock.now() + Duration::hours(1),
        refresh: Some(given.refresh.into()),
    };
    let new = connections::NewConnection {
        business: world.business.id,
        staff: world.ana.id,
        provider: ProviderKind::Google,
        account_subject: world.connection(id).await.account_subject,
        account_email: ANA.to_owned(),
        tokens,
    };
    let mut tx = testing::begin(world.db).await;
    connections::adopt(&mut tx, &world.context.ring, &new, world.clock.now()).await.unwrap();
    testing::commit(tx).await;
    given.access
}

async fn an_expired_token_is_refreshed_once_however_many_need_it(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    for number in 0..10 {
        world.put(&format!("A-{number}"), &world.draft(&[&world.ana], number * 60, number * 60 + 60)).await;
    }
    let given = world.outside.tokens_given();
    // Ours has expired by the clock; the import is due as well.
    world.clock.advance(Duration::minutes(59));
    all_at_once(&world).await;
    world.settle().await;
    assert_eq!(world.outside.tokens_given(), given + 1);
    assert_eq!(world.outside.seen_by(ANA).await.len(), 10);
    assert_eq!(world.state(id).await, ConnectionState::Active);
}

async fn a_token_that_is_refused_is_refreshed_once_too(db: &TestDb) {
    let world = World::new(db).await;
    world.connected(&world.ana).await;
    for number in 0..10 {
        world.put(&format!("A-{number}"), &world.draft(&[&world.ana], number * 60, number * 60 + 60)).await;
    }
    world.clock.advance(Duration::minutes(16));
    let given = world.outside.tokens_given();
    world.outside.fault(json!({ "kind": "expire_token", "count": 1 })).await;
    world.outside.forget_calls().await;
    all_at_once(&world).await;
    world.settle().await;
    assert_eq!(world.outside.tokens_given(), given + 1);
    assert_eq!(world.outside.seen_by(ANA).await.len(), 10);
    assert!(world.outside.calls().await.iter().filter(|call| call.ends_with("401")).count() <= 2);
    assert!(!world.log().await.iter().any(|line| line.ends_with("retry")), "{:?}", world.log().await);
}

async fn a_token_endpoint_in_trouble_is_a_passing_fault(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    world.clock.advance(Duration::minutes(60));
    world.outside.fault(json!({ "kind": "server_error", "count": 1 })).await;
    let booking = world.put("A-1", &world.draft(&[&world.ana], 120, 180)).await;
    world.settle().await;
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);
    assert_eq!(world.state(id).await, ConnectionState::Active);
}

async fn a_dead_grant_is_noticed_once_and_nothing_more_is_tried(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    for number in 0..10 {
        world.put(&format!("A-{number}"), &world.draft(&[&world.ana], number * 60, number * 60 + 60)).await;
    }
    world.clock.advance(Duration::minutes(16));
    world.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    world.outside.forget_calls().await;
    let given = world.outside.tokens_given();
    all_at_once(&world).await;
    world.settle().await;

    assert_eq!(world.state(id).await, ConnectionState::NeedsReconnect);
    let told = world.log_lines().await;
    assert_eq!(told.iter().filter(|line| line.operation == "refresh").count(), 1, "{told:#?}");
    let ask = concord_storage::PageAsk::default();
    let history = history::of_subject(db, world.business.id, id.0, &ask).await.unwrap();
    assert_eq!(history.items.iter().filter(|line| line.action == "needs_reconnect").count(), 1);
    let words = world.connection(id).await.last_error.unwrap();
    assert!(words.contains("must be connected again"), "{words}");
    // A write and an import may each have had a call under way.
    let calls = world.outside.calls().await;
    assert!(calls.len() <= 2 && calls.iter().all(|call| call.ends_with("401")), "{calls:?}");

    // From now on there is silence, whatever happens.
    world.outside.forget_calls().await;
    world.put("A-9", &world.draft(&[&world.ana], 1000, 1060)).await;
    world.put("A-10", &world.draft(&[&world.ana], 1100, 1160)).await;
    world.poll().await;
    let report = manage::test(&world.context, world.business.id, id).await.unwrap();
    assert!(!report.ok && report.message.contains("connect"), "{report:?}");
    manage::resync(&world.context, world.business.id, id).await.unwrap_err();
    assert_eq!(world.outside.calls().await, [""; 0]);
    assert_eq!(world.outside.tokens_given(), given);
    assert_eq!(world.failed().await.len(), 0);
}

async fn the_same_account_is_adopted_and_everything_is_there_exactly_once(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    let draft = world.draft(&[&world.ana], 60, 120);
    let kept = world.put("A-1", &draft).await;
    world.put("A-2", &world.draft(&[&world.ana], 120, 180)).await;
    world.put("A-3", &world.draft(&[&world.ana], 180, 240)).await;
    world.settle().await;
    let before: Vec<String> = world.outside.seen_by(ANA).await.into_iter().map(|seen| seen.id).collect();

    world.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    world.put("A-4", &world.draft(&[&world.ana], 240, 300)).await;
    world.settle().await;
    assert_eq!(world.state(id).await, ConnectionState::NeedsReconnect);
    // Meanwhile: one is made, one is changed, one is cancelled, and one is cancelled and over.
    let new = world.put("A-5", &world.draft(&[&world.ana], 300, 360)).await;
    world.put("A-2", &crate::world::titled(&world.draft(&[&world.ana], 120, 180), "Changed")).await;
    world.cancel("A-3").await;
    let over = world.cancel("A-1").await;
    world.settle().await;
    world.clock.advance(Duration::minutes(125));
    assert_eq!(world.outside.seen_by(ANA).await.len(), 3);

    assert_eq!(world.connect(&world.ana, ANA).await, id);
    world.settle().await;
    assert_eq!(world.state(id).await, ConnectionState::Active);
    let seen = world.outside.seen_by(ANA).await;
    let mut titles: Vec<(&str, &str)> =
        seen.iter().map(|one| (one.starts_at.as_str(), one.title.as_str())).collect();
    titles.sort_unstable();
    assert_eq!(
        titles,
        [
            ("2027-03-01T10:00:00Z", "Sea View — Maria (Changed)"),
            ("2027-03-01T12:00:00Z", "Sea View — Maria (Massage)"),
            ("2027-03-01T13:00:00Z", "Sea View — Maria (Massage)"),
        ]
    );
    assert!(seen.iter().filter(|one| before.contains(&one.id)).count() == 1);
    assert_eq!(world.entry_state(&new).await, EntryState::Synced);
    assert_eq!(world.entry_state(&over).await, EntryState::Removed);
    assert_eq!(kept.id, over.id);
    assert_eq!(world.calendars(id).await.len(), 2);
    assert_eq!(world.connection(id).await.last_error, None);

    // Connected once more, nothing is written at all.
    world.outside.forget_calls().await;
    world.connect(&world.ana, ANA).await;
    world.settle().await;
    assert_eq!(world.outside.writes().await, [""; 0]);
}

/// A refusal of the old refresh token that comes in when the person has just connected again does not undo that.
async fn a_late_refusal_does_not_end_a_new_grant(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    // The old grant dies, a new one is given, and somebody still refreshes with the old one.
    world.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    world.outside.fault(json!({ "kind": "latency_ms", "value": 2_500, "count": 2 })).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    let reconnect = async {
        while world.outside.hits().await < 3 {
            tokio::task::yield_now().await;
        }
        new_grant(&world, id).await;
    };
    tokio::join!(world.drain(), reconnect);
    assert_eq!(world.state(id).await, ConnectionState::Active);
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 1);
}

/// An answer to a refresh with the old refresh token that comes in when the person has just connected again.
async fn a_late_refresh_does_not_replace_a_new_grant(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    world.clock.advance(Duration::minutes(60));
    world.put("A-1", &world.draft(&[&world.ana], 120, 180)).await;
    world.outside.fault(json!({ "kind": "latency_ms", "value": 2_500, "count": 1 })).await;
    let reconnect = async {
        while world.outside.hits().await == 0 {
            tokio::task::yield_now().await;
        }
        new_grant(&world, id).await
    };
    let (_, given) = tokio::join!(world.drain(), reconnect);
    let stored = connections::tokens(db, &world.context.ring, world.business.id, id).await.unwrap();
    assert_eq!(stored.access.unwrap().expose_secret(), given);
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 1);
}

/// Somebody else is at it, and takes long.
async fn a_refresh_elsewhere_holds_no_place(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    let given = world.outside.tokens_given();
    world.clock.advance(Duration::minutes(60));
    let now = world.clock.now();
    let until = now + Duration::seconds(30);
    assert!(connections::take_refresh_lease(db, id, "refresher#1", until, now).await.unwrap());
    let booking = world.put("A-1", &world.draft(&[&world.ana], 120, 180)).await;
    let due = jobs::due(db, now + Duration::seconds(1), 100).await.unwrap();
    for job in due {
        let ran = timeout(StdDuration::from_secs(5), world.jobs.run(job)).await;
        ran.expect("it is put off").unwrap();
    }
    assert_eq!(
        (world.outside.tokens_given(), world.entry_state(&booking).await),
        (given, EntryState::Pending)
    );
    assert_eq!(world.failed().await.len(), 0);
    assert!(!world.log().await.iter().any(|line| line.ends_with("retry")), "{:?}", world.log().await);

    // Nobody ever came back from there.
    world.clock.advance(until - now);
    world.settle().await;
    assert_eq!((world.outside.tokens_given(), world.outside.seen_by(ANA).await.len()), (given + 1, 1));
}

on_both_databases!(
    a_refresh_elsewhere_holds_no_place,
    a_late_refresh_does_not_replace_a_new_grant,
    an_expired_token_is_refreshed_once_however_many_need_it,
    a_token_that_is_refused_is_refreshed_once_too,
    a_token_endpoint_in_trouble_is_a_passing_fault,
    a_dead_grant_is_noticed_once_and_nothing_more_is_tried,
    the_same_account_is_adopted_and_everything_is_there_exactly_once,
    a_late_refusal_does_not_end_a_new_grant,
);
