//! Bookings that stand for the items of a platform's feed, each written in one transaction with its item.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::BookingDraft,
    channel::plan::FeedItem,
    ids::{BookingId, ChannelId, ChannelItemId},
};

use super::{
    follow::LinkedWrite,
    write::{BookingCommand, ChangeContext, PutError, WrittenBooking, write},
};
use crate::{
    Db, StorageError, Tx,
    channels::items::{self, ChannelItemLoss, NewChannelItem},
};

/// What becomes of an item along with its booking.
#[derive(Clone, Copy, Debug)]
pub enum ChannelItemWrite<'a> {
    /// It is new.
    Add(NewChannelItem<'a>),
    /// It has become this, and the booking stands for it.
    Change {
        /// Which.
        id: ChannelItemId,
        /// What stood for it until now.
        was: Option<BookingId>,
        /// As it is.
        item: &'a FeedItem,
        /// Whether a file says so, and not the feed.
        by_hand: bool,
    },
    /// It has become this, for which no booking stands any more.
    Free {
        /// Which.
        id: ChannelItemId,
        /// As it is.
        item: &'a FeedItem,
        /// Whether a file says so, and not the feed.
        by_hand: bool,
    },
    /// It is gone.
    Lose {
        /// Which.
        id: ChannelItemId,
        /// How.
        loss: ChannelItemLoss,
    },
    /// It is back.
    Revive {
        /// Which.
        id: ChannelItemId,
    },
}

impl ChannelItemWrite<'_> {
    pub(super) async fn write(
        &self,
        tx: &mut Tx,
        change: &ChangeContext,
        booking: BookingId,
    ) -> Result<(), StorageError> {
        let (business, now): (_, DateTime<Utc>) = (change.business, change.now);
        match *self {
            Self::Add(new) => items::add(tx, business, new, Some(booking), now).await,
            Self::Change { id, was, item, by_hand } => {
                items::change(tx, business, id, (item, by_hand), (was, Some(booking))).await
            }
            Self::Free { id, item, by_hand } => {
                items::change(tx, business, id, (item, by_hand), (Some(booking), None)).await
            }
            Self::Lose { id, loss } => items::lose(tx, business, id, loss, now).await,
            Self::Revive { id } => items::revive(tx, business, id).await,
        }
    }
}

/// Writes the booking of that reference as a platform has sold it: it stands without a seat where there is no room.
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
    write(db, change, reference, BookingCommand::Fact(draft, channel), expected, LinkedWrite::Item(item))
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
