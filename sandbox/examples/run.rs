//! Runs a sandbox by itself: `cargo run -p concord-sandbox --example run -- 127.0.0.1:8090 DIR`.

use concord_sandbox::{Sandbox, SandboxConfig};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or_else(|| "127.0.0.1:8090".into()).parse()?;
    let data = arguments.next().unwrap_or_else(|| "data/sandbox".into());
    let sandbox = Sandbox::start(SandboxConfig::new(listen, data)).await?;
    sandbox.run(CancellationToken::new()).await?;
    Ok(())
}
