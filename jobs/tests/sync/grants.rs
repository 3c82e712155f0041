//! Tokens that expire, grants that die, accounts that are connected again.

use std::time::Duration as StdDuration;

use chrono::Duration;
use concord_domain::{
    connection::{ConnectionState, EntryState, ProviderKind},
    ids::ConnectionId,
};
use concord_jobs::dispatch::JobRunner;
use concord_services::connections as manage;
use concord_storage::{
    connections, history, jobs, on_both_databases,
    testing::{self, TestDb},
};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::{task::JoinSet, time::timeout};

use crate::fixture::{ANA, SyncFixture};

/// Sixteen jobs that are due, in as many tasks, half of them in another process.
async fn all_at_once(fixture: &SyncFixture<'_>) {
    let due = jobs::due(fixture.db, fixture.clock.now(), 100).await.unwrap();
    let elsewhere = fixture.elsewhere();
    let mut running = JoinSet::new();
    for (number, job) in due.into_iter().enumerate() {
        let context = if number % 2 == 0 { fixture.context.clone() } else { elsewhere.clone() };
        let jobs = JobRunner::new(context, &format!("worker-{}", number % 2));
        running.spawn(async move { jobs.run(job).await.unwrap() });
    }
    running.join_all().await;
}

/// What a reconnection of Ana's account stores, without its calls: they would be in the way. Returns its access token.
async fn new_grant(fixture: &SyncFixture<'_>, id: ConnectionId) -> String {
    let given = fixture.outside.consent(ANA).await;
    let tokens = connections::ConnectionTokens {
        access: given.access.clone().into(),
        access_expires_at: fixture.clock.now() + Duration::hours(1),
        refresh: Some(given.refresh.into()),
    };
    let new = connections::NewConnection {
        business: fixture.business.id,
        staff: fixture.ana.id,
        provider: ProviderKind::Google,
        account_subject: fixture.connection(id).await.account_subject,
        account_email: ANA.to_owned(),
        tokens,
    };
    let mut tx = testing::begin(fixture.db).await;
    connections::adopt(&mut tx, &fixture.context.ring, &new, fixture.clock.now()).await.unwrap();
    testing::commit(tx).await;
    given.access
}

async fn an_expired_token_is_refreshed_once_however_many_need_it(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    for number in 0..10 {
        fixture
            .put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], number * 60, number * 60 + 60))
            .await;
    }
    let given = fixture.outside.tokens_given();
    // Ours has expired by the clock; the import is due as well.
    fixture.clock.advance(Duration::minutes(59));
    all_at_once(&fixture).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.tokens_given(), given + 1);
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 10);
    assert_eq!(fixture.state(id).await, ConnectionState::Active);
}

async fn a_token_that_is_refused_is_refreshed_once_too(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    for number in 0..10 {
        fixture
            .put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], number * 60, number * 60 + 60))
            .await;
    }
    fixture.clock.advance(Duration::minutes(16));
    let given = fixture.outside.tokens_given();
    fixture.outside.fault(json!({ "kind": "expire_token", "count": 1 })).await;
    fixture.outside.forget_calls().await;
    all_at_once(&fixture).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.tokens_given(), given + 1);
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 10);
    assert!(fixture.outside.calls().await.iter().filter(|call| call.ends_with("401")).count() <= 2);
    assert!(!fixture.log().await.iter().any(|line| line.ends_with("retry")), "{:?}", fixture.log().await);
}

async fn a_token_endpoint_in_trouble_is_a_passing_fault(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.clock.advance(Duration::minutes(60));
    fixture.outside.fault(json!({ "kind": "server_error", "count": 1 })).await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.settle().await;
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    assert_eq!(fixture.state(id).await, ConnectionState::Active);
}

async fn a_dead_grant_is_noticed_once_and_nothing_more_is_tried(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    for number in 0..10 {
        fixture
            .put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], number * 60, number * 60 + 60))
            .await;
    }
    fixture.clock.advance(Duration::minutes(16));
    fixture.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    fixture.outside.forget_calls().await;
    let given = fixture.outside.tokens_given();
    all_at_once(&fixture).await;
    fixture.settle().await;

    assert_eq!(fixture.state(id).await, ConnectionState::NeedsReconnect);
    let told = fixture.log_lines().await;
    assert_eq!(told.iter().filter(|line| line.operation == "refresh").count(), 1, "{told:#?}");
    let ask = concord_storage::PageRequest::default();
    let history = history::list_for_subject(db, fixture.business.id, id.0, &ask).await.unwrap();
    assert_eq!(history.items.iter().filter(|line| line.action == "needs_reconnect").count(), 1);
    let words = fixture.connection(id).await.last_error.unwrap();
    assert!(words.contains("needs to be reconnected"), "{words}");
    // A write and an import may each have had a call under way.
    let calls = fixture.outside.calls().await;
    assert!(calls.len() <= 2 && calls.iter().all(|call| call.ends_with("401")), "{calls:?}");

    // From now on there is silence, whatever happens.
    fixture.outside.forget_calls().await;
    fixture.put("A-9", &fixture.draft(&[&fixture.ana], 1000, 1060)).await;
    fixture.put("A-10", &fixture.draft(&[&fixture.ana], 1100, 1160)).await;
    fixture.poll().await;
    let report = manage::test(&fixture.context, fixture.business.id, id).await.unwrap();
    assert!(!report.ok && report.message.contains("connect"), "{report:?}");
    manage::resync(&fixture.context, fixture.business.id, id).await.unwrap_err();
    assert_eq!(fixture.outside.calls().await, [""; 0]);
    assert_eq!(fixture.outside.tokens_given(), given);
    assert_eq!(fixture.failed().await.len(), 0);
}

async fn same_account_is_adopted_without_duplicates(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    let kept = fixture.put("A-1", &draft).await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.put("A-3", &fixture.draft(&[&fixture.ana], 180, 240)).await;
    fixture.settle().await;
    let before: Vec<String> = fixture.outside.seen_by(ANA).await.into_iter().map(|seen| seen.id).collect();

    fixture.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    fixture.put("A-4", &fixture.draft(&[&fixture.ana], 240, 300)).await;
    fixture.settle().await;
    assert_eq!(fixture.state(id).await, ConnectionState::NeedsReconnect);
    // Meanwhile: one is made, one is changed, one is cancelled, and one is cancelled and over.
    let new = fixture.put("A-5", &fixture.draft(&[&fixture.ana], 300, 360)).await;
    fixture.put("A-2", &crate::fixture::titled(&fixture.draft(&[&fixture.ana], 120, 180), "Changed")).await;
    fixture.cancel("A-3").await;
    let over = fixture.cancel("A-1").await;
    fixture.settle().await;
    fixture.clock.advance(Duration::minutes(125));
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 3);

    assert_eq!(fixture.connect(&fixture.ana, ANA).await, id);
    fixture.settle().await;
    assert_eq!(fixture.state(id).await, ConnectionState::Active);
    let seen = fixture.outside.seen_by(ANA).await;
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
    assert_eq!(fixture.entry_state(&new).await, EntryState::Synced);
    assert_eq!(fixture.entry_state(&over).await, EntryState::Removed);
    assert_eq!(kept.id, over.id);
    assert_eq!(fixture.calendars(id).await.len(), 2);
    assert_eq!(fixture.connection(id).await.last_error, None);

    // Connected once more, nothing is written at all.
    fixture.outside.forget_calls().await;
    fixture.connect(&fixture.ana, ANA).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.writes().await, [""; 0]);
}

/// A refusal of the old refresh token that comes in when the person has just connected again does not undo that.
async fn a_late_refusal_does_not_end_a_new_grant(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    // The old grant dies, a new one is given, and somebody still refreshes with the old one.
    fixture.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    fixture.outside.fault(json!({ "kind": "latency_ms", "value": 2_500, "count": 2 })).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    let reconnect = async {
        while fixture.outside.hits().await < 3 {
            tokio::task::yield_now().await;
        }
        new_grant(&fixture, id).await;
    };
    tokio::join!(fixture.drain(), reconnect);
    assert_eq!(fixture.state(id).await, ConnectionState::Active);
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
}

/// An answer to a refresh with the old refresh token that comes in when the person has just connected again.
async fn a_late_refresh_does_not_replace_a_new_grant(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.clock.advance(Duration::minutes(60));
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.outside.fault(json!({ "kind": "latency_ms", "value": 2_500, "count": 1 })).await;
    let reconnect = async {
        while fixture.outside.hits().await == 0 {
            tokio::task::yield_now().await;
        }
        new_grant(&fixture, id).await
    };
    let (_, given) = tokio::join!(fixture.drain(), reconnect);
    let stored = connections::tokens(db, &fixture.context.ring, fixture.business.id, id).await.unwrap();
    assert_eq!(stored.access.unwrap().expose_secret(), given);
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
}

/// Somebody else is at it, and takes long.
async fn a_refresh_elsewhere_holds_no_place(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let given = fixture.outside.tokens_given();
    fixture.clock.advance(Duration::minutes(60));
    let now = fixture.clock.now();
    let until = now + Duration::seconds(30);
    assert!(connections::acquire_refresh_lease(db, id, "refresher#1", until, now).await.unwrap());
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    let due = jobs::due(db, now + Duration::seconds(1), 100).await.unwrap();
    for job in due {
        let ran = timeout(StdDuration::from_secs(5), fixture.jobs.run(job)).await;
        ran.expect("it is put off").unwrap();
    }
    assert_eq!(
        (fixture.outside.tokens_given(), fixture.entry_state(&booking).await),
        (given, EntryState::Pending)
    );
    assert_eq!(fixture.failed().await.len(), 0);
    assert!(!fixture.log().await.iter().any(|line| line.ends_with("retry")), "{:?}", fixture.log().await);

    // Nobody ever came back from there.
    fixture.clock.advance(until - now);
    fixture.settle().await;
    assert_eq!((fixture.outside.tokens_given(), fixture.outside.seen_by(ANA).await.len()), (given + 1, 1));
}

on_both_databases!(
    a_refresh_elsewhere_holds_no_place,
    a_late_refresh_does_not_replace_a_new_grant,
    an_expired_token_is_refreshed_once_however_many_need_it,
    a_token_that_is_refused_is_refreshed_once_too,
    a_token_endpoint_in_trouble_is_a_passing_fault,
    a_dead_grant_is_noticed_once_and_nothing_more_is_tried,
    same_account_is_adopted_without_duplicates,
    a_late_refusal_does_not_end_a_new_grant,
);
