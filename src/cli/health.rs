//! `concord health`: asks a running Concord whether it is well.

use clap::Args;
use concord_providers::{Http, HttpConfig};
use url::Url;

use super::{CommandError, say};
use crate::config::{Argument, Config, ConfigError};

/// Options of `concord health`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where it is; otherwise the address that the configuration listens on.
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
}

pub(super) async fn run(
    options: Options,
    load: impl Fn(Vec<Argument>) -> Result<Config, ConfigError>,
) -> Result<(), CommandError> {
    let base = match options.url {
        Some(url) => url,
        None => load(vec![])?.server.listen.url(),
    };
    let client = Http::new(HttpConfig::default())?;
    let url = base.join("/api/health")?;
    let request = http::Request::get(url.as_str()).body(bytes::Bytes::new())?;
    let answer = client.send(request).await?;
    if answer.status.is_success() {
        say("well")
    } else {
        Err(format!("it answers {}: {}", answer.status, String::from_utf8_lossy(&answer.body)).into())
    }
}
