//! A month of reminders on a clock that is set: bookings that are made, moved, renamed, cancelled and restored at random,
//! workers that are killed every few hours, and a mail server that fails one time in ten and is away for six hours.
//!
//! A model knows when which booking stood at which time. At the end each reminder is sent exactly once by its Message-ID, or
//! published as exactly one event, or says why it was not; and none came for a time at which the booking did not stand when
//! it came. The mail server's troubles do not touch the events.
//!
//! The long run, which prints its figures: `make month`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration as StdDuration,
};

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::{BookingDraft, BookingStatus, BookingTime},
    ids::{BookingId, ReminderId},
    reminder::{ReminderChannel, ReminderRuleSettings, ReminderSkip, ReminderState},
};
use concord_jobs::dispatch::JobRunner;
use concord_storage::{
    PageRequest, mails, on_both_databases,
    reminders::{self, ListedReminder},
    testing::{self, TestDb, monday},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::{
    fixture::{SyncFixture, with_status},
    reminder_webhooks::{ReminderEvent, reminder_events, webhook_rule},
    shared::DrainJobs,
};

const DAY: i64 = 24 * 60;
const MONTH: i64 = 30 * DAY;
/// When the mail server goes away, and for how long, in minutes.
const OUTAGE: (i64, i64) = (12 * DAY + 60, 6 * 60);
/// A worker is killed and another one starts, in minutes.
const RESTART_EVERY: i64 = 3 * 60;
/// When other systems are told, in minutes before the start.
const EVENT_BEFORE: u32 = 90;

/// What a person does with a booking.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Put(DateTime<Utc>),
    Rename,
    Cancel,
    Restore,
}

/// When a booking stood at which start.
#[derive(Clone, Copy, Debug)]
struct Stand {
    start: DateTime<Utc>,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

impl Stand {
    fn holds(&self, start: DateTime<Utc>, at: DateTime<Utc>) -> bool {
        self.start == start && self.from < at && self.until.is_none_or(|until| at < until)
    }
}

struct BookingModel {
    id: Option<BookingId>,
    draft: BookingDraft,
    stands: Vec<Stand>,
}

impl BookingModel {
    fn leave(&mut self, now: DateTime<Utc>) {
        if let Some(stand) = self.stands.last_mut() {
            stand.until.get_or_insert(now);
        }
    }
}

/// A mail as it came.
struct Came {
    message_id: String,
    at: DateTime<Utc>,
}

struct Month<'a> {
    fixture: SyncFixture<'a>,
    models: Vec<BookingModel>,
    came: Vec<Came>,
    next_restart: DateTime<Utc>,
    restarts: u32,
    killed: u32,
    random: StdRng,
}

/// On the half minute, so that nothing happens at the moment when a reminder is due.
fn at(minute: i64) -> DateTime<Utc> {
    monday() + Duration::minutes(minute) + Duration::seconds(30)
}

/// What happens, in order: the minute, the number of the booking, and what is done.
fn deeds(bookings: usize, random: &mut StdRng) -> Vec<(i64, usize, Deed)> {
    let mut all = Vec::new();
    for number in 0..bookings {
        let made = random.random_range(0..MONTH - 5 * DAY);
        // Not cut off at the end of the month: thousands would not fit into its last hour.
        let mut start = made + random.random_range(10..(12 * DAY).min(MONTH - 10 - made));
        let instant = |minute: i64| monday() + Duration::minutes(minute);
        all.push((made, number, Deed::Put(instant(start))));
        let mut now = made;
        for _ in 0..random.random_range(0..4) {
            now += random.random_range(1..=(start - now).max(2) / 2);
            if now >= start - 2 {
                break;
            }
            match random.random_range(0..10) {
                0..4 => {
                    start = now + random.random_range(5..(8 * DAY).min(MONTH - 5 - now));
                    if start > now + 1 {
                        all.push((now, number, Deed::Put(instant(start))));
                    }
                }
                4..7 => all.push((now, number, Deed::Rename)),
                7..9 => {
                    all.push((now, number, Deed::Cancel));
                    break;
                }
                _ => {
                    all.push((now, number, Deed::Cancel));
                    now += random.random_range(1..=(start - now).max(2) / 2);
                    all.push((now, number, Deed::Restore));
                }
            }
        }
    }
    all.sort_by_key(|(minute, number, _)| (*minute, *number));
    all
}

impl<'a> Month<'a> {
    async fn begin(db: &'a TestDb, bookings: usize, seed: u64) -> Self {
        let fixture = SyncFixture::with_mailbox(db).await;
        for rule in ReminderRuleSettings::defaults().into_iter().chain([webhook_rule(EVENT_BEFORE)]) {
            fixture.remind(&rule).await;
        }
        for (kind, probability) in [("rate_limit", 0.08), ("apply_then_drop", 0.02)] {
            let fault = json!({ "provider": "mailbox", "kind": kind, "probability": probability });
            fixture.outside.control(http::Method::POST, "faults", Some(fault)).await;
        }
        let draft = testing::draft(&fixture.room, 0, 60);
        let models = (0..bookings)
            .map(|number| {
                let mut draft = draft.clone();
                draft.customer.email = format!("guest{number}@example.com");
                BookingModel { id: None, draft, stands: Vec::new() }
            })
            .collect();
        let next_restart = fixture.clock.now();
        let random = StdRng::seed_from_u64(seed);
        Self { fixture, models, came: Vec::new(), next_restart, restarts: 0, killed: 0, random }
    }

    fn now(&self) -> DateTime<Utc> {
        self.fixture.clock.now()
    }

    /// Lets all be done that is due up to then, and the clock be then.
    async fn pass_until(&mut self, then: DateTime<Utc>) {
        loop {
            if self.now() >= self.next_restart {
                self.restart().await;
            }
            self.fixture.drain().await;
            let next = testing::next_due(self.fixture.db).await.unwrap_or(then).min(self.next_restart);
            if next >= then {
                break;
            }
            self.fixture.clock.advance((next - self.now()).max(Duration::milliseconds(500)));
        }
        self.fixture.clock.advance((then - self.now()).max(Duration::zero()));
    }

    /// The worker is killed in the middle of what it does, and another one starts.
    async fn restart(&mut self) {
        self.next_restart = self.now() + Duration::minutes(RESTART_EVERY);
        self.collect().await;
        if let Some(due) = testing::next_due(self.fixture.db).await
            && due < self.next_restart
        {
            self.fixture.clock.advance((due - self.now()).max(Duration::zero()));
            let moment = StdDuration::from_micros(self.random.random_range(500..20_000));
            let run = tokio::time::timeout(moment, self.fixture.jobs.drain()).await;
            self.killed += u32::from(run.is_err());
        }
        self.restarts += 1;
        let name = format!("worker-{}", self.restarts);
        self.fixture.jobs = JobRunner::new(self.fixture.elsewhere(), &name);
    }

    /// Takes what has come out of the mailbox, which keeps no more than some.
    async fn collect(&mut self) {
        let mails = self.fixture.outside.mails().await;
        for mail in &mails {
            let raw = mail["raw"].as_str().expect("a mail");
            let date = raw.lines().find_map(|line| line.strip_prefix("Date: ")).expect("a date");
            let at = DateTime::parse_from_rfc2822(date.trim()).expect("a date").with_timezone(&Utc);
            let message_id = format!("<{}>", mail["message_id"].as_str().expect("an id"));
            self.came.push(Came { message_id, at });
        }
        if !mails.is_empty() {
            self.fixture.outside.control(http::Method::DELETE, "mails", None).await;
        }
    }

    async fn act(&mut self, number: usize, deed: Deed) {
        let now = self.now();
        let model = &mut self.models[number];
        match deed {
            Deed::Put(start) => {
                model.draft.time =
                    BookingTime::Timed { starts_at: start, ends_at: start + Duration::minutes(60) };
                model.draft.status = BookingStatus::Confirmed;
            }
            Deed::Rename => model.draft.title = format!("Massage {}", now.timestamp()),
            Deed::Cancel => model.draft = with_status(&model.draft, BookingStatus::Cancelled),
            Deed::Restore => model.draft = with_status(&model.draft, BookingStatus::Confirmed),
        }
        let booking = self.fixture.put(&format!("month-{number}"), &self.models[number].draft).await;
        let (now, model) = (self.now(), &mut self.models[number]);
        model.id = Some(booking.id);
        let start = booking.interval.start;
        let stands_there =
            model.stands.last().is_some_and(|last| last.until.is_none() && last.start == start);
        match deed {
            Deed::Cancel => model.leave(now),
            Deed::Put(_) | Deed::Restore if !stands_there => {
                model.leave(now);
                model.stands.push(Stand { start, from: now, until: None });
            }
            _ => {}
        }
    }
}

/// What the month was like.
#[derive(Debug, Default)]
struct Figures {
    sent: usize,
    /// Events, which no mail server delays.
    published: usize,
    failed: usize,
    skipped: BTreeMap<&'static str, usize>,
    /// Mails that came once more, with the Message-ID that they had.
    repeated: usize,
    /// Mails that came though their server never said so in time.
    unheard: usize,
    /// How late they came, in seconds, of each hundred the latest but one.
    late: i64,
    /// How late the latest event was, in seconds.
    latest_event: i64,
}

impl Month<'_> {
    /// The reminder of each Message-ID that was ever written.
    async fn written(&self) -> BTreeMap<String, ReminderId> {
        let (db, business) = (self.fixture.db, self.fixture.business.id);
        let mut ask = PageRequest { limit: 200, after: None };
        let mut all = BTreeMap::new();
        loop {
            let page = mails::list(db, business, None, &ask).await.expect("mails can be listed");
            all.extend(
                page.items.iter().filter_map(|mail| Some((mail.message_id.clone(), mail.reminder_id?))),
            );
            let Some(next) = page.next else { return all };
            ask.after = Some(next);
        }
    }

    async fn check(&self) -> Figures {
        let written = self.written().await;
        let mut by_reminder: BTreeMap<ReminderId, Vec<&Came>> = BTreeMap::new();
        for mail in &self.came {
            by_reminder.entry(written[&mail.message_id]).or_default().push(mail);
        }
        let mut events = reminder_events(&self.fixture).await;
        let (mut figures, mut lateness) = (Figures::default(), Vec::new());
        for model in &self.models {
            let id = model.id.expect("it was made");
            let rows = reminders::of_booking(self.fixture.db, self.fixture.business.id, id).await;
            let rows = rows.expect("they can be read");
            let starts: BTreeSet<_> = model.stands.iter().map(|stand| stand.start).collect();
            assert_eq!(rows.len(), starts.len() * 3, "one for each rule and start: {rows:#?}");
            for row in &rows {
                if row.rule.channel == ReminderChannel::Webhook {
                    let told = events.remove(&row.reminder.id).unwrap_or_default();
                    check_event(model, row, &told, &mut figures);
                    continue;
                }
                let came = by_reminder.remove(&row.reminder.id).unwrap_or_default();
                check_one(model, row, &came, (&mut figures, &mut lateness));
            }
        }
        assert!(by_reminder.is_empty() && events.is_empty(), "mails or events of no reminder");
        lateness.sort_unstable();
        figures.late = lateness.get(lateness.len() * 99 / 100).copied().unwrap_or_default();
        figures
    }
}

fn check_one(
    model: &BookingModel,
    listed: &ListedReminder,
    came: &[&Came],
    (figures, lateness): (&mut Figures, &mut Vec<i64>),
) {
    let row = &listed.reminder;
    let due = row.starts_at - Duration::minutes(i64::from(listed.rule.minutes_before));
    let stood = |at: DateTime<Utc>| model.stands.iter().any(|stand| stand.holds(row.starts_at, at));
    let ids: BTreeSet<&str> = came.iter().map(|mail| mail.message_id.as_str()).collect();
    assert!(ids.len() <= 1, "two mails of one reminder: {row:#?}");
    figures.repeated += came.len().saturating_sub(1);
    for mail in came {
        // A mail's date has seconds.
        let at = mail.at + Duration::seconds(1);
        assert!(due <= at && mail.at < row.starts_at, "{} is not in time: {row:#?}", mail.at);
        assert!(
            stood(mail.at) || stood(at),
            "{} is for a time at which it does not stand: {row:#?}",
            mail.at
        );
    }
    let outage = (at(OUTAGE.0), at(OUTAGE.0 + OUTAGE.1));
    let is_hit = due < outage.1 && row.starts_at > outage.0;
    match row.state {
        ReminderState::Sent => {
            assert_eq!(ids.len(), 1, "it was sent: {row:#?}");
            figures.sent += 1;
            if !is_hit {
                lateness.extend(came.first().map(|mail| (mail.at - due).num_seconds()));
            }
        }
        ReminderState::Failed => {
            assert!(is_hit, "it failed though there was a mail server: {row:#?}");
            assert!(row.error.is_some());
            figures.failed += 1;
            figures.unheard += ids.len();
        }
        ReminderState::Skipped => {
            let why = row.skip_reason.expect("a reason");
            *figures.skipped.entry(why.as_str()).or_default() += 1;
            figures.unheard += ids.len();
            let soon = due + Duration::minutes(10);
            let is_lost = stood(due) && stood(soon) && !is_hit && ids.is_empty();
            assert!(!is_lost, "it was due and was not sent: {row:#?} {:#?}", model.stands);
            let is_known = matches!(
                why,
                ReminderSkip::Moved
                    | ReminderSkip::Cancelled
                    | ReminderSkip::BookedLate
                    | ReminderSkip::TooLate
            );
            assert!(is_known, "{why}: {row:#?}");
        }
        ReminderState::Planned | ReminderState::Queued => panic!("it is not settled: {row:#?}"),
    }
}

/// No mail server has a part in it: it comes at once, or there is a reason that is none of a server's.
fn check_event(model: &BookingModel, listed: &ListedReminder, told: &[ReminderEvent], figures: &mut Figures) {
    let row = &listed.reminder;
    let due = row.starts_at - Duration::minutes(i64::from(listed.rule.minutes_before));
    let stood = |at: DateTime<Utc>| model.stands.iter().any(|stand| stand.holds(row.starts_at, at));
    match (row.state, row.skip_reason, told) {
        (ReminderState::Sent, None, [event]) => {
            let at = event.stored.created_at;
            assert!(due <= at && at < row.starts_at && stood(at), "{at}: {row:#?} {:#?}", model.stands);
            let starts_at = DateTime::parse_from_rfc3339(event.data["starts_at"].as_str().expect("a time"));
            assert_eq!(starts_at.expect("a time"), row.starts_at);
            assert_eq!(event.data["status"], "confirmed");
            figures.published += 1;
            figures.latest_event = figures.latest_event.max((at - due).num_seconds());
        }
        (ReminderState::Skipped, Some(why), []) => {
            let is_known =
                matches!(why, ReminderSkip::Moved | ReminderSkip::Cancelled | ReminderSkip::BookedLate);
            assert!(is_known, "{why}: {row:#?}");
            assert!(!stood(due), "it was due and was not published: {row:#?} {:#?}", model.stands);
            *figures.skipped.entry(why.as_str()).or_default() += 1;
        }
        _ => panic!("{} events: {row:#?}", told.len()),
    }
}

async fn play(db: &TestDb, bookings: usize, seed: u64) -> Figures {
    let mut month = Month::begin(db, bookings, seed).await;
    let deeds = deeds(bookings, &mut month.random);
    let (mut is_away, mut is_back) = (false, false);
    for (minute, number, deed) in deeds {
        if !is_away && minute >= OUTAGE.0 {
            month.pass_until(at(OUTAGE.0)).await;
            // Nobody listens there.
            month.fixture.mail_to("smtp://127.0.0.1:9?tls=none", StdDuration::from_secs(5));
            is_away = true;
        }
        if !is_back && minute >= OUTAGE.0 + OUTAGE.1 {
            month.pass_until(at(OUTAGE.0 + OUTAGE.1)).await;
            month.fixture.open_mailbox(StdDuration::from_secs(5));
            is_back = true;
        }
        month.pass_until(at(minute)).await;
        month.act(number, deed).await;
    }
    assert!(is_away && is_back, "too few bookings for an outage");
    month.pass_until(at(MONTH + DAY)).await;
    month.collect().await;
    let figures = month.check().await;
    println!(
        "{bookings} bookings, {} restarts, {} in the middle of work: {figures:?}",
        month.restarts, month.killed
    );
    assert!(month.restarts > 200);
    figures
}

async fn month_of_reminders_is_exact(db: &TestDb) {
    let figures = play(db, 60, 14).await;
    assert!(figures.sent > 40 && figures.published > 20, "{figures:?}");
}

on_both_databases!(month_of_reminders_is_exact);

async fn month_of_five_thousand_bookings(db: &TestDb) {
    let figures = play(db, 5_000, 5_000).await;
    assert!(figures.sent > 5_000 && figures.published > 2_500, "{figures:?}");
}

#[tokio::test]
#[ignore = "minutes"]
async fn month_of_five_thousand_bookings_on_sqlite() {
    month_of_five_thousand_bookings(&testing::sqlite().await).await;
}

#[tokio::test]
#[ignore = "minutes"]
async fn month_of_five_thousand_bookings_on_postgres() {
    month_of_five_thousand_bookings(&testing::postgres().await).await;
}
