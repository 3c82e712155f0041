//! What pages and calls take, and how many bookings are written a second, where a business and another one beside it have
//! a hundred thousand bookings and entries and fifty thousand notices each; and how many were written before.

use std::time::Duration;

use concord_domain::{clock::Clock, people::Role};
use concord_storage::{
    people::{self, NewUser},
    secret,
    sign_in::{self, NewSession},
    testing::{
        TestDb, begin, commit,
        many::{LargeFixture, write_many},
    },
};
use futures::{StreamExt, stream};
use secrecy::ExposeSecret;
use tokio::time::Instant;

use crate::fixture::{DeploymentMode, LoadFixture};

const PEOPLE: usize = 10;
const BOOKINGS: u32 = 100_000;
/// Bookings of each measurement of writing, each with an entry in a calendar.
const WRITTEN: usize = 250;
/// So often writing is measured, before and after.
const ROUNDS: usize = 3;
/// So many are written at once.
const SENDERS: usize = 8;
/// Each page and call is asked for so often before it is measured: PostgreSQL plans a statement anew the first five times
/// on each connection, and a page asks on several at once.
const WARMED: usize = 20;
/// Each page and call is measured so often.
const ASKED: usize = 11;

/// What is promised of a page and of a call of the API.
const PAGE: Duration = Duration::from_millis(30);
const CALL: Duration = Duration::from_millis(15);

pub(crate) async fn measure(db: &TestDb, form: &DeploymentMode) {
    let town = LoadFixture::of(db, form, PEOPLE).await;
    let empty = usually_written_a_second(&town, 0).await;
    let now = Clock::system().now();
    let first = Some(town.cluster.business.id);
    write_many(db, LargeFixture { businesses: 2, bookings: BOOKINGS, now, first }).await;
    let full = usually_written_a_second(&town, 1).await;
    println!("  two businesses with {BOOKINGS} bookings and entries and {} notices each:", BOOKINGS / 2);
    println!(
        "    bookings written         {full:.0} a second, where there were none {empty:.0}: {:.2} of it",
        full / empty
    );

    let cookie = session(db, &town).await;
    let subjects = RequestSubjects {
        from: now.format("%Y-%m-%d").to_string(),
        booking: LargeFixture::reference(BOOKINGS - 7),
        connection: town.cluster.first_of("/calendar_integrations").await,
        channel: town.cluster.first_of("/channels").await,
    };
    print_slowest(&town, "pages", &subjects.page_paths(), Some(&cookie), PAGE).await;
    print_slowest(&town, "calls", &subjects.call_paths(&town), None, CALL).await;
    // No index finds words in the midst of a text: it is measured, and nothing is promised of it.
    for (path, cookie) in [("/api/v1/bookings?search=nobody", None), ("/bookings?q=nobody", Some(&*cookie))] {
        println!("    {path:<60} {:>6.1} ms", millis(median(&town, path, cookie).await));
    }
}

/// What stands in the paths of the pages and calls that are measured.
struct RequestSubjects {
    from: String,
    booking: String,
    connection: String,
    channel: String,
}

impl RequestSubjects {
    fn page_paths(&self) -> Vec<String> {
        let Self { from, booking, connection, channel } = self;
        vec![
            "/".to_owned(),
            "/bookings".to_owned(),
            "/bookings?from=".to_owned(),
            format!("/bookings?from={from}&resource={}", LargeFixture::resource(3, 0)),
            format!("/bookings?from={from}&staff={}", LargeFixture::staff(3, 0)),
            "/bookings?from=&status=no_show".to_owned(),
            format!("/bookings/{booking}"),
            "/bookings/new".to_owned(),
            format!("/bookings/{booking}/edit"),
            "/calendars".to_owned(),
            format!("/calendars/{connection}"),
            "/calendar-sync".to_owned(),
            "/channels".to_owned(),
            format!("/channels/{channel}"),
            "/changes".to_owned(),
            "/feeds".to_owned(),
            "/live/needs".to_owned(),
            "/settings".to_owned(),
            "/settings/sync-log".to_owned(),
            "/settings/mail".to_owned(),
            "/settings/resources".to_owned(),
            "/settings/people".to_owned(),
        ]
    }

    fn call_paths(&self, town: &LoadFixture<'_>) -> Vec<String> {
        let Self { from, booking, connection, channel } = self;
        let (room, person) = (town.rooms[0], town.staff[0]);
        [
            "/bookings".to_owned(),
            format!("/bookings?from={from}"),
            format!("/bookings?from={from}&staff={person}"),
            format!("/bookings?resource={room}"),
            "/bookings?status=no_show".to_owned(),
            "/bookings?kind=maintenance".to_owned(),
            format!("/bookings?staff={person}"),
            format!("/bookings/{booking}"),
            format!("/bookings/{booking}/history"),
            "/sync".to_owned(),
            "/jobs/failed".to_owned(),
            "/conflicts".to_owned(),
            "/calendar_integrations".to_owned(),
            format!("/calendar_integrations/{connection}/events"),
            "/calendar_availability".to_owned(),
            "/channels".to_owned(),
            format!("/channels/{channel}"),
            format!("/channels/{channel}/events"),
            format!("/channels/{channel}/runs"),
            "/feeds".to_owned(),
            format!("/resources/{room}/calendar?from={from}"),
            "/sync_log".to_owned(),
            "/remote_changes".to_owned(),
            "/resources".to_owned(),
            "/staff".to_owned(),
            "/mails".to_owned(),
        ]
        .map(|call| format!("/api/v1{call}"))
        .to_vec()
    }
}

/// How many bookings are written a second in the middle one of some rounds: one alone says more of the machine's disk.
async fn usually_written_a_second(town: &LoadFixture<'_>, series: usize) -> f64 {
    let first = series * (ROUNDS + 1);
    // It meets cold caches.
    written_a_second(town, first).await;
    let mut rates = Vec::new();
    for round in 1..=ROUNDS {
        rates.push(written_a_second(town, first + round).await);
    }
    rates.sort_unstable_by(f64::total_cmp);
    rates[ROUNDS / 2]
}

/// Writes that many bookings by the API, and lets the work that follows come to rest afterwards.
async fn written_a_second(town: &LoadFixture<'_>, round: usize) -> f64 {
    let began = Instant::now();
    let send = |number: usize| async move {
        let person = number % PEOPLE;
        let booking = town.booking(person, round * WRITTEN + number, &format!("Round {round}, {number};"));
        town.cluster.put(&format!("W-{round}-{number}"), booking).await;
    };
    stream::iter(0..WRITTEN).map(send).buffer_unordered(SENDERS).collect::<Vec<_>>().await;
    let took = began.elapsed().as_secs_f64();
    town.is_quiet().await;
    f64::from(u32::try_from(WRITTEN).expect("a few")) / took
}

async fn session(db: &TestDb, town: &LoadFixture<'_>) -> String {
    let (business, now) = (town.cluster.business.id, Clock::system().now());
    let token = secret::new_token("");
    let mut tx = begin(db).await;
    let (name, email) = ("Manager".to_owned(), "manager@many.example".to_owned());
    let new = NewUser { business, staff: None, name, email, role: Role::Manager };
    let user = people::create_user(&mut tx, &new, now).await.expect("a user is made").id;
    let digest = secret::digest(&token);
    let expires_at = now + chrono::Duration::days(1);
    let new = NewSession { business, user, digest: &digest, user_agent: "", expires_at };
    sign_in::create_session(&mut tx, &new, now).await.expect("a session begins");
    commit(tx).await;
    format!("concord_session={}", token.expose_secret())
}

async fn print_slowest(
    town: &LoadFixture<'_>,
    what: &str,
    paths: &[String],
    cookie: Option<&str>,
    promised: Duration,
) {
    let mut times = Vec::new();
    for path in paths {
        times.push((median(town, path, cookie).await, path));
    }
    times.sort_unstable_by(|one, other| other.cmp(one));
    let late = times.iter().filter(|(time, _)| *time > promised).count();
    println!("    {what}: {} of {} within {promised:?}; the slowest:", times.len() - late, times.len());
    for (time, path) in times.iter().take(late.max(5)) {
        println!("      {path:<60} {:>6.1} ms", millis(*time));
    }
}

async fn median(town: &LoadFixture<'_>, path: &str, cookie: Option<&str>) -> Duration {
    for _ in 0..WARMED {
        town.cluster.time_of(path, cookie).await;
    }
    let mut times = Vec::new();
    for _ in 0..ASKED {
        times.push(town.cluster.time_of(path, cookie).await);
    }
    times.sort_unstable();
    times[ASKED / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
