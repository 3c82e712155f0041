//! `concord health`: asks a running Concord whether it is well.

use clap::Args;
use concord_providers::{HttpClient, HttpConfig};
use url::Url;

use super::{CommandError, print_line};
use crate::config::{Config, ConfigArgument, ConfigError};

/// Options of `concord health`.
#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// Where it is; otherwise the address that the configuration listens on.
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
}

pub(super) async fn run(
    options: HealthArgs,
    load: impl Fn(Vec<ConfigArgument>) -> Result<Config, ConfigError>,
) -> Result<(), CommandError> {
    let base = match options.url {
        Some(url) => url,
        None => load(vec![])?.server.listen.url(),
    };
    let client = HttpClient::new(HttpConfig::default())?;
    let url = base.join("/api/health")?;
    let request = http::Request::get(url.as_str()).body(bytes::Bytes::new())?;
    let answer = client.send(request).await?;
    if answer.status.is_success() {
        print_line("ok")
    } else {
        Err(format!("it answers {}: {}", answer.status, String::from_utf8_lossy(&answer.body)).into())
    }
}
