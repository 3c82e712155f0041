use std::time::Duration as StdDuration;

use chrono::Duration;
use concord_domain::{
    ids::new_uuid,
    job::{JobKind, QueueClass},
};
use concord_storage::{
    Db,
    jobs::{self, ClaimedJob, NewJob},
    testing::{self, TestDb, at, begin, commit, monday},
    workers::WorkerPresence,
};
use tokio::{task::JoinSet, time::timeout};

/// A job that is leased for ten minutes.
async fn leased(db: &Db, lease: &str) -> ClaimedJob {
    let business = testing::business(db).await.id;
    let (kind, subject, queue) = (JobKind::SyncBooking, new_uuid(monday()), QueueClass::Bulk);
    let mut tx = begin(db).await;
    let new = NewJob { business: Some(business), kind, subject, queue, due_at: at(0) };
    let job = jobs::enqueue(&mut tx, new, at(0)).await.unwrap();
    commit(tx).await;
    jobs::claim(db, job, lease, at(10), at(0)).await.unwrap().expect("it is due")
}

async fn who_holds_no_lock_is_absent(db: &TestDb) {
    let (of_dead, of_living) = (leased(db, "dead#1").await, leased(db, "living#1").await);
    let Some(mut presence) = WorkerPresence::announce(db, "mine").await.unwrap() else {
        assert!(matches!(**db, Db::Sqlite { .. }), "PostgreSQL can tell who lives");
        return;
    };
    leased(db, "mine#1").await;
    let living = WorkerPresence::announce(db, "living").await.unwrap().expect("a lock");
    assert_eq!(presence.absent().await.unwrap(), ["dead"]);
    assert_eq!(presence.release("dead").await.unwrap(), 1);
    assert_eq!(presence.release("dead").await.unwrap(), 0);
    assert_eq!(jobs::due(db, at(1), 10).await.unwrap(), [of_dead.reference()]);
    let until = at(10) + Duration::minutes(1);
    assert!(!jobs::extend(db, &of_dead, until, at(1)).await.unwrap().is_held());
    assert!(jobs::extend(db, &of_living, until, at(1)).await.unwrap().is_held());
    let again = jobs::claim(db, of_dead.reference(), "mine#2", at(10), at(1)).await.unwrap().unwrap();
    assert_eq!(again.attempts, 2, "the try that ended with the dead worker counts");

    // PostgreSQL learns of the end of a connection, and no sooner than it does.
    drop(living);
    let mut other = WorkerPresence::announce(db, "other").await.unwrap().expect("a lock");
    let until_absent = async {
        while presence.absent().await.unwrap() != ["living"] {
            tokio::task::yield_now().await;
        }
    };
    timeout(StdDuration::from_secs(30), until_absent).await.expect("the server knows of the end");
    // Whoever comes back between the look of another one and its release keeps what it has.
    let _back = WorkerPresence::announce(db, "living").await.unwrap().expect("a lock");
    assert_eq!(other.release("living").await.unwrap(), 0);
    assert!(jobs::extend(db, &of_living, until, at(1)).await.unwrap().is_held());
}

/// Each finds the dead one, and what they share for that holds up no worker that comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_look_at_once() {
    let db = testing::postgres().await;
    leased(&db, "dead#1").await;
    let mut looks = JoinSet::new();
    for number in 0..4 {
        let mut presence = WorkerPresence::announce(&db, &format!("worker-{number}")).await.unwrap().unwrap();
        looks.spawn(async move {
            for _ in 0..20 {
                assert_eq!(presence.absent().await.unwrap(), ["dead"]);
            }
            presence
        });
    }
    let presences = looks.join_all().await;
    let _back = WorkerPresence::announce(&db, "dead").await.unwrap();
    for mut presence in presences {
        assert!(presence.absent().await.unwrap().is_empty());
    }
}

concord_storage::on_both_databases!(who_holds_no_lock_is_absent);
