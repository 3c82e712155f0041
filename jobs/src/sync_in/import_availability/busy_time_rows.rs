//! The rows of a calendar's busy times: what is known of it, and what a read changes of that.

use std::time::Duration;

use concord_domain::{
    entry::ObservedEntry,
    interval::Interval,
    sync::busy_times::{BusyTimeChanges, ObservedBusyTime},
};
use concord_storage::{
    busy_times::{self, NewBusyTime},
    jobs::ClaimedJob,
    people,
};

use tokio::time::Instant;

use super::AvailabilityImport;
use crate::job::{JobError, commit_slice, keep};

/// Rows that are looked up at a time.
const ROWS_PER_SLICE: usize = 100;
/// How long a transaction goes on writing: an import must not keep bookings from being written for long. What such a slice
/// commits may be forgotten with the machine: the cursor, which is stored for good after it, has not passed it then.
const MAX_SLICE_DURATION: Duration = Duration::from_millis(20);

impl AvailabilityImport<'_> {
    /// A full read is compared with all that is known; an incremental one only with what it names, by itself or as a
    /// whole.
    pub(super) async fn known(
        &self,
        full: bool,
        entries: &[ObservedEntry],
        resources: &[String],
    ) -> Result<Vec<ObservedBusyTime>, JobError> {
        let (db, business, id) = (&self.context.db, self.calendar.business_id, self.calendar.id);
        if full || entries.len() + resources.len() > ROWS_PER_SLICE {
            let rows = busy_times::of_calendar(db, business, id).await?;
            return Ok(rows.into_iter().map(observed_from_row).collect());
        }
        let mut known = Vec::new();
        for entry in entries {
            known.extend(
                busy_times::named(db, business, id, &entry.external_id).await?.map(observed_from_row),
            );
        }
        for resource in resources {
            known.extend(
                busy_times::within(db, business, id, resource).await?.into_iter().map(observed_from_row),
            );
        }
        known.sort_by(|a, b| a.external_id.cmp(&b.external_id));
        known.dedup_by(|a, b| a.external_id == b.external_id);
        Ok(known)
    }

    pub(super) async fn apply(&self, job: &ClaimedJob, changes: &BusyTimeChanges) -> Result<(), JobError> {
        let names: Vec<&str> = changes.removals.iter().map(|removal| removal.external_id.as_str()).collect();
        self.remove_all(job, &names).await?;
        let mut rest = changes.upserts.as_slice();
        while !rest.is_empty() {
            rest = &rest[self.upsert(job, rest).await?..];
        }
        keep(self.context, job).await
    }

    /// Writes as many of these as fit into a slice. Returns how many.
    async fn upsert(&self, job: &ClaimedJob, events: &[ObservedBusyTime]) -> Result<usize, JobError> {
        let now = self.context.clock.now();
        let mut tx = self.context.db.begin_async_commit().await?;
        let began = Instant::now();
        people::lock(&mut tx, self.calendar.business_id, self.connection.staff_id).await?;
        let mut written = 0;
        for event in events {
            let new = NewBusyTime {
                business: self.calendar.business_id,
                staff: self.connection.staff_id,
                calendar: self.calendar.id,
                external_id: &event.external_id,
                series: event.series.as_deref(),
                etag: event.etag.as_deref(),
                interval: event.interval,
                tentative: event.tentative,
            };
            busy_times::upsert(&mut tx, &new, now).await?;
            written += 1;
            if began.elapsed() >= MAX_SLICE_DURATION {
                break;
            }
        }
        commit_slice(self.context, job, tx).await?;
        Ok(written)
    }

    async fn remove_all(&self, job: &ClaimedJob, external_ids: &[&str]) -> Result<(), JobError> {
        let (db, business, id) = (&self.context.db, self.calendar.business_id, self.calendar.id);
        for part in external_ids.chunks(ROWS_PER_SLICE) {
            let mut rows = Vec::new();
            for external_id in part {
                rows.extend(busy_times::named(db, business, id, external_id).await?);
            }
            let mut rest = rows.as_slice();
            while !rest.is_empty() {
                rest = &rest[self.remove(job, rest).await?..];
            }
        }
        Ok(())
    }

    /// Removes as many of these as fit into a slice. Returns how many.
    async fn remove(&self, job: &ClaimedJob, rows: &[busy_times::BusyTime]) -> Result<usize, JobError> {
        let (business, staff) = (self.calendar.business_id, self.connection.staff_id);
        let mut tx = self.context.db.begin_async_commit().await?;
        let began = Instant::now();
        people::lock(&mut tx, business, staff).await?;
        let (mut removed, now) = (0, self.context.clock.now());
        for row in rows {
            busy_times::remove(&mut tx, (business, staff), row.id, now).await?;
            removed += 1;
            if began.elapsed() >= MAX_SLICE_DURATION {
                break;
            }
        }
        commit_slice(self.context, job, tx).await?;
        Ok(removed)
    }

    /// The calendar is no longer read: its owner is free again as far as it goes.
    pub(super) async fn remove_known(&self, job: &ClaimedJob) -> Result<(), JobError> {
        let (business, id) = (self.calendar.business_id, self.calendar.id);
        let known = busy_times::of_calendar(&self.context.db, business, id).await?;
        let names: Vec<&str> = known.iter().map(|event| event.external_id.as_str()).collect();
        self.remove_all(job, &names).await?;
        self.forget_cursor(job).await
    }
}

fn observed_from_row(row: busy_times::BusyTime) -> ObservedBusyTime {
    ObservedBusyTime {
        external_id: row.external_id,
        series: row.series,
        etag: row.etag,
        interval: Interval { start: row.starts_at, end: row.ends_at },
        tentative: row.tentative,
    }
}
