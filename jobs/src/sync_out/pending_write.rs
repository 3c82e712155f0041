//! The mark of a write begun: what the write would leave is stored with its entry before the call, and taken back when the
//! write is known not to have happened.

use concord_domain::sync::unknown_writes::{UnknownWrite, push_unknown_write};
use concord_storage::{
    StorageError,
    entries::{self, Entry, PlannedWrite},
    in_tx,
    jobs::ClaimedJob,
};

use crate::Context;

/// Stores it, of an entry that is to be found as `external_id`, over the version `etag`, for the booking at `version`
/// (`None`: whatever that says). Returns what was unknown before; `None`: somebody has stored something else since the entry
/// was loaded, the booking says something else by now, or the lease of the job was lost, and the call is not to be made.
pub(crate) async fn begin(
    (context, held): (&Context, &ClaimedJob),
    entry: &mut Entry,
    write: UnknownWrite,
    (external_id, etag): (&str, Option<&str>),
    version: Option<i64>,
) -> Result<Option<Vec<UnknownWrite>>, StorageError> {
    let unknown = push_unknown_write(entry.unknown_writes.clone(), write);
    let planned =
        PlannedWrite { external_id, etag, desired: entry.desired, version, unknown: &unknown, held };
    if !entries::begin_write(&context.db, (entry.id, entry.revision), &planned).await? {
        return Ok(None);
    }
    entry.revision += 1;
    Ok(Some(std::mem::replace(&mut entry.unknown_writes, unknown)))
}

/// The write did not happen: it is stored at once, since whatever comes next may fail. `earlier`: what was unknown before.
pub(crate) async fn refuse(
    context: &Context,
    entry: &mut Entry,
    earlier: Vec<UnknownWrite>,
) -> Result<(), StorageError> {
    let is_stored =
        in_tx!(context.db, tx => entries::refuse_write(&mut tx, (entry.id, entry.revision), &earlier).await)?;
    // Stored by somebody else meanwhile, it is found out by the next write.
    entry.revision += i64::from(is_stored);
    entry.unknown_writes = earlier;
    Ok(())
}
