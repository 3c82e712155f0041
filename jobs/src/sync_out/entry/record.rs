//! What came of a run is written down: of the entry, of its connection, and in the log.

use chrono::{DateTime, Utc};
use concord_domain::{audit::SyncOutcome, connection::EntryState, job::is_past_care};
use concord_providers::ProviderError;
use concord_storage::{
    StorageError, Tx, bookings, connections,
    entries::{self, WrittenEntry},
    jobs::{ClaimedJob, JobOutcome, JobRef},
    sync_log::{self, NewSyncLogEntry},
};

use super::{EntryRun, EntryRunResult, PlannedRun};
use crate::{
    accounts::limits::on_recovery,
    job::{AfterJob, JobError, RunEnd, finish_in, is_repeat, outcome_of},
    notify,
};

/// What is written down of a run.
struct EntryRunRecord {
    outcome: JobOutcome,
    logged: SyncOutcome,
    operation: &'static str,
    detail: String,
    /// What need not wait any longer.
    due: Vec<JobRef>,
}

impl EntryRun<'_> {
    /// Writes down what came of it, and that the job is done, in one transaction.
    pub(super) async fn record(
        &self,
        (job, then): (&ClaimedJob, AfterJob<'_>),
        run: PlannedRun,
        result: Result<(), JobError>,
    ) -> Result<RunEnd, JobError> {
        let context = self.context;
        let is_past_care = match &result {
            Err(error) if error.is_rejection() => self.is_past_care().await?,
            _ => false,
        };
        let now = context.clock.now();
        // What was written, and is forgotten with the machine, is looked at by whoever does the job again: the mark of the write
        // is not forgotten. What goes wrong people are told of.
        let mut tx = match &result {
            Ok(()) => context.db.begin_async_commit().await?,
            Err(_) => context.db.begin().await?,
        };
        // A provider may ask to slow down for a day: nothing has failed, and nothing is written.
        let is_slowed = matches!(&result, Err(JobError::Provider(ProviderError::RateLimited { .. })));
        let write: Vec<_> = run.done.write.clone().into_iter().collect();
        let here = (self.entry.id, self.entry.calendar_id);
        let (record, is_stored) = match result {
            Ok(()) => self.record_done(&mut tx, run.done, run.entry.revision, now).await?,
            Err(error) => (self.record_failure(&mut tx, job, &error, is_past_care).await?, true),
        };
        self.log(&mut tx, &record, now).await?;
        let mut again = None;
        if !is_stored {
            again = entries::look_again(&mut tx, here, write.clone(), now).await?;
        }
        // After the entry, as whoever enqueues its job does.
        let ended = finish_in(&mut tx, context, job, &record.outcome, then).await?;
        // Another writer may have begun meanwhile, and what it has stored knows nothing of our last call.
        if is_stored && !ended.finished.was_held {
            again = entries::look_again(&mut tx, here, write, now).await?;
        }
        if is_slowed || record.logged == SyncOutcome::Failed {
            notify::sync_failed(&mut tx, context, self.account, &record.detail).await?;
        }
        context.commit(tx, again.as_slice()).await?;
        context.push(&record.due).await;
        Ok(RunEnd::Written(record.outcome, Box::new(ended)))
    }

    /// Returns whether it could be stored: somebody else may have stored something of the entry meanwhile.
    async fn record_done(
        &self,
        tx: &mut Tx,
        done: EntryRunResult,
        revision: i64,
        now: DateTime<Utc>,
    ) -> Result<(EntryRunRecord, bool), StorageError> {
        let hash = done.known.hash.as_deref();
        let here = (self.entry.id, self.entry.calendar_id, revision);
        // The connection before its entries, as whoever changes it does.
        let is_noted_later = !self.entry.connection_fails && self.context.keys.note_synced(self.account);
        let is_first = !is_noted_later && connections::note_success(tx, self.account.connection, now).await?;
        let is_stored = match (&done.known.etag, hash, &done.shape) {
            (Some(etag), Some(content_hash), Some(shape)) => {
                let external_id = done.known.external_id.as_str();
                let written = WrittenEntry { external_id, etag, content_hash, version: done.version, shape };
                entries::record_written(tx, here, &written, now).await?
            }
            _ => entries::record_removed(tx, here, hash, now).await?,
        };
        // Jobs after the entry: whoever enqueues one holds its entry first.
        let due = if is_first { on_recovery(self.context, tx, self.account, now).await? } else { Vec::new() };
        if self.entry.connection_fails || self.entry.last_error.is_some() {
            notify::sync_succeeded(tx, self.context, self.account).await?;
        }
        let record = EntryRunRecord {
            outcome: JobOutcome::Done,
            logged: if done.operation == "nothing" { SyncOutcome::Nothing } else { SyncOutcome::Ok },
            operation: done.operation,
            detail: done.note.unwrap_or_default().to_owned(),
            due,
        };
        Ok((record, is_stored))
    }

    async fn record_failure(
        &self,
        tx: &mut Tx,
        job: &ClaimedJob,
        error: &JobError,
        is_past_care: bool,
    ) -> Result<EntryRunRecord, StorageError> {
        let provider = self.account.provider.name();
        if let JobError::Provider(error) = error {
            let (entry, code) = (self.entry.id, error.code());
            tracing::info!(%entry, code, %error, "an entry could not be brought up to date");
        }
        let mut outcome = outcome_of(self.context, job, error, provider);
        if let JobOutcome::Failed { retry_at, .. } = &mut outcome
            && is_past_care
        {
            *retry_at = None;
        }
        let detail = error.user_message(provider);
        let (state, logged) = match outcome {
            JobOutcome::Failed { .. } => (EntryState::Failed, SyncOutcome::Failed),
            _ => (EntryState::Pending, SyncOutcome::Retry),
        };
        if logged == SyncOutcome::Failed {
            connections::note_failure(tx, self.account.connection, &detail).await?;
        }
        entries::record_failure(tx, self.entry.id, state, &detail).await?;
        let operation = if self.entry.desired { "write" } else { "remove" };
        Ok(EntryRunRecord { outcome, logged, operation, detail, due: Vec::new() })
    }

    async fn is_past_care(&self) -> Result<bool, StorageError> {
        let booking = bookings::by_id(&self.context.db, self.account.business, self.entry.booking_id).await?;
        Ok(booking.is_none_or(|booking| is_past_care(booking.interval.end, self.context.clock.now())))
    }

    /// What waits or fails again for the same reason is logged once.
    async fn log(
        &self,
        tx: &mut Tx,
        record: &EntryRunRecord,
        now: DateTime<Utc>,
    ) -> Result<(), StorageError> {
        let had_failed = self.entry.state == EntryState::Failed;
        if is_repeat(&record.outcome, had_failed) && self.entry.last_error.as_deref() == Some(&record.detail)
        {
            return Ok(());
        }
        let line = NewSyncLogEntry {
            booking: Some(self.entry.booking_id),
            duration_ms: (now - self.started_at).num_milliseconds(),
            ..self.account.log_entry((record.operation, record.logged), &record.detail, now)
        };
        sync_log::append(tx, &line).await.map(drop)
    }
}
