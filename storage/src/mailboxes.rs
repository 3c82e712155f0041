//! How far mailboxes have been read that customers' calendars answer to, and whether they can be.

use chrono::{DateTime, Utc};
use concord_domain::mailbox::MailboxCursor;

use crate::{Db, Result, StorageError, Tx};

/// What is known of a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxReading {
    /// `None`: none of its mails was read.
    pub cursor: Option<MailboxCursor>,
    /// The mail at which reading has failed since, and how often; `None`: at none.
    pub tried: Option<(u32, u32)>,
    /// When it was last looked at without an error.
    pub read_at: Option<DateTime<Utc>>,
    /// Since when it cannot be read; `None`: it can.
    pub failing_since: Option<DateTime<Utc>>,
    /// What is wrong, in the words of the mail server where it has said any.
    pub last_error: Option<String>,
}

#[derive(sqlx_macros::FromRow)]
struct MailboxRow {
    uid_validity: Option<i64>,
    last_uid: Option<i64>,
    tried_uid: Option<i64>,
    tries: i64,
    read_at: Option<DateTime<Utc>>,
    failing_since: Option<DateTime<Utc>>,
    last_error: Option<String>,
}

impl TryFrom<MailboxRow> for MailboxReading {
    type Error = StorageError;

    fn try_from(row: MailboxRow) -> Result<Self> {
        let uid = |number| u32::try_from(number).map_err(|_| StorageError::Inconsistent { what: "mailbox" });
        let cursor = match row.uid_validity.zip(row.last_uid) {
            Some((uid_validity, last_uid)) => {
                Some(MailboxCursor { uid_validity: uid(uid_validity)?, last_uid: uid(last_uid)? })
            }
            None => None,
        };
        let tried =
            row.tried_uid.map(|tried| Ok::<_, StorageError>((uid(tried)?, uid(row.tries)?))).transpose()?;
        let MailboxRow { read_at, failing_since, last_error, .. } = row;
        Ok(Self { cursor, tried, read_at, failing_since, last_error })
    }
}

const FIND: &str = "SELECT uid_validity, last_uid, tried_uid, tries, read_at, failing_since, last_error FROM mailboxes WHERE address = $1";

/// What is known of the mailbox with this address, which holds no password; of one that was never looked at, nothing.
pub async fn find(db: &Db, address: &str) -> Result<MailboxReading> {
    let row: Option<MailboxRow> = optional!(db, FIND, address)?;
    row.map_or_else(|| Ok(MailboxReading::default()), MailboxReading::try_from)
}

const RECORD_READ: &str = "
    INSERT INTO mailboxes (address, uid_validity, last_uid, read_at, tries) VALUES ($1, $2, $3, $4, 0)
    ON CONFLICT (address) DO UPDATE SET
        uid_validity = excluded.uid_validity, last_uid = excluded.last_uid, read_at = excluded.read_at,
        tried_uid = NULL, tries = 0, failing_since = NULL, last_error = NULL";

/// Notes how far it was read. `cursor`: `None` while none of its mails was.
pub async fn record_read(
    tx: &mut Tx,
    address: &str,
    cursor: Option<MailboxCursor>,
    now: DateTime<Utc>,
) -> Result<()> {
    let uid_validity = cursor.map(|cursor| i64::from(cursor.uid_validity));
    let last_uid = cursor.map(|cursor| i64::from(cursor.last_uid));
    exec!(tx, RECORD_READ, address, uid_validity, last_uid, now)
}

const RECORD_FAILURE: &str = "
    INSERT INTO mailboxes (address, failing_since, last_error, tried_uid, tries)
    VALUES ($1, $2, $3, $4, CASE WHEN $4 IS NULL THEN 0 ELSE 1 END)
    ON CONFLICT (address) DO UPDATE SET
        tries = CASE WHEN excluded.tried_uid IS NULL THEN mailboxes.tries
            WHEN mailboxes.tried_uid = excluded.tried_uid THEN mailboxes.tries + 1 ELSE 1 END,
        tried_uid = COALESCE(excluded.tried_uid, mailboxes.tried_uid),
        failing_since = COALESCE(mailboxes.failing_since, excluded.failing_since), last_error = excluded.last_error";

/// Notes that it cannot be read, and why, for people. `uid`: the mail at which it failed, if it was one.
pub async fn record_failure(
    tx: &mut Tx,
    address: &str,
    (error, uid): (&str, Option<u32>),
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, RECORD_FAILURE, address, now, error, uid.map(i64::from))
}
