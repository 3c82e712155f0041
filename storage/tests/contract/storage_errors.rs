//! A database in trouble: full, closed, with too many who want to write.

use concord_domain::{audit::HistorySubject, ids::BusinessId, people::Actor, privacy::FeedPrivacy};
use concord_storage::{
    StorageError, Tx, WriteCaller, businesses, channels, connections, feeds, history, on_behalf_of,
    probe::{DatabaseCondition, DatabaseProbe},
    resources, secret,
    testing::{self, TestDb},
};
use secrecy::ExposeSecret;

async fn a_probe_finds_out_by_writing(db: &TestDb) {
    let probe = DatabaseProbe::default();
    assert_eq!(probe.look(db).await, DatabaseCondition::Works);
    let left = testing::raw(db, "DELETE FROM write_probes").await;
    assert_eq!(left, 0, "it leaves nothing behind");
    db.close().await;
    let condition = DatabaseProbe::default().look(db).await;
    assert!(matches!(condition, DatabaseCondition::Away(_)), "{condition:?}");
}

/// The change fails that finds no room, and none after it: its connection is not lent again.
#[tokio::test]
async fn sqlite_writes_again_after_a_full_disk() {
    let db = testing::sqlite().await;
    let business = testing::business(&db).await;
    testing::fill_the_disk(&db).await;
    let condition = DatabaseProbe::default().look(&db).await;
    assert!(matches!(condition, DatabaseCondition::TakesNoChanges(_)), "{condition:?}");
    for _ in 0..3 {
        testing::fill_the_disk(&db).await;
        let mut tx = testing::begin(&db).await;
        let mut refused = Ok(());
        for _ in 0..1_000 {
            refused = note(&mut tx, business.id).await;
            if refused.is_err() {
                break;
            }
        }
        assert!(matches!(refused, Err(StorageError::Unwritable(_))), "{refused:?}");
        drop(tx);
        // SQLite has ended that transaction by itself; this one has a connection to which the disk has room again.
        let mut tx = testing::begin(&db).await;
        for _ in 0..100 {
            note(&mut tx, business.id).await.unwrap();
        }
        drop(tx);
        assert_eq!(DatabaseProbe::default().look(&db).await, DatabaseCondition::Works);
    }
    let page = history::list(&db, business.id, &crate::first(10)).await.unwrap();
    assert_eq!(page.items.len(), 0, "nothing of what failed is there");
}

async fn note(tx: &mut Tx, business: BusinessId) -> Result<(), StorageError> {
    let line = history::NewHistoryEntry {
        business,
        actor: &Actor::System,
        action: "changed",
        subject_kind: HistorySubject::Business,
        subject: business.0,
        detail: &serde_json::Value::String("x".repeat(20_000)),
    };
    history::append(tx, &line, testing::monday()).await
}

#[tokio::test]
async fn sqlite_turns_a_request_away_that_has_waited_for_seconds() {
    let db = testing::sqlite().await;
    let held = testing::begin(&db).await;
    let refused = on_behalf_of(WriteCaller::Request, db.begin()).await;
    assert!(matches!(refused, Err(StorageError::Overloaded)), "{refused:?}");
    drop(held);
    testing::commit(on_behalf_of(WriteCaller::Request, db.begin()).await.unwrap()).await;
}

#[tokio::test]
async fn a_full_pool_says_so_after_seconds() {
    let db = testing::postgres_with(2).await;
    let held = [testing::begin(&db).await, testing::begin(&db).await];
    let refused = db.begin().await;
    assert!(matches!(refused, Err(StorageError::Unavailable(_))), "{refused:?}");
    // Whether the server answers is another question.
    assert_eq!(DatabaseProbe::default().look(&db).await, DatabaseCondition::Works);
    drop(held);
}

/// Whoever has a transaction in hand asks it and not the pool, and is told the same.
async fn a_transaction_is_told_what_the_pool_is(db: &TestDb) {
    let (business, ring) = (testing::business(db).await, testing::keyring());
    let room = testing::resource(db, &business, 1).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let connection = testing::connection(db, &ring, &ana).await;
    let mut tx = testing::begin(db).await;
    let found = businesses::find_in(&mut tx, business.id).await.unwrap().unwrap();
    assert_eq!(found, business);
    let found = resources::find_in(&mut tx, business.id, room.id).await.unwrap().unwrap();
    assert_eq!(found, room);
    let found = connections::find_in(&mut tx, business.id, connection).await.unwrap().unwrap();
    assert_eq!(found.id, connection);
    let listing =
        channels::ListingKey { business: business.id, resource: room.id, platform: "airbnb", url: None };
    let none = channels::find_by_listing_in(&mut tx, listing).await.unwrap();
    assert!(none.is_none());
    assert!(feeds::find_business_feed_token(&mut tx, &ring, business.id).await.unwrap().is_none());
    let new = feeds::NewFeed {
        business: business.id,
        subject: feeds::FeedSubject::Business,
        name: "All".to_owned(),
        privacy: FeedPrivacy::Full,
    };
    let token = secret::new_token("cf_");
    let feed = feeds::create(&mut tx, &new, &token, testing::monday()).await.unwrap();
    feeds::remember(&mut tx, &ring, &feed, &token).await.unwrap();
    let found = feeds::find_business_feed_token(&mut tx, &ring, business.id).await.unwrap().unwrap();
    assert_eq!(found.expose_secret(), token.expose_secret());
}

concord_storage::on_both_databases!(a_probe_finds_out_by_writing, a_transaction_is_told_what_the_pool_is);
