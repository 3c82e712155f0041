//! A business, its people's calendars in a sandbox that is a process of its own, and the program to be tested.

use std::{collections::BTreeMap, path::Path, time::Duration};

use bytes::Bytes;
use concord::{
    cli::serve::assemble,
    config::{Config, Sources},
};
use concord_domain::{clock::Clock, connection::ProviderKind, duty::DutyState, ids::StaffId};
use concord_foreign::{CaldavServer, ProxyFault, Software};
use concord_jobs::{
    Context,
    connect::{self, Wanted as Account},
};
use concord_providers::{Http, HttpConfig, caldav::Asked};
use concord_sandbox::OAuthClient;
use concord_storage::{
    api_keys,
    connections::Tokens,
    duties,
    people::Staff,
    seal::MasterKey,
    secret,
    testing::{self, TestDb},
};
use http::{Method, Request, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{
    diary::{Entry, PEOPLE, Wanted},
    processes::{Process, free_port, last_words, listens},
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
/// How long anything may take that is not on trial.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct House<'a> {
    db: &'a TestDb,
    http: Http,
    url: String,
    sandbox_url: String,
    api_key: String,
    room: String,
    staff: Vec<StaffId>,
    /// Names and passwords at Radicale, by the person's number.
    passwords: BTreeMap<usize, (String, String)>,
    variables: Vec<(String, String)>,
    _sandbox: Process,
    radicale: CaldavServer,
    folder: TempDir,
}

fn account(person: usize) -> String {
    format!("person{person}@harbour.example")
}

/// As many people have their calendar with one provider as with another.
fn provider(person: usize) -> ProviderKind {
    [ProviderKind::Google, ProviderKind::Microsoft, ProviderKind::Caldav][person % 3]
}

/// Those that the sandbox plays.
const PLAYED: [ProviderKind; 2] = [ProviderKind::Google, ProviderKind::Microsoft];

impl<'a> House<'a> {
    /// Makes the business and connects everybody's calendar, before any process of the program runs.
    pub(crate) async fn furnish(db: &'a TestDb, redis_url: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (port, sandbox_port) = (free_port(), free_port());
        let sandbox_url = format!("http://127.0.0.1:{sandbox_port}");
        let variables = variables(db, folder.path(), port, &sandbox_url, redis_url);
        let listen = format!("127.0.0.1:{sandbox_port}");
        let data = folder.path().join("sandbox").display().to_string();
        let arguments = ["sandbox", "--listen", &listen, "--data", &data];
        let log = folder.path().join("sandbox.log");
        let sandbox = Process::new(Path::new(env!("CARGO_BIN_EXE_concord")), &arguments, &[], log);
        listens(sandbox_port).await;
        let mut house = Self {
            db,
            http: Http::new(HttpConfig { max_body_bytes: usize::MAX, ..HttpConfig::default() })
                .expect("a client"),
            url: format!("http://127.0.0.1:{port}"),
            sandbox_url,
            api_key: String::new(),
            room: String::new(),
            staff: Vec::new(),
            passwords: BTreeMap::new(),
            variables,
            _sandbox: sandbox,
            radicale: CaldavServer::start(Software::Radicale).await,
            folder,
        };
        house.move_in().await;
        house
    }

    async fn move_in(&mut self) {
        let sources = Sources {
            folder: self.folder.path().to_owned(),
            env: self.variables.clone(),
            ..Sources::default()
        };
        let config = Config::load(&sources).expect("the configuration is in order");
        let app = assemble(config, Clock::system()).await.expect("the parts fit together");
        let business = testing::business(self.db).await;
        self.room = testing::resource(self.db, &business, 1_000).await.id.to_string();
        for person in 0..PEOPLE {
            let staff = testing::staff(self.db, &business, &format!("Person{person}")).await;
            match provider(person) {
                ProviderKind::Caldav => self.connect_with_password(&app.context, person, &staff).await,
                played => self.connect_with_grant(&app.context, person, &staff, played).await,
            }
            self.staff.push(staff.id);
        }
        let key = secret::new_token("ck_");
        let mut tx = testing::begin(self.db).await;
        api_keys::create(&mut tx, business.id, "Chaos", &key, app.now()).await.expect("a key is made");
        testing::commit(tx).await;
        key.expose_secret().clone_into(&mut self.api_key);
        app.context.db.close().await;
    }

    async fn connect_with_grant(
        &self,
        context: &Context,
        person: usize,
        staff: &Staff,
        provider: ProviderKind,
    ) {
        let new = json!({ "provider": provider, "email": account(person) });
        self.control(Method::POST, "accounts", Some(new)).await;
        let grant = json!({ "provider": provider, "account": account(person) });
        let grant = self.control(Method::POST, "grants", Some(grant)).await;
        let token = |name: &str| grant[name].as_str().expect("a token").into();
        let tokens = Tokens {
            access: token("access_token"),
            access_expires_at: context.clock.now() + chrono::Duration::hours(1),
            refresh: Some(token("refresh_token")),
        };
        let wanted = Account { business: staff.business_id, staff: staff.id, provider };
        connect::adopt(context, wanted, tokens, "/".to_owned()).await.expect("it is connected");
    }

    async fn connect_with_password(&mut self, context: &Context, person: usize, staff: &Staff) {
        let (user, password) = self.radicale.new_account().await;
        let asked = Asked {
            address: self.radicale.proxy.url(),
            user: user.clone(),
            password: password.clone().into(),
        };
        let whose = (staff.business_id, staff.id);
        let connected = connect::connect_with_password(context, whose, &asked, "/".to_owned()).await;
        connected.expect("it is connected");
        self.passwords.insert(person, (user, password));
    }

    /// A process of the program to be tested.
    pub(crate) fn concord(&self, name: &str, arguments: &[&str]) -> Process {
        let log = self.folder.path().join(format!("{name}.log"));
        Process::new(Path::new(env!("CARGO_BIN_EXE_concord")), arguments, &self.variables, log)
    }

    pub(crate) async fn is_ready(&self) {
        let began = Instant::now();
        loop {
            let request = Request::get(format!("{}/readyz", self.url)).body(Bytes::new()).expect("a request");
            if self.http.send(request).await.is_ok_and(|answer| answer.status.is_success()) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it does not start:\n{}", last_words(self.folder.path()));
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("{}/control/{path}", self.sandbox_url))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map(|body| body.to_string().into()).unwrap_or_default())
            .expect("a request");
        let answer = self.http.send(request).await.expect("the sandbox answers");
        assert!(answer.status.is_success(), "{method} {path}: {} {:?}", answer.status, answer.body);
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
    }

    /// From now on one call in five goes wrong.
    pub(crate) async fn faults(&self, seed: u64) {
        self.radicale.proxy.fails_by_chance(seed, proxy_faults());
        for provider in PLAYED {
            for (kind, probability) in FAULTS {
                let fault = json!({ "provider": provider, "kind": kind, "probability": probability });
                self.control(Method::POST, "faults", Some(fault)).await;
            }
        }
    }

    /// Nothing goes wrong any more. Returns how many calls did, at each provider.
    pub(crate) async fn end_faults(&self) -> BTreeMap<&'static str, u64> {
        let faults = self.control(Method::GET, "faults", None).await;
        let mut hits = BTreeMap::from([(ProviderKind::Caldav.name(), self.radicale.proxy.failed())]);
        for provider in PLAYED {
            let its = faults
                .as_array()
                .expect("a list")
                .iter()
                .filter(|fault| fault["provider"] == json!(provider));
            hits.insert(provider.name(), its.filter_map(|fault| fault["hits"].as_u64()).sum());
        }
        self.control(Method::DELETE, "faults", None).await;
        self.radicale.proxy.is_well();
        hits
    }

    /// Tells the program what the booking is from now on, until it has said that it knows.
    pub(crate) async fn send(&self, wanted: &Wanted) {
        let staff: Vec<StaffId> = wanted.people.iter().map(|person| self.staff[*person]).collect();
        let body = json!({
            "resource": self.room, "title": wanted.title, "staff": staff, "customer": { "name": "Maria Silva" },
            "starts_at": wanted.starts_at, "ends_at": wanted.ends_at,
            "status": if wanted.lives { "confirmed" } else { "cancelled" },
        });
        let began = Instant::now();
        loop {
            let request = Request::put(format!("{}/api/v1/bookings/{}", self.url, wanted.reference))
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::AUTHORIZATION, format!("Bearer {}", self.api_key))
                .body(body.to_string().into())
                .expect("a request");
            match self.http.send(request).await {
                Ok(answer) if answer.status.is_success() => return,
                Ok(answer) => {
                    let passing =
                        answer.status.is_server_error() && answer.status != StatusCode::NOT_IMPLEMENTED;
                    assert!(passing, "{wanted:?}: {} {:?}", answer.status, answer.body);
                }
                // It was killed, perhaps after it had done what it was told.
                Err(_) => {}
            }
            assert!(began.elapsed() < PATIENCE, "no answer:\n{}", last_words(self.folder.path()));
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The entries that stand, in order.
    pub(crate) async fn entries(&self) -> Vec<Entry> {
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

    async fn played_entries(&self, person: usize) -> Vec<Entry> {
        let path = format!("events?provider={}&account={}", provider(person), account(person));
        let entries = self.control(Method::GET, &path, None).await;
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
            let counts = duties::counts(self.db).await.expect("duties can be counted");
            let open: Vec<_> = counts
                .iter()
                .filter(|count| count.state != DutyState::Done)
                .filter(|count| {
                    !matches!(
                        count.kind.as_str(),
                        "import_availability" | "compare_drift" | "keep_push" | "notify" | "retention"
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
    pub(crate) async fn report(&self, wanted: &[Entry], found: &[Entry]) -> String {
        let missing: Vec<_> = wanted.iter().filter(|entry| !found.contains(entry)).collect();
        let too_many: Vec<_> = found.iter().filter(|entry| !wanted.contains(entry)).collect();
        let counts = duties::counts(self.db).await.expect("duties can be counted");
        let next = testing::next_due(self.db).await;
        format!(
            "{} entries wanted, {} found\nmissing: {missing:#?}\ntoo many: {too_many:#?}\nduties: {counts:#?}\nnext due \
             {next:?}, now {}\n{}",
            wanted.len(),
            found.len(),
            Clock::system().now(),
            last_words(self.folder.path())
        )
    }
}

/// What the program is told: the defaults, but for where everything is, and less patience with a provider that does not
/// answer and with a worker that shows no sign of life, so that more happens in the time.
fn variables(
    db: &TestDb,
    folder: &Path,
    port: u16,
    sandbox_url: &str,
    redis_url: Option<&str>,
) -> Vec<(String, String)> {
    let (client, microsoft) = (OAuthClient::default(), OAuthClient::microsoft());
    let google = format!("{sandbox_url}/google");
    let mut variables = vec![
        ("DATABASE_URL", db.url().to_owned()),
        ("CONCORD_MASTER_KEY", MasterKey::generate().to_base64().expose_secret().to_owned()),
        ("CONCORD__DATA_DIR", folder.join("data").display().to_string()),
        ("CONCORD__SERVER__LISTEN", format!("127.0.0.1:{port}")),
        ("PUBLIC_URL", format!("http://127.0.0.1:{port}")),
        ("CONCORD__PROVIDERS__CALDAV__ALLOWED_HOSTS", "[\"127.0.0.1\"]".to_owned()),
        ("GOOGLE_CALENDAR_CLIENT_ID", client.client_id),
        ("GOOGLE_CALENDAR_CLIENT_SECRET", client.client_secret),
        ("CONCORD__PROVIDERS__REQUEST_TIMEOUT_SECONDS", "2".to_owned()),
        ("CONCORD__WORKER__LEASE_SECONDS", "5".to_owned()),
        ("CONCORD__PROVIDERS__GOOGLE__AUTH_URL", format!("{google}/o/oauth2/v2/auth")),
        ("CONCORD__PROVIDERS__GOOGLE__TOKEN_URL", format!("{google}/token")),
        ("CONCORD__PROVIDERS__GOOGLE__REVOKE_URL", format!("{google}/revoke")),
        ("CONCORD__PROVIDERS__GOOGLE__API_BASE", google),
        ("MICROSOFT_GRAPH_CLIENT_ID", microsoft.client_id),
        ("MICROSOFT_GRAPH_CLIENT_SECRET", microsoft.client_secret),
        ("CONCORD__PROVIDERS__MICROSOFT__API_BASE", format!("{sandbox_url}/microsoft")),
        ("CONCORD__PROVIDERS__MICROSOFT__LOGIN_BASE", format!("{sandbox_url}/microsoft")),
    ];
    if let Some(url) = redis_url {
        variables.push(("REDIS_URL", url.to_owned()));
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
