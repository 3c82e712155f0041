//! Reads the busy times of a calendar, so that nobody is booked while they are elsewhere.
//!
//! Reads what changed since the cursor, or everything in a rolling window when there is none, it
//! has expired, or the window has moved on by a day. Plans by `concord_domain::sync::busy_times`; what a full
//! read would free much of at once is held until it is seen again. Sets its own next time: it is a poll.

mod busy_time_rows;
mod own_entries;

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use concord_domain::{
    audit::SyncOutcome,
    connection::ConnectionState,
    entry::ObservedEntry,
    interval::Interval,
    sync::{
        busy_times::{
            BusyTimeChanges, BusyTimePlan, CalendarRead, QuarantinedIds, ReadKind, StoredCalendarState,
            plan_import,
        },
        drift::ExpectedState,
        read_sequence::ReadSequence,
    },
};
use concord_providers::{NextPage, ProviderError, SyncPosition};
use concord_storage::{
    alerts,
    calendars::{self, Calendar, CalendarReadState},
    connections::{self as store, Connection},
    in_tx,
    jobs::{ClaimedJob, JobOutcome},
    sync_log::{self, NewSyncLogEntry},
};

use super::found_entries::ComparedEntries;
use crate::{
    Context,
    accounts::{
        access::with_access,
        calendar_list,
        limits::{acquire_waiting, note_success, take_turn},
    },
    job::{
        ConnectionAccount, JobError, commit_held, find_calendar, is_repeat, jitter, jittered_part, keep,
        outcome_of,
    },
    notify,
};

/// The window is moved on when this much of its end is missing.
const WINDOW_STEP: Duration = Duration::days(1);

/// Two and a half million events; a server that gives page after page must not keep us for ever.
const MAX_PAGES: usize = 1_000;

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let Some((calendar, connection)) = find_calendar(context, job).await? else {
        return Ok(JobOutcome::Done);
    };
    let import = AvailabilityImport { context, calendar, connection, started_at: context.clock.now() };
    if !import.is_read() {
        import.remove_known(job).await?;
        // What is not read any more does not fail.
        let (business, now) = (import.calendar.business_id, context.clock.now());
        let alert = notify::alerts::import_of(business, import.calendar.id);
        in_tx!(context.db, tx => notify::alerts::end(&mut tx, alert, now).await)?;
        return Ok(JobOutcome::Done);
    }
    if import.connection.state != ConnectionState::Active {
        return Ok(JobOutcome::Done);
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
        every - jittered_part(every / 10, jitter(job.id, attempt))
    };
    Ok(JobOutcome::Again(context.clock.now() + pause))
}

struct AvailabilityImport<'a> {
    context: &'a Context,
    calendar: Calendar,
    connection: Connection,
    started_at: DateTime<Utc>,
}

struct AvailabilityImportSummary {
    outcome: SyncOutcome,
    detail: String,
}

/// Everything that one read brought.
struct ReadPages {
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
fn drop_superseded(entries: &mut Vec<ObservedEntry>, resources: &[String]) {
    let whole: BTreeSet<&str> = resources.iter().map(String::as_str).collect();
    entries.retain(|entry| {
        !whole.contains(entry.external_id.as_str())
            && !entry.series.as_deref().is_some_and(|series| whole.contains(series))
    });
}

impl AvailabilityImport<'_> {
    fn account(&self) -> ConnectionAccount {
        (&self.connection).into()
    }

    fn is_read(&self) -> bool {
        self.calendar.reads
            && self.calendar.missing_since.is_none()
            && self.connection.direction.reads()
            && self.connection.state != ConnectionState::Disconnected
    }

    async fn read(&self, job: &ClaimedJob) -> Result<AvailabilityImportSummary, JobError> {
        let db = &self.context.db;
        let progress = calendars::progress(db, self.calendar.business_id, self.calendar.id).await?;
        let now = self.context.clock.now();
        let (from, window) = self.start_position(&progress, now);
        let reading = store::begin_reading(db, self.connection.id).await?;
        let full = from == SyncPosition::Start;
        let before = if full { self.rows(window).await? } else { ComparedEntries::default() };
        let mut pages = self.all_pages(job, from, window).await?;
        let mut touched = self.mark_own_entries((job, reading), &mut pages.entries, &pages.resources).await?;
        if !full && pages.may_miss {
            self.recheck_missed((job, reading), progress.last_reading, &pages, &mut touched).await?;
        }
        let ours = if full { self.expected(&before, window).await? } else { Vec::new() };
        let kind = if full { ReadKind::Full } else { ReadKind::Incremental };
        let read = CalendarRead { kind, window, zone: self.zone().await?, now };
        let known = self.known(full, &pages.entries, &pages.resources).await?;
        let quarantined = progress.held.as_deref().map(QuarantinedIds::from_text).unwrap_or_default();
        let stored = StoredCalendarState { busy: &known, ours: &ours };
        let BusyTimePlan { changes, missing, held } =
            plan_import(stored, &pages.entries, &pages.resources, &read, &quarantined);
        self.apply(job, &changes).await?;
        touched.note_missing(&missing, &before);
        let stands = ours.iter().filter(|one| one.expected == ExpectedState::Stands).count();
        // A server that was set back, more likely than a person who emptied their calendar.
        let is_suspicious = missing.len() > 1 && missing.len() * 2 > stands;
        let followed = self.handle_touched(job, (touched, reading), is_suspicious).await?;
        let Some(held) = held else {
            return self.advance(job, (&changes, followed), &pages, (reading, window), full).await;
        };
        let words = held.reason.to_string();
        let mut tx = db.begin().await?;
        calendars::hold(&mut tx, self.calendar.id, &held.quarantined.to_text(), &words).await?;
        commit_held(self.context, job, tx).await?;
        let written = changes.upserts.len();
        Ok(AvailabilityImportSummary {
            outcome: SyncOutcome::Held,
            detail: format!("{words}; {written} updated in the meantime"),
        })
    }

    /// An incremental read keeps the window that its cursor was begun with, until that has fallen behind.
    fn start_position(&self, progress: &CalendarReadState, now: DateTime<Utc>) -> (SyncPosition, Interval) {
        let settings = &self.context.settings;
        let wanted = Interval { start: now - settings.window_past, end: now + settings.window_future };
        match (&progress.cursor, progress.window_start, progress.window_end) {
            (Some(cursor), Some(start), Some(end)) if end + WINDOW_STEP > wanted.end => {
                (SyncPosition::Cursor(cursor.clone()), Interval { start, end })
            }
            _ => (SyncPosition::Start, wanted),
        }
    }

    async fn all_pages(
        &self,
        job: &ClaimedJob,
        mut from: SyncPosition,
        window: Interval,
    ) -> Result<ReadPages, JobError> {
        let context = self.context;
        let provider = context.provider(self.connection.provider)?;
        let began_with = match &from {
            SyncPosition::Cursor(cursor) => Some(cursor.clone()),
            SyncPosition::Start | SyncPosition::Page { .. } => None,
        };
        let (mut entries, mut resources, mut unreadable, mut may_miss) = (Vec::new(), Vec::new(), 0, false);
        let calendar = self.calendar.external_id.as_str();
        for number in 0..MAX_PAGES {
            if number == 0 {
                take_turn(context, self.account(), job.queue).await?;
            } else {
                acquire_waiting(context, self.account(), job.queue, job).await?;
            }
            let from_here = &from;
            let page = with_access!(context, self.account(), access => provider.changes(&access, calendar, window, from_here))?;
            drop_superseded(&mut entries, &page.resources);
            entries.extend(page.entries);
            resources.extend(page.resources.into_iter().chain(page.series));
            unreadable += page.unreadable;
            may_miss |= page.may_miss;
            keep(self.context, job).await?;
            match page.next {
                NextPage::Cursor(cursor) => {
                    return Ok(ReadPages { entries, resources, unreadable, may_miss, cursor });
                }
                NextPage::Page(page) => from = SyncPosition::Page { page, cursor: began_with.clone() },
            }
        }
        Err(ProviderError::Transient("the provider's list of events does not end".into()).into())
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
        (changes, followed): (&BusyTimeChanges, usize),
        pages: &ReadPages,
        (reading, window): (ReadSequence, Interval),
        full: bool,
    ) -> Result<AvailabilityImportSummary, JobError> {
        let now = self.context.clock.now();
        let mut tx = self.context.db.begin().await?;
        // The connection before its calendar, as whoever connects it does.
        let due = note_success(self.context, &mut tx, self.account(), now).await?;
        if full {
            notify::sync_succeeded(&mut tx, self.context, self.account()).await?;
        }
        if full || job.last_error.is_some() {
            let import = notify::alerts::import_of(self.calendar.business_id, self.calendar.id);
            alerts::note_healthy(&mut tx, import, now).await?;
        }
        calendars::advance(&mut tx, (self.calendar.id, reading), &pages.cursor, window, now).await?;
        commit_held(self.context, job, tx).await?;
        self.context.push(&due).await;
        let (written, removed) = (changes.upserts.len(), changes.removals.len());
        let nothing = changes.is_empty() && followed == 0 && pages.unreadable == 0;
        Ok(AvailabilityImportSummary {
            outcome: if nothing { SyncOutcome::Nothing } else { SyncOutcome::Ok },
            detail: format!(
                "{}: {written} updated, {removed} removed{}{}",
                if full { "full read" } else { "changes" },
                if followed == 0 {
                    String::new()
                } else {
                    format!(", {followed} of our entries changed in the calendar")
                },
                match pages.unreadable {
                    0 => String::new(),
                    odd => format!(", {odd} could not be read and were not changed"),
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
    async fn not_found(&self, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
        let found = match calendar_list::refresh(self.context, self.account()).await {
            Ok(found) => found,
            Err(error) => return self.fail(job, error).await,
        };
        if found.was_renumbered(&self.calendar.external_id) {
            self.log(SyncOutcome::Ok, "the provider changed the calendar's id; the new one is used").await?;
            return Ok(JobOutcome::Done);
        }
        if found.lists(&self.calendar.external_id) {
            return self.fail(job, ProviderError::NotFound.into()).await;
        }
        self.log(SyncOutcome::Failed, "the calendar was deleted at the provider").await?;
        Ok(JobOutcome::Done)
    }

    /// Writes down why nothing was read, and when it is tried again: a poll never ends. What fails again as the last time
    /// is said once.
    async fn fail(&self, job: &ClaimedJob, error: JobError) -> Result<JobOutcome, JobError> {
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
        let words = error.user_message(provider);
        let tries = if error.is_rejection() { 1 } else { i64::from(context.settings.retry.tries) };
        let is_repeat = is_repeat(&outcome, job.attempts > tries) && job.last_error.as_ref() == Some(&words);
        let is_slowed = matches!(&error, JobError::Provider(ProviderError::RateLimited { .. }));
        if let JobOutcome::Failed { retry_at, reason } = &mut outcome {
            if !error.is_rejection() {
                let poll = context.clock.now() + context.settings.poll_every;
                *retry_at = Some(retry_at.map_or(poll, |at| at.min(poll)));
            }
            let mut tx = context.db.begin().await?;
            store::note_failure(&mut tx, self.connection.id, reason).await?;
            let failed = (self.account(), self.calendar.id);
            notify::import_failed(&mut tx, context, failed, &words).await?;
            commit_held(context, job, tx).await?;
        } else if is_slowed {
            // A provider may ask for that for a day: nothing has failed, and nothing is read.
            let mut tx = context.db.begin().await?;
            notify::import_failed(&mut tx, context, (self.account(), self.calendar.id), &words).await?;
            commit_held(context, job, tx).await?;
        }
        let failed = matches!(outcome, JobOutcome::Failed { .. });
        let logged = if failed { SyncOutcome::Failed } else { SyncOutcome::Retry };
        if !is_repeat {
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
        let detail = format!("{}: {detail}", self.calendar.name);
        let line = NewSyncLogEntry {
            duration_ms: (now - self.started_at).num_milliseconds(),
            ..self.account().log_entry(("import", outcome), &detail, now)
        };
        sync_log::append(&mut tx, &line).await?;
        tx.commit().await?;
        Ok(())
    }
}
