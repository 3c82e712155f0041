//! `concord keys`: making a master key, and re-encrypting everything with a new one.

use clap::{Args, Subcommand};
use concord_storage::{
    channels, connections, customer_links, erasures, feeds, idempotency, mail_secrets, seal::MasterKey,
    webhook_endpoints,
};
use secrecy::ExposeSecret;

use super::{
    CommandError, print_line,
    serve::{keyring, open_existing},
};
use crate::config::{Config, ConfigArgument, ConfigError};

/// Options of `concord keys`.
#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Prints a new key, for CONCORD_MASTER_KEY.
    Generate,
    /// Re-encrypts, with the current key, all that a previous key encrypted (security.previous_master_keys).
    Rotate,
}

pub(super) async fn run(
    options: &KeysArgs,
    load: impl Fn(Vec<ConfigArgument>) -> Result<Config, ConfigError>,
) -> Result<(), CommandError> {
    match options.command {
        KeysCommand::Generate => print_line(MasterKey::generate().to_base64().expose_secret()),
        KeysCommand::Rotate => rotate(&load(vec![])?).await,
    }
}

async fn rotate(config: &Config) -> Result<(), CommandError> {
    let db = open_existing(config).await?;
    let ring = keyring(config)?;
    let mut tx = db.begin().await?;
    let connections = connections::rotate_keys(&mut tx, &ring).await?;
    let answers = idempotency::rotate_keys(&mut tx, &ring).await?;
    let channels = channels::rotate_keys(&mut tx, &ring).await?;
    let feeds = feeds::rotate_keys(&mut tx, &ring).await?;
    let webhooks = webhook_endpoints::rotate_keys(&mut tx, &ring).await?;
    let pages = customer_links::rotate_keys(&mut tx, &ring).await?;
    let mails = mail_secrets::rotate_keys(&mut tx, &ring).await?;
    let erasures = erasures::rotate_keys(&mut tx, &ring).await?;
    tx.commit().await?;
    db.close().await;
    print_line(&format!(
        "{connections} connections, {channels} secrets of channels, {feeds} addresses of feeds, {webhooks} secrets of \
         webhooks, {pages} addresses of customers' pages, {mails} mails, {erasures} erasures and {answers} kept answers were re-encrypted; \
         everything is encrypted with key {} now.\n\
         A process that was started with another key goes on encrypting with it. Restart every process that still runs \
         with the old configuration, then run this command once more; when it re-encrypts nothing, previous keys may \
         be taken out of the configuration.",
        ring.current_id()
    ))
}
