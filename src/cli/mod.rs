//! The command line.

mod backup;
mod check;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod health;
mod keys;
mod mail;
mod personal_data;
#[cfg(feature = "demo")]
mod sandbox;
pub mod serve;
mod user;

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, ConfigArgument, ConfigSources},
    telemetry,
};

/// Keeps a booking system and everybody's calendars in agreement.
#[derive(Debug, Parser)]
#[command(name = "concord", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: CliCommand,
    /// The configuration file; otherwise CONCORD_CONFIG, otherwise ./concord.toml if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Everything in one process: pages, API, feeds and the worker.
    Serve(ListenArgs),
    /// Pages, API and feeds; the work is done by `concord worker` processes.
    Web(ListenArgs),
    /// The work alone.
    Worker,
    /// Brings the database's tables up to date.
    Migrate,
    /// A sample business with a sandbox that stands for the outside world; no account needed anywhere.
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    /// The sandbox as a process of its own, for `concord demo --sandbox URL`.
    #[cfg(feature = "demo")]
    Sandbox(sandbox::SandboxArgs),
    /// Copies the SQLite database to a new file, while Concord runs.
    Backup(backup::BackupArgs),
    /// Businesses and the people who sign in.
    User(user::UserArgs),
    /// What is kept of customers: exporting and erasing it.
    PersonalData(personal_data::PersonalDataArgs),
    /// The master key.
    Keys(keys::KeysArgs),
    /// Mails that come back: answers to invitations.
    Mail(mail::MailArgs),
    /// Says what is wrong with a calendar feed, or what would be imported from it.
    Check(check::CheckArgs),
    /// Looks at everything that this installation needs, and says what to do where something is wrong.
    Doctor(doctor::DoctorArgs),
    /// Asks a running Concord whether it is well; for health checks of containers.
    Health(health::HealthArgs),
}

#[derive(Debug, Args)]
struct ListenArgs {
    /// The address, or name, and port to listen on, such as 0.0.0.0:8080.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

impl ListenArgs {
    fn arguments(self) -> Vec<ConfigArgument> {
        self.listen
            .map(|value| ConfigArgument { flag: "--listen", key: "server.listen", value })
            .into_iter()
            .collect()
    }
}

/// What a command fails with: one error, told to a person.
pub(crate) type CommandError = Box<dyn std::error::Error + Send + Sync>;

/// Runs a command and turns its error into a message and an exit code.
pub fn run(cli: Cli) -> ExitCode {
    concord_providers::install_crypto_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

async fn dispatch(cli: Cli) -> Result<ExitCode, CommandError> {
    let file = cli.config;
    let load = |arguments| Config::load(&ConfigSources::from_process(file.clone(), arguments));
    match cli.command {
        CliCommand::Doctor(options) => {
            return doctor::run(&options, &ConfigSources::from_process(file.clone(), vec![])).await;
        }
        CliCommand::Mail(options) => return mail::run(options, load).await,
        CliCommand::Check(options) => return check::run(options, &load(vec![])?).await,
        CliCommand::Serve(listen) => serve::run(load(listen.arguments())?, serve::ProcessRole::Both).await,
        CliCommand::Web(listen) => serve::run(load(listen.arguments())?, serve::ProcessRole::Front).await,
        CliCommand::Worker => serve::run(load(vec![])?, serve::ProcessRole::Worker).await,
        CliCommand::Migrate => serve::migrate(&load(vec![])?).await,
        #[cfg(feature = "demo")]
        CliCommand::Demo(options) => demo::run(options).await,
        #[cfg(feature = "demo")]
        CliCommand::Sandbox(options) => sandbox::run(options).await,
        CliCommand::Backup(options) => backup::run(&options, &load(vec![])?).await,
        CliCommand::User(options) => user::run(options, &load(vec![])?).await,
        CliCommand::PersonalData(options) => personal_data::run(options, &load(vec![])?).await,
        CliCommand::Keys(options) => keys::run(&options, load).await,
        CliCommand::Health(options) => health::run(options, load).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

fn fail(error: &CommandError) -> ExitCode {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_words = inner.to_string();
        if !words.contains(&inner_words) {
            words = format!("{words}: {inner_words}");
        }
        source = inner.source();
    }
    print_error(&words);
    ExitCode::FAILURE
}

/// Tells the person who typed the command why it cannot be done.
fn print_error(words: &str) {
    // Nothing can be done about a closed standard error.
    let _ = writeln!(std::io::stderr(), "concord: {words}");
}

/// Prints a line for the person who typed the command. Whoever closes the pipe has read enough (`concord check ... | head`).
pub(crate) fn print_line(line: &str) -> Result<(), CommandError> {
    let mut out = std::io::stdout();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        said => Ok(said?),
    }
}

/// Cancelled by Ctrl-C and by SIGTERM.
pub(crate) fn shutdown_signal() -> Result<CancellationToken, CommandError> {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
        cancelled.cancel();
    });
    Ok(token)
}

/// Starts the logs; called once a process.
pub(crate) fn init_telemetry(config: &Config) -> Result<telemetry::TelemetryGuard, CommandError> {
    Ok(telemetry::init(&config.telemetry)?)
}
