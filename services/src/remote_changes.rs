//! What people answer to a question about a remote change, and the taking back of what was followed.

use concord_domain::{
    ids::RemoteChangeId,
    sync::remote_change::{BookingEdit, RemoteChangeState},
};
use concord_jobs::Context;
use concord_storage::{
    ChangeContext, StorageError,
    bookings::{self, LinkedWrite, PutError},
    entries,
    jobs::JobRef,
    remote_changes::{self, RemoteChange, RemoteChangeDecision},
};

/// What a person answers to a question, or makes of what has been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteChangeAnswer {
    /// The booking is to follow.
    Follow,
    /// The booking stands, and the entry is reverted.
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
    #[error("someone already decided this, or the booking has changed since")]
    Overtaken,
    /// The booking cannot become that.
    #[error(transparent)]
    Refused(PutError),
    /// The database refused or is away.
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
    by: &ChangeContext,
    id: RemoteChangeId,
    answer: RemoteChangeAnswer,
) -> Result<(), AnswerError> {
    let found = remote_changes::find(&context.db, by.business, id).await?;
    apply_answer(context, by, &found.ok_or(AnswerError::NotFound)?, answer).await
}

/// The same about a change as it was found. What it has become since, or the booking, makes the answer [`Overtaken`]:
/// nothing is written over that the person has not seen.
///
/// [`Overtaken`]: AnswerError::Overtaken
pub async fn apply_answer(
    context: &Context,
    by: &ChangeContext,
    change: &RemoteChange,
    answer: RemoteChangeAnswer,
) -> Result<(), AnswerError> {
    let enqueued = match answer {
        RemoteChangeAnswer::Revert => revert(context, by, change).await?,
        RemoteChangeAnswer::Follow => {
            let decision = decision(change, RemoteChangeState::Open, RemoteChangeState::Followed);
            change_booking(context, by, change, (&change.edit, None), &decision).await?
        }
        RemoteChangeAnswer::Undo if change.can_be_undone() => {
            let decision = decision(change, RemoteChangeState::Followed, RemoteChangeState::Undone);
            change_booking(context, by, change, (&change.before, change.booking_version), &decision).await?
        }
        RemoteChangeAnswer::Undo => return Err(AnswerError::Overtaken),
    };
    context.push(&enqueued).await;
    Ok(())
}

fn decision(change: &RemoteChange, from: RemoteChangeState, to: RemoteChangeState) -> RemoteChangeDecision {
    RemoteChangeDecision { change: change.id, from, to, booking_version: None }
}

async fn revert(
    context: &Context,
    by: &ChangeContext,
    change: &RemoteChange,
) -> Result<Vec<JobRef>, AnswerError> {
    let decision = decision(change, RemoteChangeState::Open, RemoteChangeState::Revert);
    let mut tx = context.db.begin().await?;
    // The entry before its question, as whoever writes a booking takes them.
    let job = entries::enqueue_rewrite(&mut tx, by.business, change.entry_id, by.now).await?;
    match remote_changes::decide(&mut tx, by.business, &decision, &by.actor, by.now).await {
        Err(StorageError::NotFound) => return Err(AnswerError::Overtaken),
        other => other?,
    }
    tx.commit().await?;
    Ok(vec![job])
}

async fn change_booking(
    context: &Context,
    by: &ChangeContext,
    change: &RemoteChange,
    // And the booking's version that it holds for; `None`: an open question is overtaken by any other.
    (edit, version): (&BookingEdit, Option<i64>),
    decision: &RemoteChangeDecision,
) -> Result<Vec<JobRef>, AnswerError> {
    let booking = bookings::by_id(&context.db, by.business, change.booking_id).await?;
    let booking = booking.ok_or(AnswerError::NotFound)?;
    let draft = edit.applied(&booking.draft);
    let along = LinkedWrite::Decided(decision);
    let expected = version.unwrap_or(booking.version);
    let put = bookings::follow(&context.db, by, &booking.reference, &draft, expected, along).await?;
    Ok(put.jobs)
}
