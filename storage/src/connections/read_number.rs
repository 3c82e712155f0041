//! The readings of a connection's calendars are counted, so that what one shows can be ordered with what is stored.

use concord_domain::{ids::ConnectionId, sync::read_sequence::ReadSequence};

use crate::{Db, Result};

const BEGIN: &str = "UPDATE connections SET readings = readings + 1 WHERE id = $1 RETURNING readings";

/// Takes the number of a reading, before its first call.
pub async fn begin_reading(db: &Db, id: ConnectionId) -> Result<ReadSequence> {
    // One that is forgotten is given out again: what was stored since then does not count as older than it.
    in_tx!(db, async_commit, tx => scalar!(tx, BEGIN, id))
}
