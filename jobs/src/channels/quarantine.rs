//! What somebody says of what a feed seems to have cancelled: let it through, keep it, or bring it back.

use std::collections::HashMap;

use concord_domain::{
    channel::{RunOrigin, RunOutcome, plan::ItemAction},
    ids::{BusinessId, ChannelId, ChannelItemId, ChannelRunId},
    people::Actor,
};
use concord_storage::{
    StorageError,
    bookings::PutError,
    channels::{
        self, Channel,
        items::{self, ChannelItem},
        runs::{self, RunCounts},
    },
    in_tx,
};

use super::{
    apply::{AppliedActions, ChannelRunContext},
    notices::{self, ChannelNotice},
};
use crate::{Context, job::JobError};

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// There is no such channel or reading, or nothing waits.
    #[error("nothing is held for review")]
    Nothing,
    /// More than a week has passed, or somebody was faster.
    #[error("it is too late to undo this sync, or it was already undone")]
    TooLate,
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A mistake of ours.
    #[error("{0}")]
    Other(String),
}

impl From<JobError> for ReviewError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Storage(error) => Self::Storage(error),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<PutError> for ReviewError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Storage(error) => Self::Storage(error),
            other => Self::Other(other.to_string()),
        }
    }
}

/// What is held back of a channel, by start: its feed lacks it.
pub async fn waiting(context: &Context, channel: &Channel) -> Result<Vec<ChannelItem>, StorageError> {
    let now = context.clock.now();
    let mut known = items::to_come(&context.db, channel.business_id, channel.id, now).await?;
    known.retain(|item| item.missing_since.is_some() && item.kind.takes());
    Ok(known)
}

/// Cancels what is held back of a channel. Returns the reading by which that can be undone, and how many went.
pub async fn release(
    context: &Context,
    business: BusinessId,
    id: ChannelId,
    actor: &Actor,
) -> Result<(ChannelRunId, i64), ReviewError> {
    let channel = channels::find(&context.db, business, id).await?.ok_or(ReviewError::Nothing)?;
    let held = waiting(context, &channel).await?;
    if held.is_empty() {
        return Err(ReviewError::Nothing);
    }
    let known = held.iter().map(|item| (item.id, item)).collect();
    let run = ChannelRunContext {
        if_missing: true,
        ..ChannelRunContext::begin(context, &channel, known, (RunOrigin::Person, actor.clone()))
    };
    run.record_start(RunOutcome::Released).await?;
    let actions: Vec<ItemAction> = held.iter().map(|item| ItemAction::Lose(item.id)).collect();
    let mut applied = AppliedActions::default();
    let ended = run.apply(&actions, &mut applied).await;
    let message =
        format!("{} cancellations applied", notices::counted(applied.counts, None, &applied.refused));
    run.record(RunOutcome::Released, &message, applied.counts).await?;
    ended?;
    clear_quarantine(context, &channel).await?;
    Ok((run.id, applied.counts.cancelled))
}

/// Keeps what is held back of a channel although its feed lacks it, until it has been there again. Returns how many.
pub async fn keep(
    context: &Context,
    business: BusinessId,
    id: ChannelId,
    actor: &Actor,
) -> Result<usize, ReviewError> {
    let channel = channels::find(&context.db, business, id).await?.ok_or(ReviewError::Nothing)?;
    let held = waiting(context, &channel).await?;
    if held.is_empty() {
        return Err(ReviewError::Nothing);
    }
    let run = ChannelRunContext::begin(context, &channel, HashMap::new(), (RunOrigin::Person, actor.clone()));
    let (mut tx, mut kept) = (context.db.begin().await?, 0);
    for item in &held {
        kept += usize::from(items::keep(&mut tx, business, item.id).await?);
    }
    let message = format!("{kept} kept although the calendar is missing them");
    run.record_in(&mut tx, RunOutcome::Applied, &message, RunCounts::default()).await?;
    tx.commit().await?;
    clear_quarantine(context, &channel).await?;
    Ok(kept)
}

/// What was undone of a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UndoCounts {
    /// Bookings that it had cancelled and that stand again.
    pub brought_back: i64,
    /// Of these: what has no room.
    pub conflicts: i64,
    /// Bookings that it had brought and that are cancelled.
    pub taken_back: i64,
    /// Bookings that it had changed: they stay as they are, since what they were is not kept.
    pub left_changed: i64,
}

/// Brings back what a reading cancelled, and cancels what somebody imported by it. What it changed stays changed.
pub async fn undo(
    context: &Context,
    business: BusinessId,
    id: ChannelRunId,
    actor: &Actor,
) -> Result<UndoCounts, ReviewError> {
    let now = context.clock.now();
    let undone = runs::find(&context.db, business, id).await?.ok_or(ReviewError::Nothing)?;
    let channel =
        channels::find(&context.db, business, undone.channel_id).await?.ok_or(ReviewError::Nothing)?;
    if !undone.can_be_undone(now) {
        return Err(ReviewError::TooLate);
    }
    let mut lost = items::list_lost_in_run(&context.db, business, id).await?;
    // What the feed has again, under whatever name, is there.
    let there = items::to_come(&context.db, business, channel.id, now).await?;
    let is_there = |item: &ChannelItem| {
        there.iter().any(|one| (one.kind, one.interval()) == (item.kind, item.interval()))
    };
    lost.retain(|item| item.ends_at > now && !is_there(item));
    let mut brought =
        if undone.is_import() { items::found_by(&context.db, business, id).await? } else { Vec::new() };
    // What is read at its times would bring again what its feed has.
    brought.retain(|item| !channel.polled || item.pinned);
    // Who has arrived is not sent away by this either.
    brought.retain(|item| item.starts_at > now);
    let known: HashMap<ChannelItemId, &ChannelItem> =
        lost.iter().chain(&brought).map(|item| (item.id, item)).collect();
    let run = ChannelRunContext::begin(context, &channel, known, (RunOrigin::Person, actor.clone()));
    run.record_start(RunOutcome::Undone).await?;
    let mut applied = AppliedActions::default();
    let ended = undo_each(&run, &lost, &brought, &mut applied).await;
    let RunCounts { imported: brought_back, conflicts, cancelled: taken_back, .. } = applied.counts;
    let mut said = Vec::new();
    said.extend((brought_back > 0).then(|| format!("{brought_back} restored")));
    said.extend((taken_back > 0).then(|| format!("{taken_back} undone")));
    let left_changed = undone.counts.updated;
    if said.is_empty() {
        said.push("there was nothing left to undo".to_owned());
    }
    said.extend((left_changed > 0).then(|| format!("{left_changed} changes kept")));
    let message = said.join(", ");
    run.record(RunOutcome::Undone, &message, applied.counts).await?;
    ended?;
    // Last: what fails on the way can be asked for again.
    in_tx!(context.db, tx => runs::undo(&mut tx, business, id, now).await)?;
    Ok(UndoCounts { brought_back, conflicts, taken_back, left_changed })
}

async fn undo_each(
    run: &ChannelRunContext<'_>,
    lost: &[ChannelItem],
    brought: &[ChannelItem],
    applied: &mut AppliedActions,
) -> Result<(), ReviewError> {
    for item in lost {
        match run.restore_lost(item, applied).await {
            // By now the feed has it again, under the same name.
            Err(PutError::Storage(StorageError::Exists)) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let takes: Vec<ItemAction> = brought.iter().map(|item| ItemAction::Lose(item.id)).collect();
    Ok(run.apply(&takes, applied).await?)
}

async fn clear_quarantine(context: &Context, channel: &Channel) -> Result<(), StorageError> {
    let mut tx = context.db.begin().await?;
    channels::hold(&mut tx, channel.id, None).await?;
    ChannelNotice::Quarantined.close(&mut tx, channel, context.clock.now()).await?;
    tx.commit().await
}
