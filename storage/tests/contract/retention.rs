use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    audit::{HistorySubject, SyncOutcome},
    connection::ProviderKind,
    ids::{BusinessId, new_uuid},
    job::{JobKind, QueueClass},
    people::Actor,
};
use concord_storage::{
    Db, history,
    idempotency::{self, KeyedRequest},
    jobs::{self, JobOutcome, JobRef, NewJob},
    limits::{self, BucketRate},
    oauth_states,
    retention::{self, DeletedRowCounts, RetentionPeriods},
    reveals::{self, RevealViewer},
    sign_in::{self, NewSession, NewSignInLink},
    sync_log::{self, NewSyncLogEntry, SyncLogFilter},
    testing::{self, TestDb, at, begin, commit, monday},
};
use uuid::Uuid;

use crate::{first, people::user, precise};

const DAY: i64 = 24 * 60;
pub(crate) const KEEP: RetentionPeriods = RetentionPeriods {
    sync_log: Duration::days(30),
    mails: Duration::days(20),
    done_jobs: Duration::days(7),
    history: Duration::days(400),
    customers: None,
};

async fn log(db: &Db, business: BusinessId, minute: i64, lines: usize) {
    let line = NewSyncLogEntry {
        business,
        connection: None,
        booking: None,
        channel: None,
        operation: "import",
        outcome: SyncOutcome::Ok,
        detail: "",
        duration_ms: 1,
        at: precise(minute),
    };
    let mut tx = begin(db).await;
    for _ in 0..lines {
        sync_log::append(&mut tx, &line).await.unwrap();
    }
    commit(tx).await;
}

/// A job that was done at that minute.
async fn done(db: &Db, business: BusinessId, minute: i64) -> JobRef {
    let job = enqueue(db, business, new_uuid(monday()), minute).await;
    let claimed = jobs::claim(db, job, "worker#1", at(minute + 1), at(minute)).await.unwrap().unwrap();
    let mut tx = begin(db).await;
    jobs::finish(&mut tx, &claimed, &JobOutcome::Done, at(minute)).await.unwrap();
    commit(tx).await;
    job
}

async fn enqueue(db: &Db, business: BusinessId, subject: Uuid, minute: i64) -> JobRef {
    let new = NewJob {
        business: Some(business),
        kind: JobKind::BatchSync,
        subject,
        queue: QueueClass::Bulk,
        due_at: at(minute),
    };
    let mut tx = begin(db).await;
    let job = jobs::enqueue(&mut tx, new, at(minute)).await.unwrap();
    commit(tx).await;
    job
}

/// How many rows of a table go at an instant, with all that go beside them.
pub(crate) async fn deleted(db: &Db, keep: RetentionPeriods, now: DateTime<Utc>, table: &str) -> u64 {
    rows_of(&retention::delete_old(db, keep, now).await.unwrap(), table)
}

/// How many of a table went.
pub(crate) fn rows_of(counts: &DeletedRowCounts, table: &str) -> u64 {
    counts.get(table).copied().unwrap_or_default()
}

async fn delete(db: &Db, minute: i64) -> DeletedRowCounts {
    retention::delete_old(db, KEEP, at(minute)).await.unwrap()
}

async fn the_log_goes_after_its_time(db: &TestDb) {
    let business = testing::business(db).await.id;
    log(db, business, 0, 2_100).await;
    log(db, business, 1, 3).await;
    assert_eq!(delete(db, 30 * DAY).await, DeletedRowCounts::new());
    let after_first = DeletedRowCounts::from([("sync_log", 2_100)]);
    assert_eq!(delete(db, 30 * DAY + 1).await, after_first);
    let kept = sync_log::list(db, business, SyncLogFilter::default(), &first(10)).await.unwrap().items;
    assert_eq!(kept.iter().map(|line| line.at).collect::<Vec<_>>(), [precise(1); 3]);
}

async fn what_has_expired_goes(db: &TestDb) {
    let business = testing::business(db).await;
    let staff = testing::staff(db, &business, "Ana").await;
    let ana = user(db, &business, "ana@harbour.example", None).await;
    let mut tx = begin(db).await;
    for (digest, minute) in [("short", 10), ("long", 5 * DAY)] {
        let link =
            NewSignInLink { user: ana.id, digest, reusable: true, browser: None, expires_at: at(minute) };
        sign_in::create_link(&mut tx, &link, monday()).await.unwrap();
        let session = NewSession {
            business: business.id,
            user: ana.id,
            digest,
            user_agent: "",
            expires_at: at(minute),
        };
        sign_in::create_session(&mut tx, &session, monday()).await.unwrap();
        let state = oauth_states::NewOAuthState {
            nonce_digest: digest.to_owned(),
            business: business.id,
            staff: staff.id,
            session_hash: None,
            api_key: None,
            provider: ProviderKind::Google,
            sealed_verifier: String::new(),
            return_to: "/".to_owned(),
            expires_at: at(minute),
        };
        oauth_states::create(&mut tx, &state, monday()).await.unwrap();
        let viewer = RevealViewer { business: business.id, session: digest, page: "feeds" };
        let made = at(minute) - reveals::KEPT_FOR;
        reveals::keep(&mut tx, &testing::keyring(), viewer, &"secret".into(), made).await.unwrap();
        limits::hold_until(
            &mut tx,
            digest,
            at(minute),
            BucketRate { interval: Duration::seconds(1), burst: 1 },
        )
        .await
        .unwrap();
    }
    for (key, minute) in [("first", 0), ("second", 1)] {
        let request = KeyedRequest {
            business: business.id,
            key: key.into(),
            request_hash: "same".into(),
            began_at: at(minute),
        };
        idempotency::begin(&mut tx, &request).await.unwrap();
    }
    commit(tx).await;

    assert_eq!(delete(db, 9).await, DeletedRowCounts::new());
    let soon =
        DeletedRowCounts::from([("sessions", 1), ("sign_in_links", 1), ("reveals", 1), ("rate_limits", 1)]);
    assert_eq!(delete(db, 10).await, soon);
    let a_day_later = DeletedRowCounts::from([("oauth_states", 1), ("idempotency_keys", 2)]);
    assert_eq!(delete(db, 10 + DAY).await, a_day_later);
    assert!(sign_in::find_session(db, "long", at(10 + DAY)).await.unwrap().is_some());
    let rest = DeletedRowCounts::from([
        ("sessions", 1),
        ("sign_in_links", 1),
        ("reveals", 1),
        ("rate_limits", 1),
        ("oauth_states", 1),
    ]);
    assert_eq!(delete(db, 6 * DAY).await, rest);
    assert_eq!(delete(db, 600 * DAY).await, DeletedRowCounts::new());
}

async fn jobs_go_when_they_are_long_done(db: &TestDb) {
    let business = testing::business(db).await.id;
    done(db, business, 0).await;
    done(db, business, DAY).await;
    enqueue(db, business, new_uuid(monday()), 0).await;
    assert_eq!(delete(db, 7 * DAY - 1).await, DeletedRowCounts::new());
    assert_eq!(delete(db, 7 * DAY).await, DeletedRowCounts::from([("jobs", 1)]));
    assert_eq!(delete(db, 9 * DAY).await, DeletedRowCounts::from([("jobs", 1)]));
    assert_eq!(delete(db, 900 * DAY).await, DeletedRowCounts::new(), "what waits is never deleted");
}

/// Somebody enqueues a job that is long done, and before they commit, it is about to be deleted.
async fn a_job_that_is_raised_at_that_moment_stays(db: &TestDb) {
    let business = testing::business(db).await.id;
    let subject = new_uuid(monday());
    let job = enqueue(db, business, subject, 0).await;
    let claimed = jobs::claim(db, job, "worker#1", at(1), at(0)).await.unwrap().unwrap();
    let mut tx = begin(db).await;
    jobs::finish(&mut tx, &claimed, &JobOutcome::Done, at(0)).await.unwrap();
    commit(tx).await;

    let mut enqueuing = begin(db).await;
    let new = NewJob {
        business: Some(business),
        kind: JobKind::BatchSync,
        subject,
        queue: QueueClass::Bulk,
        due_at: at(30 * DAY),
    };
    let enqueued = jobs::enqueue(&mut enqueuing, new, at(30 * DAY)).await.unwrap();
    let deleting = tokio::spawn({
        let db = Db::clone(db);
        async move { delete(&db, 30 * DAY).await }
    });
    if let Db::Postgres(pool) = &**db {
        // On SQLite the other one waits to begin; here it has chosen its rows and waits for this one.
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(pool).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    }
    commit(enqueuing).await;
    assert_eq!(deleting.await.unwrap(), DeletedRowCounts::new());
    assert_eq!(jobs::due(db, at(30 * DAY), 10).await.unwrap(), [enqueued]);
}

async fn history_goes_after_its_time(db: &TestDb) {
    let business = testing::business(db).await.id;
    let ana = new_uuid(monday());
    let mut tx = begin(db).await;
    for minute in [0, 1] {
        let line = history::NewHistoryEntry {
            business,
            actor: &Actor::System,
            action: "signed in",
            subject_kind: HistorySubject::User,
            subject: ana,
            detail: &serde_json::json!({}),
        };
        history::append(&mut tx, &line, precise(minute)).await.unwrap();
    }
    commit(tx).await;
    assert_eq!(delete(db, 400 * DAY).await, DeletedRowCounts::new());
    assert_eq!(delete(db, 400 * DAY + 1).await, DeletedRowCounts::from([("history", 1)]));
    let left = history::list_for_subject(db, business, ana, &first(10)).await.unwrap().items;
    assert_eq!(left.iter().map(|line| line.at).collect::<Vec<_>>(), [precise(1)]);
}

concord_storage::on_both_databases!(
    history_goes_after_its_time,
    the_log_goes_after_its_time,
    what_has_expired_goes,
    jobs_go_when_they_are_long_done,
    a_job_that_is_raised_at_that_moment_stays,
);
