//! What is written in the transaction that changes a booking, besides the booking.

use chrono::{DateTime, Utc};
use concord_domain::{
    channel::plan::FeedItem,
    ids::{BookingId, ChannelItemId},
    sync::{remote_change::RemoteChangeState, synced_fields::SyncedFields},
};

use super::outcome::{PutError, WrittenBooking};
use crate::{
    ChangeContext, Result, StorageError, Tx,
    answers::{self, AnswerWrite},
    channels::items::{self, ChannelItemLoss, NewChannelItem},
    entries,
    notices::{self, NewNotice},
    remote_changes::{self, NewRemoteChange, RemoteChangeDecision},
};

/// What is written in the transaction that changes a booking.
#[derive(Clone, Copy, Debug)]
pub enum LinkedWrite<'a> {
    Nothing,
    /// That the booking has followed a person's change of an entry, which was seen when the entry was at `revision`.
    Followed {
        /// The change; its `booking_version` is filled in.
        change: &'a NewRemoteChange<'a>,
        /// Of what was known of the entry.
        revision: i64,
        /// The version that the person left behind.
        etag: Option<&'a str>,
        /// What it says now; `None` if it is gone.
        shape: Option<&'a SyncedFields>,
        /// How people are told. None of it is due at once, so that there is nothing to push.
        notices: &'a [NewNotice<'a>],
    },
    /// What people are told of the change. None of it is due at once, so that there is nothing to push.
    Notices(&'a [NewNotice<'a>]),
    /// What somebody who is invited has answered, which cancels it; what other systems are told of that comes last. `Exists`
    /// inside: that is known.
    Answered(&'a AnswerWrite<'a>),
    /// What the item of a channel's feed has become that this booking stands for.
    Item(&'a ChannelItemWrite<'a>),
    /// What somebody decided of a person's change; its `booking_version` is filled in where the booking follows by it.
    Decided(&'a RemoteChangeDecision),
}

/// What becomes of an item along with its booking.
#[derive(Clone, Copy, Debug)]
pub enum ChannelItemWrite<'a> {
    Add(NewChannelItem<'a>),
    /// It has become this, and the booking stands for it.
    Change {
        id: ChannelItemId,
        /// What stood for it until now.
        was: Option<BookingId>,
        item: &'a FeedItem,
        /// Whether a file says so, and not the feed.
        by_hand: bool,
    },
    /// It has become this, for which no booking stands any more.
    Free {
        id: ChannelItemId,
        item: &'a FeedItem,
        /// Whether a file says so, and not the feed.
        by_hand: bool,
    },
    Lose {
        id: ChannelItemId,
        loss: ChannelItemLoss,
    },
    Revive {
        id: ChannelItemId,
    },
}

impl ChannelItemWrite<'_> {
    async fn write(&self, tx: &mut Tx, change: &ChangeContext, booking: BookingId) -> Result<()> {
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

/// Writes it, in the transaction that has changed the booking.
pub(super) async fn write_linked(
    tx: &mut Tx,
    change: &ChangeContext,
    put: &WrittenBooking,
    along: LinkedWrite<'_>,
) -> Result<(), PutError> {
    let current = put.booking.version;
    match along {
        LinkedWrite::Nothing => {}
        LinkedWrite::Notices(notices) => notices::raise_all(tx, notices, change.now).await?,
        LinkedWrite::Answered(answer) => answers::record(tx, change, answer).await?,
        LinkedWrite::Item(item) => item.write(tx, change, put.booking.id).await?,
        LinkedWrite::Followed { change: outside, revision, etag, shape, notices } => {
            if !entries::note_seen(tx, (outside.entry, revision), (etag, shape), false).await? {
                return Err(PutError::Stale { current });
            }
            let outside = NewRemoteChange { booking_version: Some(current), ..*outside };
            remote_changes::record(tx, &outside, change.now).await?;
            notices::raise_all(tx, notices, change.now).await?;
        }
        LinkedWrite::Decided(decision) => {
            let follows = decision.to == RemoteChangeState::Followed;
            let decision =
                RemoteChangeDecision { booking_version: follows.then_some(current), ..decision.clone() };
            remote_changes::decide(tx, change.business, &decision, &change.actor, change.now).await.map_err(
                |error| match error {
                    StorageError::NotFound => PutError::Stale { current },
                    other => other.into(),
                },
            )?;
        }
    }
    Ok(())
}
