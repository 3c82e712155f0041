//! The rows of a calendar's busy times: what is known of it, and what a read changes of that.

use concord_domain::{
    entry::ObservedEntry,
    interval::Interval,
    sync::availability::{Changes, OutsideEvent},
};
use concord_storage::{
    duties::ClaimedDuty,
    outside_events::{self, NewOutsideEvent},
    people,
};

use super::Import;
use crate::duty::{JobError, keep};

/// Rows in one transaction: an import must not keep bookings from being written for long.
const PART: usize = 100;

impl Import<'_> {
    /// A full read is compared with all that is known; an incremental one only with what it names, by itself or as a
    /// whole.
    pub(super) async fn known(
        &self,
        full: bool,
        entries: &[ObservedEntry],
        resources: &[String],
    ) -> Result<Vec<OutsideEvent>, JobError> {
        let (db, business, id) = (&self.context.db, self.calendar.business_id, self.calendar.id);
        if full || entries.len() + resources.len() > PART {
            let rows = outside_events::of_calendar(db, business, id).await?;
            return Ok(rows.into_iter().map(as_known).collect());
        }
        let mut known = Vec::new();
        for entry in entries {
            known.extend(outside_events::named(db, business, id, &entry.external_id).await?.map(as_known));
        }
        for resource in resources {
            known.extend(outside_events::within(db, business, id, resource).await?.into_iter().map(as_known));
        }
        known.sort_by(|a, b| a.external_id.cmp(&b.external_id));
        known.dedup_by(|a, b| a.external_id == b.external_id);
        Ok(known)
    }

    pub(super) async fn apply(&self, duty: &ClaimedDuty, changes: &Changes) -> Result<(), JobError> {
        for part in changes.removals.chunks(PART) {
            let names: Vec<&str> = part.iter().map(|removal| removal.external_id.as_str()).collect();
            keep(self.context, duty).await?;
            self.remove(&names).await?;
        }
        for part in changes.upserts.chunks(PART) {
            keep(self.context, duty).await?;
            self.upsert(part).await?;
        }
        keep(self.context, duty).await
    }

    async fn upsert(&self, events: &[OutsideEvent]) -> Result<(), JobError> {
        let now = self.context.clock.now();
        let mut tx = self.context.db.begin().await?;
        people::lock(&mut tx, self.calendar.business_id, self.connection.staff_id).await?;
        for event in events {
            let new = NewOutsideEvent {
                business: self.calendar.business_id,
                staff: self.connection.staff_id,
                calendar: self.calendar.id,
                external_id: &event.external_id,
                series: event.series.as_deref(),
                etag: event.etag.as_deref(),
                interval: event.interval,
                tentative: event.tentative,
            };
            outside_events::upsert(&mut tx, &new, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn remove(&self, external_ids: &[&str]) -> Result<(), JobError> {
        let (business, staff) = (self.calendar.business_id, self.connection.staff_id);
        let mut rows = Vec::new();
        for external_id in external_ids {
            rows.extend(
                outside_events::named(&self.context.db, business, self.calendar.id, external_id).await?,
            );
        }
        let mut tx = self.context.db.begin().await?;
        people::lock(&mut tx, business, staff).await?;
        for row in rows {
            outside_events::remove(&mut tx, business, staff, row.id).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The calendar is no longer read: its owner is free again as far as it goes.
    pub(super) async fn forget_all(&self, duty: &ClaimedDuty) -> Result<(), JobError> {
        let (business, id) = (self.calendar.business_id, self.calendar.id);
        let known = outside_events::of_calendar(&self.context.db, business, id).await?;
        for part in known.chunks(PART) {
            let names: Vec<&str> = part.iter().map(|event| event.external_id.as_str()).collect();
            keep(self.context, duty).await?;
            self.remove(&names).await?;
        }
        self.forget_cursor().await
    }
}

fn as_known(row: outside_events::OutsideEvent) -> OutsideEvent {
    OutsideEvent {
        external_id: row.external_id,
        series: row.series,
        etag: row.etag,
        interval: Interval { start: row.starts_at, end: row.ends_at },
        tentative: row.tentative,
    }
}
