//! A transaction.

pub(crate) mod idempotent_work;

use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};

use crate::{Open, Result, checkpoint::WalCheckpointer, write_gate::WritePermit};

/// A transaction under way; dropped without `commit`, it never was.
///
/// Whoever has one asks nothing but it: a second connection of the pool, asked for with the first in hand, may be one that
/// another waits to give back. Builds for tests refuse it.
#[derive(Debug)]
pub struct Tx {
    // Before the turn: what is dropped first is rolled back first.
    inner: TxInner,
    /// Whether it does what an idempotency key stands for.
    joins: bool,
    /// SQLite's, with what is to know of its commit.
    turn: Option<(WritePermit, WalCheckpointer)>,
    #[cfg(feature = "testing")]
    _held: held_check::HeldTransaction,
}

#[derive(Debug)]
enum TxInner {
    /// Begun with `BEGIN IMMEDIATE`: it holds SQLite's one write lock.
    Sqlite(Transaction<'static, Sqlite>),
    /// Read committed; whoever needs more locks the row that stands for it.
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    pub(crate) fn sqlite(
        tx: Transaction<'static, Sqlite>,
        turn: WritePermit,
        checkpoints: WalCheckpointer,
        joins: bool,
    ) -> Self {
        Self::new(TxInner::Sqlite(tx), joins, Some((turn, checkpoints)))
    }

    pub(crate) fn postgres(tx: Transaction<'static, Postgres>, joins: bool) -> Self {
        Self::new(TxInner::Postgres(tx), joins, None)
    }

    fn new(inner: TxInner, joins: bool, turn: Option<(WritePermit, WalCheckpointer)>) -> Self {
        Self {
            inner,
            joins,
            turn,
            #[cfg(feature = "testing")]
            _held: held_check::HeldTransaction::new(),
        }
    }

    /// The same for work on the side, such as what must be written down before a request's own work: its commit never
    /// says that a request is done.
    #[must_use]
    pub fn without_key(self) -> Self {
        Self { joins: false, ..self }
    }

    /// Makes it all true at once, and with it that the request is done whose idempotency key stands for it.
    pub async fn commit(mut self) -> Result<()> {
        let marks = self.joins && idempotent_work::mark(&mut self).await?;
        let Self { inner, turn, .. } = self;
        match inner {
            TxInner::Sqlite(tx) => tx.commit().await?,
            TxInner::Postgres(tx) => tx.commit().await?,
        }
        if let Some((turn, checkpoints)) = turn {
            drop(turn);
            checkpoints.note_commit();
        }
        if marks {
            idempotent_work::marked();
        }
        #[cfg(feature = "testing")]
        crate::testing::after_commit();
        Ok(())
    }

    pub(crate) fn open(&mut self) -> Open<&mut SqliteConnection, &mut PgConnection> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => Open::Sqlite(tx),
            TxInner::Postgres(tx) => Open::Postgres(tx),
        }
    }
}

/// In builds for tests: which tasks hold a transaction.
#[cfg(feature = "testing")]
pub(crate) mod held_check {
    use std::{
        collections::HashMap,
        sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    };

    use tokio::task::{Id, try_id};

    static HOLDERS: LazyLock<Mutex<HashMap<Id, usize>>> = LazyLock::new(Mutex::default);

    fn holders() -> MutexGuard<'static, HashMap<Id, usize>> {
        HOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That a task holds a transaction. The body of a test is no task: it may hold one to be in the way of others.
    #[derive(Debug)]
    pub(crate) struct HeldTransaction(Option<Id>);

    impl HeldTransaction {
        pub(super) fn new() -> Self {
            let task = try_id();
            if let Some(task) = task {
                *holders().entry(task).or_default() += 1;
            }
            Self(task)
        }
    }

    impl Drop for HeldTransaction {
        fn drop(&mut self) {
            let Some(task) = self.0 else { return };
            let mut holders = holders();
            if let Some(count) = holders.get_mut(&task) {
                *count -= 1;
                if *count == 0 {
                    holders.remove(&task);
                }
            }
        }
    }

    /// Panics if the current task asks the pool for a connection with one in its hand.
    #[track_caller]
    pub(crate) fn must_be_none() {
        let holds = try_id().is_some_and(|task| holders().contains_key(&task));
        assert!(!holds, "a connection is asked for while a transaction is open: pass the transaction");
    }
}
