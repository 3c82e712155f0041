//! What goes along with the change of a booking that follows somebody's change of its entry, or a decision about one.

use concord_domain::{
    booking::BookingDraft,
    ids::BookingId,
    sync::{remote_change::RemoteChangeState, synced_fields::SyncedFields},
};

use super::import::ChannelItemWrite;
use super::write::{BookingCommand, ChangeContext, PutError, WrittenBooking, write};
use crate::{
    Db, StorageError, Tx, entries,
    notices::{self, NewNotice},
    on_db,
    remote_changes::{self, NewRemoteChange, RemoteChangeDecision},
};

/// What is written in the transaction that changes a booking.
#[derive(Clone, Copy, Debug)]
pub enum LinkedWrite<'a> {
    /// Nothing else.
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
    /// What the item of a channel's feed has become that this booking stands for.
    Item(&'a ChannelItemWrite<'a>),
    /// What somebody decided of a person's change; its `booking_version` is filled in where the booking follows by it.
    Decided(&'a RemoteChangeDecision),
}

/// Changes the booking as a person's change of its entry wants it, or as somebody decided about that, and writes both
/// down. `Stale`: it is at another version, or the entry was written since it was seen, or another has decided.
pub async fn follow(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    draft: &BookingDraft,
    expected: i64,
    along: LinkedWrite<'_>,
) -> Result<WrittenBooking, PutError> {
    write(db, change, reference, BookingCommand::Say(draft), Some(expected), along).await
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
        LinkedWrite::Item(item) => item.write(tx, change, put.booking.id).await?,
        LinkedWrite::Followed { change: outside, revision, etag, shape, notices: told } => {
            if !entries::note_seen(tx, (outside.entry, revision), (etag, shape), false).await? {
                return Err(PutError::Stale { current });
            }
            let outside = NewRemoteChange { booking_version: Some(current), ..*outside };
            remote_changes::record(tx, &outside, change.now).await?;
            for new in told {
                notices::raise(tx, new, change.now).await?;
            }
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

// Nothing changes but that the row is held, on either database.
const LOCK_VERSION: &str = "UPDATE bookings SET version = version WHERE id = $1 AND version = $2";

/// Whether the booking is at that version, at which it then stays until the end of the transaction. Before the booking's
/// entries are touched, as whoever writes it takes them.
pub async fn hold(tx: &mut Tx, id: BookingId, version: i64) -> Result<bool, StorageError> {
    let rows = on_db!(tx, c => sqlx::query(LOCK_VERSION)
        .bind(id)
        .bind(version)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}
