//! The tables' versions: bringing a database up to date, and refusing one that this version cannot work with.
//!
//! A migration is a file of the same number and name in `migrations/sqlite` and `migrations/postgres`. It is never edited:
//! `sqlx` refuses a database whose migrations have another checksum than the program, and `migrations/checksums.txt` is held
//! against them by a test.

use sqlx::migrate::Migrator;

use crate::{Db, Result, StorageError, statistics};

pub(crate) static SQLITE_MIGRATIONS: Migrator = sqlx_macros::migrate!("../migrations/sqlite");
pub(crate) static POSTGRES_MIGRATIONS: Migrator = sqlx_macros::migrate!("../migrations/postgres");

const APPLIED: &str = "SELECT version FROM _sqlx_migrations";

/// The first migration of the numbering that was given up before the first release had this name.
const OLD_NUMBERING: &str =
    "SELECT EXISTS (SELECT 1 FROM _sqlx_migrations WHERE version = 1 AND description = 'foundation')";

impl Db {
    /// Brings the tables up to date. Errors: `NewerDatabase` and `OldNumbering`, and then nothing was changed.
    pub async fn migrate(&self) -> Result<()> {
        self.refuse_old_numbering().await?;
        match self {
            Self::Sqlite { write, .. } => {
                SQLITE_MIGRATIONS.run(write).await?;
                statistics::assume(write).await?;
            }
            Self::Postgres(pool) => POSTGRES_MIGRATIONS.run(pool).await?,
        }
        Ok(())
    }

    /// Whether there is none of Concord's tables yet.
    pub async fn is_empty(&self) -> Result<bool> {
        let table = match self {
            Self::Sqlite { .. } => {
                "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')"
            }
            Self::Postgres(_) => "SELECT to_regclass('_sqlx_migrations') IS NOT NULL",
        };
        let is_migrated: bool = scalar!(self, dynamic(table))?;
        Ok(!is_migrated)
    }

    /// Checks, where somebody else migrates, that the tables are those that this version knows.
    pub async fn check_migrated(&self) -> Result<()> {
        self.refuse_old_numbering().await?;
        let migrations = match self {
            Self::Sqlite { .. } => &SQLITE_MIGRATIONS,
            Self::Postgres(_) => &POSTGRES_MIGRATIONS,
        };
        let known: Vec<i64> = migrations.iter().map(|migration| migration.version).collect();
        let newest = known.last().copied().unwrap_or_default();
        // Without the table nothing was ever migrated.
        let found: Vec<i64> = scalars!(self, APPLIED).unwrap_or_default();
        if let Some(found) = found.iter().copied().find(|version| *version > newest) {
            return Err(StorageError::NewerDatabase { found });
        }
        // Numbers are given before the work is done, so that a lower one may come after a higher one.
        match known.iter().position(|version| !found.contains(version)) {
            Some(missing) => {
                let found = missing.checked_sub(1).map_or(0, |before| known[before]);
                Err(StorageError::NotMigrated { found, known: newest })
            }
            None => Ok(()),
        }
    }

    async fn refuse_old_numbering(&self) -> Result<()> {
        if self.is_empty().await? {
            return Ok(());
        }
        let is_old: bool = scalar!(self, OLD_NUMBERING)?;
        if is_old { Err(StorageError::OldNumbering) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = include_str!("../../migrations/checksums.txt");

    fn checksums(database: &str, migrator: &Migrator) -> Vec<String> {
        let line = |one: &sqlx::migrate::Migration| {
            let checksum =
                one.checksum.iter().take(16).fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
            format!("{database} {:04} {} {checksum:032x}", one.version, one.description.replace(' ', "_"))
        };
        migrator.iter().map(line).collect()
    }

    #[test]
    fn migrations_are_added_and_never_edited() {
        let mut found = checksums("sqlite", &SQLITE_MIGRATIONS);
        found.extend(checksums("postgres", &POSTGRES_MIGRATIONS));
        let recorded: Vec<&str> = RECORDED.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            found, recorded,
            "a migration that others have run is never edited: add another, and its line to migrations/checksums.txt"
        );
    }
}
