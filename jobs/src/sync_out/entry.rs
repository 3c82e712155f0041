//! Bringing one calendar's entry of a booking to what it should be: what `sync_booking` and `delete_booking`
//! share. The plan is `concord_domain::sync::plan`; here it is carried out and written down.

mod record;
mod search;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    connection::ConnectionState,
    entry::EntryContent,
    ids::EntryId,
    job::QueueClass,
    sync::{
        plan::{
            Desired, EntryAction, EntryWriteError, EntryWriteState, MAX_STEPS, NextStep, Observation, after,
            plan_entry,
        },
        remote_change::{NOT_COUNTED, RemoteChangeKind},
        synced_fields::SyncedFields,
        unknown_writes::UnknownWrite,
    },
};
use concord_providers::{ProviderError, RemoveOutcome, WriteReceipt};
use concord_storage::{
    StorageError,
    entries::{self, Entry},
    jobs::{ClaimedJob, JobOutcome},
};

use self::search::CALENDAR_GONE;
use super::pending_write;
use crate::{
    Context,
    accounts::{
        access::{Access, CallError, with_open},
        limits::take_turn,
    },
    job::{AfterJob, ConnectionAccount, JobError, JobLease, RunEnd, require_business},
    sync_in::{
        desired_booking::DesiredBooking,
        entry_search,
        remote_change::{self, RemoteChangeOutcome},
    },
};

/// Brings an entry to what it should be, if it is to be there (`desired`) as this job thinks. If the booking no longer needs
/// the entry, the delete job removes it.
pub(crate) async fn reconcile(
    context: &Context,
    job: &ClaimedJob,
    desired: bool,
    then: AfterJob<'_>,
) -> Result<RunEnd, JobError> {
    let Some(entry_run) = EntryRun::begin(context, job, desired).await? else {
        return Ok(RunEnd::Outcome(JobOutcome::Done));
    };
    let mut lease = JobLease::of(context, job);
    let mut run = entry_run.plan().await?;
    match entry_run.carry_out(&mut lease, &mut run).await {
        Err(error @ (JobError::Snooze { .. } | JobError::Wait { .. })) => Err(error),
        Ok(false) => Ok(RunEnd::Outcome(JobOutcome::Done)),
        Ok(true) => entry_run.record((job, then), run, Ok(())).await,
        Err(error) => entry_run.record((job, then), run, Err(error)).await,
    }
}

/// One entry that is brought to what it should be.
struct EntryRun<'a> {
    context: &'a Context,
    account: ConnectionAccount,
    entry: Entry,
    class: QueueClass,
    started_at: DateTime<Utc>,
}

/// What a run has come to.
struct EntryRunResult {
    /// The last call that changed something.
    operation: &'static str,
    known: EntryWriteState,
    version: i64,
    /// What the entry says now, if it is there.
    shape: Option<SyncedFields>,
    /// What the last write of this run left.
    write: Option<UnknownWrite>,
    note: Option<&'static str>,
}

/// A run between two calls.
struct PlannedRun {
    /// The next one; `None`: another job, or a person, says what follows.
    action: Option<EntryAction>,
    /// The row, as this run has left it.
    entry: Entry,
    done: EntryRunResult,
    desired: Desired,
    /// Whether a create was refused since there is such an entry, wherever that stands.
    is_somewhere: bool,
}

impl<'a> EntryRun<'a> {
    /// `None`: there is nothing to do, or another job will do it.
    async fn begin(context: &'a Context, job: &ClaimedJob, desired: bool) -> Result<Option<Self>, JobError> {
        let business = require_business(job)?;
        let entry = entries::find(&context.db, business, EntryId(job.subject_id)).await?;
        let entry = entry.filter(|one| {
            one.desired == desired && one.connection_state == ConnectionState::Active && !one.is_asked_about
        });
        Ok(entry.map(|entry| Self {
            context,
            account: ConnectionAccount {
                business,
                connection: entry.connection_id,
                provider: entry.provider,
            },
            entry,
            class: job.queue,
            started_at: context.clock.now(),
        }))
    }

    fn known(&self) -> EntryWriteState {
        EntryWriteState {
            external_id: self.entry.external_id.clone(),
            etag: self.entry.etag.clone(),
            hash: self.entry.content_hash.clone(),
            attempted: self.entry.attempted,
            has_unknown: !self.entry.unknown_writes.is_empty(),
        }
    }

    async fn plan(&self) -> Result<PlannedRun, JobError> {
        let DesiredBooking { booking, desired, .. } = DesiredBooking::load(self.context, &self.entry).await?;
        let known = self.known();
        let shape = match &desired {
            Desired::Present(content) => Some(SyncedFields::from(content)),
            Desired::Absent => None,
        };
        Ok(PlannedRun {
            action: Some(plan_entry(&desired, &known, None)),
            entry: self.entry.clone(),
            done: EntryRunResult {
                operation: "nothing",
                known,
                version: booking.version,
                shape,
                write: None,
                note: None,
            },
            desired,
            is_somewhere: false,
        })
    }

    /// `false`: a person has changed the entry, and what follows from that is under way.
    async fn carry_out(&self, lease: &mut JobLease<'_>, run: &mut PlannedRun) -> Result<bool, JobError> {
        for _ in 0..MAX_STEPS {
            match &run.action {
                None => return Ok(false),
                Some(EntryAction::Nothing) => return Ok(true),
                Some(action) => {
                    let action = action.clone();
                    self.step(lease, action, run).await?;
                }
            }
        }
        Err(ProviderError::Transient("the entry keeps changing at the provider".into()).into())
    }

    /// One call, and what follows from its answer.
    async fn step(
        &self,
        lease: &mut JobLease<'_>,
        action: EntryAction,
        run: &mut PlannedRun,
    ) -> Result<(), JobError> {
        // Each call takes a place at the provider's limit, credentials and the lease: all that may fail or wait before it
        // comes before the mark of a write begun.
        take_turn(self.context, self.account, self.class).await?;
        let mut held = Access::open_grant(self.context, self.account, self.entry.grant_number).await?;
        lease.keep().await?;
        let earlier = if action.writes() { self.begin_write(lease, run, &action).await? } else { Vec::new() };
        let id = run.done.known.external_id.clone();
        let failed = match lease.during(Box::pin(self.act(&mut held, &action, &id, &run.desired))).await {
            Ok(CallOutcome::Removed(RemoveOutcome::Before))
                if entry_search::prior_state(&run.entry).has_stood =>
            {
                // Nothing was removed, which is stored at once, as of every write that did not happen.
                self.refuse_write(run, earlier).await?;
                self.follow_if_moved(lease, run).await?;
                run.action = self.after_step(lease, CallOutcome::Removed(RemoveOutcome::Now), run).await?;
                return Ok(());
            }
            Ok(step) => {
                run.action = self.after_step(lease, step, run).await?;
                return Ok(());
            }
            Err(failed) => failed,
        };
        if action.writes() && !failed.is_unknown {
            self.refuse_write(run, earlier).await?;
        }
        let fault = match failed.error {
            JobError::Provider(ProviderError::Precondition) => EntryWriteError::Precondition,
            JobError::Provider(ProviderError::NotFound) => EntryWriteError::NotFound,
            error => return Err(error),
        };
        if action.writes() && failed.is_unknown {
            // A part of it was written before it was refused.
            run.action = Some(EntryAction::Look);
            return Ok(());
        }
        if action == EntryAction::Create && fault == EntryWriteError::Precondition {
            // It was looked for since the first refusal, and found nowhere.
            if run.is_somewhere {
                return Err(ProviderError::Rejected(STANDS_ELSEWHERE.to_owned()).into());
            }
            run.is_somewhere = true;
        }
        run.action = Some(self.follow(&action, fault, &mut run.done.known).await?);
        Ok(())
    }

    /// Stores what the write would leave, before it is made. Returns what was unknown before.
    async fn begin_write(
        &self,
        lease: &JobLease<'_>,
        run: &mut PlannedRun,
        action: &EntryAction,
    ) -> Result<Vec<UnknownWrite>, JobError> {
        let write = match &run.desired {
            Desired::Present(content) if *action != EntryAction::Remove => {
                UnknownWrite::Left(SyncedFields::from(content))
            }
            Desired::Present(_) | Desired::Absent => UnknownWrite::Removed,
        };
        let own = run.entry.provider.external_id(run.entry.id);
        let found_by = if *action == EntryAction::Create { &own } else { &run.done.known.external_id };
        let begun = run.done.known.begun(action);
        let at = (found_by.as_str(), begun.etag.as_deref());
        let version = Some(run.done.version);
        let held = (self.context, lease.job);
        let earlier = pending_write::begin(held, &mut run.entry, write.clone(), at, version).await?;
        let earlier = earlier.ok_or_else(|| self.concurrent_write_error())?;
        run.done.operation = operation_name(action);
        run.done.known = begun;
        run.done.write = Some(write);
        Ok(earlier)
    }

    async fn refuse_write(&self, run: &mut PlannedRun, earlier: Vec<UnknownWrite>) -> Result<(), JobError> {
        run.done.known = run.done.known.refused(!earlier.is_empty());
        run.done.write = None;
        Ok(pending_write::refuse(self.context, &mut run.entry, earlier).await?)
    }

    /// What follows from a call that was answered.
    async fn after_step(
        &self,
        lease: &mut JobLease<'_>,
        step: CallOutcome,
        run: &mut PlannedRun,
    ) -> Result<Option<EntryAction>, JobError> {
        if let CallOutcome::Seen(observation) = &step
            && (entry_search::may_be_moved(&run.entry, observation)
                || (run.is_somewhere && *observation == Observation::Missing))
        {
            self.follow_if_moved(lease, run).await?;
        }
        let PlannedRun { entry, done, desired, .. } = run;
        let observation = match step {
            CallOutcome::Written(written) => {
                let Desired::Present(content) = &*desired else { return Err(unexpected_action()) };
                done.known = done.known.written(written.external_id, written.etag, content);
                return Ok(Some(EntryAction::Nothing));
            }
            CallOutcome::Removed(_) => {
                done.known = done.known.removed();
                return Ok(Some(EntryAction::Nothing));
            }
            CallOutcome::Seen(observation) => observation,
        };
        done.known = done.known.seen(&observation);
        // How many others are gone is not known here, and the booking says something else by now: no deletion is
        // followed without being asked about.
        let (outcome, enqueued) =
            remote_change::handle(self.context, entry, &observation, NOT_COUNTED).await?;
        self.context.push(&enqueued).await;
        match outcome {
            RemoteChangeOutcome::Echo | RemoteChangeOutcome::Unclear => {}
            RemoteChangeOutcome::Revert(kind, _) => done.note = Some(revert_note(kind)),
            RemoteChangeOutcome::Followed | RemoteChangeOutcome::Asked | RemoteChangeOutcome::LetBe => {
                return Ok(None);
            }
            RemoteChangeOutcome::Outdated => return Err(self.concurrent_write_error()),
            // Written over, a person's edit would be gone that nobody has read.
            RemoteChangeOutcome::Unreadable => return Err(ProviderError::Transient(UNREADABLE.into()).into()),
        }
        Ok(Some(plan_entry(desired, &done.known, Some(&observation))))
    }

    fn concurrent_write_error(&self) -> JobError {
        JobError::snooze(&self.context.clock, RECHECK_DELAY, "it is being updated")
    }

    /// What is done next, after a fault that says something about the entry.
    async fn follow(
        &self,
        action: &EntryAction,
        fault: EntryWriteError,
        known: &mut EntryWriteState,
    ) -> Result<EntryAction, JobError> {
        match after(action, fault) {
            NextStep::Do(next) => Ok(next),
            NextStep::Gone => {
                *known = known.removed();
                Ok(EntryAction::Nothing)
            }
            NextStep::LookUnlessCalendarGone if self.calendar_is_listed().await? => Ok(EntryAction::Look),
            NextStep::LookUnlessCalendarGone => Err(JobError::Permanent(CALENDAR_GONE.into())),
            NextStep::CalendarGone => Err(self.calendar_gone().await),
        }
    }

    async fn act(
        &self,
        held: &mut Access<'_>,
        action: &EntryAction,
        id: &str,
        desired: &Desired,
    ) -> Result<CallOutcome, CallError> {
        let not_made = |error| CallError { error, is_unknown: false };
        let provider = self.context.provider(self.account.provider).map_err(not_made)?;
        let calendar = self.entry.calendar_external_id.as_str();
        let content = || match desired {
            Desired::Present(content) => Ok::<&EntryContent, CallError>(content),
            Desired::Absent => Err(not_made(unexpected_action())),
        };
        match action {
            EntryAction::Create => {
                let content = content()?;
                let written = with_open!(held, access => provider.create(&access, calendar, id, content))?;
                Ok(CallOutcome::Written(written))
            }
            EntryAction::Update { if_match } => {
                let (content, if_match) = (content()?, if_match.as_deref());
                let written =
                    with_open!(held, access => provider.update(&access, calendar, id, content, if_match))?;
                Ok(CallOutcome::Written(written))
            }
            EntryAction::Remove => {
                let removed = with_open!(held, access => provider.remove(&access, calendar, id))?;
                Ok(CallOutcome::Removed(removed))
            }
            EntryAction::Look | EntryAction::Nothing => {
                let found = with_open!(held, access => provider.find(&access, calendar, id))?;
                Ok(CallOutcome::Seen(found.map_or(Observation::Missing, Observation::Found)))
            }
        }
    }
}

enum CallOutcome {
    Written(WriteReceipt),
    Removed(RemoveOutcome),
    Seen(Observation),
}

const UNREADABLE: &str = "the entry in the calendar cannot be read";

const STANDS_ELSEWHERE: &str = "the same entry exists in another calendar of the account";

fn revert_note(kind: RemoteChangeKind) -> &'static str {
    match kind {
        RemoteChangeKind::Moved | RemoteChangeKind::Resized | RemoteChangeKind::Renamed => {
            "it was changed in the calendar and reverted"
        }
        RemoteChangeKind::MadeRecurring => "it was made recurring in the calendar and reverted",
        RemoteChangeKind::Deleted => "it was deleted in the calendar and restored",
        RemoteChangeKind::Restored => "it was restored in the calendar and deleted again",
    }
}

/// How soon an entry is looked at again that was written while it was looked at.
const RECHECK_DELAY: Duration = Duration::milliseconds(300);

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
fn unexpected_action() -> JobError {
    JobError::Storage(StorageError::Inconsistent { what: "plan" })
}
