//! What goes wrong with the installation itself, one after the other for as long as bookings change.

use std::{collections::BTreeMap, process::Command, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep};

use crate::{
    cluster::{Cluster, PATIENCE},
    postgres::PostgresProcess,
    process::{Process, Redis},
};

/// How long a worker is frozen: longer than its lease, so that it wakes up to work that others have done.
const FROZEN_FOR: Duration = Duration::from_secs(7);
/// How long the database is away.
const AWAY_FOR: Duration = Duration::from_secs(2);

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ChaosFault {
    /// A process is killed.
    Kill,
    /// A process stands still for longer than its leases hold, and goes on as if nothing had been.
    Freeze,
    /// No file of a process can grow, or be written at all.
    FullDisk,
    /// PostgreSQL ends at once, and comes back.
    DatabaseCrash,
    /// Redis ends with all that is in it, and comes back.
    QueueCrash,
    QueueFlush,
}

/// What runs, and so can be hurt.
pub(crate) struct Deployment {
    pub(crate) front: Process,
    /// Whoever works; none where the front does it.
    pub(crate) workers: Vec<Process>,
    pub(crate) redis: Option<Redis>,
    pub(crate) server: Option<PostgresProcess>,
}

impl Deployment {
    /// The order in which things go wrong, over and over.
    fn plan(&self) -> &'static [ChaosFault] {
        use ChaosFault::{DatabaseCrash, Freeze, FullDisk, Kill, QueueCrash, QueueFlush};
        if self.server.is_some() {
            &[Kill, QueueFlush, Kill, DatabaseCrash, Kill, QueueCrash, Kill, Freeze, Kill]
        } else {
            &[Kill, Kill, FullDisk, Kill, Kill, Freeze, Kill]
        }
    }

    fn any(&mut self, random: &mut StdRng) -> &mut Process {
        let others = self.workers.len();
        match random.random_range(0..=others) {
            0 => &mut self.front,
            worker => &mut self.workers[worker - 1],
        }
    }

    /// Everything runs again, and from its beginning: nothing is left but what the database says.
    pub(crate) async fn restart_all(&mut self) {
        if let Some(server) = &self.server {
            server.start_again().await;
        }
        if let Some(redis) = &mut self.redis {
            redis.start_again().await;
        }
        for process in std::iter::once(&mut self.front).chain(&mut self.workers) {
            process.kill();
            process.start();
        }
    }
}

/// How often each of them happened.
pub(crate) type FaultCounts = BTreeMap<ChaosFault, u32>;

/// Lets one thing after the other go wrong. It does not end.
pub(crate) async fn inject(
    cluster: &Cluster<'_>,
    installation: &mut Deployment,
    seed: u64,
    count: impl Fn(ChaosFault),
) {
    let mut random = StdRng::seed_from_u64(seed);
    for trouble in installation.plan().iter().copied().cycle() {
        sleep(Duration::from_millis(random.random_range(500..2_000))).await;
        match trouble {
            ChaosFault::Kill => {
                let victim = installation.any(&mut random);
                victim.kill();
                victim.start();
            }
            ChaosFault::Freeze => {
                let victim = match installation.workers.as_slice() {
                    [] => &installation.front,
                    workers => &workers[random.random_range(0..workers.len())],
                };
                signal(victim, "STOP");
                sleep(FROZEN_FOR).await;
                signal(victim, "CONT");
            }
            ChaosFault::FullDisk => {
                cluster.is_ready().await;
                limit_files(&installation.front, "0");
                is_said_to_be_ready(cluster, false).await;
                limit_files(&installation.front, "unlimited");
                // By itself, without a new start.
                is_said_to_be_ready(cluster, true).await;
            }
            ChaosFault::DatabaseCrash => {
                let Some(server) = &installation.server else { continue };
                cluster.is_ready().await;
                server.crash().await;
                is_said_to_be_ready(cluster, false).await;
                sleep(AWAY_FOR).await;
                server.start_again().await;
                is_said_to_be_ready(cluster, true).await;
            }
            ChaosFault::QueueCrash => {
                let Some(redis) = &mut installation.redis else { continue };
                redis.kill();
                sleep(AWAY_FOR).await;
                redis.start_again().await;
            }
            ChaosFault::QueueFlush => {
                if let Some(redis) = &installation.redis {
                    redis.flush().await;
                }
            }
        }
        count(trouble);
    }
}

async fn is_said_to_be_ready(cluster: &Cluster<'_>, expected: bool) {
    let began = Instant::now();
    while cluster.is_ready_status().await != Some(expected) {
        assert!(began.elapsed() < PATIENCE, "/readyz does not say {expected}");
        sleep(Duration::from_millis(100)).await;
    }
}

fn signal(process: &Process, name: &str) {
    run("kill", &["-s", name, &process.id().to_string()]);
}

/// How large a file may become that the process writes.
fn limit_files(process: &Process, bytes: &str) {
    let (id, limit) = (process.id().to_string(), format!("--fsize={bytes}:unlimited"));
    run("prlimit", &["--pid", &id, &limit]);
}

fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}
