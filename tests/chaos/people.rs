//! People whose calendars are with three providers, and all that goes wrong there.

use std::{collections::BTreeMap, time::Duration};

use concord_domain::{clock::Clock, connection::ProviderKind, ids::StaffId, job::JobState, people::Actor};
use concord_jobs::Context;
use concord_providers::caldav::CaldavLogin;
use concord_services::connect;
use concord_storage::{
    ChangeContext, jobs,
    people::Staff,
    testing::{self, TestDb},
};
use concord_testing::{CaldavServer, ProxyFault, ServerSoftware};
use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    cluster::{Cluster, PATIENCE},
    event_log::{ExpectedBooking, ExpectedEntry, PEOPLE},
    process::last_words,
};

/// What becomes of calls to the sandbox's providers: one in five goes wrong.
const FAULTS: [(&str, f64); 4] =
    [("rate_limit", 0.05), ("server_error", 0.05), ("timeout", 0.03), ("apply_then_drop", 0.07)];

/// The same for calls to Radicale.
fn proxy_faults() -> Vec<(f64, ProxyFault)> {
    let answer = |status: &str, headers: &str| ProxyFault::Answer {
        status: status.to_owned(),
        headers: headers.to_owned(),
        body: String::new(),
    };
    vec![
        (0.05, answer("429 Too Many Requests", "Retry-After: 1\r\n")),
        (0.05, answer("503 Service Unavailable", "")),
        (0.03, ProxyFault::Silence),
        (0.07, ProxyFault::ApplyThenDrop),
    ]
}

/// Less patience than usual with a provider that does not answer and with a worker that shows no sign of life, so that
/// more happens in the time.
const HASTE: [(&str, &str); 2] =
    [("CONCORD__PROVIDERS__REQUEST_TIMEOUT_SECONDS", "2"), ("CONCORD__WORKER__LEASE_SECONDS", "5")];

/// Those that the sandbox plays.
const PLAYED: [ProviderKind; 2] = [ProviderKind::Google, ProviderKind::Microsoft];

/// As many people have their calendar with one provider as with another.
fn provider(person: usize) -> ProviderKind {
    [ProviderKind::Google, ProviderKind::Microsoft, ProviderKind::Caldav][person % 3]
}

fn account(person: usize) -> String {
    format!("person{person}@harbour.example")
}

/// The people of an installation.
pub(crate) struct CalendarUsers<'a> {
    pub(crate) cluster: Cluster<'a>,
    staff: Vec<StaffId>,
    /// Names and passwords at Radicale, by the person's number.
    passwords: BTreeMap<usize, (String, String)>,
    radicale: CaldavServer,
}

impl<'a> CalendarUsers<'a> {
    /// Makes the business and connects everybody's calendar, before any process of the program runs.
    pub(crate) async fn connect_all(db: &'a TestDb, redis_url: Option<&str>) -> Self {
        let cluster = Cluster::start(db, redis_url, &HASTE).await;
        let radicale = CaldavServer::start(ServerSoftware::Radicale).await;
        let mut people = Self { cluster, staff: Vec::new(), passwords: BTreeMap::new(), radicale };
        let context = people.cluster.context().await;
        for person in 0..PEOPLE {
            let staff = testing::staff(db, &people.cluster.business, &format!("Person{person}")).await;
            match provider(person) {
                ProviderKind::Caldav => people.connect_with_password(&context, person, &staff).await,
                played => {
                    let account = account(person);
                    people.cluster.connect_with_grant(&context, &staff, (played, &account)).await;
                }
            }
            people.staff.push(staff.id);
        }
        context.db.close().await;
        people
    }

    async fn connect_with_password(&mut self, context: &Context, person: usize, staff: &Staff) {
        let (user, password) = self.radicale.new_account().await;
        let asked = CaldavLogin {
            address: self.radicale.proxy.url(),
            user: user.clone(),
            password: password.clone().into(),
        };
        let by =
            ChangeContext { business: staff.business_id, actor: Actor::System, now: context.clock.now() };
        let whose = (&by, staff.id);
        let connected = connect::connect_with_password(context, whose, &asked, "/".to_owned()).await;
        connected.expect("it is connected");
        self.passwords.insert(person, (user, password));
    }

    /// From now on one call in five goes wrong.
    pub(crate) async fn faults(&self, seed: u64) {
        self.radicale.proxy.fail_randomly(seed, proxy_faults());
        for provider in PLAYED {
            for (kind, probability) in FAULTS {
                let fault = json!({ "provider": provider, "kind": kind, "probability": probability });
                self.cluster.control(Method::POST, "faults", Some(fault)).await;
            }
        }
    }

    /// How many calls went wrong, at each provider.
    pub(crate) async fn hits(&self) -> BTreeMap<&'static str, u64> {
        let faults = self.cluster.control(Method::GET, "faults", None).await;
        let mut hits = BTreeMap::from([(ProviderKind::Caldav.name(), self.radicale.proxy.failed())]);
        for provider in PLAYED {
            let all = faults.as_array().expect("a list").iter();
            let its = all.filter(|fault| fault["provider"] == json!(provider));
            hits.insert(provider.name(), its.filter_map(|fault| fault["hits"].as_u64()).sum());
        }
        hits
    }

    /// Nothing goes wrong any more.
    pub(crate) async fn end_faults(&self) {
        self.cluster.control(Method::DELETE, "faults", None).await;
        self.radicale.proxy.is_well();
    }

    /// Tells the program what the booking is from now on.
    pub(crate) async fn send(&self, wanted: &ExpectedBooking) {
        let staff: Vec<StaffId> = wanted.people.iter().map(|person| self.staff[*person]).collect();
        let booking = json!({
            "title": wanted.title, "staff": staff, "customer": { "name": "Maria Silva" },
            "starts_at": wanted.starts_at, "ends_at": wanted.ends_at,
            "status": if wanted.lives { "confirmed" } else { "cancelled" },
        });
        self.cluster.put(&wanted.reference, booking).await;
    }

    /// The entries that stand, in order.
    pub(crate) async fn entries(&self) -> Vec<ExpectedEntry> {
        let mut entries = Vec::new();
        for person in 0..PEOPLE {
            match self.passwords.get(&person) {
                Some((user, password)) => {
                    let owner = self.radicale.person(user, password.as_str().into());
                    let seen = owner.sees(&self.radicale.calendar_of(user)).await;
                    entries
                        .extend(seen.into_iter().map(|one| (person, one.title, one.starts_at, one.ends_at)));
                }
                None => entries.extend(self.played_entries(person).await),
            }
        }
        entries.sort();
        entries
    }

    async fn played_entries(&self, person: usize) -> Vec<ExpectedEntry> {
        let path = format!("events?provider={}&account={}", provider(person), account(person));
        let entries = self.cluster.control(Method::GET, &path, None).await;
        let standing =
            entries.as_array().expect("a list").iter().filter(|one| one["deleted"] == json!(false));
        let entry = |one: &Value| {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            (person, text("title"), text("starts_at"), text("ends_at"))
        };
        standing.map(entry).collect()
    }

    /// Waits until nothing is left to do but polls.
    pub(crate) async fn is_quiet(&self) {
        let began = Instant::now();
        loop {
            let counts = jobs::counts(self.cluster.db).await.expect("jobs can be counted");
            let open: Vec<_> = counts
                .iter()
                .filter(|count| count.state != JobState::Done)
                .filter(|count| {
                    !matches!(
                        count.kind.as_str(),
                        "import_availability"
                            | "compare_drift"
                            | "renew_push"
                            | "notify"
                            | "check_feed_reads"
                            | "retention"
                    )
                })
                .collect();
            if open.is_empty() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "left to do: {open:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// What differs, and what is known of it.
    pub(crate) async fn report(&self, wanted: &[ExpectedEntry], found: &[ExpectedEntry]) -> String {
        let missing: Vec<_> = wanted.iter().filter(|entry| !found.contains(entry)).collect();
        let too_many: Vec<_> = found.iter().filter(|entry| !wanted.contains(entry)).collect();
        let counts = jobs::counts(self.cluster.db).await.expect("jobs can be counted");
        let next = testing::next_due(self.cluster.db).await;
        format!(
            "{} entries wanted, {} found\nmissing: {missing:#?}\ntoo many: {too_many:#?}\njobs: {counts:#?}\nnext due \
             {next:?}, now {}\n{}",
            wanted.len(),
            found.len(),
            Clock::system().now(),
            last_words(self.cluster.folder.path())
        )
    }
}
