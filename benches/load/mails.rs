//! Whether what people wait for in their calendars comes later while a hundred mails a second leave by a real mail server:
//! invitations to bookings that are being made, and a wave of reminders that are due at one moment.

use std::{
    cell::{Cell, RefCell, RefMut},
    fs,
    io::{Read, Seek, SeekFrom},
    time::Duration,
};

use chrono::{DateTime, Utc};
use concord_domain::clock::Clock;
use concord_storage::testing::TestDb;
use concord_testing::process::{family_cpu_ms, process_with};
use futures::{StreamExt, future::join_all, stream};
use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    fixture::{DeploymentMode, LoadFixture, percentile},
    process::last_words,
};

const PEOPLE: usize = 20;
const LATENCY_MS: u64 = 50;
/// From one change of a person to their next.
const PACE: Duration = Duration::from_secs(1);
/// How long it is looked at without mails.
const ALONE: Duration = Duration::from_secs(15);
/// Bookings with invitations, a second.
const BOOKINGS_A_SECOND: u32 = 100;
const INVITED: u32 = 2_000;
/// Reminders that are due at one moment.
const REMINDED: u32 = 2_000;
/// Rooms of the bookings that are mailed about.
const ROOMS: usize = 20;
const CAPACITY: usize = 100;
const REMINDED_MINUTES_BEFORE: i64 = 60;
/// So many ask at once.
const SENDERS: usize = 16;
const PATIENCE: Duration = Duration::from_mins(5);

/// The mail server, which is not ours.
struct Postfix {
    url: String,
    log: String,
    /// The process that has started all others.
    id: u32,
    counted: RefCell<Counted>,
}

/// What is in its log, up to where that was read.
#[derive(Default)]
struct Counted {
    offset: u64,
    mails: usize,
    connections: usize,
}

impl Postfix {
    fn started() -> Self {
        let variable = |name: &str| {
            std::env::var(format!("CONCORD_BENCH_SMTP_{name}"))
                .unwrap_or_else(|_| panic!("there is no mail server: run `make bench-mails`"))
        };
        let id = variable("PID").parse().expect("the id of a process");
        Self { url: variable("URL"), log: variable("LOG"), id, counted: RefCell::default() }
    }

    /// Reads what is new in the log: all of it anew each time would take half of a core from what is measured.
    fn count(&self) -> RefMut<'_, Counted> {
        let mut counted = self.counted.borrow_mut();
        let Ok(mut log) = fs::File::open(&self.log) else { return counted };
        let mut new = Vec::new();
        if log.seek(SeekFrom::Start(counted.offset)).and_then(|_| log.read_to_end(&mut new)).is_ok() {
            // A line that is not whole yet is read the next time.
            new.truncate(new.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
            let text = String::from_utf8_lossy(&new);
            let lines_with = |what: &str| text.lines().filter(|line| line.contains(what)).count();
            counted.offset += u64::try_from(new.len()).expect("a log that fits in memory");
            counted.mails += lines_with("status=sent");
            counted.connections += lines_with("]: connect from");
        }
        counted
    }

    /// Mails that it has taken and done with.
    fn mails(&self) -> usize {
        self.count().mails
    }

    fn connections(&self) -> usize {
        self.count().connections
    }
}

/// The town with all that is measured.
struct MailTown<'a> {
    town: LoadFixture<'a>,
    postfix: Postfix,
    rooms: Vec<Value>,
    /// The first process of PostgreSQL; `None`: it is SQLite.
    database: Option<u32>,
    /// Changes of each person so far.
    changes: Cell<usize>,
}

/// What a phase took.
#[derive(Default)]
struct Phase {
    waits: Vec<i64>,
    mails: String,
    /// Percent of one core, by process.
    cpu: Vec<(String, f64)>,
}

pub(crate) async fn measure(db: &TestDb, form: &DeploymentMode) {
    let postfix = Postfix::started();
    let told = [
        ("SMTP_URL", postfix.url.as_str()),
        ("CONCORD__MAIL__PER_MINUTE", "9000"),
        ("CONCORD__MAIL__CONNECTIONS", "8"),
    ];
    let town = LoadFixture::with(db, form, PEOPLE, (2, &told)).await;
    let mail_town = MailTown::with(town, postfix).await;
    println!(
        "  {PEOPLE} people with a change a second each, {LATENCY_MS} ms a call; 9,000 mails a minute at most over 8 connections, by Postfix"
    );
    let due = mail_town.book_those_to_be_reminded().await;
    let alone = mail_town.alone().await;
    alone.print("alone");
    let invited = mail_town.beside_invitations().await;
    invited.print(&format!("beside {INVITED} invitations, due as fast as they were booked before"));
    let booked = mail_town.beside_bookings().await;
    booked.print(&format!("beside {BOOKINGS_A_SECOND} new bookings/s with an invitation each"));
    let reminded = mail_town.beside_reminders(due).await;
    reminded.print(&format!("beside {REMINDED} reminders that are due at once"));
}

impl Phase {
    fn print(mut self, name: &str) {
        self.waits.sort_unstable();
        println!("    {name}");
        println!(
            "      from the commit to the calendar: p50 {} ms   p99 {} ms (promised: 250)   most {} ms   ({} changes)",
            percentile(&self.waits, 50),
            percentile(&self.waits, 99),
            percentile(&self.waits, 100),
            self.waits.len()
        );
        if !self.mails.is_empty() {
            println!("      {}", self.mails);
        }
        let cpu: Vec<String> = self.cpu.iter().map(|(name, part)| format!("{name} {part:.0}%")).collect();
        println!("      CPU of one core: {}", cpu.join("   "));
    }
}

impl<'a> MailTown<'a> {
    async fn with(town: LoadFixture<'a>, postfix: Postfix) -> Self {
        let mut rooms = Vec::new();
        for number in 0..ROOMS {
            let body = json!({ "name": format!("Hall {number}"), "capacity": CAPACITY });
            let made = town.cluster.call(Method::POST, "/api/v1/resources", Some(&body)).await;
            rooms.push(made["id"].clone());
        }
        town.provider_takes(LATENCY_MS).await;
        let port = town.cluster.db.url().rsplit_once(':').and_then(|(_, end)| end.split('/').next());
        let database = port
            .filter(|_| town.cluster.db.url().starts_with("postgres"))
            .and_then(|port| process_with("postgres", &["-p", port]));
        Self { town, postfix, rooms, database, changes: Cell::default() }
    }

    async fn invite(&self, mode: &str, delay_minutes: u32) {
        let body = json!({ "invitations": mode, "invitation_delay_minutes": delay_minutes });
        self.town.cluster.call(Method::PATCH, "/api/v1/business", Some(&body)).await;
    }

    fn booking(&self, number: u32, starts_at: DateTime<Utc>, kind: &str) -> Value {
        let room = usize::try_from(number).expect("thousands") % ROOMS;
        json!({
            "title": "A massage", "resource": self.rooms[room], "starts_at": starts_at, "ends_at": starts_at + chrono::Duration::hours(1),
            "customer": { "name": "Maria Silva", "email": format!("{kind}{number}@customer.example") },
        })
    }

    /// Returns when they are due.
    async fn book_those_to_be_reminded(&self) -> DateTime<Utc> {
        self.invite("off", 0).await;
        let rule = json!({ "channel": "customer_email", "minutes_before": REMINDED_MINUTES_BEFORE });
        self.town.cluster.call(Method::POST, "/api/v1/reminder_rules", Some(&rule)).await;
        // When all else has been measured.
        let due = Clock::system().now() + chrono::Duration::seconds(330);
        let starts_at = due + chrono::Duration::minutes(REMINDED_MINUTES_BEFORE);
        let put = |number| async move {
            let booking = self.booking(number, starts_at, "reminded");
            self.town.cluster.put(&format!("R-{number}"), booking).await
        };
        stream::iter(0..REMINDED).map(put).buffer_unordered(SENDERS).collect::<Vec<_>>().await;
        self.town.is_quiet().await;
        due
    }

    async fn alone(&self) -> Phase {
        let before = self.cpu();
        let began = Instant::now();
        let waits = self.changes_beside(sleep(ALONE)).await.0;
        Phase { waits, mails: String::new(), cpu: self.cpu_since(&before, began) }
    }

    /// Makes bookings with an invitation each, so many a second; returns how long that took.
    async fn book(&self, kind: &str) -> Duration {
        let began = Instant::now();
        let starts_at = Clock::system().now() + chrono::Duration::days(90);
        let put = |number: u32| async move {
            sleep_until(began + Duration::from_secs(1) / BOOKINGS_A_SECOND * number).await;
            let starts_at = starts_at + chrono::Duration::hours(i64::from(number / 1_000) * 2);
            let booking = self.booking(number, starts_at, kind);
            self.town.cluster.put(&format!("{kind}-{number}"), booking).await
        };
        stream::iter(0..INVITED).map(put).buffer_unordered(SENDERS).collect::<Vec<_>>().await;
        began.elapsed()
    }

    /// Invitations alone: the bookings were made a minute before.
    async fn beside_invitations(&self) -> Phase {
        self.invite("confirmed", 1).await;
        let first_due = Instant::now() + Duration::from_mins(1);
        let wrote = self.book("invited").await;
        let (mails, connections) = (self.postfix.mails(), self.postfix.connections());
        sleep_until(first_due).await;
        let (before, began) = (self.cpu(), Instant::now());
        let invited = usize::try_from(INVITED).expect("thousands");
        let (waits, all) = self.changes_beside(self.taken(mails + invited, began)).await;
        let mails = format!(
            "due within {wrote:.1?}; all left within {all:.1?}: {:.0}/s; {} connections",
            rate(invited, all),
            self.postfix.connections() - connections
        );
        let cpu = self.cpu_since(&before, began);
        self.town.is_quiet().await;
        Phase { waits, mails, cpu }
    }

    async fn beside_bookings(&self) -> Phase {
        self.invite("confirmed", 0).await;
        let (mails, connections) = (self.postfix.mails(), self.postfix.connections());
        let (before, began) = (self.cpu(), Instant::now());
        let invited = usize::try_from(INVITED).expect("thousands");
        let load = async {
            let wrote = self.book("booked").await;
            let at_the_end = self.postfix.mails() - mails;
            (wrote, at_the_end, self.taken(mails + invited, began).await)
        };
        let (waits, (wrote, at_the_end, all)) = self.changes_beside(load).await;
        let mails = format!(
            "{INVITED} bookings in {wrote:.1?}; by then {at_the_end} invitations had left, {:.0}/s; all {:.1} s after the last booking; {} connections",
            rate(at_the_end, wrote),
            all.saturating_sub(wrote).as_secs_f64(),
            self.postfix.connections() - connections
        );
        let cpu = self.cpu_since(&before, began);
        self.town.is_quiet().await;
        Phase { waits, mails, cpu }
    }

    async fn beside_reminders(&self, due: DateTime<Utc>) -> Phase {
        let left = due - Clock::system().now();
        assert!(
            left > chrono::Duration::zero(),
            "the reminders were due {left} ago: this machine is too slow"
        );
        // The first leave before this wakes up.
        let (mails, connections) = (self.postfix.mails(), self.postfix.connections());
        sleep(left.to_std().unwrap_or_default()).await;
        let (before, began) = (self.cpu(), Instant::now());
        let all = self.taken(mails + usize::try_from(REMINDED).expect("thousands"), began);
        let (waits, all) = self.changes_beside(all).await;
        let mails = format!(
            "all left within {all:.1?}: {:.0}/s; {} connections",
            rate(usize::try_from(REMINDED).expect("thousands"), all),
            self.postfix.connections() - connections
        );
        Phase { waits, mails, cpu: self.cpu_since(&before, began) }
    }

    /// Waits until the mail server has taken so many in all; returns how long that was after `began`.
    async fn taken(&self, mails: usize, began: Instant) -> Duration {
        while self.postfix.mails() < mails {
            assert!(
                began.elapsed() < PATIENCE,
                "{} of {mails}:\n{}",
                self.postfix.mails(),
                last_words(self.town.cluster.folder.path())
            );
            sleep(Duration::from_millis(200)).await;
        }
        began.elapsed()
    }

    /// How long the changes of all people took that they make until `load` is over, and what that returned.
    async fn changes_beside<T>(&self, load: impl Future<Output = T>) -> (Vec<i64>, T) {
        let first = self.changes.get();
        let is_over = Cell::new(false);
        let load = async {
            let returned = load.await;
            is_over.set(true);
            returned
        };
        let people = (0..PEOPLE).map(|person| self.changes_of(person, first, &is_over));
        let (returned, sent) = tokio::join!(load, join_all(people));
        self.town.is_done().await;
        self.changes.set(first + sent.iter().map(Vec::len).max().unwrap_or_default());
        let mut waits = Vec::new();
        for (person, sent) in sent.into_iter().enumerate() {
            waits.extend(self.town.waits_of(person, &sent).await);
        }
        (waits, returned)
    }

    /// What a person changes until it is over: title and instant of each change.
    async fn changes_of(
        &self,
        person: usize,
        first: usize,
        is_over: &Cell<bool>,
    ) -> Vec<(String, DateTime<Utc>)> {
        let mut sent = Vec::new();
        // People do not wait for each other: twenty at one moment would measure a queue of twenty.
        sleep(PACE * u32::try_from(person).expect("a few") / u32::try_from(PEOPLE).expect("a few")).await;
        while !is_over.get() {
            let began = Instant::now();
            let number = first + sent.len();
            let title = format!("Change {number};");
            let booking = self.town.booking(person, number, &title);
            let at = self.town.cluster.put(&format!("B-{person}-{number}"), booking).await;
            sent.push((title, at));
            sleep(PACE.saturating_sub(began.elapsed())).await;
        }
        sent
    }

    /// The CPU time of every process that takes part, so far, in milliseconds.
    fn cpu(&self) -> Vec<(String, f64)> {
        let cluster = &self.town.cluster;
        let mut all = self.town.cpu_of_each();
        all.push(("sandbox".to_owned(), cluster.sandbox.cpu_ms()));
        let children: f64 = all.iter().map(|(_, milliseconds)| milliseconds).sum();
        all.extend(self.database.map(|id| ("PostgreSQL".to_owned(), family_cpu_ms(id))));
        all.push(("Postfix".to_owned(), family_cpu_ms(self.postfix.id)));
        all.push(("this bench".to_owned(), family_cpu_ms(std::process::id()) - children));
        all
    }

    /// In percent of one core.
    fn cpu_since(&self, before: &[(String, f64)], began: Instant) -> Vec<(String, f64)> {
        let took = began.elapsed().as_secs_f64() * 1_000.0;
        let after = self.cpu().into_iter().zip(before);
        after.map(|((name, after), (_, before))| (name, (after - before) / took * 100.0)).collect()
    }
}

fn rate(mails: usize, time: Duration) -> f64 {
    f64::from(u32::try_from(mails).expect("thousands")) / time.as_secs_f64()
}
