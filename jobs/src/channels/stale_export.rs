//! Sees whether platforms still read the feeds that they sell by.
//!
//! A platform tells nobody that it has dropped a calendar link; what shows it is that it does not come. It is an alert where the
//! platform may sell nights that are taken, and over when it comes again or has nothing to miss. Comes back every ten minutes.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    alert::AlertKind,
    channel::exposure::{MIN_OVERDUE, overdue_at},
    ids::ChannelId,
    job::JobKind,
};
use concord_storage::{
    StorageError,
    alerts::{self, Alert},
    channels,
    channels::exposure::{LastRead, last_read_before},
    in_tx,
    jobs::{ClaimedJob, JobOutcome},
};

use super::{exposure::exposure, notices};
use crate::{Context, enqueue, job::JobError};

const EVERY: Duration = Duration::minutes(10);

pub(crate) async fn run(context: &Context, _job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let now = context.clock.now();
    let (mut late, mut after) = (BTreeSet::new(), None);
    loop {
        let found = last_read_before(&context.db, after, now - MIN_OVERDUE).await?;
        let Some(last) = found.last() else { break };
        after = Some(last.channel_id);
        for read in &found {
            if note_if_late(context, read, now).await? {
                late.insert(read.channel_id);
            }
        }
    }
    for alert in alerts::unclosed_of_kind(&context.db, AlertKind::ChannelExport).await? {
        if !late.contains(&ChannelId(alert.subject_id)) && is_over(context, &alert, now).await? {
            in_tx!(context.db, tx => alerts::note_healthy(&mut tx, alert.subject(), now).await)?;
        }
    }
    Ok(JobOutcome::Again(context.clock.now() + EVERY))
}

/// Whether the platform has come since, or there is nothing that it may sell wrongly. That it is not known to be late says
/// nothing: nobody counts its turns while this process has just begun, or when its link has changed.
async fn is_over(context: &Context, alert: &Alert, now: DateTime<Utc>) -> Result<bool, StorageError> {
    let id = ChannelId(alert.subject_id);
    let Some(channel) = channels::find(&context.db, alert.business_id, id).await? else { return Ok(true) };
    let known = exposure(&context.db, &channel, now).await?;
    let has_come = known.last_read.as_ref().is_some_and(|read| read.read_at > alert.failure.since);
    Ok(has_come || known.nights() == 0)
}

/// Whether the platform is late, and may sell what is taken.
async fn note_if_late(context: &Context, read: &LastRead, now: DateTime<Utc>) -> Result<bool, StorageError> {
    let Some(channel) = channels::find(&context.db, read.business_id, read.channel_id).await? else {
        return Ok(false);
    };
    let reads_every = context.platforms.find(&channel.platform).and_then(|platform| platform.reads_every);
    // Nobody could come while nothing answered.
    if overdue_at(read.read_at.max(context.started_at), reads_every) > now {
        return Ok(false);
    }
    let nights = exposure(&context.db, &channel, now).await?.nights();
    if nights == 0 {
        return Ok(false);
    }
    in_tx!(context.db, tx => notices::export_unread(&mut tx, context, &channel, (read.read_at, nights)).await)?;
    Ok(true)
}

/// Sees to it that the job exists; called when a process starts.
pub(crate) async fn ensure(context: &Context) -> Result<(), StorageError> {
    let (kind, now) = (JobKind::CheckFeedReads, context.clock.now());
    in_tx!(context.db, tx => enqueue::of_installation(&mut tx, kind, now + EVERY, now).await).map(drop)
}
