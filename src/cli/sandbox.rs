//! `concord sandbox`: the outside world as a process of its own.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use concord_sandbox::{Sandbox, SandboxConfig};

use super::{CommandError, init_telemetry, print_line, shutdown_signal};
use crate::config::Config;

/// Options of `concord sandbox`.
#[derive(Debug, Args)]
pub(super) struct SandboxArgs {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Where its state is kept.
    #[arg(long, value_name = "DIR", default_value = "data/sandbox")]
    data: PathBuf,
}

pub(super) async fn run(options: SandboxArgs) -> Result<(), CommandError> {
    let _logs = init_telemetry(&Config::default())?;
    let shutdown = shutdown_signal()?;
    let sandbox = Sandbox::start(SandboxConfig::new(options.listen, options.data)).await?;
    print_line(&format!(
        "The sandbox simulates calendars, platforms and a mail server on {}; emails to {}",
        sandbox.url(),
        sandbox.smtp_url()
    ))?;
    sandbox.run(shutdown).await?;
    Ok(())
}
