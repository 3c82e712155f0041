//! Entries that may be gone or elsewhere, though no change tells of it.

use concord_domain::{
    ids::{BusinessId, CalendarId, EntryId},
    sync::{read_sequence::ReadSequence, unknown_writes::UnknownWrite},
};
use sqlx::types::Json;

use super::writes::stored_anew;
use crate::{Db, Result, Tx};

/// An entry that stands as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct PresentEntry {
    pub id: EntryId,
    /// What its calendar calls it.
    pub external_id: String,
    /// The version that our last write left, or that was last dealt with.
    pub etag: Option<String>,
    /// How many readings of the connection had begun when that was last stored.
    pub reading: ReadSequence,
}

const LIST_STORED_SINCE: &str = "
    SELECT id, external_id, etag, reading FROM entries
    WHERE business_id = $1 AND calendar_id = $2 AND reading >= $3 AND desired AND base IS NOT NULL AND unknown_writes = '[]'
    ORDER BY id";

/// The entries of a calendar that should stand and do as far as is known, if that was stored after this reading had begun.
pub async fn list_stored_since(
    db: &Db,
    business: BusinessId,
    calendar: CalendarId,
    reading: ReadSequence,
) -> Result<Vec<PresentEntry>> {
    all!(db, LIST_STORED_SINCE, business, calendar, reading)
}

/// Where an entry was found.
#[derive(Clone, Debug)]
pub struct MovedEntry<'a> {
    /// Another calendar of its connection, or the same if it is only called otherwise there.
    pub to: CalendarId,
    /// What that calls it.
    pub external_id: &'a str,
    /// What each write would have left whose outcome is still not known.
    pub unknown: &'a [UnknownWrite],
}

// What was known of it is compared with what stands there now, which has no version yet that we know of.
const MOVE_TO: &str = concat!(
    "UPDATE entries SET calendar_id = $4, external_id = $5, etag = NULL, unknown_writes = $6, ",
    stored_anew!(),
    " WHERE id = $1 AND calendar_id = $2 AND revision = $3
        AND EXISTS (SELECT 1 FROM calendars k WHERE k.id = $4 AND k.connection_id = entries.connection_id)"
);

/// Its owner has put it into another calendar, where it is looked at and written from now on. `false`: somebody has stored
/// something else since `revision`, or that calendar is not of its connection; otherwise the revision is the next one.
pub async fn move_to(
    tx: &mut Tx,
    (id, from, revision): (EntryId, CalendarId, i64),
    moved: &MovedEntry<'_>,
) -> Result<bool> {
    Ok(changed!(tx, MOVE_TO, id, from, revision, moved.to, moved.external_id, Json(moved.unknown))? == 1)
}
