//! `concord sandbox`: the outside world as a process of its own.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use concord_sandbox::{Sandbox, SandboxConfig};

use super::{CommandError, say, shutdown_signal, start_logs};
use crate::config::Config;

/// Options of `concord sandbox`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Where its state is kept.
    #[arg(long, value_name = "DIR", default_value = "data/sandbox")]
    data: PathBuf,
}

pub(super) async fn run(options: Options) -> Result<(), CommandError> {
    let _logs = start_logs(&Config::default())?;
    let shutdown = shutdown_signal()?;
    let sandbox = Sandbox::start(SandboxConfig::new(options.listen, options.data)).await?;
    say(&format!(
        "The sandbox stands for the outside world on {}; mails to {}",
        sandbox.url(),
        sandbox.smtp_url()
    ))?;
    sandbox.run(shutdown).await?;
    Ok(())
}
