//! Brings what SQLite's log holds into its file, beside those who write.
//!
//! Left to itself, SQLite does it within the commit that finds 1,000 pages in the log: in a large database forty bookings
//! fill them, nearly each page is another place in the file, and everybody who writes waits for all of them to reach the
//! disk. Here a reader's connection does it, and writers go on (<https://www.sqlite.org/wal.html>, 3.1).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use sqlx::{SqliteConnection, SqlitePool};

use crate::{Result, StorageError, write_gate::WriteGate};

/// Commits after which the log is brought into the file: some 10,000 pages.
const COMMITS_PER_CHECKPOINT: u32 = 1_000;

/// What is left to the commit that finds so many pages in the log, as a large import writes in one: 128 MB.
pub(crate) const PAGES_AT_MOST: &str = "32000";

/// So few pages (4 MB) are brought over while writers wait, so that the log begins anew and does not grow for ever.
const FEW_PAGES: i64 = 1_000;

/// So often it is tried to come so close to writers that go on.
const ATTEMPTS: u32 = 4;

/// How often it is tried to empty the log, and how far apart: one that is on its way lets no other begin.
const ATTEMPTS_TO_EMPTY: u32 = 30;
const EMPTY_AGAIN: Duration = Duration::from_millis(100);

/// When the log of a file is due.
#[derive(Clone, Debug)]
pub struct WalCheckpointer {
    read: SqlitePool,
    gate: WriteGate,
    state: Arc<CheckpointState>,
}

#[derive(Debug, Default)]
struct CheckpointState {
    commits: AtomicU32,
    is_running: AtomicBool,
}

/// What a checkpoint says of the log, in pages.
#[derive(Clone, Copy, sqlx_macros::FromRow)]
struct WalStatus {
    log: i64,
    checkpointed: i64,
}

impl WalCheckpointer {
    pub(crate) fn new(read: SqlitePool, gate: WriteGate) -> Self {
        Self { read, gate, state: Arc::default() }
    }

    /// To be called after each commit, without a turn to write in hand.
    pub(crate) fn note_commit(&self) {
        let commits = self.state.commits.fetch_add(1, Ordering::Relaxed) + 1;
        if commits < COMMITS_PER_CHECKPOINT || self.state.is_running.swap(true, Ordering::AcqRel) {
            return;
        }
        self.state.commits.store(0, Ordering::Relaxed);
        let own = self.clone();
        tokio::spawn(async move {
            if let Err(error) = own.run().await {
                tracing::warn!(%error, "SQLite's log could not be brought into its file; it is tried again");
            }
            own.state.is_running.store(false, Ordering::Release);
        });
    }

    /// Empties the log by a connection that may write: what is overwritten in the file stands in it until then. Waits for
    /// readers, and writers for it. `Busy`: a reader goes on, or another checkpoint.
    pub(crate) async fn empty(&self, write: &SqlitePool) -> Result<()> {
        for _ in 0..ATTEMPTS_TO_EMPTY {
            if empty_once(&self.gate, write).await? {
                return Ok(());
            }
            tokio::time::sleep(EMPTY_AGAIN).await;
        }
        Err(StorageError::Busy)
    }

    async fn run(&self) -> Result<()> {
        // Before the turn: no writer is to wait for a reader.
        let mut reader = self.read.acquire().await?;
        for _ in 0..ATTEMPTS {
            let WalStatus { log, checkpointed } = checkpoint(&mut reader).await?;
            if log - checkpointed <= FEW_PAGES {
                break;
            }
        }
        let _turn = self.gate.turn().await?;
        checkpoint(&mut reader).await?;
        Ok(())
    }
}

async fn empty_once(gate: &WriteGate, write: &SqlitePool) -> Result<bool> {
    let _turn = gate.turn().await?;
    let mut writer = write.acquire().await?;
    let (is_busy, _, _): (i64, i64, i64) =
        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *writer).await?;
    Ok(is_busy == 0)
}

/// `PASSIVE`: it waits for nobody, and leaves what a reader still needs.
async fn checkpoint(reader: &mut SqliteConnection) -> Result<WalStatus> {
    Ok(sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(reader).await?)
}
