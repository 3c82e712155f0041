//! Who works with a SQLite file: one process that takes up all that was left behind, or several that do not.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::PathBuf,
};

use crate::{Db, Result, StorageError};

/// How a process works with the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceMode {
    /// It takes itself for the only one.
    Exclusive,
    /// It gets on with others that do.
    Shared,
}

/// That a process works with a file, until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct InstanceLock(#[expect(dead_code, reason = "held for its lock")] File);

impl Db {
    /// Claims the file for this process, in another file beside it. `None`: the database is a server, or in memory.
    /// `InUse`: another process has claimed it.
    pub fn claim(&self, company: InstanceMode) -> Result<Option<InstanceLock>> {
        let Some(path) = self.instance_lock_file() else { return Ok(None) };
        let unusable = |error| StorageError::Url(format!("cannot lock {}: {error}", path.display()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(unusable)?;
        let locked = match company {
            InstanceMode::Exclusive => file.try_lock(),
            InstanceMode::Shared => file.try_lock_shared(),
        };
        match locked {
            Ok(()) => Ok(Some(InstanceLock(file))),
            Err(TryLockError::WouldBlock) => Err(StorageError::InUse { file: path }),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    fn instance_lock_file(&self) -> Option<PathBuf> {
        let Self::Sqlite { write, .. } = self else { return None };
        let options = write.connect_options();
        let database = options.get_filename();
        // A database in memory has such a name.
        if database.to_string_lossy().starts_with("file:") {
            return None;
        }
        let mut name = database.as_os_str().to_owned();
        name.push(".lock");
        Some(name.into())
    }
}
