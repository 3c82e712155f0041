//! Bringing one calendar's entry of a booking to what it should be: the way that `sync_booking` and `delete_booking`
//! share. The plan is `concord_domain::sync::plan`; here it is carried out and written down.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    connection::{ConnectionState, EntryState},
    entry::EntryContent,
    ids::EntryId,
    record::SyncOutcome,
    sync::{
        entry_content::{EntrySettings, Names, desired_entry},
        plan::{
            Desired, EntryAction, Known, MAX_STEPS, Next, Observation, OutsideChange, WriteFault, after,
            outside_change, plan_entry,
        },
    },
};
use concord_providers::{CalendarProvider, ProviderError};
use concord_storage::{
    StorageError, bookings, businesses, connections,
    duties::{ClaimedDuty, Outcome},
    entries::{self, Entry, WrittenEntry},
    resources,
    sync_log::{self, NewLine},
};

use crate::{
    Context,
    access::{Account, with_access},
    duty::{JobError, business_of, outcome_of},
    limits::{hold_back, take_turn},
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
        result => run.record(duty, lease, result).await.map(Some),
    }
}

/// One entry on its way to what it should be.
struct EntryRun<'a> {
    context: &'a Context,
    account: Account,
    entry: Entry,
    started_at: DateTime<Utc>,
}

/// What came of a run.
struct Done {
    /// The last call that changed something.
    operation: &'static str,
    known: Known,
    version: i64,
    note: Option<&'static str>,
}

impl<'a> EntryRun<'a> {
    /// `None`: there is nothing to do, or another duty will do it.
    async fn begin(context: &'a Context, duty: &ClaimedDuty, wanted: bool) -> Result<Option<Self>, JobError> {
        let business = business_of(duty)?;
        let entry = entries::find(&context.db, business, EntryId(duty.subject_id)).await?;
        let entry =
            entry.filter(|one| one.wanted == wanted && one.connection_state == ConnectionState::Active);
        Ok(entry.map(|entry| Self {
            context,
            account: Account { business, connection: entry.connection_id, provider: entry.provider },
            entry,
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

    async fn carry_out(&self, lease: &mut WriteLease<'_>) -> Result<Done, JobError> {
        let provider = self
            .context
            .providers
            .get(self.account.provider)
            .ok_or_else(|| JobError::Hopeless(format!("{} is not set up", self.account.provider.name())))?
            .as_ref();
        let (desired, version) = self.desired().await?;
        let mut known = self.known();
        let mut operation = "nothing";
        let mut note = None;
        let mut action = plan_entry(&desired, &known, None);
        for _ in 0..MAX_STEPS {
            if action == EntryAction::Nothing {
                break;
            }
            // Each call takes a place at the provider's limit; before the mark of a write begun, since it may have to wait.
            take_turn(self.context, self.account).await?;
            if action.writes() {
                operation = operation_name(&action);
                known = known.begun();
                entries::begin_write(&self.context.db, self.entry.id).await?;
            }
            let before = known.clone();
            match lease.during(Box::pin(self.act(provider, &action, &desired))).await {
                Ok(Step::Written(etag)) => {
                    let Desired::Present(content) = &desired else { return Err(impossible()) };
                    known = before.written(etag, content);
                    action = EntryAction::Nothing;
                }
                Ok(Step::Removed) => {
                    known = before.removed();
                    action = EntryAction::Nothing;
                }
                Ok(Step::Seen(observation)) => {
                    // What we knew before this run's own writes began.
                    let stored = Known { hash: self.entry.content_hash.clone(), ..before };
                    note = note.or_else(|| outside_change(&stored, &observation).map(in_words));
                    action = plan_entry(&desired, &known, Some(&observation));
                }
                Err(JobError::Provider(fault)) => {
                    let fault = match fault {
                        ProviderError::Precondition => WriteFault::Precondition,
                        ProviderError::NotFound => WriteFault::NotFound,
                        other => return Err(other.into()),
                    };
                    action = match after(&action, fault) {
                        Next::Do(next) => next,
                        Next::Gone => {
                            known = known.removed();
                            EntryAction::Nothing
                        }
                        Next::CalendarGone => return Err(self.calendar_gone().await),
                    };
                }
                Err(error) => return Err(error),
            }
        }
        if action == EntryAction::Nothing {
            return Ok(Done { operation, known, version, note });
        }
        Err(ProviderError::Transient("somebody else keeps changing the entry".into()).into())
    }

    /// Asks which calendars there are. If the entry's is not among them, its bookings move to the one that is written
    /// now, if there is one.
    async fn calendar_gone(&self) -> JobError {
        match crate::connections::look_for_calendars(self.context, self.account).await {
            Err(error) => error,
            Ok(found) if found.lists(&self.entry.calendar_external_id) => {
                let words = "the calendar is listed, but cannot be found";
                ProviderError::Transient(words.into()).into()
            }
            Ok(_) => JobError::Hopeless(CALENDAR_GONE.into()),
        }
    }

    async fn act(
        &self,
        provider: &dyn CalendarProvider,
        action: &EntryAction,
        desired: &Desired,
    ) -> Result<Step, JobError> {
        let calendar = self.entry.calendar_external_id.as_str();
        let id = self.entry.external_id.as_str();
        let content = || match desired {
            Desired::Present(content) => Ok::<&EntryContent, JobError>(content),
            Desired::Absent => Err(impossible()),
        };
        match action {
            EntryAction::Create => {
                let content = content()?;
                let written = with_access!(self.context, self.account, access => provider.create(&access, calendar, id, content))?;
                Ok(Step::Written(written.etag))
            }
            EntryAction::Update { if_match } => {
                let content = content()?;
                let written = with_access!(self.context, self.account, access => provider.update(&access, calendar, id, content, if_match.as_deref()))?;
                Ok(Step::Written(written.etag))
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

    /// What the rows say now.
    async fn desired(&self) -> Result<(Desired, i64), JobError> {
        let db = &self.context.db;
        let business_id = self.account.business;
        let booking: Booking =
            bookings::by_id(db, business_id, self.entry.booking_id).await?.ok_or(StorageError::NotFound)?;
        if !self.entry.wanted {
            return Ok((Desired::Absent, booking.version));
        }
        let business = businesses::find(db, business_id).await?.ok_or(StorageError::NotFound)?;
        let resource =
            resources::find(db, business_id, booking.draft.resource).await?.ok_or(StorageError::NotFound)?;
        let names = Names {
            resource: &resource.name,
            business: &business.name,
            zone: resource.zone.unwrap_or(business.zone),
        };
        let settings = EntrySettings {
            privacy: business.entry_privacy,
            colours: self.context.settings.colours.iter().cloned().collect(),
            reminders: self.context.settings.reminders.clone(),
            mark_cancelled: business.mark_cancelled,
        };
        Ok((desired_entry(&booking, self.entry.id, &names, &settings), booking.version))
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
        let (outcome, logged, operation, detail) = match result {
            Ok(done) => {
                let hash = done.known.hash.as_deref();
                let here = (self.entry.id, self.entry.calendar_id);
                match (&done.known.etag, hash) {
                    (Some(etag), Some(content_hash)) => {
                        let written = WrittenEntry { etag, content_hash, version: done.version };
                        entries::record_written(&mut tx, here, &written, now).await?;
                    }
                    _ => entries::record_removed(&mut tx, here, hash, now).await?,
                }
                connections::note_success(&mut tx, self.account.connection, now).await?;
                let logged = if done.operation == "nothing" { SyncOutcome::Nothing } else { SyncOutcome::Ok };
                (Outcome::Done, logged, done.operation, done.note.unwrap_or_default().to_owned())
            }
            Err(error) => {
                let outcome = outcome_of(context, duty, &error);
                if let (
                    JobError::Provider(ProviderError::RateLimited { .. }),
                    Outcome::Snooze { until, .. },
                ) = (&error, &outcome)
                {
                    hold_back(context, &mut tx, self.account, *until).await?;
                }
                let reason = error.to_string();
                let (state, logged) = match outcome {
                    Outcome::Failed { .. } => (EntryState::Failed, SyncOutcome::Failed),
                    _ => (EntryState::Pending, SyncOutcome::Retry),
                };
                entries::record_failure(&mut tx, self.entry.id, state, &reason).await?;
                if logged == SyncOutcome::Failed {
                    connections::note_failure(&mut tx, self.account.connection, &reason).await?;
                }
                (outcome, logged, if self.entry.wanted { "write" } else { "remove" }, reason)
            }
        };
        // Told to wait again for the same reason, it says so once.
        let is_news =
            !matches!(outcome, Outcome::Snooze { .. }) || self.entry.last_error.as_deref() != Some(&detail);
        if is_news {
            let line = NewLine {
                business: self.account.business,
                connection: Some(self.account.connection),
                booking: Some(self.entry.booking_id),
                operation,
                outcome: logged,
                detail: &detail,
                duration_ms: (now - self.started_at).num_milliseconds(),
                at: now,
            };
            sync_log::append(&mut tx, &line).await?;
        }
        // Another writer may have come before our last call or after it.
        let again = if in_time { None } else { Some(entries::doubt(&mut tx, self.entry.id, now).await?) };
        tx.commit().await?;
        context.push(again.as_slice()).await;
        Ok(outcome)
    }
}

enum Step {
    Written(String),
    Removed,
    Seen(Observation),
}

const CALENDAR_GONE: &str = "the calendar is gone at the provider; choose another one to write to";

fn in_words(change: OutsideChange) -> &'static str {
    match change {
        OutsideChange::Edited => "it had been changed in the calendar and was put back",
        OutsideChange::Deleted => "it had been deleted in the calendar and was put back",
        OutsideChange::Vanished => "it was gone from the calendar and was written again",
        OutsideChange::Restored => "it had been brought back in the calendar and was removed again",
    }
}

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
