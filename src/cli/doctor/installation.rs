//! What is this installation's own: configuration, master key, database, queue.

use concord_storage::{
    Db, DbOptions, StorageError,
    businesses::{self, Business},
    connections,
    seal::Keyring,
};

use super::DoctorFinding;
use crate::{
    cli::serve::{connect_queue, database_options, keyring},
    config::{Config, ConfigError, ConfigSources, MasterKeyError, MissingKeyPolicy},
};

const CONFIGURATION: &str = "configuration";
const MASTER_KEY: &str = "master key";
const DATABASE: &str = "database";
const QUEUE: &str = "queue";

/// The configuration, if it can be used.
pub(super) fn configuration(sources: &ConfigSources) -> (Vec<DoctorFinding>, Option<Config>) {
    match Config::load(sources) {
        Ok(config) => {
            let named = sources.describe();
            let text = if named.is_empty() {
                "nothing is set, so the defaults hold".to_owned()
            } else {
                format!("set by {}", named.join(", "))
            };
            (vec![DoctorFinding::ok(CONFIGURATION, text)], Some(config))
        }
        Err(ConfigError::Wrong(faults)) => {
            let advice = "docs/configuration.md explains every key";
            let wrong = |fault: &dyn ToString| DoctorFinding::wrong(CONFIGURATION, fault.to_string(), advice);
            (faults.iter().map(|fault| wrong(fault)).collect(), None)
        }
        Err(error @ ConfigError::Unreadable { .. }) => {
            let advice = "name a file that is there (--config, CONCORD_CONFIG)";
            (vec![DoctorFinding::wrong(CONFIGURATION, error.to_string(), advice)], None)
        }
    }
}

/// The keys, if there are any. None is made.
pub(super) fn master_key(config: &Config) -> (DoctorFinding, Option<Keyring>) {
    match config.master_key(MissingKeyPolicy::Refuse) {
        Err(MasterKeyError::Missing) if config.database.url.is_none() => {
            let text = "none yet: the first start creates one in the data folder";
            (DoctorFinding::ok(MASTER_KEY, text), None)
        }
        Err(error) => {
            let advice =
                "without it no token can be opened; see \"What there is to keep\" in docs/operate.md";
            (DoctorFinding::wrong(MASTER_KEY, error.to_string(), advice), None)
        }
        Ok(_) => match keyring(config) {
            Ok(ring) => {
                let previous = config.security.previous_master_keys.len();
                let text = match previous {
                    0 => format!("there is one ({})", ring.current_id()),
                    _ => format!("there is one ({}), and {previous} previous", ring.current_id()),
                };
                (DoctorFinding::ok(MASTER_KEY, text), Some(ring))
            }
            Err(error) => {
                let advice = "security.master_key and security.previous_master_keys must hold such keys";
                (DoctorFinding::wrong(MASTER_KEY, error.to_string(), advice), None)
            }
        },
    }
}

/// Whether the database opens, is up to date, can be written to, and holds what the keys open. Nothing is made. With it come
/// the businesses, where they can be read.
pub(super) async fn database(config: &Config, ring: Option<&Keyring>) -> (Vec<DoctorFinding>, Vec<Business>) {
    let advice = "check DATABASE_URL (database.url), and whether the server runs and lets Concord in";
    let options = DbOptions { create: false, ..database_options(config) };
    match Db::open_url(&options).await {
        Err(error @ StorageError::NoDatabase { .. }) => {
            let advice = "a new installation begins with `concord user business`; for another one, set data_dir or DATABASE_URL";
            (vec![DoctorFinding::warning(DATABASE, error.to_string(), advice)], Vec::new())
        }
        Err(error) => (vec![DoctorFinding::wrong(DATABASE, error.to_string(), advice)], Vec::new()),
        Ok(db) => {
            let found = check_open_database(&db, config, ring).await;
            // What keeps them from being read is said of the database already.
            let businesses = businesses::list(&db).await.unwrap_or_default();
            db.close().await;
            let wrong = |error: StorageError| vec![DoctorFinding::wrong(DATABASE, error.to_string(), advice)];
            (found.unwrap_or_else(wrong), businesses)
        }
    }
}

async fn check_open_database(
    db: &Db,
    config: &Config,
    ring: Option<&Keyring>,
) -> Result<Vec<DoctorFinding>, StorageError> {
    let place = format!("{} {}, {}", db.kind(), db.version().await?, db.place());
    if db.is_empty().await? {
        let advice = "run `concord migrate`, or begin with `concord user business`";
        return Ok(vec![DoctorFinding::warning(DATABASE, format!("{place} is empty"), advice)]);
    }
    match db.check_migrated().await {
        Ok(()) => {}
        Err(error @ StorageError::NotMigrated { .. }) if config.database.migrate_at_start => {
            let advice = "or start Concord, which does it too";
            return Ok(vec![DoctorFinding::warning(DATABASE, error.to_string(), advice)]);
        }
        Err(error) => {
            let advice = "see \"Upgrade\" in docs/operate.md";
            return Ok(vec![DoctorFinding::wrong(DATABASE, error.to_string(), advice)]);
        }
    }
    if let Err(error) = db.check_writable().await {
        let advice =
            "Concord's user must own the file, or have every right on the tables of a primary server";
        let text = format!("{place} is up to date, but cannot be written to: {error}");
        return Ok(vec![DoctorFinding::wrong(DATABASE, text, advice)]);
    }
    let mut findings =
        vec![DoctorFinding::ok(DATABASE, format!("{place}: up to date, and can be written to"))];
    if let Some(ring) = ring
        && let (unopened @ 1.., all) = connections::unopened(db, ring).await?
    {
        findings.push(DoctorFinding::wrong(
            MASTER_KEY,
            format!("it does not open the tokens of {unopened} of {all} connections"),
            "set the key with which they were sealed, as the master key or among the previous ones",
        ));
    }
    Ok(findings)
}

/// Whether Redis answers, where there is to be one.
pub(super) async fn queue(config: &Config) -> DoctorFinding {
    let advice =
        "check REDIS_URL (queue.redis_url); until Redis answers, work is found every few seconds only";
    let version = async { connect_queue(config).await?.server_version().await };
    match version.await {
        Ok(Some(version)) => DoctorFinding::ok(QUEUE, format!("Redis {version} answers")),
        Ok(None) => DoctorFinding::ok(QUEUE, "inside the process: right for `concord serve` alone"),
        Err(error) => DoctorFinding::wrong(QUEUE, error.to_string(), advice),
    }
}
