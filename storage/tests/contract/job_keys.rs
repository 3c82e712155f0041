//! Jobs of one key are done one at a time.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    connection::ProviderKind,
    ids::{BusinessId, ConnectionId, JobKey, MailId, new_uuid},
    job::{JobKind, QueueClass},
    mail::lane_of,
};
use concord_storage::{
    Db,
    connections::{self, CalendarServer},
    jobs::{self, ClaimedJob, EndedOutages, FinishedJob, JobOutcome, JobRef, KeyWait, LeaseRenewal, NewJob},
    testing::{self, TestDb, at, begin, commit, monday},
};
use uuid::Uuid;

use crate::{at_once, raw};

async fn enqueue(db: &Db, new: NewJob, minute: i64) -> JobRef {
    let mut tx = begin(db).await;
    let enqueued = jobs::enqueue(&mut tx, new, at(minute)).await.unwrap();
    commit(tx).await;
    enqueued
}

/// So many jobs of one key, due at these minutes; the first of them compares a connection.
async fn jobs(db: &Db, business: BusinessId, due: &[(QueueClass, i64)]) -> (JobKey, Vec<JobRef>) {
    let key = JobKey(new_uuid(monday()));
    let mut all = Vec::new();
    for (number, (queue, minute)) in due.iter().enumerate() {
        let (kind, subject) = match number {
            0 => (JobKind::CompareDrift, key.0),
            1 => (JobKind::Disconnect, key.0),
            _ => (JobKind::SyncBooking, new_uuid(monday())),
        };
        let new = NewJob { business: Some(business), kind, subject, queue: *queue, due_at: at(*minute) };
        all.push(enqueue(db, new, 0).await);
    }
    raw(
        db,
        "UPDATE jobs SET key_id = (SELECT d.subject_id FROM jobs d WHERE d.kind = 'compare_drift'
        ORDER BY d.created_at DESC, d.id DESC LIMIT 1) WHERE key_id IS NULL",
    )
    .await;
    for job in &mut all {
        job.key = Some(key);
    }
    (key, all)
}

async fn next(db: &Db, key: JobKey, lease: &str, minute: i64) -> Option<ClaimedJob> {
    let lease = (lease, at(minute + 10));
    jobs::claim_next(db, (key, QueueClass::Bulk), lease, at(minute)).await.unwrap()
}

/// Ends a job and claims the next one with it.
async fn end(
    db: &Db,
    job: &ClaimedJob,
    outcome: &JobOutcome,
    minute: i64,
) -> (FinishedJob, Option<ClaimedJob>) {
    let mut tx = begin(db).await;
    let finished = jobs::finish(&mut tx, job, outcome, at(minute)).await.unwrap();
    let (key, lease) = ((job.key.unwrap(), QueueClass::Bulk, None), ("w#next", at(minute + 10)));
    let next = jobs::claim_next_in(&mut tx, key, lease, at(minute)).await.unwrap();
    commit(tx).await;
    (finished, next)
}

const DONE: JobOutcome = JobOutcome::Done;

async fn the_most_urgent_job_of_a_key_comes_first_and_alone(db: &TestDb) {
    use QueueClass::{Bulk, Interactive, Poll};
    let business = testing::business(db).await.id;
    let (key, all) =
        jobs(db, business, &[(Bulk, 1), (Poll, 4), (Interactive, 5), (Interactive, 3), (Interactive, 9)])
            .await;
    assert_eq!(jobs::next_due(db, key, at(6)).await.unwrap(), Some(all[3]));
    assert_eq!(jobs::due(db, at(6), 10).await.unwrap(), [all[3]], "one of the key is enough");
    // Whichever of them somebody was woken for.
    let first = jobs::claim(db, all[0], "w#1", at(16), at(6)).await.unwrap().unwrap();
    assert_eq!((first.id, first.key), (all[3].id, Some(key)));
    assert!(next(db, key, "w#2", 6).await.is_none(), "one at a time");
    assert_eq!(jobs::next_due(db, key, at(6)).await.unwrap(), None);
    assert_eq!(jobs::due(db, at(6), 10).await.unwrap(), []);
    let mut order = Vec::new();
    let mut job = Some(first);
    while let Some(current) = job {
        order.push(current.id);
        let (finished, following) = end(db, &current, &DONE, 6).await;
        assert!(finished.was_held);
        job = following;
    }
    assert_eq!(order, [all[3].id, all[2].id, all[1].id, all[0].id], "the last one is not due");
    assert_eq!(next(db, key, "w#3", 9).await.unwrap().id, all[4].id);
}

async fn what_people_wait_for_can_be_claimed_alone(db: &TestDb) {
    let business = testing::business(db).await.id;
    let (key, all) = jobs(db, business, &[(QueueClass::Poll, 0), (QueueClass::Interactive, 1)]).await;
    let urgent = async |minute| {
        let lease = ("w#1", at(minute + 10));
        jobs::claim_next(db, (key, QueueClass::Interactive), lease, at(minute)).await.unwrap()
    };
    assert!(urgent(0).await.is_none());
    let job = urgent(1).await.unwrap();
    assert_eq!(job.id, all[1].id);
    end(db, &job, &DONE, 1).await;
}

async fn of_many_workers_one_has_the_key(db: &TestDb) {
    let business = testing::business(db).await.id;
    for _ in 0..5 {
        let (key, all) = jobs(db, business, &[(QueueClass::Bulk, 1); 12]).await;
        let claimed = at_once(db, 12, |db, number| {
            let job = all[number];
            async move { jobs::claim(&db, job, &format!("w#{number}"), at(9), at(2)).await.unwrap() }
        })
        .await;
        assert_eq!(claimed.into_iter().flatten().count(), 1);
        raw(db, "DELETE FROM jobs").await;
        assert_eq!(jobs::next_due(db, key, at(2)).await.unwrap(), None);
    }
}

/// Two that do not see each other's claim: the index refuses the second.
async fn the_database_refuses_a_second_lease(db: &TestDb) {
    let business = testing::business(db).await.id;
    let (key, _) = jobs(db, business, &[(QueueClass::Bulk, 1); 3]).await;
    let (other, _) = jobs(db, business, &[(QueueClass::Bulk, 1)]).await;
    next(db, key, "w#1", 2).await.unwrap();
    assert!(next(db, other, "w#2", 2).await.is_some(), "other keys are nobody's concern");
    let forced = "UPDATE jobs SET leased_by = 'w#forced' WHERE kind <> 'send_mail'";
    testing::plans::leave_out(forced);
    let is_refused = match &**db {
        Db::Sqlite { write, .. } => sqlx::query(forced).execute(write).await.is_err(),
        Db::Postgres(pool) => sqlx::query(forced).execute(pool).await.is_err(),
    };
    assert!(is_refused);
}

async fn a_key_waits_for_all_of_its_jobs(db: &TestDb) {
    let business = testing::business(db).await.id;
    let (key, all) = jobs(db, business, &[(QueueClass::Bulk, 1), (QueueClass::Interactive, 1)]).await;
    let wait =
        |until, for_all| JobOutcome::Wait { until: at(until), for_all, reason: "asked to slow down".into() };
    let job = next(db, key, "w#1", 2).await.unwrap();
    assert_eq!((job.id, job.attempts), (all[1].id, 1));
    let (finished, following) = end(db, &job, &wait(20, true), 2).await;
    assert_eq!(finished, FinishedJob { was_held: true, again: None }, "there is nothing to push");
    assert!(following.is_none() && next(db, key, "w#1", 19).await.is_none());
    assert_eq!(jobs::due(db, at(19), 10).await.unwrap(), []);
    let waits = jobs::find_wait(db, key, at(19)).await.unwrap().unwrap();
    assert_eq!((waits.wait_until, waits.batches_wait_until), (at(20), at(20)));
    assert_eq!(waits.reason, "asked to slow down");
    assert_eq!(jobs::oldest_due(db, at(19)).await.unwrap(), None, "nobody could do it");
    assert_eq!(jobs::oldest_due(db, at(20)).await.unwrap(), Some(at(1)), "since when it is due stays");
    // Batches may have to wait longer.
    let job = next(db, key, "w#1", 20).await.unwrap();
    assert_eq!((job.id, job.attempts), (all[1].id, 1), "a wait costs no try");
    let (_, following) = end(db, &job, &DONE, 20).await;
    let batch = following.unwrap();
    let (_, following) = end(db, &batch, &wait(60, false), 21).await;
    assert!(following.is_none());
    enqueue(
        db,
        NewJob {
            business: Some(business),
            kind: JobKind::Disconnect,
            subject: key.0,
            queue: QueueClass::Interactive,
            due_at: at(22),
        },
        22,
    )
    .await;
    let urgent = next(db, key, "w#1", 22).await.unwrap();
    assert_eq!(urgent.id, all[1].id);
    let (_, following) = end(db, &urgent, &DONE, 22).await;
    assert!(following.is_none(), "the batch waits");
    let mut tx = begin(db).await;
    let longer = KeyWait {
        wait_until: at(21),
        batches_wait_until: at(70),
        reason: "it is away".to_owned(),
        is_outage: true,
    };
    jobs::wait(&mut tx, key, &longer).await.unwrap();
    commit(tx).await;
    let waits = jobs::find_wait(db, key, at(23)).await.unwrap().unwrap();
    assert_eq!((waits.batches_wait_until, waits.reason.as_str()), (at(70), "it is away"));
    let mut tx = begin(db).await;
    assert!(jobs::end_wait(&mut tx, key, at(23)).await.unwrap());
    assert!(!jobs::end_wait(&mut tx, key, at(23)).await.unwrap(), "it is over");
    commit(tx).await;
    assert_eq!(jobs::find_wait(db, key, at(23)).await.unwrap(), None);
    assert_eq!(jobs::due(db, at(23), 10).await.unwrap(), [all[0]]);
    assert_eq!(next(db, key, "w#1", 23).await.unwrap().attempts, 1);
}

/// A person waits for a long job that leaves calls to others, as a batch does: else it would be claimed again at once, and
/// again, since what people wait for does not wait.
async fn what_waits_as_batches_do_is_not_claimed_again_at_once(db: &TestDb) {
    let business = testing::business(db).await.id;
    let (key, all) = jobs(db, business, &[(QueueClass::Interactive, 1), (QueueClass::Interactive, 3)]).await;
    let job = next(db, key, "w#1", 2).await.unwrap();
    assert_eq!(job.id, all[0].id);
    let wait = JobOutcome::Wait { until: at(20), for_all: false, reason: "batches wait".into() };
    let (finished, following) = end(db, &job, &wait, 2).await;
    assert_eq!((finished, following.map(|job| job.id)), (FinishedJob { was_held: true, again: None }, None));
    let other = next(db, key, "w#1", 3).await.unwrap();
    assert_eq!(other.id, all[1].id, "nobody else waits with it");
    end(db, &other, &DONE, 3).await;
    assert!(next(db, key, "w#1", 19).await.is_none());
    assert_eq!(jobs::due(db, at(19), 10).await.unwrap(), []);
    assert_eq!(next(db, key, "w#1", 20).await.unwrap().id, all[0].id);
}

async fn first_provider_answer_ends_waits_of_all_its_keys(db: &TestDb) {
    let (business, ring) = (testing::business(db).await, testing::keyring());
    let mut connections = Vec::new();
    for name in ["Ana", "Rui", "Eva", "Leo", "Ida"] {
        let staff = testing::staff(db, &business, name).await;
        connections.push(testing::connection(db, &ring, &staff).await);
    }
    raw(db, "UPDATE connections SET provider = 'microsoft' WHERE account_subject = 'google-Leo'").await;
    let wait = |is_outage| KeyWait {
        wait_until: at(10),
        batches_wait_until: at(30),
        reason: "it is away".to_owned(),
        is_outage,
    };
    let mut tx = begin(db).await;
    for (connection, is_outage) in connections.iter().zip([true, true, false, true, true]) {
        jobs::wait(&mut tx, (*connection).into(), &wait(is_outage)).await.unwrap();
    }
    let google = connections::find_server(&mut tx, connections[0]).await.unwrap().unwrap();
    assert_eq!(google, CalendarServer { provider: ProviderKind::Google, origin: String::new() });
    let end = (at(15), Duration::zero());
    let ended = jobs::end_outages(&mut tx, &google, end).await.unwrap();
    let ended: BTreeSet<JobKey> = ended.keys.into_iter().collect();
    let expected = [0, 1, 4].map(|number| connections[number].into());
    assert_eq!(ended, expected.into(), "not what waits for a limit, or elsewhere");
    assert_eq!(jobs::end_outages(&mut tx, &google, end).await.unwrap(), EndedOutages::default());
    commit(tx).await;
    for (connection, expected) in connections.iter().zip([None, None, Some(at(30)), Some(at(30)), None]) {
        let wait = jobs::find_wait(db, (*connection).into(), at(15)).await.unwrap();
        assert_eq!(wait.map(|wait| wait.batches_wait_until), expected);
    }
}

/// What failed is due late after a long outage: one job of each key finds out whether it is over.
async fn with_the_first_answer_one_failed_job_of_each_key_is_tried(db: &TestDb) {
    let (business, ring) = (testing::business(db).await, testing::keyring());
    let mut all = Vec::new();
    for (name, due) in [("Ana", 40), ("Rui", 90), ("Eva", 40)] {
        let staff = testing::staff(db, &business, name).await;
        let key = JobKey::from(testing::connection(db, &ring, &staff).await);
        let (compare, disconnect) = (JobKind::CompareDrift, JobKind::Disconnect);
        for (kind, queue, minute) in
            [(compare, QueueClass::Poll, 1), (disconnect, QueueClass::Interactive, 50)]
        {
            let new = NewJob { business: Some(business.id), kind, subject: key.0, queue, due_at: at(minute) };
            enqueue(db, new, 0).await;
        }
        let job = next(db, key, "w#1", 2).await.unwrap();
        assert_eq!(job.kind, compare);
        end(db, &job, &JobOutcome::Retry { at: at(due), reason: "it is away".into() }, 2).await;
        all.push((key, job.id));
    }
    raw(
        db,
        "UPDATE connections SET provider = 'caldav', server_url = CASE account_subject
        WHEN 'google-Eva' THEN 'https://dav.example.org/eva/' ELSE 'https://dav.example/' || account_subject || '/' END",
    )
    .await;
    let mut tx = begin(db).await;
    let wait = KeyWait {
        wait_until: at(4),
        batches_wait_until: at(4),
        reason: "it is away".to_owned(),
        is_outage: true,
    };
    for (key, _) in &all {
        jobs::wait(&mut tx, *key, &wait).await.unwrap();
    }
    let server = connections::find_server(&mut tx, ConnectionId(all[0].0.0)).await.unwrap().unwrap();
    assert_eq!(server.origin, "https://dav.example/");
    let ended = jobs::end_outages(&mut tx, &server, (at(15), Duration::hours(1))).await.unwrap();
    commit(tx).await;
    let keys: BTreeSet<JobKey> = ended.keys.into_iter().collect();
    assert_eq!(keys, [all[0].0, all[1].0].into(), "though their waits have run out; not of another server");
    let due: Vec<_> = ended.due.iter().map(|job| (job.key, job.id)).collect();
    assert_eq!(due, [(Some(all[0].0), all[0].1)], "what has failed, and is due within the hour");
    assert_eq!(jobs::due(db, at(15), 10).await.unwrap(), ended.due);
}

async fn a_long_job_gives_way_and_goes_on(db: &TestDb) {
    use QueueClass::Interactive;
    let business = testing::business(db).await.id;
    // Also one that somebody waits for: it does not come before itself.
    let (key, all) = jobs(db, business, &[(Interactive, 1), (Interactive, 4), (Interactive, 5)]).await;
    let long = next(db, key, "w#1", 2).await.unwrap();
    let extend = async |minute| jobs::extend(db, &long, at(minute + 10), at(minute)).await.unwrap();
    assert_eq!(extend(4).await, LeaseRenewal::Held { urgent_is_due: false });
    assert_eq!(extend(5).await, LeaseRenewal::Held { urgent_is_due: true });
    let urgent = {
        let mut tx = begin(db).await;
        assert!(jobs::give_way(&mut tx, &long).await.unwrap());
        let (key, lease) = ((key, QueueClass::Interactive, Some(long.id)), ("w#2", at(15)));
        let urgent = jobs::claim_next_in(&mut tx, key, lease, at(5)).await.unwrap().unwrap();
        commit(tx).await;
        urgent
    };
    assert_eq!(urgent.id, all[2].id, "an entry, and not what may be as long as itself");
    assert_eq!(extend(6).await, LeaseRenewal::Lost, "it has no lease meanwhile");
    assert!(next(db, key, "other#1", 6).await.is_none(), "nor has anybody else");
    let mut tx = begin(db).await;
    assert!(jobs::finish(&mut tx, &urgent, &DONE, at(6)).await.unwrap().was_held);
    assert!(jobs::reclaim_lease(&mut tx, &long, at(16)).await.unwrap());
    commit(tx).await;
    let mut tx = begin(db).await;
    let extended = jobs::renew_lease_in(&mut tx, &long, at(17), at(7)).await.unwrap();
    assert_eq!(extended, LeaseRenewal::Held { urgent_is_due: false });
    commit(tx).await;
    let (finished, _) = end(db, &long, &DONE, 8).await;
    assert!(finished.was_held);
    let mut tx = begin(db).await;
    assert!(!jobs::reclaim_lease(&mut tx, &long, at(18)).await.unwrap(), "it is done");
    assert!(!jobs::give_way(&mut tx, &long).await.unwrap());
    commit(tx).await;
}

async fn who_dies_gives_the_key_back_by_time(db: &TestDb) {
    let business = testing::business(db).await.id;
    let (key, all) = jobs(db, business, &[(QueueClass::Bulk, 1), (QueueClass::Interactive, 1)]).await;
    let frozen = next(db, key, "frozen#1", 2).await.unwrap();
    assert_eq!(jobs::release_expired(db, at(11)).await.unwrap(), 0);
    assert!(next(db, key, "w#1", 12).await.is_none(), "only the sweep ends leases");
    assert_eq!(jobs::release_expired(db, at(12)).await.unwrap(), 1);
    let job = next(db, key, "w#1", 12).await.unwrap();
    assert_eq!((job.id, job.attempts), (all[1].id, 2), "what it died of counts");
    // The frozen one wakes up.
    let (finished, following) = end(db, &frozen, &DONE, 13).await;
    assert!(!finished.was_held && following.is_none());
    assert!(!jobs::extend(db, &frozen, at(30), at(13)).await.unwrap().is_held());
    assert!(end(db, &job, &DONE, 14).await.0.was_held);
}

async fn a_key_that_is_deleted_under_its_holder_is_no_error(db: &TestDb) {
    let business = testing::business(db).await.id;
    let (key, _) = jobs(db, business, &[(QueueClass::Bulk, 1), (QueueClass::Bulk, 1)]).await;
    let job = next(db, key, "w#1", 2).await.unwrap();
    raw(db, "DELETE FROM jobs").await;
    let wait = JobOutcome::Wait { until: at(50), for_all: true, reason: "later".to_owned() };
    for outcome in [wait, DONE] {
        let (finished, following) = end(db, &job, &outcome, 3).await;
        assert!(!finished.was_held && following.is_none());
    }
    assert_eq!(jobs::find_wait(db, key, at(3)).await.unwrap(), None);
}

async fn businesses_take_turns(db: &TestDb) {
    let [many, few] = [testing::business(db).await.id, testing::business(db).await.id];
    let new = |business, minute| NewJob {
        business: Some(business),
        kind: JobKind::Disconnect,
        subject: Uuid::new_v4(),
        queue: QueueClass::Bulk,
        due_at: at(minute),
    };
    for minute in 0..5 {
        enqueue(db, new(many, minute), 0).await;
    }
    let late = enqueue(db, new(few, 9), 0).await;
    let due = jobs::due(db, at(10), 3).await.unwrap();
    assert_eq!((due.len(), due[1]), (3, late), "it does not wait for all of the other's");
}

async fn a_job_of_a_calendar_has_its_connection_as_key(db: &TestDb) {
    let business = testing::business(db).await;
    let staff = testing::staff(db, &business, "Ana").await;
    let connection = testing::connection(db, &testing::keyring(), &staff).await;
    let calendar = testing::calendar(db, &staff, connection).await;
    let key = Some(JobKey(connection.0));
    for (kind, subject, expected) in [
        (JobKind::ImportAvailability, calendar.0, key),
        (JobKind::RenewPush, calendar.0, key),
        (JobKind::CompareDrift, connection.0, key),
        (JobKind::Disconnect, connection.0, key),
        (JobKind::BatchSync, connection.0, None),
        (JobKind::SendMail, calendar.0, Some(lane_of(MailId(calendar.0)))),
    ] {
        let due_at: DateTime<Utc> = at(1);
        let business = Some(business.id);
        let new = NewJob { business, kind, subject, queue: QueueClass::Poll, due_at };
        let enqueued = [enqueue(db, new, 0).await, enqueue(db, new, 0).await];
        assert_eq!(enqueued.map(|job| job.key), [expected; 2], "{kind}");
    }
}

concord_storage::on_both_databases!(
    the_most_urgent_job_of_a_key_comes_first_and_alone,
    what_people_wait_for_can_be_claimed_alone,
    of_many_workers_one_has_the_key,
    the_database_refuses_a_second_lease,
    a_key_waits_for_all_of_its_jobs,
    what_waits_as_batches_do_is_not_claimed_again_at_once,
    first_provider_answer_ends_waits_of_all_its_keys,
    with_the_first_answer_one_failed_job_of_each_key_is_tried,
    a_long_job_gives_way_and_goes_on,
    who_dies_gives_the_key_back_by_time,
    a_key_that_is_deleted_under_its_holder_is_no_error,
    businesses_take_turns,
    a_job_of_a_calendar_has_its_connection_as_key,
);
