//! What somebody says of what a feed seems to have cancelled: let it through, keep it, or bring it back.

use concord_domain::{
    channel::{RunOrigin, RunOutcome, plan::Action},
    ids::{BusinessId, ChannelId, ChannelItemId, ChannelRunId},
    people::Actor,
};
use concord_storage::{
    StorageError,
    bookings::PutError,
    channels::{
        self, Channel,
        items::{self, ChannelItem},
        runs::{self, Counts},
    },
};

use super::{apply::Applied, apply::Reading, told};
use crate::{Context, duty::JobError};

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum WordError {
    /// There is no such channel or reading, or nothing waits.
    #[error("there is nothing to do")]
    Nothing,
    /// More than a week has passed, or somebody was faster.
    #[error("it is too late to bring back what this reading cancelled, or it was brought back already")]
    TooLate,
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A mistake of ours.
    #[error("{0}")]
    Other(String),
}

impl From<JobError> for WordError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Storage(error) => Self::Storage(error),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<PutError> for WordError {
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
) -> Result<(ChannelRunId, i64), WordError> {
    let channel = channels::find(&context.db, business, id).await?.ok_or(WordError::Nothing)?;
    let held = waiting(context, &channel).await?;
    if held.is_empty() {
        return Err(WordError::Nothing);
    }
    let run = ChannelRunId::new(context.clock.now());
    let known = held.iter().map(|item| (item.id, item)).collect();
    let reading = Reading { context, channel: &channel, known, run, actor: actor.clone(), duty: None };
    let released = (RunOrigin::Person, RunOutcome::Released);
    reading.record(released, "let through", Counts::default()).await?;
    let actions: Vec<Action> = held.iter().map(|item| Action::Lose(item.id)).collect();
    let mut applied = Applied::default();
    let ended = reading.apply(&actions, &mut applied).await;
    let message = format!("{} let through", told::counted(applied.counts, None, &applied.refused));
    reading.record(released, &message, applied.counts).await?;
    ended?;
    nothing_waits(context, &channel).await?;
    Ok((run, applied.counts.cancelled))
}

/// Keeps what is held back of a channel although its feed lacks it, until it has been there again. Returns how many.
pub async fn keep(context: &Context, business: BusinessId, id: ChannelId) -> Result<usize, WordError> {
    let channel = channels::find(&context.db, business, id).await?.ok_or(WordError::Nothing)?;
    let held = waiting(context, &channel).await?;
    if held.is_empty() {
        return Err(WordError::Nothing);
    }
    let mut tx = context.db.begin().await?;
    for item in &held {
        items::keep(&mut tx, business, item.id).await?;
    }
    tx.commit().await?;
    nothing_waits(context, &channel).await?;
    Ok(held.len())
}

/// Brings back what a reading cancelled. Returns how many bookings stand again, and how many of them have no room.
pub async fn undo(
    context: &Context,
    business: BusinessId,
    id: ChannelRunId,
    actor: &Actor,
) -> Result<(i64, i64), WordError> {
    let now = context.clock.now();
    let run = runs::find(&context.db, business, id).await?.ok_or(WordError::Nothing)?;
    let channel = channels::find(&context.db, business, run.channel_id).await?.ok_or(WordError::Nothing)?;
    if !run.can_be_undone(now) {
        return Err(WordError::TooLate);
    }
    let lost = items::lost_by(&context.db, business, id).await?;
    let known: std::collections::HashMap<ChannelItemId, &ChannelItem> =
        lost.iter().map(|item| (item.id, item)).collect();
    let own = ChannelRunId::new(now);
    let reading = Reading { context, channel: &channel, known, run: own, actor: actor.clone(), duty: None };
    let mut applied = Applied::default();
    for item in lost.iter().filter(|item| item.ends_at > now) {
        match reading.bring_back(item, &mut applied).await {
            // By now the feed has it again, under the same name.
            Err(PutError::Storage(StorageError::Exists)) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Last: what fails on the way can be asked for again.
    let mut tx = context.db.begin().await?;
    runs::undo(&mut tx, business, id, now).await?;
    tx.commit().await?;
    let message = format!("{} brought back", applied.counts.imported);
    reading.record((RunOrigin::Person, RunOutcome::Undone), &message, applied.counts).await?;
    Ok((applied.counts.imported, applied.counts.conflicts))
}

async fn nothing_waits(context: &Context, channel: &Channel) -> Result<(), StorageError> {
    let mut tx = context.db.begin().await?;
    channels::hold(&mut tx, channel.id, None).await?;
    told::let_through(&mut tx, channel, context.clock.now()).await?;
    tx.commit().await
}
