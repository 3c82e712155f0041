//! Many workers at once, over an outside that fails: never two entries of one booking, and in the end exactly one.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration as StdDuration,
};

use chrono::Duration;
use concord_domain::{
    booking::{BookingDraft, BookingTime},
    connection::EntryState,
};
use concord_jobs::{
    SyncSettings,
    dispatch::JobRunner,
    worker::{self, Concurrency, WorkerSettings},
};
use concord_storage::{
    bookings, jobs, on_both_databases, people,
    testing::{self, TestDb, at},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    fixture::{ANA, RUI, SyncFixture, titled, unhurried},
    shared::DrainJobs,
};

/// The seed of a run, so that it can be repeated with `CONCORD_TEST_SEED`.
fn seed() -> u64 {
    let seed = std::env::var("CONCORD_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0));
    println!("CONCORD_TEST_SEED={seed}");
    seed
}

/// Of each booking, by the property that is written into its entries, the number of entries that stand.
async fn standing(fixture: &SyncFixture<'_>) -> HashMap<String, usize> {
    let mut count = HashMap::new();
    for account in [ANA, RUI] {
        for entry in fixture.outside.seen_by(account).await {
            let booking = entry.raw["extendedProperties"]["private"]["concord_booking"].clone();
            *count.entry(format!("{account} {}", booking.as_str().unwrap_or("of nobody"))).or_default() += 1;
        }
    }
    count
}

/// Runs whatever is due, again and again, until told to stop. The clock is everybody's and moves on all the time, so
/// that snoozed jobs come back, and now and then a lease runs out under its holder.
fn worker(
    jobs: JobRunner,
    db: concord_storage::Db,
    clock: concord_domain::clock::Clock,
    stop: Arc<AtomicBool>,
) -> impl Future<Output = ()> {
    async move {
        while !stop.load(Ordering::SeqCst) {
            let due = jobs::due(&db, clock.now(), 20).await.expect("jobs can be read");
            for job in due {
                jobs.run(job).await.expect("a job can be claimed and finished");
            }
            clock.advance(Duration::milliseconds(40));
            tokio::task::yield_now().await;
        }
    }
}

/// Draws what is done to a booking next: 12 bookings come, change, change hands, go and come back.
struct BookingChurn {
    random: StdRng,
    /// Of each reference what was last written; `None`: it is cancelled.
    drafts: HashMap<String, Option<BookingDraft>>,
}

impl BookingChurn {
    fn new() -> Self {
        Self { random: StdRng::seed_from_u64(seed()), drafts: HashMap::new() }
    }

    async fn apply(&mut self, fixture: &SyncFixture<'_>, change: u32) {
        let random = &mut self.random;
        let number = random.random_range(0..12_i64);
        let reference = format!("A-{number}");
        let staff = if random.random_bool(0.5) { &fixture.ana } else { &fixture.rui };
        let starts = number * 120 + random.random_range(0..4) * 15;
        let draft = BookingDraft {
            time: BookingTime::Timed { starts_at: at(100_000 + starts), ends_at: at(100_030 + starts) },
            ..titled(&fixture.draft(&[staff], 0, 1), &format!("Change {change}"))
        };
        if random.random_bool(0.25) && self.drafts.contains_key(&reference) {
            fixture.cancel(&reference).await;
            self.drafts.insert(reference, None);
        } else {
            fixture.put(&reference, &draft).await;
            self.drafts.insert(reference, Some(draft));
        }
    }

    /// Of each entry the account, the title and the start.
    fn expected_entries(&self, fixture: &SyncFixture<'_>) -> Vec<(String, String, Value)> {
        let entry = |draft: &BookingDraft| {
            let owner = if draft.staff[0] == fixture.ana.id { ANA } else { RUI };
            let BookingTime::Timed { starts_at, .. } = draft.time else { unreachable!("all are timed") };
            let starts = starts_at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
            (owner.to_owned(), format!("Sea View — Maria ({})", draft.title), json!(starts))
        };
        let mut expected: Vec<_> = self.drafts.values().flatten().map(entry).collect();
        expected.sort_by_key(|one| format!("{one:?}"));
        expected
    }
}

/// As `BookingChurn::expected_entries`, of what stands.
async fn remote_entries(fixture: &SyncFixture<'_>) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for account in [ANA, RUI] {
        for entry in fixture.outside.seen_by(account).await {
            found.push((account.to_owned(), entry.title, json!(entry.starts_at)));
        }
    }
    found.sort_by_key(|one| format!("{one:?}"));
    found
}

async fn inject_faults(fixture: &SyncFixture<'_>) {
    for fault in [
        json!({ "kind": "rate_limit", "probability": 0.05, "value": 1 }),
        json!({ "kind": "server_error", "probability": 0.06 }),
        json!({ "kind": "apply_then_drop", "probability": 0.08 }),
        json!({ "kind": "expire_token", "probability": 0.02 }),
        json!({ "kind": "latency_ms", "probability": 0.1, "value": 150 }),
    ] {
        fixture.outside.fault(fault).await;
    }
}

/// Four workers in each of four processes.
fn spawn_workers(fixture: &SyncFixture<'_>, stop: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for process in 0..4 {
        let context = fixture.elsewhere();
        for task in 0..4 {
            let jobs = JobRunner::new(context.clone(), &format!("worker-{process}-{task}"));
            workers.spawn(worker(jobs, (**fixture.db).clone(), fixture.clock.clone(), Arc::clone(stop)));
        }
    }
    workers
}

async fn sixteen_workers_in_four_processes_leave_one_entry(db: &TestDb) {
    let mut churn = BookingChurn::new();
    // Leases that do run out: a slow call takes longer, by this clock.
    let settings = SyncSettings { lease: Duration::seconds(8), ..unhurried() };
    let fixture = SyncFixture::with(db, settings, StdDuration::from_millis(1_500)).await;
    fixture.connected(&fixture.ana).await;
    fixture.connected(&fixture.rui).await;
    inject_faults(&fixture).await;

    let stop = Arc::new(AtomicBool::new(false));
    let workers = spawn_workers(&fixture, &stop);
    for change in 0..120 {
        churn.apply(&fixture, change).await;
        let count = standing(&fixture).await;
        assert!(count.values().all(|entries| *entries == 1), "after change {change}: {count:?}");
    }
    stop.store(true, Ordering::SeqCst);
    workers.join_all().await;
    fixture.outside.no_faults().await;
    fixture.clock.advance(Duration::seconds(10));
    fixture.settle().await;

    assert_eq!(remote_entries(&fixture).await, churn.expected_entries(&fixture));
    let open = fixture.open_jobs().await;
    assert!(open.is_empty(), "{open:#?}");
    for reference in churn.drafts.keys() {
        let booking = bookings::find(db, fixture.business.id, reference).await.unwrap().unwrap();
        let changes = fixture.changes(&booking).await;
        assert!(changes.is_empty(), "nobody but us has touched {reference}: {changes:#?}");
    }
    let counts =
        concord_storage::entries::counts(db, fixture.business.id, None, fixture.clock.now()).await.unwrap();
    assert_eq!((counts.pending, counts.failed), (0, 0));
}

/// A worker that was held up for longer than its lease writes after another one has removed the entry.
async fn a_worker_that_comes_late_leaves_nothing_behind(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.outside.fault(json!({ "kind": "latency_ms", "value": 3_000, "count": 1 })).await;
    let other = JobRunner::new(fixture.elsewhere(), "second");
    let overtake = async {
        while fixture.outside.hits().await == 0 {
            tokio::task::yield_now().await;
        }
        fixture.clock.advance(fixture.context.settings.lease + Duration::seconds(1));
        fixture.cancel("A-1").await;
        other.drain().await.unwrap();
        assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0, "the first one is still held up");
    };
    tokio::join!(fixture.drain(), overtake);
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
    assert_eq!(fixture.open_jobs().await.len(), 0);
}

/// What a late worker has read may be older than what another one has written by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_whose_lease_ran_out_while_it_writes_goes_no_further() {
    let db = testing::postgres().await;
    let fixture = SyncFixture::new(&db).await;
    for number in 0..150 {
        let time = (at(10_000 + number * 60), at(10_030 + number * 60));
        fixture.outside.person_adds(ANA, time, json!({})).await;
    }
    let id = fixture.connect(&fixture.ana, ANA).await;
    // Somebody books her all the time, so that both readers get stuck in the midst of writing.
    let mut booking = testing::begin(&db).await;
    people::lock(&mut booking, fixture.business.id, fixture.ana.id).await.unwrap();
    let (first, second) = (fixture.jobs.clone(), JobRunner::new(fixture.elsewhere(), "second"));
    let first = tokio::spawn(async move { first.drain().await.unwrap() });
    testing::until_locked_out(&db, 1).await;
    fixture.clock.advance(fixture.context.settings.lease + Duration::seconds(1));
    let second = tokio::spawn(async move { second.drain().await.unwrap() });
    testing::until_locked_out(&db, 2).await;
    testing::commit(booking).await;
    first.await.unwrap();
    second.await.unwrap();
    let log = fixture.log().await;
    assert_eq!(log.iter().filter(|line| line.starts_with("import")).collect::<Vec<_>>(), ["import ok"]);
    assert_eq!(fixture.known(fixture.calendars(id).await[0].id).await.len(), 150);
    fixture.settle().await;
    assert_eq!(fixture.open_jobs().await.len(), 0);
}

/// Many bookings of somebody whose calendar takes its time, and then one of somebody else.
async fn a_slow_calendar_holds_nobody_else_up(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.connected(&fixture.rui).await;
    fixture.outside.fault(json!({ "kind": "latency_ms", "account": ANA, "value": 4_500 })).await;
    for number in 0..12 {
        fixture
            .put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], number * 60, number * 60 + 60))
            .await;
    }
    let stop = CancellationToken::new();
    let settings = WorkerSettings {
        concurrency: Concurrency::new(|_| 3),
        shutdown_timeout: StdDuration::ZERO,
        name: "first".to_owned(),
        ..WorkerSettings::default()
    };
    let jobs = Arc::new(fixture.jobs.clone());
    let working = tokio::spawn(worker::run(jobs, fixture.context.queue.clone(), settings, stop.clone()));
    while fixture.outside.hits().await == 0 {
        tokio::task::yield_now().await;
    }
    let booking = fixture.put("R-1", &fixture.draft(&[&fixture.rui], 0, 60)).await;
    let written = async {
        while fixture.entry_state(&booking).await != EntryState::Synced {
            tokio::task::yield_now().await;
        }
    };
    // Long before the first of hers is through.
    timeout(StdDuration::from_secs(4), written).await.expect("it is written at once");
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0, "hers is still slow");
    stop.cancel();
    working.await.unwrap().unwrap();

    fixture.outside.no_faults().await;
    fixture.clock.advance(fixture.context.settings.lease);
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 12);
}

/// By the clock, which stands still, none of them would come back by itself.
async fn whoever_was_sent_away_is_called_back(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "latency_ms", "account": ANA, "value": 250 })).await;
    for number in 0..6 {
        fixture
            .put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], number * 60, number * 60 + 60))
            .await;
    }
    let stop = CancellationToken::new();
    let settings = WorkerSettings { name: "first".to_owned(), ..WorkerSettings::default() };
    let jobs = Arc::new(fixture.jobs.clone());
    let working = tokio::spawn(worker::run(jobs, fixture.context.queue.clone(), settings, stop.clone()));
    let all_written = async {
        while !fixture.open_jobs().await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(StdDuration::from_secs(20), all_written).await.expect("each has its turn");
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 6);
    stop.cancel();
    working.await.unwrap().unwrap();
}

on_both_databases!(
    whoever_was_sent_away_is_called_back,
    a_slow_calendar_holds_nobody_else_up,
    sixteen_workers_in_four_processes_leave_one_entry,
    a_worker_that_comes_late_leaves_nothing_behind,
);
