//! Copies of a SQLite file.

use std::{
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use concord_storage::{
    Db, DbOptions, PageRequest,
    backup::{self, BackupError},
    bookings::{self, BookingFilter},
    testing::{
        self, TestDb, draft,
        many::{LargeFixture, write_many},
        monday,
    },
};

async fn open(path: &std::path::Path) -> Db {
    let url = format!("sqlite:{}", path.display());
    Db::open_url(&DbOptions { create: false, ..DbOptions::new(url) }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_ends_beside_writers_and_can_be_opened() {
    let db = Arc::new(testing::sqlite().await);
    write_many(&db, LargeFixture { businesses: 1, bookings: 5_000, now: monday(), first: None }).await;
    let business = testing::business(&db).await;
    let room = testing::resource(&db, &business, 1).await;
    testing::booking(&db, &business, "BEFORE", &draft(&room, 0, 60)).await;

    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (db, stop, business, room) = (Arc::clone(&db), Arc::clone(&stop), business.clone(), room.clone());
        tokio::spawn(async move {
            let mut written = 0;
            while !stop.load(Ordering::SeqCst) {
                written += 1;
                let draft = draft(&room, written * 60, written * 60 + 60);
                testing::booking(&db, &business, &format!("BESIDE-{written}"), &draft).await;
            }
            written
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    backup::to_file(&db, &file).await.unwrap();
    stop.store(true, Ordering::SeqCst);
    assert!(writer.await.unwrap() > 0);

    let mode = file.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing else is left");
    let copy = open(&file).await;
    copy.check_migrated().await.unwrap();
    assert!(bookings::find(&copy, business.id, "BEFORE").await.unwrap().is_some());
    assert!(
        bookings::find(&copy, LargeFixture::business(0), &LargeFixture::reference(4_999))
            .await
            .unwrap()
            .is_some()
    );
    // What was being written is there up to an instant, and nothing after it.
    let filter = BookingFilter { search: Some("beside-".to_owned()), ..BookingFilter::default() };
    let page =
        bookings::list(&copy, business.id, &filter, &PageRequest { limit: 200, after: None }).await.unwrap();
    let there: Vec<String> = page.items.into_iter().map(|booking| booking.reference).collect();
    let expected: Vec<String> = (1..=there.len()).map(|number| format!("BESIDE-{number}")).collect();
    assert_eq!(there, expected);
}

#[tokio::test]
async fn a_backup_replaces_nothing() {
    let db = testing::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    std::fs::write(&file, "another's").unwrap();
    let refused = backup::to_file(&db, &file).await.unwrap_err();
    assert!(matches!(refused, BackupError::File { .. }), "{refused}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "another's");
    let nowhere = folder.path().join("no/such/folder/copy.db");
    assert!(backup::to_file(&db, &nowhere).await.is_err());
}

async fn a_server_is_sent_to_its_own_tools(db: &TestDb) {
    if let Db::Sqlite { .. } = **db {
        return;
    }
    let refused = backup::to_file(db, "copy.db".as_ref()).await.unwrap_err();
    assert!(refused.to_string().contains("pg_dump"), "{refused}");
}

concord_storage::on_both_databases!(a_server_is_sent_to_its_own_tools);
