//! Writing bookings, and telling the workers what follows.

use concord_domain::booking::BookingDraft;
use concord_jobs::Context;
use concord_storage::{
    ChangeContext,
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
