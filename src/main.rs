//! The `concord` binary: see `concord --help`.

use std::process::ExitCode;

use clap::Parser;
use concord::cli::Cli;

fn main() -> ExitCode {
    concord::cli::run(Cli::parse())
}
