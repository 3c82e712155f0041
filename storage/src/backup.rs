//! A copy of a SQLite file, while others write to it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use sqlx::{ConnectOptions, Connection};

use crate::{Db, StorageError};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database is a server, which has tools of its own.
    #[error("the database is a PostgreSQL server: back it up with pg_dump (see docs/operate.md)")]
    Server,
    /// There is something already, or the folder cannot be written to.
    #[error("cannot write {}: {error}", file.display())]
    File {
        /// What was to be written.
        file: PathBuf,
        error: io::Error,
    },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

// One read transaction (SQLite, "VACUUM INTO"): it sees the last commit before it began, writers go on meanwhile, and it ends
// however much they write. The online backup of sqlite3's shell begins anew with each write of another process.
const COPY: &str = "VACUUM INTO $1";

/// Writes all that the database holds to a new file, which only its owner may read. `file` gets its name when it is whole.
pub async fn to_file(db: &Db, file: &Path) -> Result<(), BackupError> {
    let Db::Sqlite { write, .. } = db else { return Err(BackupError::Server) };
    let failed = |error| BackupError::File { file: file.to_owned(), error };
    if file.exists() {
        return Err(failed(io::Error::from(io::ErrorKind::AlreadyExists)));
    }
    let mut name = file.as_os_str().to_owned();
    name.push(".partial");
    let draft = PathBuf::from(name);
    new_file(&draft).map_err(failed)?;
    // A connection of its own: the writer's is needed by others, and those that read may not write at all.
    let copied = async {
        let options = write.connect_options();
        let mut own = options.as_ref().clone().connect().await?;
        sqlx::query(COPY).bind(draft.display().to_string()).execute(&mut own).await?;
        own.close().await
    };
    let written = match copied.await.map_err(StorageError::from) {
        Ok(()) => File::open(&draft)
            .and_then(|whole| whole.sync_all())
            // Not `rename`, which would replace what somebody has put there meanwhile.
            .and_then(|()| fs::hard_link(&draft, file))
            .map_err(failed),
        Err(error) => Err(error.into()),
    };
    let _nothing_more_can_be_done = fs::remove_file(&draft);
    written
}

/// SQLite writes into a file that is empty, and keeps its permissions. What an attempt before has left there goes.
fn new_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
