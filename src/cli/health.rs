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
    let base = if let Some(url) = options.url {
        url
    } else {
        let listen = load(vec![])?.server.listen;
        let host =
            if listen.ip().is_unspecified() { "127.0.0.1".to_owned() } else { listen.ip().to_string() };
        Url::parse(&format!("http://{host}:{}", listen.port()))?
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
