//! Bookings that stand for the items of a platform's feed, each written in one transaction with its item.

use concord_domain::{booking::BookingDraft, ids::ChannelId};

use super::{
    linked::{ChannelItemWrite, LinkedWrite},
    outcome::{BookingCommand, PutError, WrittenBooking},
    write::write,
};
use crate::{ChangeContext, Db, Result};

/// Writes the booking of that reference as a platform has sold it: it stands without a unit where there is no room.
/// `expected`: the version of the booking that the draft was made from. `Exists` inside: the channel has an item with that
/// key, or another reading was faster.
pub async fn import(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    (draft, channel): (&BookingDraft, ChannelId),
    item: &ChannelItemWrite<'_>,
    expected: Option<i64>,
) -> Result<WrittenBooking, PutError> {
    write(db, change, reference, BookingCommand::Import(draft, channel), expected, LinkedWrite::Item(item))
        .await
}

/// Cancels the booking of that reference because its item is gone, or is nothing that takes time any more.
pub async fn cancel_imported(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    item: &ChannelItemWrite<'_>,
) -> Result<WrittenBooking, PutError> {
    write(db, change, reference, BookingCommand::Cancel, None, LinkedWrite::Item(item)).await
}
