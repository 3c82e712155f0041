//! `concord backup`: a copy of the SQLite file, while Concord runs.

use std::path::PathBuf;

use clap::Args;
use concord_storage::{Db, DbOptions, StorageError, backup};

use super::{
    CommandError, print_line,
    serve::{database_options, missing_database_message},
};
use crate::config::Config;

/// Options of `concord backup`.
#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to write; there must be none of that name yet.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(options: &BackupArgs, config: &Config) -> Result<(), CommandError> {
    // As it is: whoever copies a database before an upgrade does not want it brought up to date.
    let found = Db::open_url(&DbOptions { create: false, ..database_options(config) }).await;
    let db = found.map_err(|error| match error {
        error @ StorageError::NoDatabase { .. } => {
            CommandError::from(format!("{error}\n{}", missing_database_message(config)))
        }
        error => error.into(),
    })?;
    backup::to_file(&db, &options.file).await?;
    db.close().await;
    print_line(&format!(
        "{} holds all that the database held when this began. The master key is not in it: keep a copy apart.",
        options.file.display()
    ))
}
