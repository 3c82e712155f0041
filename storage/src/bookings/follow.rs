//! Bookings that follow somebody's change of their entry, or a decision about one.

use concord_domain::{booking::BookingDraft, ids::BookingId};

use super::{
    linked::LinkedWrite,
    outcome::{BookingCommand, PutError, WrittenBooking},
    write::write,
};
use crate::{ChangeContext, Db, Result, Tx};

/// Changes the booking as a person's change of its entry wants it, or as somebody decided about that, and writes both
/// down. `Stale`: it is at another version, or the entry was written since it was seen, or another has decided.
pub async fn follow(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    draft: &BookingDraft,
    expected: i64,
    linked: LinkedWrite<'_>,
) -> Result<WrittenBooking, PutError> {
    write(db, change, reference, BookingCommand::Put(draft), Some(expected), linked).await
}

// Nothing changes but that the row is held, on either database.
const LOCK_VERSION: &str = "UPDATE bookings SET version = version WHERE id = $1 AND version = $2";

/// Whether the booking is at that version, at which it then stays until the end of the transaction. Before the booking's
/// entries are touched, as whoever writes it takes them.
pub async fn hold(tx: &mut Tx, id: BookingId, version: i64) -> Result<bool> {
    Ok(changed!(tx, LOCK_VERSION, id, version)? == 1)
}
