//! The `concord` binary: see `concord --help`.

use std::process::ExitCode;

use clap::Parser;
use concord::cli::Cli;
use mimalloc::MiMalloc;

// glibc's keeps what large bodies and feeds took for a moment: see docs/operate.md for what was measured.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    concord::cli::run(Cli::parse())
}
