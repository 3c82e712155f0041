//! What people answer to a question about an outside change, and the taking back of what was followed.

use concord_domain::{
    ids::RemoteChangeId,
    sync::remote_change::{Edit, RemoteChangeState},
};
use concord_storage::{
    StorageError,
    bookings::{self, Along, Change, PutError},
    entries,
    jobs::JobRef,
    remote_changes::{self, Decision, RemoteChange},
};

use crate::Context;

/// What a person answers to a question, or makes of what has been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The booking is to follow.
    Follow,
    /// The booking stands, and the entry is put back.
    Revert,
    /// The booking has followed, and is to be as it was before.
    Undo,
}

/// Why an answer was not carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// There is no such change in this business.
    #[error("not found")]
    NotFound,
    /// Somebody has decided already, or the booking was changed since.
    #[error("somebody has decided about this already, or the booking was changed since")]
    Overtaken,
    /// The booking cannot become that.
    #[error(transparent)]
    Refused(PutError),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<PutError> for AnswerError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Stale { .. } => Self::Overtaken,
            PutError::Storage(error) => Self::Storage(error),
            refused => Self::Refused(refused),
        }
    }
}

/// Carries out what a person answers.
pub async fn answer(
    context: &Context,
    by: &Change,
    id: RemoteChangeId,
    answer: Answer,
) -> Result<(), AnswerError> {
    let found = remote_changes::find(&context.db, by.business, id).await?;
    answer_to(context, by, &found.ok_or(AnswerError::NotFound)?, answer).await
}

/// The same about a change as it was found. What it has become since, or the booking, makes the answer [`Overtaken`]:
/// nothing is written over that the person has not seen.
///
/// [`Overtaken`]: AnswerError::Overtaken
pub async fn answer_to(
    context: &Context,
    by: &Change,
    change: &RemoteChange,
    answer: Answer,
) -> Result<(), AnswerError> {
    let enqueued = match answer {
        Answer::Revert => revert(context, by, change).await?,
        Answer::Follow => {
            let decision = decision(change, RemoteChangeState::Open, RemoteChangeState::Followed);
            become_as(context, by, change, (&change.edit, None), &decision).await?
        }
        Answer::Undo if change.can_be_undone() => {
            let decision = decision(change, RemoteChangeState::Followed, RemoteChangeState::Undone);
            become_as(context, by, change, (&change.before, change.booking_version), &decision).await?
        }
        Answer::Undo => return Err(AnswerError::Overtaken),
    };
    context.push(&enqueued).await;
    Ok(())
}

fn decision(change: &RemoteChange, from: RemoteChangeState, to: RemoteChangeState) -> Decision {
    Decision { change: change.id, from, to, booking_version: None }
}

async fn revert(context: &Context, by: &Change, change: &RemoteChange) -> Result<Vec<JobRef>, AnswerError> {
    let decision = decision(change, RemoteChangeState::Open, RemoteChangeState::Revert);
    let mut tx = context.db.begin().await?;
    // The entry before its question, as whoever writes a booking takes them.
    let job = entries::enqueue_again(&mut tx, by.business, change.entry_id, by.now).await?;
    match remote_changes::decide(&mut tx, by.business, &decision, &by.actor, by.now).await {
        Err(StorageError::NotFound) => return Err(AnswerError::Overtaken),
        other => other?,
    }
    tx.commit().await?;
    Ok(vec![job])
}

async fn become_as(
    context: &Context,
    by: &Change,
    change: &RemoteChange,
    // And the booking's version that it holds for; `None`: an open question is overtaken by any other.
    (edit, version): (&Edit, Option<i64>),
    decision: &Decision,
) -> Result<Vec<JobRef>, AnswerError> {
    let booking = bookings::by_id(&context.db, by.business, change.booking_id).await?;
    let booking = booking.ok_or(AnswerError::NotFound)?;
    let draft = edit.applied(&booking.draft);
    let along = Along::Decided(decision);
    let expected = version.unwrap_or(booking.version);
    let put = bookings::follow(&context.db, by, &booking.reference, &draft, expected, along).await?;
    Ok(put.jobs)
}
