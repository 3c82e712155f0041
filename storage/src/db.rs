//! The two databases behind one face.

use std::{fs::OpenOptions, path::Path, str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgPool, SqliteConnection, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use tokio::time::{Instant, sleep, timeout};

use crate::{
    Open, Result, StorageError, Tx,
    checkpoint::{self, WalCheckpointer},
    write_gate::WriteGate,
};

/// An open database; clones share it.
#[derive(Clone, Debug)]
pub enum Db {
    /// A file on this machine.
    Sqlite {
        /// Readers see the last commit and never wait for the writer (WAL).
        read: SqlitePool,
        /// SQLite has one writer at a time, and so one connection: several would collide and sleep.
        write: SqlitePool,
        /// Where those who want to write line up.
        gate: WriteGate,
        /// Brings the log into the file.
        checkpoints: WalCheckpointer,
        /// Whether a commit waits until it is safe from a loss of power.
        durable: bool,
    },
    Postgres(PgPool),
}

/// How long a database waits for what is under way when it is closed.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection is waited for: then whoever waits is told that there is none, and can come again.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server is waited for that does not answer yet: it may be starting too.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// How long to wait before the next attempt.
const CONNECT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// What SQLite's writer keeps of the file in memory, in KiB where it is negative: each booking changes a page of each of its
/// many indexes, which 2 MB (SQLite's own choice) do not hold once there are some ten thousand.
const WRITER_CACHE: &str = "-32000";

/// How to open a database.
#[derive(Clone, Debug)]
pub struct DbOptions {
    pub url: String,
    /// The most connections of this process.
    pub max_connections: u32,
    /// Whether a commit waits until it is safe from a loss of power.
    pub durable: bool,
    /// Whether the SQLite file is made if there is none.
    pub create: bool,
}

impl DbOptions {
    /// The settings that suit most: durable, 16 connections.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), max_connections: 16, durable: true, create: true }
    }
}

impl Db {
    /// Opens the database. It does not migrate.
    pub async fn open_url(options: &DbOptions) -> Result<Self> {
        match options.url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Self::open_sqlite(options).await,
            Some("postgres" | "postgresql") => Self::open_postgres(options).await,
            _ => Err(StorageError::Url("its URL must begin with sqlite: or postgres://".into())),
        }
    }

    async fn open_sqlite(options: &DbOptions) -> Result<Self> {
        let synchronous = if options.durable { SqliteSynchronous::Full } else { SqliteSynchronous::Normal };
        let connect = SqliteConnectOptions::from_str(&options.url)
            .map_err(|error| StorageError::Url(error.to_string()))?
            .create_if_missing(options.create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .foreign_keys(true)
            // Other processes may write too: for no longer than a connection is waited for.
            .busy_timeout(ACQUIRE_TIMEOUT)
            .pragma("trusted_schema", "OFF");
        let connect = without_statement_log(connect);
        let file = connect.get_filename();
        if options.create {
            make_private(file);
        } else if !is_in_memory(file) && !file.exists() {
            return Err(StorageError::NoDatabase { place: file_location(file) });
        }
        let writer = connect
            .clone()
            .pragma("wal_autocheckpoint", checkpoint::PAGES_AT_MOST)
            .pragma("cache_size", WRITER_CACHE)
            // What is erased must not be found in the file's free space.
            .pragma("secure_delete", "ON");
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .after_release(|connection, _| Box::pin(is_reusable(connection)))
            .connect_with(writer)
            .await
            .map_err(classify_file_error)?;
        let read = SqlitePoolOptions::new()
            .max_connections(options.max_connections.clamp(1, 8))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A file does not hang up as a server does, and to ask whether it is there takes as long as a small query.
            .test_before_acquire(false)
            .connect_lazy_with(connect.pragma("query_only", "ON"));
        let gate = WriteGate::default();
        let checkpoints = WalCheckpointer::new(read.clone(), gate.clone());
        Ok(Self::Sqlite { read, write, gate, checkpoints, durable: options.durable })
    }

    async fn open_postgres(options: &DbOptions) -> Result<Self> {
        let connect = PgConnectOptions::from_str(&options.url)
            .map_err(|error| StorageError::Url(error.to_string()))?
            .application_name("concord")
            .options([
                ("synchronous_commit", if options.durable { "on" } else { "off" }),
                // Each question is for few rows: to compile it or to start processes for it takes longer than to answer it.
                ("jit", "off"),
                ("max_parallel_workers_per_gather", "0"),
            ]);
        let connect = without_statement_log(connect);
        connect_once(&connect).await?;
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(connect);
        Ok(Self::Postgres(pool))
    }

    /// Where it is, for people: the file's absolute path, or the database's name with its host and port.
    pub fn place(&self) -> String {
        match self {
            Self::Sqlite { write, .. } => file_location(write.connect_options().get_filename()),
            Self::Postgres(pool) => {
                let server = pool.connect_options();
                let name = server.get_database().unwrap_or_else(|| server.get_username());
                format!("{name} at {}", server_location(&server))
            }
        }
    }

    /// Begins a transaction that may write. What it commits outlives a loss of power. `Overloaded`: too many want to.
    pub async fn begin(&self) -> Result<Tx> {
        assert_none_held();
        match self {
            Self::Sqlite { write, gate, checkpoints, durable, .. } => {
                let turn = gate.turn().await?;
                let statement =
                    if *durable { "PRAGMA synchronous = FULL; BEGIN IMMEDIATE" } else { "BEGIN IMMEDIATE" };
                Ok(Tx::sqlite(write.begin_with(statement).await?, turn, checkpoints.clone(), true))
            }
            Self::Postgres(pool) => Ok(Tx::postgres(pool.begin().await?, true)),
        }
    }

    /// The same for what may be forgotten when the machine, or the database's server, goes down: who holds a lease, how
    /// often a provider was called, that a job is done which would find nothing to do. Its commit waits for no disk; the
    /// next one that does, such as the mark before each write to the outside, brings it there too. A process of ours
    /// that is killed loses nothing. It is never what an idempotency key stands for.
    pub async fn begin_async_commit(&self) -> Result<Tx> {
        assert_none_held();
        match self {
            Self::Sqlite { write, gate, checkpoints, .. } => {
                let turn = gate.turn().await?;
                let tx = write.begin_with("PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE").await?;
                Ok(Tx::sqlite(tx, turn, checkpoints.clone(), false))
            }
            Self::Postgres(pool) => {
                let tx = pool.begin_with("BEGIN; SET LOCAL synchronous_commit = off").await?;
                Ok(Tx::postgres(tx, false))
            }
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        on_db!(self, c => sqlx::query("SELECT 1").execute(c).await.map(drop))?;
        Ok(())
    }

    /// The version of SQLite, or of PostgreSQL's server.
    pub async fn version(&self) -> Result<String> {
        let version = match self {
            Self::Sqlite { .. } => "SELECT sqlite_version()",
            Self::Postgres(_) => "SHOW server_version",
        };
        Ok(on_db!(self, c => sqlx::query_scalar(version).fetch_one(c).await)?)
    }

    /// Tries whether Concord may write: a file, a standby server or a role may let it read alone. Nothing is changed.
    pub async fn check_writable(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        on_db!(tx, c => sqlx::query("DELETE FROM jobs WHERE 1 = 0").execute(c).await.map(drop))?;
        Ok(())
    }

    /// `sqlite` or `postgres`, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Empties SQLite's log into its file, so that what was overwritten there stands nowhere any more. PostgreSQL does so by
    /// itself.
    pub async fn empty_log(&self) -> Result<()> {
        match self {
            Self::Sqlite { checkpoints, write, .. } => checkpoints.empty(write).await,
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Closes, and waits a moment for what is under way. What takes longer is as if the process had been killed: its
    /// transaction never was.
    pub async fn close(&self) {
        let closed = async {
            match self {
                Self::Sqlite { read, write, .. } => {
                    read.close().await;
                    write.close().await;
                }
                Self::Postgres(pool) => pool.close().await,
            }
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, closed).await.is_err() {
            tracing::warn!("the database was still in use when it was closed");
        }
    }

    /// For reading outside a transaction.
    #[cfg_attr(feature = "testing", track_caller)]
    pub(crate) fn open(&self) -> Open<&SqlitePool, &PgPool> {
        assert_none_held();
        match self {
            Self::Sqlite { read, .. } => Open::Sqlite(read),
            Self::Postgres(pool) => Open::Postgres(pool),
        }
    }
}

/// Builds for tests find out here who asks for a connection with one in their hand.
#[cfg_attr(feature = "testing", track_caller)]
fn assert_none_held() {
    #[cfg(feature = "testing")]
    crate::tx::held_check::must_be_none();
}

/// Whether a connection that comes back can be lent again. A full disk or one that fails makes SQLite end a transaction by
/// itself (<https://www.sqlite.org/lang_transaction.html>, 3.1); sqlx goes on counting it, and would begin no other.
async fn is_reusable(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // What was dropped is rolled back before this is answered.
    connection.ping().await?;
    let in_order = !connection.is_in_transaction();
    if !in_order {
        tracing::warn!("SQLite has ended a transaction by itself: its connection is opened anew");
    }
    Ok(in_order)
}

/// Nobody is told of each statement, but for tests that ask how it would be answered.
fn without_statement_log<O: ConnectOptions>(options: O) -> O {
    #[cfg(feature = "testing")]
    if crate::testing::plans::is_watching() {
        return options;
    }
    options.disable_statement_logging()
}

/// A new file is its owner's alone, and SQLite gives the files beside it the same permissions. One that is there keeps
/// what somebody gave it; whatever stands in the way, SQLite then says itself.
fn make_private(file: &Path) {
    if is_in_memory(file) {
        return;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _there_already_or_impossible = options.open(file);
}

/// sqlx gives a database in memory such a name.
fn is_in_memory(file: &Path) -> bool {
    file.to_string_lossy().starts_with("file:")
}

fn file_location(file: &Path) -> String {
    std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf()).display().to_string()
}

/// A wrong path is a matter of configuration.
fn classify_file_error(error: sqlx::Error) -> StorageError {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Database(_) | sqlx::Error::PoolTimedOut => {
            StorageError::Url(error.to_string())
        }
        other => StorageError::Database(other),
    }
}

/// Connects once before there is a pool, which would keep why it cannot to itself until its own time is up.
async fn connect_once(server: &PgConnectOptions) -> Result<()> {
    let place = server_location(server);
    let began = Instant::now();
    loop {
        let (cause, may_pass) = match timeout(CONNECT_TIMEOUT, server.connect()).await {
            Ok(Ok(connection)) => return Ok(connection.close().await?),
            Ok(Err(error)) => (connect_error_message(&error), may_pass(&error)),
            Err(_) => (format!("no answer within {} seconds", CONNECT_TIMEOUT.as_secs()), true),
        };
        if !may_pass || began.elapsed() + CONNECT_RETRY_DELAY >= CONNECT_DEADLINE {
            return Err(StorageError::Unreachable { place, cause });
        }
        tracing::warn!("waiting for the database at {place}: {cause}");
        sleep(CONNECT_RETRY_DELAY).await;
    }
}

/// Where a server is, for people: never its password.
fn server_location(server: &PgConnectOptions) -> String {
    match server.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", server.get_host(), server.get_port()),
    }
}

fn connect_error_message(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Database(refused) => refused.message().to_owned(),
        other => other.to_string(),
    }
}

/// Whether waiting may help: nobody listens yet, or the server is starting or stopping, or has no connection to spare.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(refused) => {
            refused.code().is_some_and(|code| ["57P03", "57P01", "53300"].contains(&code.as_ref()))
        }
        _ => false,
    }
}
