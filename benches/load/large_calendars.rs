//! Calendars of 10,000 events: what memory the program takes that reads one, and what it writes when one event changes.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Timelike, Utc};
use concord_domain::{clock::Clock, connection::ProviderKind, ids::ConnectionId, people::Actor};
use concord_providers::caldav::CaldavLogin;
use concord_services::connect;
use concord_storage::{
    ChangeContext, PageRequest, busy_times, calendars,
    sync_log::{self, SyncLogFilter},
    testing::{self, TestDb},
};
use concord_testing::{CaldavServer, ServerSoftware};
use futures::{StreamExt, stream};
use http::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{cluster::Cluster, process::last_words};

const EVENTS: usize = 10_000;
const ACCOUNT: &str = "large@harbour.example";
const PATIENCE: Duration = Duration::from_mins(10);

pub(crate) async fn measure() {
    println!("calendars of {EVENTS} events, SQLite, one process:");
    for provider in [ProviderKind::Google, ProviderKind::Microsoft, ProviderKind::Caldav] {
        let db = testing::sqlite().await;
        let polls = [("CONCORD__SYNC__POLL_MINUTES", "1")];
        let cluster = Cluster::start(&db, None, &polls).await;
        let calendar = LargeCalendar::connect(&cluster, provider).await;
        let serve = cluster.concord("serve", &["serve"]);
        cluster.is_ready().await;
        let idle = serve.memory("VmRSS");
        let began = Instant::now();
        while imported(&cluster, calendar.connection).await < EVENTS {
            assert!(began.elapsed() < PATIENCE, "it does not end:\n{}", last_words(cluster.folder.path()));
            sleep(Duration::from_millis(200)).await;
        }
        let took = began.elapsed();
        println!(
            "  {:<10} read in {took:>5.1?}; memory of the process {idle:.0} MB before, {:.0} MB at most",
            provider.name(),
            serve.memory("VmHWM")
        );
        let first = last_import(&db, &cluster).await;
        calendar.change_one(&cluster).await;
        while last_import(&db, &cluster).await == first {
            assert!(began.elapsed() < PATIENCE, "it does not end:\n{}", last_words(cluster.folder.path()));
            sleep(Duration::from_millis(200)).await;
        }
        println!("             one of them moved by its owner: {}", last_import(&db, &cluster).await);
    }
}

/// A connection whose main calendar is large.
struct LargeCalendar {
    provider: ProviderKind,
    connection: ConnectionId,
    /// Radicale, and the name and password there.
    server: Option<(CaldavServer, String, String)>,
    first: String,
}

impl LargeCalendar {
    async fn connect(cluster: &Cluster<'_>, provider: ProviderKind) -> Self {
        let context = cluster.context().await;
        let staff = testing::staff(cluster.db, &cluster.business, "Large").await;
        let large = if provider == ProviderKind::Caldav {
            let server = CaldavServer::start(ServerSoftware::Radicale).await;
            let (user, password) = server.new_account().await;
            let objects: Vec<(String, String)> = (0..EVENTS).map(object).collect();
            server.fill(&user, &objects);
            let asked = CaldavLogin {
                address: server.proxy.url(),
                user: user.clone(),
                password: password.clone().into(),
            };
            let by =
                ChangeContext { business: staff.business_id, actor: Actor::System, now: context.clock.now() };
            let whose = (&by, staff.id);
            let connected = connect::connect_with_password(&context, whose, &asked, "/".to_owned()).await;
            let connection = connected.expect("it is connected").connection;
            let first = format!("{}{}", server.calendar_of(&user), objects[0].0);
            Self { provider, connection, server: Some((server, user, password)), first }
        } else {
            let account = json!({ "provider": provider, "email": ACCOUNT });
            cluster.control(Method::POST, "accounts", Some(account)).await;
            let first = fill(cluster, (provider, ACCOUNT), EVENTS).await;
            let connection = cluster.adopt(&context, &staff, (provider, ACCOUNT)).await;
            Self { provider, connection, server: None, first }
        };
        context.db.close().await;
        large
    }

    /// The calendar's owner moves an event.
    async fn change_one(&self, cluster: &Cluster<'_>) {
        let Some((server, user, password)) = &self.server else {
            let path = format!("events/{}?provider={}&account={ACCOUNT}", self.first, self.provider);
            let moved = json!({ "ends_at": minute(0) + TimeDelta::minutes(30) });
            cluster.control(Method::PATCH, &path, Some(moved)).await;
            return;
        };
        let moved = object(0).1.replace("DURATION:PT7M", "DURATION:PT9M");
        server.person(user, password.as_str().into()).puts(&self.first, &moved).await;
    }
}

/// How many busy times of a connection are known.
pub(crate) async fn imported(cluster: &Cluster<'_>, connection: ConnectionId) -> usize {
    let (db, business) = (cluster.db, cluster.business.id);
    let calendars = calendars::of_connection(db, business, connection).await.expect("calendars can be read");
    let mut count = 0;
    for calendar in calendars {
        count += busy_times::of_calendar(db, business, calendar.id).await.expect("events can be read").len();
    }
    count
}

/// Fills the main calendar of an account of the sandbox with short appointments; the id of the first of them.
pub(crate) async fn fill(
    cluster: &Cluster<'_>,
    (provider, email): (ProviderKind, &str),
    events: usize,
) -> String {
    let add = |number: usize| async move {
        let starts_at = minute(number);
        let event = json!({ "provider": provider, "account": email, "title": format!("Appointment {number}"),
            "starts_at": starts_at, "ends_at": starts_at + TimeDelta::minutes(7) });
        let made = cluster.control(Method::POST, "events", Some(event)).await;
        made["id"].as_str().expect("an id").to_owned()
    };
    let mut ids = stream::iter(0..events).map(add).buffered(8).collect::<Vec<String>>().await;
    ids.swap_remove(0)
}

/// Spread over four months from now on.
fn minute(number: usize) -> DateTime<Utc> {
    let now = Clock::system().now().with_second(0).expect("each minute has one").trunc_subsecs(0);
    now + TimeDelta::minutes(i64::try_from(number).expect("a small number") * 8)
}

/// An event as a person's application writes it: the name of its object, and the object.
fn object(number: usize) -> (String, String) {
    let starts_at = minute(number).format("%Y%m%dT%H%M%SZ");
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//A person//EN\r\nBEGIN:VEVENT\r\nUID:large-{number}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:{starts_at}\r\nDURATION:PT7M\r\nSUMMARY:Appointment {number}\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    (format!("large-{number}.ics"), text)
}

/// What the log says of the last read that found something.
async fn last_import(db: &TestDb, cluster: &Cluster<'_>) -> String {
    let ask = PageRequest { limit: 50, after: None };
    let lines = sync_log::list(db, cluster.business.id, SyncLogFilter::default(), &ask)
        .await
        .expect("the log can be read");
    let import = lines
        .items
        .into_iter()
        .find(|line| line.operation == "import" && !line.detail.contains(" 0 written"));
    import.map(|line| line.detail).unwrap_or_default()
}
