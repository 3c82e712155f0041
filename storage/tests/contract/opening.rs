//! Opening, migrating, transactions.

use concord_storage::{
    CLOSE_TIMEOUT, Db, DbOptions, StorageError, businesses,
    testing::{self, TestDb, begin, monday},
};
use tokio::time::{Duration, Instant, timeout};

use crate::raw;

async fn migrating_again_changes_nothing(db: &TestDb) {
    let business = testing::business(db).await;
    db.migrate().await.unwrap();
    assert_eq!(businesses::list(db).await.unwrap(), [business]);
}

async fn a_newer_database_is_refused(db: &TestDb) {
    db.spoil().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        SELECT 9001, 'from a later version', TRUE, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    assert_eq!(raw(db, newer).await, 1);
    let refused = db.migrate().await.unwrap_err();
    assert!(matches!(refused, StorageError::NewerDatabase { found: 9001 }), "{refused:?}");
    assert!(refused.to_string().contains("start the newer version again"), "{refused}");
    let unmigrated = db.check_migrated().await;
    assert!(matches!(unmigrated, Err(StorageError::NewerDatabase { found: 9001 })), "{unmigrated:?}");
}

async fn database_of_old_numbering_is_refused(db: &TestDb) {
    db.spoil().await;
    let old = "UPDATE _sqlx_migrations SET description = 'foundation' WHERE version = 1";
    assert_eq!(raw(db, old).await, 1);
    for refused in [db.migrate().await, db.check_migrated().await] {
        assert!(matches!(refused, Err(StorageError::OldNumbering)), "{refused:?}");
    }
}

async fn who_does_not_migrate_sees_that_it_is_needed(db: &TestDb) {
    db.spoil().await;
    db.check_migrated().await.unwrap();
    // Numbers are given before the work is done: a lower one may be missing where a higher one is there.
    assert_eq!(raw(db, "DELETE FROM _sqlx_migrations WHERE version = 2").await, 1);
    let gap = db.check_migrated().await;
    assert!(matches!(gap, Err(StorageError::NotMigrated { found: 1, known: 3.. })), "{gap:?}");
    assert!(raw(db, "DELETE FROM _sqlx_migrations WHERE version >= 1").await >= 1);
    let behind = db.check_migrated().await;
    assert!(matches!(behind, Err(StorageError::NotMigrated { found: 0, known: 1.. })), "{behind:?}");
    raw(db, "DROP TABLE _sqlx_migrations").await;
    let empty = db.check_migrated().await;
    assert!(matches!(empty, Err(StorageError::NotMigrated { found: 0, .. })), "{empty:?}");
}

async fn a_dropped_transaction_never_was(db: &TestDb) {
    let settings = businesses::BusinessSettings {
        name: "Quinta".to_owned(),
        zone: chrono_tz::UTC,
        entry_privacy: concord_domain::privacy::EntryPrivacy::Minimal,
        mark_cancelled: false,
        outside: concord_domain::sync::remote_change::RemoteChangeRules::default(),
        invitations: concord_domain::invitation::InvitationSettings::default(),
        customers: concord_domain::customer::CustomerRules::default(),
    };
    let mut tx = begin(db).await;
    businesses::create(&mut tx, "quinta", &settings, monday()).await.unwrap();
    assert_eq!(businesses::list(db).await.unwrap(), [], "nobody sees it before the commit");
    drop(tx);
    assert_eq!(businesses::find_by_slug(db, "quinta").await.unwrap(), None);
    let mut tx = begin(db).await;
    businesses::create(&mut tx, "quinta", &settings, monday()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(businesses::find_by_slug(db, "quinta").await.unwrap().is_some());
}

async fn a_second_process_sees_what_the_first_wrote(db: &TestDb) {
    let business = testing::business(db).await;
    let second = Db::open_url(&DbOptions::new(db.url())).await.unwrap();
    assert_eq!(second.kind(), db.kind());
    second.ping().await.unwrap();
    second.migrate().await.unwrap();
    assert_eq!(businesses::list(&second).await.unwrap(), [business]);
    second.close().await;
    db.ping().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_opened_is_said_without_the_password() {
    for url in ["mysql://u:hunter2@localhost/x", "hunter2", "sqlite:/hunter2/x/y"] {
        let refused = Db::open_url(&DbOptions::new(url)).await.unwrap_err();
        assert!(matches!(refused, StorageError::Url(_)), "{url}: {refused:?}");
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
}

#[tokio::test]
async fn a_file_is_made_only_if_it_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("concord.db");
    let options = DbOptions::new(format!("sqlite:{}", file.display()));
    let refused = Db::open_url(&DbOptions { create: false, ..options.clone() }).await.unwrap_err();
    assert!(matches!(refused, StorageError::NoDatabase { .. }), "{refused:?}");
    assert!(refused.to_string().ends_with(&file.display().to_string()), "{refused}");
    assert!(!file.exists());

    let db = Db::open_url(&options).await.unwrap();
    assert!(db.is_empty().await.unwrap());
    assert_eq!(db.place(), file.display().to_string());
    db.migrate().await.unwrap();
    db.close().await;
    let again = Db::open_url(&DbOptions { create: false, ..options }).await.unwrap();
    assert!(!again.is_empty().await.unwrap());
    again.close().await;
}

async fn an_empty_database_is_told_from_one_in_use(db: &TestDb) {
    db.spoil().await;
    assert!(!db.is_empty().await.unwrap());
    raw(db, "DROP TABLE _sqlx_migrations").await;
    assert!(db.is_empty().await.unwrap());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_the_password() {
    let began = Instant::now();
    // Nothing listens on port 1.
    let url = "postgres://u:hunter2@127.0.0.1:1/x";
    let refused = Db::open_url(&DbOptions::new(url)).await.unwrap_err();
    assert!(matches!(refused, StorageError::Unreachable { .. }), "{refused:?}");
    let words = refused.to_string().to_lowercase();
    assert!(words.starts_with("cannot open the database at 127.0.0.1:1: connection refused"), "{words}");
    assert!(!words.contains("hunter2"), "{words}");
    let waited = began.elapsed();
    assert!(Duration::from_secs(5) < waited && waited < Duration::from_secs(25), "{waited:?}");
}

async fn a_server_that_lets_nobody_in_is_not_waited_for(db: &TestDb) {
    let Some((server, _)) = db.url().rsplit_once('/').filter(|_| db.kind() == "postgres") else { return };
    let began = Instant::now();
    let refused = Db::open_url(&DbOptions::new(format!("{server}/not_there"))).await.unwrap_err();
    assert!(matches!(refused, StorageError::Unreachable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("\"not_there\" does not exist"), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

async fn whoever_holds_on_to_it_does_not_keep_it_from_closing(db: &TestDb) {
    let held = begin(db).await;
    timeout(10 * CLOSE_TIMEOUT, db.close()).await.expect("it closes all the same");
    drop(held);
}

concord_storage::on_both_databases!(
    an_empty_database_is_told_from_one_in_use,
    a_server_that_lets_nobody_in_is_not_waited_for,
    whoever_holds_on_to_it_does_not_keep_it_from_closing,
    migrating_again_changes_nothing,
    a_newer_database_is_refused,
    database_of_old_numbering_is_refused,
    who_does_not_migrate_sees_that_it_is_needed,
    a_dropped_transaction_never_was,
    a_second_process_sees_what_the_first_wrote,
);
