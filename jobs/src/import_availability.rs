//! Reads the busy times of a calendar, so that nobody is booked while they are elsewhere.
//!
//! Claims the calendar. Reads what changed since the cursor, or everything in a rolling window when there is none, it
//! has expired, or the window has moved on by a day. Plans by `concord_domain::sync::availability`; what a full
//! read would free much of at once is held until it is seen again. Sets its own next time: it is a poll.

mod ours;
mod rows;

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use concord_domain::{
    connection::ConnectionState,
    entry::ObservedEntry,
    ids::CalendarId,
    interval::Interval,
    job::{JobKind, QueueClass},
    record::SyncOutcome,
    sync::{
        availability::{Changes, Doubted, ImportPlan, Read, ReadKind, Stored, plan_import},
        drift::Expected,
        reading::Reading,
    },
};
use concord_providers::{AfterPage, ChangesFrom, ProviderError};
use concord_storage::{
    StorageError, Tx,
    calendars::{self, Calendar, Progress},
    connections::{self as store, Connection},
    jobs::{self, ClaimedJob, JobRef, NewJob, Outcome},
    sync_log::{self, NewLine},
};

use crate::{
    Context,
    access::{Account, with_access},
    connections,
    job::{JobError, business_of, commit_held, jitter, keep, outcome_of, part_of},
    limits::{note_success, take_turn, wait_for_turn},
    notify,
    touched::Rows,
};

/// The window is moved on when this much of its end is missing.
const WINDOW_STEP: Duration = Duration::days(1);

/// Two and a half million events; a server that gives page after page must not keep us for ever.
const MOST_PAGES: usize = 1_000;

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<Outcome, JobError> {
    let business = business_of(job)?;
    let id = CalendarId(job.subject_id);
    let Some(calendar) = calendars::find(&context.db, business, id).await? else { return Ok(Outcome::Done) };
    let Some(connection) = store::find(&context.db, business, calendar.connection_id).await? else {
        return Ok(Outcome::Done);
    };
    let import = Import { context, calendar, connection, started_at: context.clock.now() };
    if !import.is_read() {
        import.forget_all(job).await?;
        return Ok(Outcome::Done);
    }
    if import.connection.state != ConnectionState::Active {
        return Ok(Outcome::Done);
    }
    let result = match import.read(job).await {
        Err(JobError::Provider(ProviderError::CursorExpired)) => {
            import.forget_cursor(job).await?;
            import.read(job).await
        }
        result => result,
    };
    let tally = match result {
        Ok(tally) => tally,
        Err(JobError::Provider(ProviderError::NotFound)) => return import.not_found(job).await,
        Err(error) => return import.fail(job, error).await,
    };
    import.log(tally.outcome, &tally.detail).await?;
    let every = context.settings.poll_every;
    // Spread out, so that calendars that were connected together are not read together for ever.
    let attempt = u32::try_from(job.version).unwrap_or(0);
    let pause = if tally.outcome == SyncOutcome::Held {
        Duration::minutes(2)
    } else {
        every - part_of(every / 10, jitter(job.id, attempt))
    };
    Ok(Outcome::Again(context.clock.now() + pause))
}

/// Enqueues the import of one calendar, due now.
pub(crate) async fn enqueue(
    tx: &mut Tx,
    context: &Context,
    calendar: &Calendar,
    queue: QueueClass,
) -> Result<JobRef, StorageError> {
    let now = context.clock.now();
    let job = NewJob {
        business: Some(calendar.business_id),
        kind: JobKind::ImportAvailability,
        subject: calendar.id.0,
        queue,
        due_at: now,
    };
    jobs::enqueue(tx, job, now).await
}

struct Import<'a> {
    context: &'a Context,
    calendar: Calendar,
    connection: Connection,
    started_at: DateTime<Utc>,
}

struct Tally {
    outcome: SyncOutcome,
    detail: String,
}

/// Everything that one read brought.
struct Pages {
    entries: Vec<ObservedEntry>,
    /// What it told of in whole.
    resources: Vec<String>,
    /// How many items nobody understood.
    unreadable: usize,
    /// Whether what came and went since the read before may be named by nothing.
    may_miss: bool,
    cursor: String,
}

/// Of two pages that tell of one resource in whole the later one holds.
fn forget_told(entries: &mut Vec<ObservedEntry>, resources: &[String]) {
    let told: BTreeSet<&str> = resources.iter().map(String::as_str).collect();
    entries.retain(|entry| {
        !told.contains(entry.external_id.as_str())
            && !entry.series.as_deref().is_some_and(|series| told.contains(series))
    });
}

impl Import<'_> {
    fn account(&self) -> Account {
        Account {
            business: self.calendar.business_id,
            connection: self.connection.id,
            provider: self.connection.provider,
        }
    }

    fn is_read(&self) -> bool {
        self.calendar.reads
            && self.calendar.missing_since.is_none()
            && self.connection.direction.reads()
            && self.connection.state != ConnectionState::Disconnected
    }

    async fn read(&self, job: &ClaimedJob) -> Result<Tally, JobError> {
        let db = &self.context.db;
        let progress = calendars::progress(db, self.calendar.business_id, self.calendar.id).await?;
        let now = self.context.clock.now();
        let (from, window) = self.where_to_begin(&progress, now);
        let reading = store::begin_reading(db, self.connection.id).await?;
        let full = from == ChangesFrom::Start;
        let before = if full { self.rows(window).await? } else { Rows::default() };
        let mut pages = self.all_pages(job, from, window).await?;
        let mut touched = self.know_ours((job, reading), &mut pages.entries, &pages.resources).await?;
        if !full && pages.may_miss {
            self.look_for_missed((job, reading), progress.last_reading, &pages, &mut touched).await?;
        }
        let ours = if full { self.expected(&before, window).await? } else { Vec::new() };
        let kind = if full { ReadKind::Full } else { ReadKind::Incremental };
        let read = Read { kind, window, zone: self.zone().await?, now };
        let known = self.known(full, &pages.entries, &pages.resources).await?;
        let doubted = progress.held.as_deref().map(Doubted::from_text).unwrap_or_default();
        let stored = Stored { busy: &known, ours: &ours };
        let ImportPlan { changes, missing, held } =
            plan_import(stored, &pages.entries, &pages.resources, &read, &doubted);
        self.apply(job, &changes).await?;
        touched.note_missing(&missing, &before);
        let stands = ours.iter().filter(|one| one.expected == Expected::Stands).count();
        // A server that was set back, more likely than a person who emptied their calendar.
        let is_doubtful = missing.len() > 1 && missing.len() * 2 > stands;
        let met = self.meet(job, (touched, reading), is_doubtful).await?;
        let Some(held) = held else {
            return self.advance(job, (&changes, met), &pages, (reading, window), full).await;
        };
        let words = held.reason.to_string();
        let mut tx = db.begin().await?;
        calendars::hold(&mut tx, self.calendar.id, &held.doubted.to_text(), &words).await?;
        commit_held(self.context, job, tx).await?;
        let written = changes.upserts.len();
        Ok(Tally { outcome: SyncOutcome::Held, detail: format!("{words}; {written} written meanwhile") })
    }

    /// An incremental read keeps the window that its cursor was begun with, until that has fallen behind.
    fn where_to_begin(&self, progress: &Progress, now: DateTime<Utc>) -> (ChangesFrom, Interval) {
        let settings = &self.context.settings;
        let wanted = Interval { start: now - settings.window_past, end: now + settings.window_future };
        match (&progress.cursor, progress.window_start, progress.window_end) {
            (Some(cursor), Some(start), Some(end)) if end + WINDOW_STEP > wanted.end => {
                (ChangesFrom::Cursor(cursor.clone()), Interval { start, end })
            }
            _ => (ChangesFrom::Start, wanted),
        }
    }

    async fn all_pages(
        &self,
        job: &ClaimedJob,
        mut from: ChangesFrom,
        window: Interval,
    ) -> Result<Pages, JobError> {
        let context = self.context;
        let provider = context.provider(self.connection.provider)?;
        let began_with = match &from {
            ChangesFrom::Cursor(cursor) => Some(cursor.clone()),
            ChangesFrom::Start | ChangesFrom::Page { .. } => None,
        };
        let (mut entries, mut resources, mut unreadable, mut may_miss) = (Vec::new(), Vec::new(), 0, false);
        let calendar = self.calendar.external_id.as_str();
        for number in 0..MOST_PAGES {
            if number == 0 {
                take_turn(context, self.account(), job.queue).await?;
            } else {
                wait_for_turn(context, self.account(), job.queue, job).await?;
            }
            let from_here = &from;
            let page = with_access!(context, self.account(), access => provider.changes(&access, calendar, window, from_here))?;
            forget_told(&mut entries, &page.resources);
            entries.extend(page.entries);
            resources.extend(page.resources.into_iter().chain(page.series));
            unreadable += page.unreadable;
            may_miss |= page.may_miss;
            keep(self.context, job).await?;
            match page.next {
                AfterPage::Cursor(cursor) => {
                    return Ok(Pages { entries, resources, unreadable, may_miss, cursor });
                }
                AfterPage::Page(page) => from = ChangesFrom::Page { page, cursor: began_with.clone() },
            }
        }
        Err(ProviderError::Transient("the list of what stands in the calendar does not end".into()).into())
    }

    async fn zone(&self) -> Result<Tz, JobError> {
        let own = self.calendar.zone.as_deref().and_then(|zone| zone.parse().ok());
        if let Some(zone) = own {
            return Ok(zone);
        }
        Ok(store::home_zone(&self.context.db, self.calendar.business_id, self.connection.id).await?)
    }

    /// Last: what is written twice is written once, what the cursor has passed does not come again.
    async fn advance(
        &self,
        job: &ClaimedJob,
        (changes, met): (&Changes, usize),
        pages: &Pages,
        (reading, window): (Reading, Interval),
        full: bool,
    ) -> Result<Tally, JobError> {
        let now = self.context.clock.now();
        let mut tx = self.context.db.begin().await?;
        // The connection before its calendar, as whoever connects it does.
        let due = note_success(self.context, &mut tx, self.account(), now).await?;
        if full {
            notify::sync_succeeded(&mut tx, self.context, self.account()).await?;
        }
        calendars::advance(&mut tx, (self.calendar.id, reading), &pages.cursor, window, now).await?;
        commit_held(self.context, job, tx).await?;
        self.context.push(&due).await;
        let (written, removed) = (changes.upserts.len(), changes.removals.len());
        let nothing = changes.is_empty() && met == 0 && pages.unreadable == 0;
        Ok(Tally {
            outcome: if nothing { SyncOutcome::Nothing } else { SyncOutcome::Ok },
            detail: format!(
                "{}: {written} written, {removed} removed{}{}",
                if full { "full read" } else { "changes" },
                if met == 0 { String::new() } else { format!(", {met} of our entries were changed there") },
                match pages.unreadable {
                    0 => String::new(),
                    odd => format!(", {odd} could not be understood and stay as they were known"),
                }
            ),
        })
    }

    async fn forget_cursor(&self, job: &ClaimedJob) -> Result<(), JobError> {
        let mut tx = self.context.db.begin().await?;
        calendars::forget_cursor(&mut tx, self.calendar.id).await?;
        commit_held(self.context, job, tx).await?;
        Ok(())
    }

    /// The calendar may be gone. If so, the look at what there is enqueues this job again, which then forgets it.
    async fn not_found(&self, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let found = match connections::look_for_calendars(self.context, self.account()).await {
            Ok(found) => found,
            Err(error) => return self.fail(job, error).await,
        };
        if found.has_another_id(&self.calendar.external_id) {
            self.log(SyncOutcome::Ok, "the provider gave the calendar another id; it is read by that one")
                .await?;
            return Ok(Outcome::Done);
        }
        if found.lists(&self.calendar.external_id) {
            return self.fail(job, ProviderError::NotFound.into()).await;
        }
        self.log(SyncOutcome::Failed, "the calendar is gone at the provider").await?;
        Ok(Outcome::Done)
    }

    /// Writes down why nothing was read, and when it is tried again: a poll never ends. What fails again as the last time
    /// is said once.
    async fn fail(&self, job: &ClaimedJob, error: JobError) -> Result<Outcome, JobError> {
        // What is said of a dead grant is said by whoever found it dead, and waiting is no failure.
        if let JobError::Provider(ProviderError::GrantDead(_))
        | JobError::Snooze { .. }
        | JobError::Wait { .. } = &error
        {
            return Err(error);
        }
        let context = self.context;
        let provider = self.connection.provider.name();
        if let JobError::Provider(error) = &error {
            tracing::info!(calendar = %self.calendar.id, code = error.code(), %error, "a calendar could not be read");
        }
        let mut outcome = outcome_of(context, job, &error, provider);
        let words = error.in_words(provider);
        let tries = if error.is_refusal() { 1 } else { i64::from(context.settings.retry.tries) };
        let again = match outcome {
            Outcome::Snooze { .. } | Outcome::Wait { .. } => true,
            Outcome::Failed { .. } => job.attempts > tries,
            Outcome::Done | Outcome::Again(_) | Outcome::Retry { .. } => false,
        };
        if let Outcome::Failed { retry_at, reason } = &mut outcome {
            if !error.is_refusal() {
                let poll = context.clock.now() + context.settings.poll_every;
                *retry_at = Some(retry_at.map_or(poll, |at| at.min(poll)));
            }
            let mut tx = context.db.begin().await?;
            store::note_failure(&mut tx, self.connection.id, reason).await?;
            commit_held(context, job, tx).await?;
        }
        let failed = matches!(outcome, Outcome::Failed { .. });
        let logged = if failed { SyncOutcome::Failed } else { SyncOutcome::Retry };
        if !again || job.last_error.as_ref() != Some(&words) {
            self.log(logged, &words).await?;
        }
        Ok(outcome)
    }

    async fn log(&self, outcome: SyncOutcome, detail: &str) -> Result<(), JobError> {
        // A poll that found nothing new every quarter of an hour is no news.
        if outcome == SyncOutcome::Nothing {
            return Ok(());
        }
        let now = self.context.clock.now();
        let mut tx = self.context.db.begin().await?;
        let line = NewLine {
            business: self.calendar.business_id,
            connection: Some(self.connection.id),
            booking: None,
            channel: None,
            operation: "import",
            outcome,
            detail: &format!("{}: {detail}", self.calendar.name),
            duration_ms: (now - self.started_at).num_milliseconds(),
            at: now,
        };
        sync_log::append(&mut tx, &line).await?;
        tx.commit().await?;
        Ok(())
    }
}
