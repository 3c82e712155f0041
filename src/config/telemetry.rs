//! `[telemetry]`: logs and traces.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::{check::SectionFaults, units};

/// Where logs and traces go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// How a line of the log looks.
    pub log_format: LogFormat,
    /// What is logged, in `tracing_subscriber`'s directives.
    pub filter: String,
    /// Where traces are sent by OTLP over HTTP; nowhere if absent.
    #[serde(deserialize_with = "units::optional_url")]
    pub otlp_endpoint: Option<Url>,
    /// The name under which traces appear.
    pub service_name: String,
    /// The share of requests and jobs that is traced, 0 to 1.
    pub sample_ratio: f64,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    /// One JSON object a line.
    Json,
}

impl TelemetryConfig {
    pub(super) fn validate(&self, check: &mut SectionFaults) {
        if let Err(error) = EnvFilter::try_new(&self.filter) {
            check.add("filter", format!("expected directives such as \"info,concord_jobs=debug\": {error}"));
        }
        if let Some(url) = &self.otlp_endpoint {
            check.check_url("otlp_endpoint", url);
        }
        if self.service_name.is_empty() {
            check.add("service_name", "must not be empty");
        }
        check.check_range("sample_ratio", self.sample_ratio, 0.0..=1.0);
    }
}
