//! Many people with a calendar each, and the program that keeps them.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    clock::Clock,
    connection::ProviderKind,
    ids::{ResourceId, StaffId},
    job::{JobKind, JobState},
};
use concord_storage::{
    jobs::{self, JobCount},
    testing::{self, TestDb, at},
};
use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    cluster::Cluster,
    process::{Process, last_words},
};

/// How the program runs.
pub(crate) enum DeploymentMode {
    /// Web and two workers, over PostgreSQL and this Redis.
    Distributed(String),
    /// One process, over SQLite with the queue within.
    SingleProcess,
}

impl DeploymentMode {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Distributed(_) => "PostgreSQL and Redis, web and two workers",
            Self::SingleProcess => "SQLite, one process",
        }
    }

    fn redis_url(&self) -> Option<&str> {
        match self {
            Self::Distributed(url) => Some(url),
            Self::SingleProcess => None,
        }
    }
}

/// How long all of it may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(5);

pub(crate) struct LoadFixture<'a> {
    pub(crate) cluster: Cluster<'a>,
    pub(crate) staff: Vec<StaffId>,
    /// A room each: bookings of one resource are written one after the other.
    pub(crate) rooms: Vec<ResourceId>,
    processes: Vec<Process>,
}

/// The address of a person.
pub(crate) fn account(person: usize) -> String {
    format!("person{person}@harbour.example")
}

/// An entry as the sandbox knows it: when it first stood there with a title that ends so.
pub(crate) struct EntryArrival {
    pub(crate) title: String,
    pub(crate) at: DateTime<Utc>,
}

/// Names of the workers, where there are any.
const WORKERS: [&str; 4] = ["first", "second", "third", "fourth"];
/// Those of all processes, in their order.
const PROCESSES: [&str; 5] = ["web", WORKERS[0], WORKERS[1], WORKERS[2], WORKERS[3]];

impl<'a> LoadFixture<'a> {
    /// So many people, each with a Google calendar, and the program at rest.
    pub(crate) async fn of(db: &'a TestDb, form: &DeploymentMode, people: usize) -> Self {
        Self::with(db, form, people, (2, &[])).await
    }

    /// The same with so many workers, where there are any, and a program that is told more.
    pub(crate) async fn with(
        db: &'a TestDb,
        form: &DeploymentMode,
        people: usize,
        (workers, more): (usize, &[(&str, &str)]),
    ) -> Self {
        let cluster = Cluster::start(db, form.redis_url(), more).await;
        let context = cluster.context().await;
        let (mut staff, mut rooms) = (Vec::new(), Vec::new());
        for person in 0..people {
            let one = testing::staff(db, &cluster.business, &format!("Person{person}")).await;
            let account = account(person);
            cluster.connect_with_grant(&context, &one, (ProviderKind::Google, &account)).await;
            staff.push(one.id);
            rooms.push(testing::resource(db, &cluster.business, 1).await.id);
        }
        context.db.close().await;
        let processes = match form {
            DeploymentMode::Distributed(_) => {
                let workers = WORKERS[..workers].iter().map(|name| cluster.concord(name, &["worker"]));
                std::iter::once(cluster.concord("web", &["web"])).chain(workers).collect()
            }
            DeploymentMode::SingleProcess => vec![cluster.concord("serve", &["serve"])],
        };
        cluster.is_ready().await;
        let town = Self { cluster, staff, rooms, processes };
        town.is_quiet().await;
        town
    }

    /// Kills all of the program at once, and starts it again.
    pub(crate) fn crash(&mut self) {
        for process in &mut self.processes {
            process.kill();
        }
        for process in &mut self.processes {
            process.start();
        }
    }

    /// The CPU time that the program has taken so far, all of its processes together, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> f64 {
        self.processes.iter().map(Process::cpu_ms).sum()
    }

    /// The same of each process, by its name.
    pub(crate) fn cpu_of_each(&self) -> Vec<(String, f64)> {
        let names: &[&str] = if self.processes.len() == 1 { &["serve"] } else { &PROCESSES };
        let all = names.iter().zip(&self.processes);
        all.map(|(name, process)| ((*name).to_owned(), process.cpu_ms())).collect()
    }

    /// Waits until nothing is left to do.
    pub(crate) async fn is_done(&self) {
        let began = Instant::now();
        while self.has_work().await {
            assert!(
                began.elapsed() < PATIENCE,
                "it does not end:\n{}",
                last_words(self.cluster.folder.path())
            );
            sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Waits until nothing is left to do, and the buckets of the limits are full again.
    pub(crate) async fn is_quiet(&self) {
        self.is_done().await;
        sleep(std::time::Duration::from_secs(8)).await;
    }

    /// Whether anything is due or in hand.
    pub(crate) async fn has_work(&self) -> bool {
        if self.waiting().await > 0 {
            return true;
        }
        let soon = Clock::system().now() + Duration::seconds(2);
        jobs::oldest_due(self.cluster.db, soon).await.expect("jobs can be read").is_some()
    }

    /// How many entries are to be written.
    pub(crate) async fn waiting(&self) -> i64 {
        let counts = jobs::counts(self.cluster.db).await.expect("the jobs can be counted");
        let is_entry = |one: &&JobCount| one.kind == JobKind::SyncBooking && one.state != JobState::Done;
        counts.iter().filter(is_entry).map(|one| one.count).sum()
    }

    /// Every call to the provider takes so long from now on.
    pub(crate) async fn provider_takes(&self, milliseconds: u64) {
        let fault =
            json!({ "provider": "google", "kind": "latency_ms", "value": milliseconds, "probability": 1.0 });
        self.cluster.control(Method::POST, "faults", Some(fault)).await;
    }

    /// A booking of one hour for one person; each number has a time of its own.
    pub(crate) fn booking(&self, person: usize, number: usize, title: &str) -> Value {
        let starts_at = at(i64::try_from(number).expect("a small number") * 60 + 7 * 24 * 60);
        json!({
            "title": title, "resource": self.rooms[person], "staff": [self.staff[person]], "customer": { "name": "Maria Silva" },
            "starts_at": starts_at, "ends_at": starts_at + Duration::hours(1),
        })
    }

    /// How long each of these changes of a person took from its commit to the calendar, in milliseconds: its title, and when
    /// it was committed.
    pub(crate) async fn waits_of(&self, person: usize, sent: &[(String, DateTime<Utc>)]) -> Vec<i64> {
        let arrivals: HashMap<String, DateTime<Utc>> =
            self.arrivals(person).await.into_iter().map(|one| (one.title, one.at)).collect();
        let wait = |(title, at): &(String, DateTime<Utc>)| {
            let arrived = arrivals.iter().find(|(arrived, _)| arrived.contains(title.as_str()));
            let (_, arrived) = arrived.unwrap_or_else(|| panic!("{title} of person {person} did not arrive"));
            (*arrived - *at).num_milliseconds().max(0)
        };
        sent.iter().map(wait).collect()
    }

    /// What came to stand in the calendar of a person, and when.
    pub(crate) async fn arrivals(&self, person: usize) -> Vec<EntryArrival> {
        self.arrivals_by_entry(person).await.into_iter().flatten().collect()
    }

    /// The same, of each entry by itself.
    pub(crate) async fn arrivals_by_entry(&self, person: usize) -> Vec<Vec<EntryArrival>> {
        let path = format!("events?provider=google&account={}", account(person));
        let entries = self.cluster.control(Method::GET, &path, None).await;
        let histories =
            entries.as_array().expect("a list").iter().filter_map(|one| one["history"].as_array());
        let arrival = |line: &Value| {
            let at = line["at"].as_str()?.parse().ok()?;
            Some(EntryArrival { title: line["title"].as_str()?.to_owned(), at })
        };
        histories.map(|lines| lines.iter().filter_map(arrival).collect()).collect()
    }
}

/// The value below which this part of them lies.
pub(crate) fn percentile(sorted: &[i64], part: usize) -> i64 {
    sorted[(sorted.len() * part / 100).min(sorted.len() - 1)]
}
