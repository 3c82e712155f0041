//! Whether the database works, found out by writing to it.
//!
//! A look answers within a second whatever the database does, and asks at most twice a second however many look.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use uuid::Uuid;

use crate::{Db, Result, StorageError};

/// For how long what was found holds.
const CACHE_TTL: Duration = Duration::from_millis(500);
/// How long writing may take, and then reading.
const WRITE_TIMEOUT: Duration = Duration::from_millis(600);
const READ_TIMEOUT: Duration = Duration::from_millis(250);
/// Where many write, a probe may have no turn in time: the database counts as one that works for so long after it did.
const MAX_BUSY_TIME: Duration = Duration::from_secs(10);
/// A few pages: a database that cannot grow still has room for a change of what is there.
const PAYLOAD: usize = 32 * 1024;

/// How a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseCondition {
    /// It reads and writes.
    Works,
    /// It answers, but takes no changes; why, for the log.
    TakesNoChanges(String),
    /// It does not answer; why, for the log.
    Away(String),
}

/// Looks at a database, and remembers for a moment what it saw.
#[derive(Debug, Default)]
pub struct DatabaseProbe(Mutex<ProbeState>);

#[derive(Debug, Default)]
struct ProbeState {
    last: Option<(Instant, DatabaseCondition)>,
    worked_at: Option<Instant>,
    /// A connection to the server that nobody else can take: whether there is one to be had is asked of it.
    own: Option<Db>,
}

impl DatabaseProbe {
    /// How the database is.
    pub async fn look(&self, db: &Db) -> DatabaseCondition {
        let mut state = self.0.lock().await;
        if let Some((at, condition)) = &state.last
            && at.elapsed() < CACHE_TTL
        {
            return condition.clone();
        }
        let condition = state.find_out(db).await;
        let now = Instant::now();
        if condition == DatabaseCondition::Works {
            state.worked_at.get_or_insert(now);
        }
        state.last = Some((now, condition.clone()));
        condition
    }
}

impl ProbeState {
    async fn find_out(&mut self, db: &Db) -> DatabaseCondition {
        let mine = match self.connection(db) {
            Ok(mine) => mine,
            Err(error) => return DatabaseCondition::Away(error.to_string()),
        };
        let failed = match timeout(WRITE_TIMEOUT, write(&mine)).await {
            Ok(Ok(())) => {
                self.worked_at = Some(Instant::now());
                return DatabaseCondition::Works;
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        let reads = timeout(READ_TIMEOUT, mine.ping()).await;
        // It may hang for ever; the next look makes a new one.
        self.own = None;
        match (reads, failed) {
            (Ok(Ok(())), None | Some(StorageError::Overloaded)) if self.was_healthy_recently() => {
                DatabaseCondition::Works
            }
            (Ok(Ok(())), None) => {
                DatabaseCondition::TakesNoChanges("there was no turn to write for long".to_owned())
            }
            (Ok(Ok(())), Some(error)) => DatabaseCondition::TakesNoChanges(error.to_string()),
            (Ok(Err(error)), _) => DatabaseCondition::Away(error.to_string()),
            (Err(_), _) => DatabaseCondition::Away("it did not answer in time".to_owned()),
        }
    }

    /// At the first look nothing is known yet, and many may be writing.
    fn was_healthy_recently(&mut self) -> bool {
        self.worked_at.get_or_insert_with(Instant::now).elapsed() < MAX_BUSY_TIME
    }

    fn connection(&mut self, db: &Db) -> Result<Db> {
        let Db::Postgres(pool) = db else { return Ok(db.clone()) };
        if pool.is_closed() {
            return Err(sqlx::Error::PoolClosed.into());
        }
        let own = self.own.get_or_insert_with(|| {
            let options = (*pool.connect_options()).clone();
            let one = PgPoolOptions::new().max_connections(1).acquire_timeout(WRITE_TIMEOUT);
            Db::Postgres(one.connect_lazy_with(options))
        });
        Ok(own.clone())
    }
}

/// So many rows at the most, whatever processes that were killed have left behind.
const PROBE_ROWS: u128 = 64;
const INSERT: &str = "
    INSERT INTO write_probes (id, payload) VALUES ($1, $2)
    ON CONFLICT (id) DO UPDATE SET payload = excluded.payload";
const DELETE: &str = "DELETE FROM write_probes WHERE id = $1";

/// Two commits: what one has written and deleted again would need no room. Each time in another place, so that processes
/// are hardly ever in each other's way.
async fn write(db: &Db) -> Result<()> {
    let id = Uuid::from_u128(Uuid::new_v4().as_u128() % PROBE_ROWS);
    in_tx!(db, async_commit, tx => exec!(tx, INSERT, id, "x".repeat(PAYLOAD)))?;
    in_tx!(db, async_commit, tx => exec!(tx, DELETE, id))
}
