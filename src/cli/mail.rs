//! `concord mail receive`: hands a mail on standard input to a running Concord, for the pipe of a mail server.

use std::{
    io::{Read, Write},
    process::ExitCode,
};

use bytes::Bytes;
use clap::{Args, Subcommand};
use concord_jobs::mail::incoming::MAX_INCOMING_BYTES;
use concord_providers::{HttpClient, HttpConfig};
use secrecy::ExposeSecret;
use url::Url;

use super::{CommandError, print_line};
use crate::config::{Config, ConfigArgument, ConfigError};

/// Options of `concord mail`.
#[derive(Debug, Args)]
pub(super) struct MailArgs {
    #[command(subcommand)]
    command: MailCommand,
}

#[derive(Debug, Subcommand)]
enum MailCommand {
    /// Hands over the mail on standard input. Fails with status 75 where it should be tried again, as mail servers expect.
    Receive {
        /// Where Concord is; otherwise the address that the configuration listens on.
        #[arg(long, value_name = "URL")]
        url: Option<Url>,
    },
}

pub(super) async fn run(
    options: MailArgs,
    load: impl Fn(Vec<ConfigArgument>) -> Result<Config, ConfigError>,
) -> Result<ExitCode, CommandError> {
    let MailCommand::Receive { url } = options.command;
    match receive(url, load).await {
        Ok(said) => print_line(&said).map(|()| ExitCode::SUCCESS),
        Err(error) => {
            writeln!(std::io::stderr(), "concord: {error}")?;
            Ok(ExitCode::from(TEMPORARY_FAILURE))
        }
    }
}

/// The temporary failure of sysexits.h: the mail server keeps the mail and tries again, also where something has to be set first.
const TEMPORARY_FAILURE: u8 = 75;

async fn receive(
    url: Option<Url>,
    load: impl Fn(Vec<ConfigArgument>) -> Result<Config, ConfigError>,
) -> Result<String, CommandError> {
    let config = load(vec![])?;
    let secret = config.mail.receive_secret.as_ref();
    let secret = secret.ok_or("mail.receive_secret is not set, so no mail is taken in")?;
    let base = url.unwrap_or_else(|| config.server.listen.url());
    let mut mail = Vec::new();
    // One byte more shows that it is too large.
    std::io::stdin().lock().take(MAX_INCOMING_BYTES as u64 + 1).read_to_end(&mut mail)?;
    if mail.len() > MAX_INCOMING_BYTES {
        return Ok("ignored: too large for a reply to an invitation".to_owned());
    }
    let client = HttpClient::new(HttpConfig::default())?;
    let request = http::Request::post(base.join("/hooks/mail")?.as_str())
        .header("authorization", format!("Bearer {}", secret.expose_secret()))
        .header("content-type", "message/rfc822")
        .body(Bytes::from(mail))?;
    let answer = client.send(request).await?;
    let said = String::from_utf8_lossy(&answer.body).trim().to_owned();
    if answer.status.is_success() {
        Ok(said)
    } else {
        Err(format!("it answers {}: {said}", answer.status).into())
    }
}
