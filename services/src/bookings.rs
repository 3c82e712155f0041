//! Writing bookings, and telling the workers what follows.

use concord_domain::booking::{BookingDraft, BookingStatus};
use concord_jobs::Context;
use concord_storage::{
    ChangeContext, StorageError,
    bookings::{self, PutError, WrittenBooking},
};

/// Creates the booking of that reference, or replaces what it says; see [`bookings::put`]. `expected`: the version that
/// the caller has read, if it minds, and 0: there must be none yet.
pub async fn put(
    context: &Context,
    by: &ChangeContext,
    reference: &str,
    draft: &BookingDraft,
    expected: Option<i64>,
) -> Result<WrittenBooking, PutError> {
    let written = bookings::put(&context.db, by, reference, draft, expected).await?;
    context.push(&written.jobs).await;
    Ok(written)
}

/// Cancels the booking of that reference; one that is cancelled already stays so. `NotFound` inside: there is none.
pub async fn cancel(
    context: &Context,
    by: &ChangeContext,
    reference: &str,
    expected: Option<i64>,
) -> Result<WrittenBooking, PutError> {
    let written = bookings::cancel(&context.db, by, reference, expected).await?;
    context.push(&written.jobs).await;
    Ok(written)
}

/// Why a booking was neither approved nor declined.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// Somebody has decided; it is this by now.
    #[error("the booking is {}", .0.label())]
    Decided(BookingStatus),
    #[error(transparent)]
    Put(#[from] PutError),
}

/// Confirms a pending booking. `expected`: the version that the caller has read, if it minds.
pub async fn approve(
    context: &Context,
    by: &ChangeContext,
    reference: &str,
    expected: Option<i64>,
) -> Result<WrittenBooking, ApprovalError> {
    decide(context, by, reference, (BookingStatus::Pending, BookingStatus::Confirmed), expected).await
}

/// Takes an approval back: the booking waits again.
pub async fn undo_approval(
    context: &Context,
    by: &ChangeContext,
    reference: &str,
    expected: Option<i64>,
) -> Result<WrittenBooking, ApprovalError> {
    decide(context, by, reference, (BookingStatus::Confirmed, BookingStatus::Pending), expected).await
}

/// Cancels a pending booking.
pub async fn decline(
    context: &Context,
    by: &ChangeContext,
    reference: &str,
    expected: Option<i64>,
) -> Result<WrittenBooking, ApprovalError> {
    decide(context, by, reference, (BookingStatus::Pending, BookingStatus::Cancelled), expected).await
}

async fn decide(
    context: &Context,
    by: &ChangeContext,
    reference: &str,
    (from, to): (BookingStatus, BookingStatus),
    expected: Option<i64>,
) -> Result<WrittenBooking, ApprovalError> {
    let found = bookings::find(&context.db, by.business, reference).await.map_err(PutError::from)?;
    let before = found.ok_or(PutError::Storage(StorageError::NotFound))?;
    if before.draft.status != from {
        return Err(ApprovalError::Decided(before.draft.status));
    }
    // Whoever changes it meanwhile may have decided otherwise.
    let expected = expected.or(Some(before.version));
    let written = if to == BookingStatus::Cancelled {
        cancel(context, by, reference, expected).await?
    } else {
        let draft = BookingDraft { status: to, ..before.draft };
        put(context, by, reference, &draft, expected).await?
    };
    Ok(written)
}
