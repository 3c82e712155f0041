//! How a channel was last read, and what is held back of it.

use chrono::{DateTime, Utc};
use concord_domain::{
    channel::plan::Quarantine,
    ids::{BusinessId, ChannelId},
};

use crate::{Result, Tx};

/// How a reading ended.
#[derive(Clone, Copy, Debug)]
pub enum FeedReadOutcome<'a> {
    /// It is as it was.
    Same,
    /// It was read to its end.
    Whole {
        /// The platform's version of it.
        etag: Option<&'a str>,
        /// When the platform says that it last changed.
        last_modified: Option<&'a str>,
        /// Of what was read; `None`: it must be looked at again, since something waits.
        digest: Option<&'a str>,
        changed: bool,
        /// What of it was not understood, for people.
        remark: Option<&'a str>,
    },
    /// It could not be read.
    Failed { error: &'a str },
}

const RECORD_NOT_MODIFIED: &str = "
    UPDATE channels SET polled_at = $2, read_at = $2,
        last_error = CASE WHEN failing_since IS NULL THEN last_error END, failing_since = NULL
    WHERE id = $1";
const RECORD_COMPLETE: &str = "
    UPDATE channels SET polled_at = $2, read_at = $2, failing_since = NULL, last_error = $7, etag = $3,
        last_modified = $4, body_digest = $5, changed_at = CASE WHEN $6 THEN $2 ELSE changed_at END
    WHERE id = $1";
const RECORD_FAILED: &str = "
    UPDATE channels SET polled_at = $2, failing_since = COALESCE(failing_since, $2), last_error = $3 WHERE id = $1";

/// Notes how a reading of a channel, which was looked up with its business, ended.
pub async fn note_read(
    tx: &mut Tx,
    id: ChannelId,
    read: FeedReadOutcome<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    match read {
        FeedReadOutcome::Same => {
            exec!(tx, RECORD_NOT_MODIFIED, id, now)?;
        }
        FeedReadOutcome::Whole { etag, last_modified, digest, changed, remark } => {
            exec!(tx, RECORD_COMPLETE, id, now, etag, last_modified, digest, changed, remark)?;
        }
        FeedReadOutcome::Failed { error } => {
            exec!(tx, RECORD_FAILED, id, now, error)?;
        }
    }
    Ok(())
}

const RESET_VALIDATORS: &str = "UPDATE channels SET etag = NULL, last_modified = NULL, body_digest = NULL WHERE business_id = $1 AND id = $2";

/// Has the whole feed looked at by the next reading, though it may be as it was: something else is not.
pub async fn look_again(tx: &mut Tx, business: BusinessId, id: ChannelId) -> Result<()> {
    exec!(tx, RESET_VALIDATORS, business, id)
}

const SET_QUARANTINE: &str = "
    UPDATE channels SET import_guard = $2, quarantined_items = $3, quarantined_total = $4, quarantined_until = $5 WHERE id = $1";

/// Notes what is held back of a channel that was looked up with its business, or that nothing is.
pub async fn hold(tx: &mut Tx, id: ChannelId, held: Option<Quarantine>) -> Result<()> {
    let items = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    exec!(tx, SET_QUARANTINE;
        id, held.map(|held| held.import_guard), held.map_or(0, |held| items(held.items)),
        held.map_or(0, |held| items(held.of)), held.map(|held| held.until)
    )
}
