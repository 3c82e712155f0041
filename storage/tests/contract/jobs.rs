use chrono::Duration;
use concord_domain::{
    ids::{BusinessId, new_uuid},
    job::{JobKind, JobState, QueueClass},
};
use concord_storage::{
    Db,
    jobs::{self, ClaimedJob, JobOutcome, JobRef, LeaseRenewal, NewJob},
    testing::{self, TestDb, at, begin, commit, monday},
};
use uuid::Uuid;

use crate::{at_once, is_not_found, raw};

fn new(business: BusinessId, subject: Uuid, minute: i64) -> NewJob {
    NewJob {
        business: Some(business),
        kind: JobKind::SyncBooking,
        subject,
        queue: QueueClass::Bulk,
        due_at: at(minute),
    }
}

async fn enqueue(db: &Db, job: NewJob, minute: i64) -> JobRef {
    let mut tx = begin(db).await;
    let enqueued = jobs::enqueue(&mut tx, job, at(minute)).await.unwrap();
    commit(tx).await;
    enqueued
}

/// With a lease of ten minutes.
async fn claim(db: &Db, job: JobRef, lease: &str, minute: i64) -> Option<ClaimedJob> {
    jobs::claim(db, job, lease, at(minute + 10), at(minute)).await.unwrap()
}

async fn finish(db: &Db, claimed: &ClaimedJob, outcome: &JobOutcome, minute: i64) -> Option<JobRef> {
    let mut tx = begin(db).await;
    let finished = jobs::finish(&mut tx, claimed, outcome, at(minute)).await.unwrap();
    commit(tx).await;
    finished.again
}

async fn a_job_is_due_claimed_and_done(db: &TestDb) {
    let business = testing::business(db).await.id;
    let subject = new_uuid(monday());
    let job = enqueue(db, new(business, subject, 5), 0).await;
    assert_eq!((job.kind, job.queue, job.version), (JobKind::SyncBooking, QueueClass::Bulk, 1));
    assert_eq!(testing::next_due(db).await, Some(at(5)));
    assert_eq!(jobs::oldest_due(db, at(4)).await.unwrap(), None);
    assert_eq!(jobs::due(db, at(4), 10).await.unwrap(), []);
    assert!(claim(db, job, "w#1", 4).await.is_none(), "not yet due");

    assert_eq!(jobs::due(db, at(5), 10).await.unwrap(), [job]);
    assert_eq!(jobs::oldest_due(db, at(7)).await.unwrap(), Some(at(5)));
    let claimed = claim(db, job, "w#1", 5).await.unwrap();
    assert_eq!((claimed.business_id, claimed.subject_id), (Some(business), subject));
    assert_eq!((claimed.attempts, claimed.version, claimed.enqueued_at), (1, 1, at(0)));
    assert!(claim(db, job, "w#2", 6).await.is_none(), "somebody has it");
    assert_eq!(jobs::due(db, at(6), 10).await.unwrap(), []);
    assert_eq!(finish(db, &claimed, &JobOutcome::Done, 6).await, None);
    assert!(claim(db, job, "w#2", 7).await.is_none(), "it is done");
    assert_eq!(jobs::due(db, at(700), 10).await.unwrap(), []);
    assert_eq!(testing::next_due(db).await, None);
}

async fn what_the_dead_held_is_given_back_and_their_tries_count(db: &TestDb) {
    let business = testing::business(db).await.id;
    let held = enqueue(db, new(business, new_uuid(monday()), 0), 0).await;
    let waiting = enqueue(db, new(business, new_uuid(monday()), 5), 0).await;
    claim(db, held, "dead#1", 1).await.unwrap();
    assert_eq!(jobs::due(db, at(2), 10).await.unwrap(), []);
    let mut tx = begin(db).await;
    assert_eq!(jobs::release_former(&mut tx).await.unwrap(), 1);
    assert_eq!(jobs::release_former(&mut tx).await.unwrap(), 0);
    commit(tx).await;
    assert_eq!(jobs::due(db, at(2), 10).await.unwrap(), [held]);
    assert_eq!(claim(db, held, "alive#1", 2).await.unwrap().attempts, 2);
    assert_eq!(claim(db, waiting, "alive#2", 5).await.unwrap().attempts, 1);
}

async fn of_many_workers_one_claims(db: &TestDb) {
    let business = testing::business(db).await.id;
    let job = enqueue(db, new(business, new_uuid(monday()), 0), 0).await;
    let claimed =
        at_once(db, 12, |db, number| async move { claim(&db, job, &format!("w#{number}"), 1).await }).await;
    assert_eq!(claimed.into_iter().flatten().count(), 1);
}

async fn enqueued_again_while_it_waits_it_runs_once_from_the_newest(db: &TestDb) {
    let business = testing::business(db).await.id;
    let subject = new_uuid(monday());
    let first = enqueue(db, new(business, subject, 5), 0).await;
    let sooner = NewJob { queue: QueueClass::Interactive, ..new(business, subject, 2) };
    let second = enqueue(db, sooner, 1).await;
    let third = enqueue(db, new(business, subject, 9), 1).await;
    assert_eq!((second.id, second.version, third.version), (first.id, 2, 3));
    assert_eq!(third.queue, QueueClass::Interactive, "somebody still waits for it");
    assert!(claim(db, second, "w#1", 3).await.is_none(), "there is a newer one");
    let claimed = claim(db, third, "w#1", 3).await.unwrap();
    finish(db, &claimed, &JobOutcome::Done, 3).await;
    assert_eq!(jobs::due(db, at(60), 10).await.unwrap(), []);
    let fourth = enqueue(db, new(business, subject, 20), 19).await;
    assert_eq!((fourth.version, fourth.queue), (4, QueueClass::Bulk));
    assert!(claim(db, fourth, "w#1", 20).await.is_some());
}

async fn enqueued_again_while_it_runs_it_runs_again(db: &TestDb) {
    let business = testing::business(db).await.id;
    let subject = new_uuid(monday());
    let first = enqueue(db, new(business, subject, 0), 0).await;
    for outcome in [
        JobOutcome::Done,
        JobOutcome::Again(at(600)),
        JobOutcome::Retry { at: at(600), reason: "503".to_owned() },
        JobOutcome::Failed { retry_at: None, reason: "403".to_owned() },
    ] {
        let job = enqueue(db, new(business, subject, 1), 1).await;
        let claimed = claim(db, job, "w#1", 2).await.unwrap();
        let again = enqueue(db, new(business, subject, 3), 3).await;
        assert!(claim(db, again, "w#2", 4).await.is_none(), "the first run is still at it");
        let to_push = finish(db, &claimed, &outcome, 4).await;
        assert_eq!(to_push, Some(again), "{outcome:?}");
        let claimed = claim(db, again, "w#2", 5).await.unwrap();
        assert_eq!(claimed.attempts, 1, "{outcome:?}");
        finish(db, &claimed, &JobOutcome::Done, 5).await;
    }
    assert!(enqueue(db, new(business, subject, 6), 6).await.id == first.id);
}

async fn the_outcome_says_when_it_is_due_again(db: &TestDb) {
    let business = testing::business(db).await.id;
    let reason = || "Google answered 503".to_owned();
    let cases = [
        (JobOutcome::Done, None, 0),
        (JobOutcome::Again(at(30)), Some(at(30)), 0),
        (JobOutcome::Snooze { until: at(30), reason: reason() }, Some(at(30)), 0),
        (JobOutcome::Retry { at: at(30), reason: reason() }, Some(at(30)), 1),
        (JobOutcome::Failed { retry_at: Some(at(30)), reason: reason() }, Some(at(30)), 1),
        (JobOutcome::Failed { retry_at: None, reason: reason() }, None, 1),
    ];
    for (outcome, due_at, tries_used) in cases {
        let job = enqueue(db, new(business, new_uuid(monday()), 0), 0).await;
        let claimed = claim(db, job, "w#1", 0).await.unwrap();
        assert_eq!(finish(db, &claimed, &outcome, 1).await, None, "{outcome:?}");
        let due = jobs::due(db, at(30), 10).await.unwrap();
        assert_eq!(!due.is_empty(), due_at.is_some(), "{outcome:?}");
        if due_at.is_some() {
            assert_eq!(jobs::due(db, at(29), 10).await.unwrap(), [], "{outcome:?}");
            let claimed = claim(db, job, "w#1", 30).await.unwrap();
            assert_eq!(claimed.attempts, tries_used + 1, "{outcome:?}");
            finish(db, &claimed, &JobOutcome::Done, 31).await;
        }
    }
}

async fn a_lease_that_ran_out_is_anothers(db: &TestDb) {
    let business = testing::business(db).await.id;
    let job = enqueue(db, new(business, new_uuid(monday()), 0), 0).await;
    let slow = claim(db, job, "w#1", 0).await.unwrap();
    let extend = async |job, until| jobs::extend(db, job, at(until), at(14)).await.unwrap();
    assert_eq!(extend(&slow, 15).await, LeaseRenewal::Held { urgent_is_due: false });
    assert_eq!(jobs::release_expired(db, at(14)).await.unwrap(), 0);
    assert!(claim(db, job, "w#2", 14).await.is_none());
    assert_eq!(jobs::release_expired(db, at(15)).await.unwrap(), 1);
    let other = claim(db, job, "w#2", 15).await.unwrap();
    assert_eq!(other.attempts, 2);
    assert_eq!(extend(&slow, 60).await, LeaseRenewal::Lost);
    assert_eq!(finish(db, &slow, &JobOutcome::Done, 16).await, None);
    assert!(extend(&other, 60).await.is_held(), "the late one changed nothing");
    finish(db, &other, &JobOutcome::Done, 17).await;
    assert_eq!(jobs::due(db, at(600), 10).await.unwrap(), []);
}

async fn a_worker_that_stops_gives_back_what_it_holds(db: &TestDb) {
    let business = testing::business(db).await.id;
    let mut held = Vec::new();
    for lease in ["w1#1", "w1#2", "w11#1"] {
        let job = enqueue(db, new(business, new_uuid(monday()), 0), 0).await;
        held.push(claim(db, job, lease, 0).await.unwrap());
    }
    assert_eq!(jobs::release_leases_of_worker(db, "w1").await.unwrap(), 2);
    let due: Vec<_> = jobs::due(db, at(1), 10).await.unwrap();
    assert_eq!(due.len(), 2);
    assert!(due.iter().all(|job| job.id != held[2].id), "another worker's stays");
    let claimed = claim(db, due[0], "w2#1", 1).await.unwrap();
    assert_eq!(claimed.attempts, 1, "a stop costs no try");
}

/// Whoever may see one person's calendars is not kept from their failures by those of others.
async fn failures_are_listed_of_one_person(db: &TestDb) {
    let (business, ring) = (testing::business(db).await, testing::keyring());
    let ana = testing::staff(db, &business, "Ana").await;
    let rui = testing::staff(db, &business, "Rui").await;
    let of_ana = testing::connection(db, &ring, &ana).await;
    let of_rui = testing::connection(db, &ring, &rui).await;
    for (minute, connection) in [(0, of_ana), (1, of_rui), (2, of_rui)] {
        let kind = if minute == 1 { JobKind::CompareDrift } else { JobKind::BatchSync };
        let job = enqueue(db, NewJob { kind, ..new(business.id, connection.0, minute) }, minute).await;
        let claimed = claim(db, job, "w#1", minute).await.unwrap();
        let outcome = JobOutcome::Failed { retry_at: None, reason: "Google refused it".to_owned() };
        finish(db, &claimed, &outcome, minute).await;
    }
    for (staff, expected) in
        [(Some(ana.id), vec![of_ana.0]), (Some(rui.id), vec![of_rui.0]), (None, vec![of_rui.0])]
    {
        let failed = jobs::failed(db, business.id, staff, 1).await.unwrap();
        assert_eq!(failed.iter().map(|job| job.subject_id).collect::<Vec<_>>(), expected);
    }
}

async fn what_failed_is_listed_counted_and_tried_again_by_hand(db: &TestDb) {
    let [business, other] = [testing::business(db).await.id, testing::business(db).await.id];
    let subject = new_uuid(monday());
    let job = enqueue(db, new(business, subject, 0), 0).await;
    let claimed = claim(db, job, "w#1", 0).await.unwrap();
    let outcome = JobOutcome::Failed { retry_at: None, reason: "Google refused it".to_owned() };
    finish(db, &claimed, &outcome, 1).await;
    enqueue(db, NewJob { business: None, kind: JobKind::Retention, ..new(business, Uuid::nil(), 9) }, 0)
        .await;

    let failed = jobs::failed(db, business, None, 10).await.unwrap();
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0].id, failed[0].subject_id, failed[0].state), (job.id, subject, JobState::Failed));
    assert_eq!((failed[0].due_at, failed[0].attempts), (None, 1));
    assert_eq!(failed[0].last_error.as_deref(), Some("Google refused it"));
    let mut counts: Vec<_> = jobs::counts(db).await.unwrap();
    counts.sort_by_key(|count| count.kind);
    let counts: Vec<_> = counts.iter().map(|count| (count.kind, count.state, count.count)).collect();
    let expected = [(JobKind::SyncBooking, JobState::Failed, 1), (JobKind::Retention, JobState::Waiting, 1)];
    assert_eq!(counts, expected);

    assert!(jobs::failed(db, other, None, 10).await.unwrap().is_empty());
    let mut tx = begin(db).await;
    is_not_found(jobs::retry(&mut tx, other, job.id, at(2)).await);
    let again = jobs::retry(&mut tx, business, job.id, at(2)).await.unwrap();
    is_not_found(jobs::retry(&mut tx, business, job.id, at(2)).await);
    commit(tx).await;
    assert_eq!(again.version, job.version + 1);
    assert_eq!(claim(db, again, "w#1", 2).await.unwrap().attempts, 1);
}

async fn the_longest_due_come_first(db: &TestDb) {
    let business = testing::business(db).await.id;
    let mut enqueued = Vec::new();
    for minute in [3, 1, 2] {
        enqueued.push(enqueue(db, new(business, new_uuid(monday()), minute), 0).await);
    }
    let due = jobs::due(db, at(3) + Duration::seconds(1), 2).await.unwrap();
    assert_eq!(due, [enqueued[1], enqueued[2]]);
}

async fn what_people_wait_for_comes_before_what_is_longer_due(db: &TestDb) {
    let business = testing::business(db).await.id;
    let bulk = enqueue(db, new(business, new_uuid(monday()), 0), 0).await;
    let interactive = NewJob { queue: QueueClass::Interactive, ..new(business, new_uuid(monday()), 5) };
    let interactive = enqueue(db, interactive, 0).await;
    assert_eq!(jobs::due(db, at(6), 10).await.unwrap(), [interactive, bulk]);
}

async fn however_it_was_raised_a_poll_is_a_poll_afterwards(db: &TestDb) {
    let business = testing::business(db).await.id;
    let first = enqueue(db, new(business, new_uuid(monday()), 0), 0).await;
    let claimed = claim(db, first, "w#1", 0).await.unwrap();
    finish(db, &claimed, &JobOutcome::Again(at(15)), 1).await;
    assert_eq!(jobs::due(db, at(15), 10).await.unwrap(), [JobRef { queue: QueueClass::Poll, ..first }]);
}

async fn active_jobs_of_connection_are_counted_until_done(db: &TestDb) {
    let ring = testing::keyring();
    let business = testing::business(db).await;
    let staff = testing::staff(db, &business, "Ana").await;
    let connection = testing::connection(db, &ring, &staff).await;
    let calendar = testing::calendar(db, &staff, connection).await;
    let other = testing::connection(db, &ring, &testing::staff(db, &business, "Ben").await).await;
    let under_way = async |minute| {
        let mut all = jobs::under_way(db, business.id, connection, at(minute)).await.unwrap();
        all.sort_unstable();
        all
    };
    let of = |kind, subject| NewJob { kind, ..new(business.id, subject, 0) };
    enqueue(db, of(JobKind::BatchSync, other.0), 0).await;
    assert_eq!(under_way(1).await, []);
    let batch = enqueue(db, of(JobKind::BatchSync, connection.0), 0).await;
    let import = enqueue(db, of(JobKind::ImportAvailability, calendar.0), 0).await;
    let both = [(JobKind::BatchSync, 1), (JobKind::ImportAvailability, 1)];
    assert_eq!(under_way(1).await, both);
    let claimed = claim(db, batch, "w#1", 1).await.unwrap();
    assert_eq!(under_way(1).await, both, "what runs is under way");
    finish(db, &claimed, &JobOutcome::Retry { at: at(60), reason: "503".to_owned() }, 2).await;
    assert_eq!(under_way(2).await, both, "and so is what is tried again");
    let claimed = claim(db, batch, "w#1", 60).await.unwrap();
    finish(db, &claimed, &JobOutcome::Done, 61).await;
    let claimed = claim(db, import, "w#2", 61).await.unwrap();
    finish(db, &claimed, &JobOutcome::Again(at(90)), 62).await;
    assert_eq!(under_way(62).await, [], "nobody waits for the next poll");
    assert_eq!(under_way(90).await, [(JobKind::ImportAvailability, 1)]);
    let stranger = testing::business(db).await.id;
    assert_eq!(jobs::under_way(db, stranger, connection, at(90)).await.unwrap(), []);
}

async fn tries_never_fall_below_none(db: &TestDb) {
    let business = testing::business(db).await.id;
    let new = new(business, new_uuid(monday()), 0);
    let job = enqueue(db, new, 0).await;
    claim(db, job, "w1#1", 0).await.unwrap();
    // Enqueued again while it runs, it counts from none; then its worker stops.
    let again = enqueue(db, new, 0).await;
    assert_eq!(jobs::release_leases_of_worker(db, "w1").await.unwrap(), 1);
    let claimed = claim(db, again, "w2#1", 1).await.unwrap();
    assert_eq!(claimed.attempts, 1);
    // By hand all of its tries are given back, while it runs with the same version.
    raw(db, "UPDATE jobs SET attempts = 0").await;
    finish(db, &claimed, &JobOutcome::Snooze { until: at(2), reason: "not its turn".to_owned() }, 1).await;
    assert_eq!(claim(db, again, "w2#2", 3).await.unwrap().attempts, 1);
}

concord_storage::on_both_databases!(
    tries_never_fall_below_none,
    active_jobs_of_connection_are_counted_until_done,
    a_job_is_due_claimed_and_done,
    what_the_dead_held_is_given_back_and_their_tries_count,
    of_many_workers_one_claims,
    enqueued_again_while_it_waits_it_runs_once_from_the_newest,
    enqueued_again_while_it_runs_it_runs_again,
    the_outcome_says_when_it_is_due_again,
    a_lease_that_ran_out_is_anothers,
    a_worker_that_stops_gives_back_what_it_holds,
    failures_are_listed_of_one_person,
    what_failed_is_listed_counted_and_tried_again_by_hand,
    the_longest_due_come_first,
    what_people_wait_for_comes_before_what_is_longer_due,
    however_it_was_raised_a_poll_is_a_poll_afterwards,
);
