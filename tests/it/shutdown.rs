//! A process that is told to stop, and one that comes after another was killed.

use std::time::Duration;

use concord_domain::{
    clock::Clock,
    ids::new_uuid,
    job::{JobKind, QueueClass},
};
use concord_storage::{
    Db,
    jobs::{self, NewJob},
    testing::{self, TestDb},
    workers::WorkerPresence,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::test_app::{TestApp, TestAppOptions};

async fn a_request_that_never_ends_does_not_keep_it(db: &TestDb) {
    let settings = vec![("worker.shutdown_seconds", "1".to_owned())];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    let address = test_app.api.base.trim_start_matches("http://").to_owned();
    let mut whole = TcpStream::connect(&address).await.unwrap();
    whole.write_all(b"GET /readyz HTTP/1.1\r\nhost: test\r\n\r\nGET /rea").await.unwrap();
    // The second request on the connection is begun by the time that the first one is answered.
    let mut answer = vec![0; 12];
    whole.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 200");
    let began = Instant::now();
    test_app.stop().await;
    assert!(began.elapsed() < Duration::from_secs(20), "it waited for somebody who never goes on");
    let mut rest = Vec::new();
    // Ended or reset, but no longer held.
    let _ = whole.read_to_end(&mut rest).await;
    assert!(TcpStream::connect(&address).await.is_err(), "nobody listens");
}

/// With PostgreSQL another worker may be alive and at it.
async fn the_only_process_is_not_kept_from_its_work_by_its_own_dead(db: &TestDb) {
    let now = Clock::system().now();
    let new = NewJob {
        business: Some(testing::business(db).await.id),
        kind: JobKind::BatchSync,
        subject: new_uuid(now),
        queue: QueueClass::Bulk,
        due_at: now,
    };
    let mut tx = testing::begin(db).await;
    let job = jobs::enqueue(&mut tx, new, now).await.unwrap();
    testing::commit(tx).await;
    let until = now + chrono::Duration::hours(1);
    // With PostgreSQL.
    let _alive = WorkerPresence::announce(db, "killed").await.unwrap();
    let held = jobs::claim(db, job, "killed#1", until, now).await.unwrap().unwrap();
    let test_app = TestApp::start(db).await;
    test_app.is_ready().await;
    let still_held = jobs::extend(db, &held, until, now).await.unwrap().is_held();
    assert_eq!(still_held, matches!(**db, Db::Postgres(_)));
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    a_request_that_never_ends_does_not_keep_it,
    the_only_process_is_not_kept_from_its_work_by_its_own_dead,
);
