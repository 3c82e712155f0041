//! Workers that claim, end, give way, crash and freeze, limits and new work, in random order: the database does what a simple
//! model of it says. The seed of a run is printed; `CONCORD_TEST_SEED` sets it, `CONCORD_MODEL_STEPS` how long it is.

use std::collections::BTreeMap;

use concord_domain::{
    ids::{JobId, JobKey, new_uuid},
    job::{JobKind, JobState, QueueClass},
};
use concord_storage::{
    Db,
    jobs::{self, ClaimedJob, JobOutcome, NewJob},
    testing::{self, TestDb, at, begin, commit, monday, plans},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use uuid::Uuid;

const KEYS: usize = 3;
const JOBS_OF_A_KEY: usize = 6;
const WORKERS: usize = 4;
const STEPS: usize = 600;
const LEASE: i64 = 10;

#[expect(clippy::print_stdout, reason = "the seed of a run that fails is for people")]
fn print_seed(seed: u64) {
    println!("CONCORD_TEST_SEED={seed}");
}

fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A job as the model knows it; times in minutes.
#[derive(Clone, Debug)]
struct ModelJob {
    key: usize,
    subject: Uuid,
    class: QueueClass,
    is_done: bool,
    due: Option<i64>,
    priority: i64,
    enqueued: i64,
    attempts: i64,
    version: i64,
    /// Whose lease it is, and until when.
    lease: Option<(String, i64)>,
}

/// What says which of two jobs comes first.
type ModelRank = (u8, i64, i64);

impl ModelJob {
    fn rank(&self) -> ModelRank {
        let urgency = match self.class {
            QueueClass::Interactive => 0,
            QueueClass::Poll => 1,
            QueueClass::Bulk => 2,
        };
        (urgency, self.priority, self.enqueued)
    }
}

/// Until when a key waits: what people wait for, and the rest.
#[derive(Clone, Copy, Default)]
struct ModelWait {
    all: i64,
    batches: i64,
}

struct JobKeyModel {
    now: i64,
    jobs: BTreeMap<JobId, ModelJob>,
    waits: [ModelWait; KEYS],
}

impl JobKeyModel {
    fn is_leased(&self, key: usize) -> bool {
        self.jobs.values().any(|job| job.key == key && job.lease.is_some())
    }

    /// The rank of the job that is to be claimed.
    fn next(&self, key: usize, class: QueueClass, but: Option<JobId>) -> Option<ModelRank> {
        if self.is_leased(key) || self.waits[key].all > self.now {
            return None;
        }
        let urgent_only = class == QueueClass::Interactive || self.waits[key].batches > self.now;
        let is_due =
            |job: &ModelJob| job.key == key && !job.is_done && job.due.is_some_and(|due| due <= self.now);
        let jobs = self.jobs.iter().filter(|(id, job)| is_due(job) && Some(**id) != but);
        let ranks = jobs.map(|(_, job)| job.rank()).filter(|(urgency, ..)| !urgent_only || *urgency == 0);
        ranks.min()
    }

    fn claimed(&mut self, claimed: Option<&ClaimedJob>, expected: Option<ModelRank>) {
        let rank = claimed.map(|claimed| self.jobs[&claimed.id].rank());
        assert_eq!(rank, expected, "at {}: {:#?}", self.now, self.jobs);
        if let Some(claimed) = claimed {
            let until = self.now + LEASE;
            let job = self.jobs.get_mut(&claimed.id).expect("it is known");
            job.lease = Some((claimed.leased_by.clone(), until));
            job.attempts += 1;
            assert_eq!((claimed.attempts, claimed.version), (job.attempts, job.version));
        }
    }

    fn holds(&self, claimed: &ClaimedJob) -> bool {
        self.jobs[&claimed.id].lease.as_ref().is_some_and(|(by, _)| *by == claimed.leased_by)
    }

    fn finished(
        &mut self,
        claimed: &ClaimedJob,
        outcome: &JobOutcome,
        at_minute: impl Fn(&JobOutcome) -> i64,
    ) -> bool {
        if !self.holds(claimed) {
            return false;
        }
        let now = self.now;
        let job = self.jobs.get_mut(&claimed.id).expect("it is known");
        job.lease = None;
        if job.version == claimed.version {
            let (is_done, due, tries) = match outcome {
                JobOutcome::Done => (true, None, -claimed.attempts),
                JobOutcome::Wait { for_all, .. } if *for_all || claimed.queue != QueueClass::Interactive => {
                    (false, job.due, -1)
                }
                // It waits as batches do, and the key does not wait for people.
                JobOutcome::Wait { .. } => (false, Some(at_minute(outcome)), -1),
                _ => (false, Some(at_minute(outcome)), 0),
            };
            (job.is_done, job.due, job.attempts) = (is_done, due, (job.attempts + tries).max(0));
        } else {
            (job.is_done, job.attempts) = (false, 0);
        }
        if let JobOutcome::Wait { for_all, .. } = outcome {
            let (until, key) = (at_minute(outcome), job.key);
            let waits = &mut self.waits[key];
            waits.batches = waits.batches.max(until);
            waits.all = waits.all.max(if *for_all { until } else { now });
        }
        true
    }
}

/// A worker, with the job in hand and what that was put before.
#[derive(Default)]
struct ModelWorker {
    hand: Vec<ClaimedJob>,
}

struct JobKeyModelFixture<'a> {
    db: &'a TestDb,
    random: StdRng,
    model: JobKeyModel,
    keys: [JobKey; KEYS],
    workers: Vec<ModelWorker>,
    leases: u32,
    claims: usize,
}

async fn set_key(db: &Db, id: JobId, key: JobKey) {
    const SET: &str = "UPDATE jobs SET key_id = $2 WHERE id = $1";
    plans::leave_out(SET);
    match db {
        Db::Sqlite { write, .. } => sqlx::query(SET).bind(id).bind(key).execute(write).await.map(drop),
        Db::Postgres(pool) => sqlx::query(SET).bind(id).bind(key).execute(pool).await.map(drop),
    }
    .unwrap();
}

impl JobKeyModelFixture<'_> {
    async fn enqueue(&mut self, slot: Option<JobId>) {
        let class =
            *[QueueClass::Interactive, QueueClass::Bulk, QueueClass::Poll].choose(&mut self.random).unwrap();
        let due = self.model.now + self.random.random_range(0..4);
        let now = self.model.now;
        let (key, subject) = match slot {
            Some(id) => (self.model.jobs[&id].key, self.model.jobs[&id].subject),
            None => (self.random.random_range(0..KEYS), new_uuid(monday())),
        };
        let new =
            NewJob { business: None, kind: JobKind::SyncBooking, subject, queue: class, due_at: at(due) };
        let mut tx = begin(self.db).await;
        let enqueued = jobs::enqueue(&mut tx, new, at(now)).await.unwrap();
        commit(tx).await;
        let Some(job) = self.model.jobs.get_mut(&enqueued.id) else {
            set_key(self.db, enqueued.id, self.keys[key]).await;
            let job = ModelJob {
                key,
                subject,
                class,
                is_done: false,
                due: Some(due),
                priority: due,
                enqueued: now,
                attempts: 0,
                version: 1,
                lease: None,
            };
            self.model.jobs.insert(enqueued.id, job);
            return;
        };
        let is_used_up = job.lease.is_some() && job.attempts > 0;
        if job.due.is_none_or(|former| former > due) || is_used_up {
            job.due = Some(due);
        }
        if job.is_done || class == QueueClass::Interactive {
            job.class = class;
        }
        (job.is_done, job.attempts, job.version) = (false, 0, job.version + 1);
        (job.enqueued, job.priority) = (now, due);
        assert_eq!(enqueued.key, Some(self.keys[job.key]));
    }

    fn lease(&mut self) -> String {
        self.leases += 1;
        format!("w#{}", self.leases)
    }

    async fn wake(&mut self, worker: usize) {
        let key = self.random.random_range(0..KEYS);
        let class = if self.random.random_bool(0.5) { QueueClass::Interactive } else { QueueClass::Bulk };
        let (lease, now) = (self.lease(), self.model.now);
        let expected = self.model.next(key, class, None);
        let claimed = jobs::claim_next(self.db, (self.keys[key], class), (&lease, at(now + LEASE)), at(now))
            .await
            .unwrap();
        self.model.claimed(claimed.as_ref(), expected);
        self.claims += usize::from(claimed.is_some());
        self.workers[worker].hand = claimed.into_iter().collect();
    }

    fn outcome(&mut self) -> JobOutcome {
        let later = at(self.model.now + self.random.random_range(1..5));
        let reason = "as it happens".to_owned();
        match self.random.random_range(0..8) {
            0 => JobOutcome::Retry { at: later, reason },
            1 => JobOutcome::Wait { until: later, for_all: self.random.random_bool(0.5), reason },
            _ => JobOutcome::Done,
        }
    }

    /// The worker ends what it has in hand, takes the next job, or goes on with what had given way.
    async fn end(&mut self, worker: usize, outcome: JobOutcome) {
        let Some(job) = self.workers[worker].hand.pop() else { return };
        let former = self.workers[worker].hand.pop();
        let now = self.model.now;
        let minute = |outcome: &JobOutcome| match outcome {
            JobOutcome::Retry { at, .. } | JobOutcome::Wait { until: at, .. } => {
                (*at - monday()).num_minutes()
            }
            _ => 0,
        };
        let lease = self.lease();
        let mut tx = begin(self.db).await;
        let was_held = jobs::finish(&mut tx, &job, &outcome, at(now)).await.unwrap().was_held;
        assert_eq!(was_held, self.model.finished(&job, &outcome, minute), "at {now}: {job:?}");
        if was_held {
            let class = if former.is_some() { QueueClass::Interactive } else { QueueClass::Bulk };
            let but = former.as_ref().map(|former| former.id);
            let key = self.model.jobs[&job.id].key;
            let expected = self.model.next(key, class, but);
            let until = at(now + LEASE);
            let next = jobs::claim_next_in(&mut tx, (self.keys[key], class, but), (&lease, until), at(now))
                .await
                .unwrap();
            self.model.claimed(next.as_ref(), expected);
            match (next, former) {
                (Some(next), former) => {
                    self.workers[worker].hand = former.into_iter().chain([next]).collect();
                }
                (None, Some(former)) => {
                    assert!(
                        jobs::reclaim_lease(&mut tx, &former, until).await.unwrap(),
                        "nobody came in between"
                    );
                    let known = self.model.jobs.get_mut(&former.id).expect("it is known");
                    known.lease = Some((former.leased_by.clone(), now + LEASE));
                    self.workers[worker].hand = vec![former];
                }
                (None, None) => {}
            }
        }
        commit(tx).await;
    }

    /// A long job asks whether its lease holds, as before each write, and gives way.
    async fn keep(&mut self, worker: usize) {
        let [job] = self.workers[worker].hand.as_slice() else { return };
        let (job, now) = (job.clone(), self.model.now);
        let extended = jobs::extend(self.db, &job, at(now + LEASE), at(now)).await.unwrap();
        assert_eq!(extended.is_held(), self.model.holds(&job), "only who holds the lease writes");
        if !extended.is_held() {
            self.workers[worker].hand.clear();
            return;
        }
        let key = self.model.jobs[&job.id].key;
        self.model.jobs.get_mut(&job.id).unwrap().lease = Some((job.leased_by.clone(), now + LEASE));
        let lease = self.lease();
        let mut tx = begin(self.db).await;
        assert!(jobs::give_way(&mut tx, &job).await.unwrap());
        let held = self.model.jobs.get_mut(&job.id).unwrap().lease.take();
        let expected = self.model.next(key, QueueClass::Interactive, Some(job.id));
        let urgent = (self.keys[key], QueueClass::Interactive, Some(job.id));
        let urgent = jobs::claim_next_in(&mut tx, urgent, (&lease, at(now + LEASE)), at(now)).await.unwrap();
        self.model.claimed(urgent.as_ref(), expected);
        let is_told = extended == jobs::LeaseRenewal::Held { urgent_is_due: true };
        assert_eq!(urgent.is_some(), is_told, "it is told whether there is any");
        match urgent {
            Some(urgent) => {
                commit(tx).await;
                self.workers[worker].hand.push(urgent);
            }
            // What was not committed was not done.
            None => self.model.jobs.get_mut(&job.id).unwrap().lease = held,
        }
    }

    async fn sweep(&mut self) {
        let now = self.model.now;
        jobs::release_expired(self.db, at(now)).await.unwrap();
        for job in self.model.jobs.values_mut() {
            if job.lease.as_ref().is_some_and(|(_, until)| *until <= now) {
                job.lease = None;
            }
        }
    }

    async fn step(&mut self) {
        let worker = self.random.random_range(0..WORKERS);
        let is_idle = self.workers[worker].hand.is_empty();
        match self.random.random_range(0..100) {
            0..20 => {
                let known: Vec<JobId> = self.model.jobs.keys().copied().collect();
                let is_new = known.len() < KEYS * JOBS_OF_A_KEY;
                let slot = if is_new { None } else { known.choose(&mut self.random).copied() };
                self.enqueue(slot).await;
            }
            20..70 if is_idle => self.wake(worker).await,
            20..50 => {
                let outcome = self.outcome();
                self.end(worker, outcome).await;
            }
            50..70 => self.keep(worker).await,
            // It crashes.
            70..75 => self.workers[worker].hand.clear(),
            // All of them are frozen for longer than their leases hold.
            75..77 => {
                self.model.now += LEASE + 1;
                self.sweep().await;
            }
            77..90 => self.model.now += 1,
            90..95 => self.sweep().await,
            _ => {
                let key = self.random.random_range(0..KEYS);
                let (mut tx, now) = (begin(self.db).await, self.model.now);
                jobs::end_wait(&mut tx, self.keys[key], at(now)).await.unwrap();
                commit(tx).await;
                let ModelWait { all, batches } = self.model.waits[key];
                if all > now || batches > now {
                    self.model.waits[key] = ModelWait { all: now, batches: now };
                }
            }
        }
    }

    /// No more work comes, and no more trouble: all of it is done.
    async fn settle(&mut self) {
        self.workers.iter_mut().for_each(|worker| worker.hand.clear());
        self.model.now += LEASE + 10;
        self.sweep().await;
        // As the sweep finds them: what it overlooks is forgotten.
        let now = self.model.now;
        loop {
            let due = jobs::due(self.db, at(now), 100).await.unwrap();
            if due.is_empty() {
                break;
            }
            let mut claimed_any = false;
            for job in due {
                let lease = self.lease();
                let claimed = jobs::claim(self.db, job, &lease, at(now + LEASE), at(now)).await.unwrap();
                let Some(job) = claimed else { continue };
                claimed_any = true;
                let mut tx = begin(self.db).await;
                assert!(jobs::finish(&mut tx, &job, &JobOutcome::Done, at(now)).await.unwrap().was_held);
                commit(tx).await;
            }
            assert!(claimed_any, "what is due cannot be claimed");
        }
        let counts = jobs::counts(self.db).await.unwrap();
        let open: Vec<_> = counts.iter().filter(|count| count.state != JobState::Done).collect();
        assert!(open.is_empty(), "forgotten: {open:?}");
    }
}

async fn whatever_happens_one_job_of_a_key_is_done_at_a_time(db: &TestDb) {
    let seed = given("CONCORD_TEST_SEED").unwrap_or_else(|| u64::from(Uuid::new_v4().as_fields().0));
    // A test that fails shows what it printed.
    print_seed(seed);
    testing::business(db).await;
    let steps = given("CONCORD_MODEL_STEPS").map_or(STEPS, |steps| usize::try_from(steps).unwrap());
    let mut fixture = JobKeyModelFixture {
        db,
        random: StdRng::seed_from_u64(seed),
        model: JobKeyModel { now: 0, jobs: BTreeMap::new(), waits: [ModelWait::default(); KEYS] },
        keys: std::array::from_fn(|_| JobKey(Uuid::new_v4())),
        workers: (0..WORKERS).map(|_| ModelWorker::default()).collect(),
        leases: 0,
        claims: 0,
    };
    for _ in 0..steps {
        fixture.step().await;
    }
    assert!(fixture.claims > steps / 50, "{} claims", fixture.claims);
    fixture.settle().await;
}

concord_storage::on_both_databases!(whatever_happens_one_job_of_a_key_is_done_at_a_time);
