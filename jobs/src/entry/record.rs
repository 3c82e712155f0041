//! What came of a run is written down: of the entry, of its connection, and in the log.

use chrono::{DateTime, Utc};
use concord_domain::{connection::EntryState, duty::is_past_care, record::SyncOutcome};
use concord_providers::ProviderError;
use concord_storage::{
    StorageError, Tx, bookings, connections,
    duties::{ClaimedDuty, DutyRef, Outcome},
    entries::{self, WrittenEntry},
    sync_log::{self, NewLine},
};

use super::{Done, EntryRun, Way};
use crate::{
    duty::{JobError, outcome_of},
    limits::{hold_back, note_success},
    notify,
    write_lease::WriteLease,
};

/// What is written down of a run.
struct Record {
    /// For the duty.
    outcome: Outcome,
    /// For the log.
    logged: SyncOutcome,
    operation: &'static str,
    detail: String,
    /// What need not wait any longer.
    due: Vec<DutyRef>,
}

impl EntryRun<'_> {
    /// Writes down what came of it, and lets the next writer in, in one transaction.
    pub(super) async fn record(
        &self,
        duty: &ClaimedDuty,
        lease: &WriteLease<'_>,
        way: Way,
        result: Result<(), JobError>,
    ) -> Result<Outcome, JobError> {
        let context = self.context;
        let now = context.clock.now();
        let mut tx = context.db.begin().await?;
        let in_time = lease.release_in(&mut tx).await?;
        let write = way.done.write.clone().into_iter().collect();
        let (record, is_overtaken) = match result {
            Ok(()) => {
                let (record, is_stored) =
                    self.record_done(&mut tx, way.done, way.entry.revision, now).await?;
                (record, !is_stored || !in_time)
            }
            // Another writer may have begun meanwhile, and what it has stored knows nothing of our last call.
            Err(error) => (self.record_failure(&mut tx, duty, &error).await?, !in_time),
        };
        self.log(&mut tx, &record, now).await?;
        let here = (self.entry.id, self.entry.calendar_id);
        let again = if is_overtaken { entries::look_again(&mut tx, here, write, now).await? } else { None };
        tx.commit().await?;
        context.push(again.as_slice()).await;
        context.push(&record.due).await;
        Ok(record.outcome)
    }

    /// Returns whether it could be stored: somebody else may have stored something of the entry meanwhile.
    async fn record_done(
        &self,
        tx: &mut Tx,
        done: Done,
        revision: i64,
        now: DateTime<Utc>,
    ) -> Result<(Record, bool), StorageError> {
        let hash = done.known.hash.as_deref();
        let here = (self.entry.id, self.entry.calendar_id, revision);
        let is_stored = match (&done.known.etag, hash, &done.shape) {
            (Some(etag), Some(content_hash), Some(shape)) => {
                let external_id = done.known.external_id.as_str();
                let written = WrittenEntry { external_id, etag, content_hash, version: done.version, shape };
                entries::record_written(tx, here, &written, now).await?
            }
            _ => entries::record_removed(tx, here, hash, now).await?,
        };
        let due = note_success(self.context, tx, self.account, now).await?;
        notify::sync_succeeded(tx, self.context, self.account).await?;
        let record = Record {
            outcome: Outcome::Done,
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
        entries::record_failure(tx, self.entry.id, state, &detail).await?;
        if logged == SyncOutcome::Failed {
            connections::note_failure(tx, self.account.connection, &detail).await?;
            // It waits for others and is due only then, so that there is nothing to push.
            notify::sync_failed(tx, self.context, self.account, &detail).await?;
        }
        let operation = if self.entry.wanted { "write" } else { "remove" };
        Ok(Record { outcome, logged, operation, detail, due: Vec::new() })
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
