//! SQLite's log reaches its file while others write, and begins anew.

use std::fs;

use concord_storage::{
    limits::{self, BucketRate},
    testing::{self, TestDb, monday},
};
use tokio::time::{Duration, sleep, timeout};

/// More than there are between two checkpoints.
const COMMITS: i64 = 1_100;

/// The sizes of the file and of its log, in bytes.
fn sizes(db: &TestDb) -> (u64, u64) {
    let size = |end: &str| fs::metadata(format!("{}{end}", db.place())).unwrap().len();
    (size(""), size("-wal"))
}

async fn write_much(db: &TestDb, round: i64) {
    for number in 0..COMMITS {
        let mut tx = db.begin_async_commit().await.unwrap();
        let bucket = format!("{round}-{number}-{}", "x".repeat(2_000));
        let rate = BucketRate { interval: chrono::Duration::seconds(1), burst: 1 };
        limits::hold_until(&mut tx, &bucket, monday(), rate).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn log_is_emptied_when_somebody_wants_that() {
    let db = testing::sqlite().await;
    write_much(&db, 0).await;
    assert!(sizes(&db).1 > 0);
    db.empty_log().await.unwrap();
    assert_eq!(sizes(&db).1, 0);
    let postgres = testing::postgres().await;
    postgres.empty_log().await.unwrap();
}

#[tokio::test]
async fn log_is_brought_into_the_file_and_begins_anew() {
    let db = testing::sqlite().await;
    let (before, _) = sizes(&db);
    write_much(&db, 0).await;
    // It happens beside the writers, a moment later.
    let grown = async {
        while sizes(&db).0 < before + 2_000_000 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), grown).await.expect("the log is brought into the file");
    // How long a checkpoint takes is up to the disk; once it is over, what is written next is written over the log's beginning.
    let mut round = 1;
    let (_, mut log) = sizes(&db);
    loop {
        write_much(&db, round).await;
        let (_, later) = sizes(&db);
        if later == log {
            break;
        }
        (log, round) = (later, round + 1);
        assert!(round < 20, "the log has grown in each of {round} rounds, to {log} bytes");
    }
}
