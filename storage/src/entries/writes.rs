//! What was written, or could not be.

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::EntryState,
    ids::{CalendarId, EntryId},
    sync::{synced_fields::SyncedFields, unknown_writes::UnknownWrite},
};
use sqlx::types::Json;

use crate::{Db, Result, Tx, jobs::ClaimedJob};

/// What is known of an entry is stored anew: at another revision, and at the readings that have begun by now.
macro_rules! stored_anew {
    () => {
        "revision = revision + 1, reading = (SELECT c.readings FROM connections c WHERE c.id = entries.connection_id)"
    };
}
pub(super) use stored_anew;

const BEGIN_WRITE: &str = concat!(
    "UPDATE entries SET attempted = TRUE, content_hash = NULL, external_id = $3, unknown_writes = $4, etag = $7, ",
    stored_anew!(),
    " WHERE id = $1 AND revision = $2 AND desired = $5
        AND ($6 IS NULL OR $6 = (SELECT version FROM bookings WHERE id = entries.booking_id))
        AND EXISTS (SELECT 1 FROM jobs d WHERE d.id = $8 AND d.leased_by = $9)"
);

/// A write as it was planned.
#[derive(Clone, Debug)]
pub struct PlannedWrite<'a> {
    /// By what the entry is found if the answer is lost; ours, where the provider is to give out a new one.
    pub external_id: &'a str,
    /// The version that it is to replace, or the last that was known.
    pub etag: Option<&'a str>,
    /// Whether it is to stand there.
    pub desired: bool,
    /// Of the booking; `None`: it is to go, whatever that says.
    pub version: Option<i64>,
    /// What each write would leave whose outcome is not known, with this one.
    pub unknown: &'a [UnknownWrite],
    /// Whose lease must hold: a worker that was frozen for longer than that writes nothing more.
    pub held: &'a ClaimedJob,
}

/// Before a call that writes: its answer may be lost, and then nobody knows what stands there. `false`: the booking says
/// something else by now, somebody has stored something else since `revision`, or the lease was lost, and the call is not to
/// be made; otherwise the revision is the next one.
pub async fn begin_write(db: &Db, (id, revision): (EntryId, i64), write: &PlannedWrite<'_>) -> Result<bool> {
    let mut tx = db.begin().await?;
    let rows = changed!(tx, BEGIN_WRITE;
        id, revision, write.external_id, Json(write.unknown), write.desired, write.version, write.etag,
        write.held.id, &write.held.leased_by
    )?;
    tx.commit().await?;
    Ok(rows == 1)
}

const IS_BEING_WRITTEN: &str = "
    SELECT EXISTS (SELECT 1 FROM jobs
        WHERE kind IN ('sync_booking', 'delete_booking') AND subject_id = $1 AND lease_until > $2)";

/// Whether somebody is at work on it, so that the answer to a write may be on its way.
pub async fn is_being_written(db: &Db, id: EntryId, now: DateTime<Utc>) -> Result<bool> {
    scalar!(db, IS_BEING_WRITTEN, id, now)
}

const ABORT_WRITE: &str =
    concat!("UPDATE entries SET unknown_writes = $3, ", stored_anew!(), " WHERE id = $1 AND revision = $2");

/// The write that was begun was refused, or no call was made: it did not happen. `unknown`: the others whose outcome is not
/// known. `false`: somebody has stored something else since `revision`; otherwise the revision is the next one.
pub async fn refuse_write(
    tx: &mut Tx,
    (id, revision): (EntryId, i64),
    unknown: &[UnknownWrite],
) -> Result<bool> {
    Ok(changed!(tx, ABORT_WRITE, id, revision, Json(unknown))? == 1)
}

/// What a write left behind.
#[derive(Clone, Debug)]
pub struct WrittenEntry<'a> {
    /// The provider's id of it: ours, or one that the provider gave it.
    pub external_id: &'a str,
    /// For the next conditional write.
    pub etag: &'a str,
    /// The digest of what was written.
    pub content_hash: &'a str,
    pub version: i64,
    /// What it says now.
    pub shape: &'a SyncedFields,
}

/// The state says `synced` only if nothing newer waits: the booking may have been cancelled while it was written.
const RECORD_WRITTEN: &str = concat!(
    "UPDATE entries SET external_id = $7, base = $8, etag = $2, content_hash = $3, written_version = $4, written_at = $5,
        attempted = TRUE, unknown_writes = '[]', last_error = NULL,
        state = CASE WHEN desired AND $4 >= (SELECT version FROM bookings WHERE id = entries.booking_id)
            THEN 'synced' ELSE 'pending' END, ",
    stored_anew!(),
    " WHERE id = $1 AND calendar_id = $6 AND revision = $9"
);

/// It stands at the provider as written, in `calendar`. `false`: it belongs into another calendar by now, of which nothing
/// is known, or somebody has stored something else since `revision`.
pub async fn record_written(
    tx: &mut Tx,
    (id, calendar, revision): (EntryId, CalendarId, i64),
    written: &WrittenEntry<'_>,
    now: DateTime<Utc>,
) -> Result<bool> {
    Ok(changed!(tx, RECORD_WRITTEN;
        id, written.etag, written.content_hash, written.version, now, calendar, written.external_id,
        Json(written.shape), revision
    )? == 1)
}

const RECORD_REMOVED: &str = concat!(
    "UPDATE entries SET etag = NULL, base = NULL, unknown_writes = '[]', content_hash = $2, written_version = NULL,
        written_at = $3, last_error = NULL, state = CASE WHEN desired THEN 'pending' ELSE 'removed' END, ",
    stored_anew!(),
    " WHERE id = $1 AND calendar_id = $4 AND revision = $5"
);

/// It no longer stands in `calendar`. `content_hash` is the plan's mark of that. `false`: as of `record_written`.
pub async fn record_removed(
    tx: &mut Tx,
    (id, calendar, revision): (EntryId, CalendarId, i64),
    content_hash: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool> {
    Ok(changed!(tx, RECORD_REMOVED, id, content_hash, now, calendar, revision)? == 1)
}

const RECORD_OBSERVED: &str = concat!(
    "UPDATE entries SET etag = $3, base = $4, content_hash = CASE WHEN $5 THEN content_hash END, unknown_writes = '[]', ",
    stored_anew!(),
    " WHERE id = $1 AND revision = $2"
);

/// What a person left there is known by now: the same is not dealt with again, and the next write names its version.
/// `shape`: what it says, `None` if it is gone. `is_as_written`: nothing that we write was changed. `false`: something else
/// was stored since `revision`, and what was seen is no more.
pub async fn note_seen(
    tx: &mut Tx,
    (id, revision): (EntryId, i64),
    (etag, shape): (Option<&str>, Option<&SyncedFields>),
    is_as_written: bool,
) -> Result<bool> {
    Ok(changed!(tx, RECORD_OBSERVED, id, revision, etag, shape.map(Json), is_as_written)? == 1)
}

const ACCEPT_REMOVAL: &str = concat!(
    "UPDATE entries SET desired = FALSE, state = 'removed', unknown_writes = '[]', etag = NULL, base = NULL,
        content_hash = NULL, last_error = NULL, ",
    stored_anew!(),
    " WHERE id = $1"
);

/// It is gone, and nobody misses it: the booking is over, and is held so (`bookings::hold`). It is written again if the
/// booking changes.
pub async fn let_be(tx: &mut Tx, id: EntryId) -> Result<()> {
    exec!(tx, ACCEPT_REMOVAL, id)
}

const MARK_UNDESIRED: &str = "
    UPDATE entries SET desired = FALSE
    WHERE id = $1 AND EXISTS (SELECT 1 FROM connections c WHERE c.id = entries.connection_id AND c.state = 'disconnected')";

/// It goes with its connection, whatever the booking wants; unless that has been connected again.
pub async fn mark_undesired(tx: &mut Tx, id: EntryId) -> Result<()> {
    exec!(tx, MARK_UNDESIRED, id)
}

const RECORD_FAILURE: &str = "UPDATE entries SET state = $2, last_error = $3 WHERE id = $1";

/// A try failed; `state` says whether for good.
pub async fn record_failure(tx: &mut Tx, id: EntryId, state: EntryState, reason: &str) -> Result<()> {
    exec!(tx, RECORD_FAILURE, id, state, reason)
}
