//! Bringing one calendar's entry of a booking to what it should be: the way that `sync_booking` and `delete_booking`
//! share. The plan is `concord_domain::sync::plan`; here it is carried out and written down.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    connection::{ConnectionState, EntryState},
    duty::{QueueClass, is_past_care},
    entry::{EntryContent, external_id},
    ids::EntryId,
    record::SyncOutcome,
    sync::{
        outside::{NOT_COUNTED, OutsideKind, Shape},
        plan::{Desired, EntryAction, Known, MAX_STEPS, Next, Observation, WriteFault, after, plan_entry},
    },
};
use concord_providers::{ProviderError, Written};
use concord_storage::{
    StorageError, Tx, bookings, connections,
    duties::{ClaimedDuty, Outcome},
    entries::{self, Entry, WrittenEntry},
    sync_log::{self, NewLine},
};

use crate::{
    Context,
    access::{Account, with_access},
    duty::{JobError, business_of, outcome_of},
    limits::{hold_back, take_turn},
    notify,
    outside::{self, Met, Standing},
    write_lease::WriteLease,
};

/// Brings an entry to what it should be, if it is to be there (`wanted`) as this job thinks. Where the booking has been
/// changed so that it is not, the other job's duty stands in the same table and will do it.
pub(crate) async fn reconcile(
    context: &Context,
    duty: &ClaimedDuty,
    wanted: bool,
) -> Result<Outcome, JobError> {
    let Some(run) = EntryRun::begin(context, duty, wanted).await? else { return Ok(Outcome::Done) };
    let mut lease = WriteLease::take(context, duty, run.account.connection).await?;
    let outcome = under_lease(context, duty, wanted, &mut lease).await;
    if !matches!(outcome, Ok(Some(_))) {
        lease.release().await;
    }
    outcome.map(|recorded| recorded.unwrap_or(Outcome::Done))
}

/// Acts and writes down what came of it, which ends the lease. Otherwise nothing was written down; `None`: by now there
/// is nothing to do.
async fn under_lease(
    context: &Context,
    duty: &ClaimedDuty,
    wanted: bool,
    lease: &mut WriteLease<'_>,
) -> Result<Option<Outcome>, JobError> {
    // What was true before the wait may not be now.
    let Some(run) = EntryRun::begin(context, duty, wanted).await? else { return Ok(None) };
    match run.carry_out(lease).await {
        Err(error @ JobError::NotNow { .. }) => Err(error),
        Ok(None) => Ok(None),
        Ok(Some(done)) => run.record(duty, lease, Ok(done)).await.map(Some),
        Err(error) => run.record(duty, lease, Err(error)).await.map(Some),
    }
}

/// One entry on its way to what it should be.
struct EntryRun<'a> {
    context: &'a Context,
    account: Account,
    entry: Entry,
    class: QueueClass,
    started_at: DateTime<Utc>,
}

/// What a run has come to.
struct Done {
    /// The last call that changed something.
    operation: &'static str,
    known: Known,
    version: i64,
    /// What the entry says now, if it is there.
    shape: Option<Shape>,
    note: Option<&'static str>,
}

/// A run between two calls.
struct Way {
    /// The next one; `None`: another duty, or a person, says what follows.
    action: Option<EntryAction>,
    done: Done,
}

/// What is written down of a run.
struct Record {
    /// For the duty.
    outcome: Outcome,
    /// For the log.
    logged: SyncOutcome,
    operation: &'static str,
    detail: String,
}

impl<'a> EntryRun<'a> {
    /// `None`: there is nothing to do, or another duty will do it.
    async fn begin(context: &'a Context, duty: &ClaimedDuty, wanted: bool) -> Result<Option<Self>, JobError> {
        let business = business_of(duty)?;
        let entry = entries::find(&context.db, business, EntryId(duty.subject_id)).await?;
        let entry = entry.filter(|one| {
            one.wanted == wanted && one.connection_state == ConnectionState::Active && !one.is_asked_about
        });
        Ok(entry.map(|entry| Self {
            context,
            account: Account { business, connection: entry.connection_id, provider: entry.provider },
            entry,
            class: duty.queue,
            started_at: context.clock.now(),
        }))
    }

    fn known(&self) -> Known {
        Known {
            external_id: self.entry.external_id.clone(),
            etag: self.entry.etag.clone(),
            hash: self.entry.content_hash.clone(),
            attempted: self.entry.attempted,
        }
    }

    /// `None`: a person has changed the entry, and what follows from that is under way.
    async fn carry_out(&self, lease: &mut WriteLease<'_>) -> Result<Option<Done>, JobError> {
        let Standing { booking, desired, .. } = outside::standing(self.context, &self.entry).await?;
        let known = self.known();
        let shape = match &desired {
            Desired::Present(content) => Some(Shape::from(content)),
            Desired::Absent => None,
        };
        let mut way = Way {
            action: Some(plan_entry(&desired, &known, None)),
            done: Done { operation: "nothing", known, version: booking.version, shape, note: None },
        };
        for _ in 0..MAX_STEPS {
            match &way.action {
                None => return Ok(None),
                Some(EntryAction::Nothing) => return Ok(Some(way.done)),
                Some(action) => {
                    let action = action.clone();
                    self.step(lease, &desired, action, &mut way).await?;
                }
            }
        }
        Err(ProviderError::Transient("somebody else keeps changing the entry".into()).into())
    }

    /// One call, and what follows from its answer.
    async fn step(
        &self,
        lease: &mut WriteLease<'_>,
        desired: &Desired,
        now: EntryAction,
        Way { action, done }: &mut Way,
    ) -> Result<(), JobError> {
        // Each call takes a place at the provider's limit; before the mark of a write begun, since it may have to wait.
        take_turn(self.context, self.account, self.class).await?;
        if now.writes() {
            done.operation = operation_name(&now);
            done.known = done.known.begun();
            let own = external_id(self.entry.provider, self.entry.id);
            let found_by = if now == EntryAction::Create { &own } else { &done.known.external_id };
            entries::begin_write(&self.context.db, self.entry.id, found_by).await?;
        }
        let id = done.known.external_id.clone();
        *action = Some(match lease.during(Box::pin(self.act(&now, &id, desired))).await {
            Ok(Step::Written(written)) => {
                let Desired::Present(content) = desired else { return Err(impossible()) };
                done.known = done.known.written(written.external_id, written.etag, content);
                EntryAction::Nothing
            }
            Ok(Step::Removed) => {
                done.known = done.known.removed();
                EntryAction::Nothing
            }
            Ok(Step::Seen(observation)) => {
                done.known = done.known.seen(&observation);
                // How many others are gone is not known here, and the booking says something else by now: no deletion is
                // followed without being asked about.
                let (met, raised) =
                    outside::meet(self.context, &self.entry, &observation, NOT_COUNTED).await?;
                self.context.push(&raised).await;
                match met {
                    Met::Echo => {}
                    Met::PutBack(kind, _) => done.note = Some(in_words(kind)),
                    Met::Followed | Met::Asked | Met::LetBe => {
                        // Nothing was written after all: what its owner does next is their doing.
                        if !self.entry.in_doubt {
                            entries::end_doubt(&self.context.db, self.entry.id).await?;
                        }
                        *action = None;
                        return Ok(());
                    }
                    Met::Outdated => {
                        return Err(JobError::not_now(self.context, LOOK_AGAIN, "it is being changed"));
                    }
                }
                plan_entry(desired, &done.known, Some(&observation))
            }
            Err(JobError::Provider(ProviderError::Precondition)) => {
                self.follow(&now, WriteFault::Precondition, &mut done.known).await?
            }
            Err(JobError::Provider(ProviderError::NotFound)) => {
                self.follow(&now, WriteFault::NotFound, &mut done.known).await?
            }
            Err(error) => return Err(error),
        });
        Ok(())
    }

    /// What is done next, after a fault that says something about the entry.
    async fn follow(
        &self,
        action: &EntryAction,
        fault: WriteFault,
        known: &mut Known,
    ) -> Result<EntryAction, JobError> {
        match after(action, fault) {
            Next::Do(next) => Ok(next),
            Next::Gone => {
                *known = known.removed();
                Ok(EntryAction::Nothing)
            }
            Next::LookUnlessCalendarGone if self.calendar_is_listed().await? => Ok(EntryAction::Look),
            Next::LookUnlessCalendarGone => Err(JobError::Hopeless(CALENDAR_GONE.into())),
            Next::CalendarGone => Err(self.calendar_gone().await),
        }
    }

    /// Asks which calendars there are. If the entry's is not among them, its bookings move to the one that is written
    /// now, if there is one.
    async fn calendar_gone(&self) -> JobError {
        match self.calendar_is_listed().await {
            Err(error) => error,
            Ok(true) => ProviderError::Transient("the calendar is listed, but cannot be found".into()).into(),
            Ok(false) => JobError::Hopeless(CALENDAR_GONE.into()),
        }
    }

    async fn calendar_is_listed(&self) -> Result<bool, JobError> {
        let found = crate::connections::look_for_calendars(self.context, self.account).await?;
        if found.has_another_id(&self.entry.calendar_external_id) {
            return Err(JobError::not_now(self.context, LOOK_AGAIN, "its calendar has another id"));
        }
        Ok(found.lists(&self.entry.calendar_external_id))
    }

    async fn act(&self, action: &EntryAction, id: &str, desired: &Desired) -> Result<Step, JobError> {
        let provider = self.context.provider(self.account.provider)?;
        let calendar = self.entry.calendar_external_id.as_str();
        let content = || match desired {
            Desired::Present(content) => Ok::<&EntryContent, JobError>(content),
            Desired::Absent => Err(impossible()),
        };
        match action {
            EntryAction::Create => {
                let content = content()?;
                let written = with_access!(self.context, self.account, access => provider.create(&access, calendar, id, content))?;
                Ok(Step::Written(written))
            }
            EntryAction::Update { if_match } => {
                let content = content()?;
                let written = with_access!(self.context, self.account, access => provider.update(&access, calendar, id, content, if_match.as_deref()))?;
                Ok(Step::Written(written))
            }
            EntryAction::Remove => {
                with_access!(self.context, self.account, access => provider.remove(&access, calendar, id))?;
                Ok(Step::Removed)
            }
            EntryAction::Look | EntryAction::Nothing => {
                let found =
                    with_access!(self.context, self.account, access => provider.find(&access, calendar, id))?;
                Ok(Step::Seen(found.map_or(Observation::Missing, Observation::Found)))
            }
        }
    }

    /// Writes down what came of it, and lets the next writer in, in one transaction.
    async fn record(
        &self,
        duty: &ClaimedDuty,
        lease: &WriteLease<'_>,
        result: Result<Done, JobError>,
    ) -> Result<Outcome, JobError> {
        let context = self.context;
        let now = context.clock.now();
        let mut tx = context.db.begin().await?;
        let in_time = lease.release_in(&mut tx).await?;
        let record = match result {
            Ok(done) => self.record_done(&mut tx, done, now).await?,
            Err(error) => self.record_failure(&mut tx, duty, &error).await?,
        };
        self.log(&mut tx, &record, now).await?;
        // Another writer may have come before our last call or after it.
        let again = if in_time { None } else { Some(entries::doubt(&mut tx, self.entry.id, now).await?) };
        tx.commit().await?;
        context.push(again.as_slice()).await;
        Ok(record.outcome)
    }

    async fn record_done(&self, tx: &mut Tx, done: Done, now: DateTime<Utc>) -> Result<Record, StorageError> {
        let hash = done.known.hash.as_deref();
        let here = (self.entry.id, self.entry.calendar_id);
        match (&done.known.etag, hash, &done.shape) {
            (Some(etag), Some(content_hash), Some(shape)) => {
                let external_id = done.known.external_id.as_str();
                let written = WrittenEntry { external_id, etag, content_hash, version: done.version, shape };
                entries::record_written(tx, here, &written, now).await?;
            }
            _ => entries::record_removed(tx, here, hash, now).await?,
        }
        connections::note_success(tx, self.account.connection, now).await?;
        notify::sync_succeeded(tx, self.context, self.account).await?;
        Ok(Record {
            outcome: Outcome::Done,
            logged: if done.operation == "nothing" { SyncOutcome::Nothing } else { SyncOutcome::Ok },
            operation: done.operation,
            detail: done.note.unwrap_or_default().to_owned(),
        })
    }

    async fn record_failure(
        &self,
        tx: &mut Tx,
        duty: &ClaimedDuty,
        error: &JobError,
    ) -> Result<Record, StorageError> {
        let provider = self.account.provider.name();
        if let JobError::Provider(error) = error {
            let (entry, code) = (self.entry.id, error.code());
            tracing::info!(%entry, code, %error, "an entry could not be brought up to date");
        }
        let mut outcome = outcome_of(self.context, duty, error, provider);
        if let Outcome::Failed { retry_at, .. } = &mut outcome
            && error.is_refusal()
            && self.is_past_care().await?
        {
            *retry_at = None;
        }
        if let (JobError::Provider(ProviderError::RateLimited { .. }), Outcome::Snooze { until, .. }) =
            (error, &outcome)
        {
            hold_back(self.context, tx, self.account, *until).await?;
        }
        let detail = error.in_words(provider);
        let (state, logged) = match outcome {
            Outcome::Failed { .. } => (EntryState::Failed, SyncOutcome::Failed),
            _ => (EntryState::Pending, SyncOutcome::Retry),
        };
        let in_doubt = self.entry.in_doubt || !error.is_definite();
        entries::record_failure(tx, self.entry.id, state, &detail, in_doubt).await?;
        if logged == SyncOutcome::Failed {
            connections::note_failure(tx, self.account.connection, &detail).await?;
            // It waits for others and is due only then, so that there is nothing to push.
            notify::sync_failed(tx, self.context, self.account, &detail).await?;
        }
        let operation = if self.entry.wanted { "write" } else { "remove" };
        Ok(Record { outcome, logged, operation, detail })
    }

    async fn is_past_care(&self) -> Result<bool, StorageError> {
        let booking = bookings::by_id(&self.context.db, self.account.business, self.entry.booking_id).await?;
        Ok(booking.is_none_or(|booking| is_past_care(booking.interval.end, self.context.clock.now())))
    }

    /// Told to wait again for the same reason, or failed again as the last time, it says so once.
    async fn log(&self, tx: &mut Tx, record: &Record, now: DateTime<Utc>) -> Result<(), StorageError> {
        let again = match record.outcome {
            Outcome::Snooze { .. } => true,
            Outcome::Failed { .. } => self.entry.state == EntryState::Failed,
            Outcome::Done | Outcome::Again(_) | Outcome::Retry { .. } => false,
        };
        if again && self.entry.last_error.as_deref() == Some(&record.detail) {
            return Ok(());
        }
        let line = NewLine {
            business: self.account.business,
            connection: Some(self.account.connection),
            booking: Some(self.entry.booking_id),
            channel: None,
            operation: record.operation,
            outcome: record.logged,
            detail: &record.detail,
            duration_ms: (now - self.started_at).num_milliseconds(),
            at: now,
        };
        sync_log::append(tx, &line).await.map(drop)
    }
}

enum Step {
    Written(Written),
    Removed,
    Seen(Observation),
}

const CALENDAR_GONE: &str = "the calendar is gone at the provider; choose another one to write to";

fn in_words(kind: OutsideKind) -> &'static str {
    match kind {
        OutsideKind::Moved | OutsideKind::Resized | OutsideKind::Renamed => {
            "it had been changed in the calendar and was put back"
        }
        OutsideKind::MadeRecurring => "it had been made to recur in the calendar and was put back",
        OutsideKind::Deleted => "it had been deleted in the calendar and was put back",
        OutsideKind::Restored => "it had been brought back in the calendar and was removed again",
    }
}

/// How soon an entry is looked at again that was written while it was looked at.
const LOOK_AGAIN: Duration = Duration::milliseconds(300);

fn operation_name(action: &EntryAction) -> &'static str {
    match action {
        EntryAction::Create => "create",
        EntryAction::Update { .. } => "update",
        EntryAction::Remove => "remove",
        EntryAction::Look => "look",
        EntryAction::Nothing => "nothing",
    }
}

/// The plan never asks to write what is to be absent; if it did, nothing may be written.
fn impossible() -> JobError {
    JobError::Storage(StorageError::Inconsistent { what: "plan" })
}
