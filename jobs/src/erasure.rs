//! Takes people out of all that is kept of them.
//!
//! Its subject is the erasure, whose bookings are written down already. Each is done in a transaction of its own, and marked in
//! it: whoever takes over goes on with the rest. Then what names no booking is searched in slices; how far that is, is written
//! down with each. The calendars follow by their own jobs.

use chrono::Duration;
use concord_domain::{
    erasure::{ErasureReason, ErasureScope, ErasureTarget, PersonTraces, SweepCursor, TraceSearch},
    ids::{BusinessId, ErasureId},
    people::Actor,
};
use concord_storage::{
    ChangeContext, StorageError, bookings,
    erasures::{self, ExpiredBooking, NewErasure, sweep},
    in_tx,
    jobs::{ClaimedJob, JobOutcome},
};

use crate::{
    Context,
    job::{JobError, keep, require_business},
};

/// Bookings that are looked up at once.
const SLICE: u32 = 20;

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let (business, id) = (require_business(job)?, ErasureId(job.subject_id));
    let traces = erasures::traces(&context.db, &context.ring, business, id).await?;
    let Some(traces) = traces else { return Ok(JobOutcome::Done) };
    let search = TraceSearch::new(&traces);
    erase_bookings(context, job, (business, id), (&traces, &search)).await?;
    sweep(context, job, (business, id), &search).await?;
    in_tx!(context.db, tx => erasures::finish(&mut tx, id, context.clock.now()).await)?;
    // It is done, whether a reader has kept the log from being emptied or not: it begins anew later.
    if let Err(error) = context.db.empty_log().await {
        tracing::warn!(%error, "SQLite's log could not be emptied after an erasure");
    }
    tracing::info!(erasure = %id, "an erasure is done");
    Ok(JobOutcome::Done)
}

async fn erase_bookings(
    context: &Context,
    job: &ClaimedJob,
    (business, id): (BusinessId, ErasureId),
    person: (&PersonTraces, &TraceSearch),
) -> Result<(), JobError> {
    loop {
        let targets = erasures::waiting(&context.db, id, SLICE).await?;
        if targets.is_empty() {
            return Ok(());
        }
        for target in targets {
            let by = ChangeContext { business, actor: Actor::System, now: context.clock.now() };
            let mut tx = context.db.begin().await?;
            let enqueued = bookings::erase(&mut tx, &by, &target, person).await?;
            erasures::record_erased(&mut tx, id, target.booking, by.now).await?;
            context.commit(tx, &enqueued).await?;
        }
        keep(context, job).await?;
    }
}

async fn sweep(
    context: &Context,
    job: &ClaimedJob,
    (business, id): (BusinessId, ErasureId),
    search: &TraceSearch,
) -> Result<(), JobError> {
    if search.is_empty() {
        return Ok(());
    }
    let mut next = Some(sweep::find_cursor(&context.db, id).await?.unwrap_or_else(SweepCursor::first));
    while let Some(cursor) = next {
        let last = sweep::sweep_slice(&context.db, business, cursor, search, context.clock.now()).await?;
        next = cursor.next(last);
        if let (Some(cursor), Some(_)) = (next, last) {
            // Forgotten with the machine, the slice is searched again.
            in_tx!(context.db, async_commit, tx => sweep::record_cursor(&mut tx, id, cursor).await)?;
        }
        keep(context, job).await?;
    }
    Ok(())
}

/// Bookings that are given to one erasure at most.
const EXPIRED_AT_ONCE: u32 = 50;

/// Begins the erasure of those whose last booking ended longer ago than customers' data is kept. Returns whether there may
/// be more.
pub(crate) async fn begin_expired(context: &Context, keep: Duration) -> Result<bool, StorageError> {
    let now = context.clock.now();
    let expired = erasures::expired_bookings(&context.db, now - keep, EXPIRED_AT_ONCE).await?;
    let Some(ExpiredBooking { business_id: business, .. }) = expired.first().copied() else {
        return Ok(false);
    };
    let there_may_be_more = expired.len() >= EXPIRED_AT_ONCE as usize
        || expired.iter().any(|booking| booking.business_id != business);
    let targets: Vec<ErasureTarget> = expired
        .iter()
        .filter(|booking| booking.business_id == business)
        .map(|booking| ErasureTarget { booking: booking.id, scope: ErasureScope::Booking, attendee: None })
        .collect();
    // What names no booking, such as a mail to staff, is long gone by then.
    let traces = PersonTraces::default();
    let new = NewErasure { business, reason: ErasureReason::Retention, targets: &targets, traces: &traces };
    let mut tx = context.db.begin().await?;
    let (_, job) = erasures::create(&mut tx, &context.ring, &new, now).await?;
    context.commit(tx, &[job]).await?;
    tracing::info!(bookings = targets.len(), "customers' data is erased that was kept for long enough");
    Ok(there_may_be_more)
}
