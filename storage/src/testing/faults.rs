//! What goes wrong when a test wants it to.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use tokio::task::{Id, try_id};

use crate::{Db, tx::idempotent_work::IdempotentWork};

/// Keys of requests in the work of which a crash is wanted, and after how many commits.
static CRASHES: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);

fn crashes() -> MutexGuard<'static, HashMap<String, u32>> {
    CRASHES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets the work for that idempotency key end, once, as if its process had been killed after so many commits.
pub fn crash_after(key: &str, commits: u32) {
    crashes().insert(key.to_owned(), commits);
}

/// Whether the crash that was wanted has not come, and no longer will.
pub fn did_not_crash(key: &str) -> bool {
    crashes().remove(key).is_some()
}

/// Tasks in which a crash is wanted, and after how many commits.
static TASK_CRASHES: LazyLock<Mutex<HashMap<Id, u32>>> = LazyLock::new(Mutex::default);

/// Lets what this task does end, once, as if its process had been killed after so many commits.
///
/// # Panics
/// Outside of a task.
pub fn crash_this_task_after(commits: u32) {
    let task = try_id().expect("a task");
    TASK_CRASHES.lock().unwrap_or_else(PoisonError::into_inner).insert(task, commits);
}

#[expect(clippy::panic, reason = "nothing else ends a task wherever it is")]
fn after_commit_of_task() {
    let Some(task) = try_id() else { return };
    let mut crashes = TASK_CRASHES.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(left) = crashes.get_mut(&task) else { return };
    *left -= 1;
    if *left == 0 {
        crashes.remove(&task);
        drop(crashes);
        panic!("the crash that a test wants");
    }
}

#[expect(clippy::panic, reason = "nothing else ends a task wherever it is")]
pub(crate) fn after_commit() {
    after_commit_of_task();
    let work = IdempotentWork::current();
    let Some(key) = work.key() else { return };
    let mut crashes = crashes();
    let Some(left) = crashes.get_mut(key) else { return };
    *left -= 1;
    if *left == 0 {
        crashes.remove(key);
        drop(crashes);
        panic!("the crash that a test wants");
    }
}

/// From here on the file may not grow, for the connection that writes: until it is opened anew.
///
/// # Panics
/// If it cannot be set.
pub async fn fill_the_disk(db: &Db) {
    let Db::Sqlite { write, .. } = db else { panic!("a server's disk is its own") };
    let pages: i64 =
        sqlx::query_scalar("PRAGMA max_page_count = 1").fetch_one(write).await.expect("it can be set");
    assert!(pages > 1, "never less than there are");
}

const WAITING: &str = "
    SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// Waits until so many transactions wait for a lock, which is to say: has them stopped where a test wants them. There is
/// none of it with SQLite, whose one writer is waited for in the process.
///
/// # Panics
/// If the server cannot be asked.
pub async fn until_locked_out(db: &Db, transactions: i64) {
    let Db::Postgres(pool) = db else { return };
    loop {
        let waiting: i64 =
            sqlx::query_scalar(WAITING).fetch_one(pool).await.expect("the server says who waits");
        if waiting >= transactions {
            return;
        }
        tokio::task::yield_now().await;
    }
}
