//! The one error of storage.

use std::path::PathBuf;

use sqlx::{error::DatabaseError, sqlite::SqliteError};

/// What a query gives.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// What went wrong in storage, by what follows from it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The row does not exist, or belongs to another business.
    #[error("not found")]
    NotFound,
    /// The database already holds a row with that name, reference or key.
    #[error("it exists already")]
    Exists,
    /// Two rows would overlap on one unit: the database's own refusal.
    #[error("the unit is taken for that time")]
    Overlap,
    /// Units that would be taken away are held by rows that have not ended.
    #[error("unit {highest} of it is taken by something that has not ended")]
    UnitsTaken {
        /// The highest of them.
        highest: i64,
    },
    /// Stays are counted in the nights of a zone, and there are some that have not ended.
    #[error("there are stays that have not ended, and their nights are those of the present zone")]
    StaysAhead,
    /// Somebody else was faster; reading again and trying once more will do.
    #[error("the database was busy with a conflicting change")]
    Busy,
    /// So many want to write that there was no turn in time; nothing was done.
    #[error("too many changes at once: the write had to wait too long")]
    Overloaded,
    /// The database does not answer: there is no connection to be had, or it broke.
    #[error("the database does not answer: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// The database answers and takes no changes: its disk is full or fails, or it may only be read.
    #[error("the database takes no changes: {0}")]
    Unwritable(#[source] sqlx::Error),
    /// The database was written by a newer Concord.
    #[error(
        "the database has migration {found}, which this version of Concord does not know; \
         start the newer version again, or restore a backup made before the upgrade"
    )]
    NewerDatabase {
        /// The first unknown migration.
        found: i64,
    },
    /// The database was made before the first release, when its tables had other names.
    #[error(
        "the database was made by a version from before the first release, and cannot be brought up to date: move it \
         away, or name another one in DATABASE_URL, and start with an empty one; nothing in it was changed"
    )]
    OldNumbering,
    /// The database has not been migrated as far as this Concord needs.
    #[error(
        "the database is at migration {found} and this version of Concord needs {known}; run `concord migrate`"
    )]
    NotMigrated {
        /// The newest that it has; 0: none.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// The URL names no database that Concord can open.
    #[error("cannot open the database: {0}")]
    Url(String),
    /// Another process works with the SQLite file, and one of them takes itself for the only one.
    #[error(
        "another Concord works with this database: it holds {}; stop it first, or use another data folder",
        file.display()
    )]
    InUse {
        /// What it has locked.
        file: PathBuf,
    },
    /// There is no database yet, and none was to be made.
    #[error("there is no database of Concord yet: {place}")]
    NoDatabase {
        /// Where it was looked for.
        place: String,
    },
    /// The database's server cannot be reached, or lets nobody in.
    #[error("cannot open the database at {place}: {cause}")]
    Unreachable {
        /// Its host and port.
        place: String,
        cause: String,
    },
    /// A sealed secret cannot be opened: the master key is another one.
    #[error("a stored secret cannot be opened with the configured master key (key id {key_id})")]
    Sealed {
        /// The id of the key that it was sealed with.
        key_id: String,
    },
    /// A page cursor that no page gave.
    #[error("the page cursor is not a cursor from a previous page")]
    BadCursor,
    /// A stored value makes no sense.
    #[error("the database holds an inconsistent {what}")]
    Inconsistent { what: &'static str },
    /// The database refused the statement.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
    #[error("the database could not be migrated: {0}")]
    Migration(#[source] sqlx::migrate::MigrateError),
}

/// PostgreSQL: serialisation failure, deadlock, lock not available.
const BUSY_POSTGRES: [&str; 3] = ["40001", "40P01", "55P03"];
/// PostgreSQL: a text that it cannot hold, such as one with a NUL.
const IMPOSSIBLE_TEXT: &str = "22021";
/// SQLite: BUSY, LOCKED and BUSY_SNAPSHOT.
const BUSY_SQLITE: [&str; 3] = ["5", "6", "517"];

/// PostgreSQL: a full disk, a transaction that may only read (a standby's).
const UNWRITABLE_POSTGRES: [&str; 2] = ["53100", "25006"];
/// PostgreSQL: classes of connections that broke, of resources that are used up, of an operator's intervention.
const UNAVAILABLE_POSTGRES: [&str; 3] = ["08", "53", "57P"];
/// SQLite: READONLY, IOERR, FULL and CANTOPEN, which stand in the lowest byte of the extended codes.
const UNWRITABLE_SQLITE: [u32; 4] = [8, 10, 13, 14];

fn is_unwritable(refused: &dyn DatabaseError) -> bool {
    let code = refused.code().unwrap_or_default();
    match refused.try_downcast_ref::<SqliteError>() {
        Some(_) => code.parse::<u32>().is_ok_and(|code| UNWRITABLE_SQLITE.contains(&(code & 0xff))),
        None => UNWRITABLE_POSTGRES.contains(&code.as_ref()),
    }
}

fn is_unavailable(refused: &dyn DatabaseError) -> bool {
    let code = refused.code().unwrap_or_default();
    refused.try_downcast_ref::<SqliteError>().is_none()
        && UNAVAILABLE_POSTGRES.iter().any(|class| code.starts_with(class))
}

impl StorageError {
    /// Whether the same may do later: it says something of the database as it is now, and nothing of what was asked.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Busy | Self::Overloaded | Self::Unavailable(_) | Self::Unwritable(_))
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = &error else {
            return match error {
                sqlx::Error::RowNotFound => Self::NotFound,
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
                // What a column's type here says of it.
                sqlx::Error::ColumnDecode { index, source } => match source.downcast() {
                    Ok(inconsistent) => *inconsistent,
                    Err(source) => Self::Database(sqlx::Error::ColumnDecode { index, source }),
                },
                other => Self::Database(other),
            };
        };
        let code = database.code().unwrap_or_default();
        if database.constraint() == Some("occupancy_no_overlap")
            || database.message().contains("occupancy_no_overlap")
        {
            Self::Overlap
        } else if database.is_unique_violation() {
            Self::Exists
        } else if BUSY_POSTGRES.contains(&code.as_ref()) || BUSY_SQLITE.contains(&code.as_ref()) {
            Self::Busy
        } else if code == IMPOSSIBLE_TEXT {
            // Whatever was looked up by it cannot be there.
            Self::NotFound
        } else if is_unwritable(database.as_ref()) {
            Self::Unwritable(error)
        } else if is_unavailable(database.as_ref()) {
            Self::Unavailable(error)
        } else {
            Self::Database(error)
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StorageError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::VersionMissing(found)
            | sqlx::migrate::MigrateError::VersionTooNew(found, _) => Self::NewerDatabase { found },
            other => Self::Migration(other),
        }
    }
}
