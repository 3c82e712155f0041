//! Logs and traces: what each line looks like, what is logged, and where traces are sent.
//!
//! Logs go to standard error, so that what a command prints on standard output can be used by a script. A trace is
//! the same spans that logs show, sent by OTLP over HTTP.
//!
//! It must never let a secret through; but it cannot tell one. So whoever makes a span names the route and not the path
//! as it was asked for: feeds, callbacks and sign-in links carry their secrets there.

mod traces;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};

use concord_providers::SetupError;
use opentelemetry_otlp::ExporterBuildError;
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{LevelFilter, ParseError},
    fmt::MakeWriter,
    layer::SubscriberExt,
};

use crate::config::{LogFormat, TelemetryConfig};
use traces::TraceExport;

/// Logs and traces under way. Dropped at the end of the process, it sends the traces that are still here, for a few
/// seconds at the most.
#[derive(Debug)]
#[must_use = "dropped, it ends the sending of traces"]
pub struct TelemetryGuard {
    traces: Option<TraceExport>,
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        if let Some(traces) = self.traces.take() {
            traces.shutdown();
        }
    }
}

/// Why there are no logs or no traces.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` holds something else than directives.
    #[error("environment RUST_LOG: expected directives such as \"info,concord_jobs=debug\": {0}")]
    Filter(#[from] ParseError),
    /// The exporter of traces refuses its settings.
    #[error("traces cannot be sent: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// There is no HTTP client to send traces with.
    #[error("traces cannot be sent: {0}")]
    Http(#[from] SetupError),
    /// Logs were started before.
    #[error("logs were started twice")]
    Twice,
}

/// Starts logs, and traces if an endpoint is set, for the whole process. `RUST_LOG` wins over the configured filter.
///
/// Traces need the multi-threaded tokio runtime to be started and stopped in.
pub fn init(config: &TelemetryConfig) -> Result<TelemetryGuard, TelemetryError> {
    let directives = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let directives = directives.as_deref().unwrap_or(&config.filter);
    let (dispatch, guard) = build(config, directives, io::stderr, io::stderr().is_terminal())?;
    dispatcher::set_global_default(dispatch).map_err(|_| TelemetryError::Twice)?;
    Ok(guard)
}

fn build<W>(
    config: &TelemetryConfig,
    directives: &str,
    writer: W,
    colours: bool,
) -> Result<(Dispatch, TelemetryGuard), TelemetryError>
where
    W: for<'a> MakeWriter<'a, Writer: Write> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(directives)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match config.log_format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
    };
    let traces =
        config.otlp_endpoint.as_ref().map(|endpoint| TraceExport::connect(endpoint, config)).transpose()?;
    let mut layers = vec![lines];
    // Spans below this level are those of libraries, the one that sends traces among them.
    layers.extend(traces.as_ref().map(|traces| traces.layer().with_filter(LevelFilter::INFO).boxed()));
    Ok((Dispatch::new(tracing_subscriber::registry().with(layers)), TelemetryGuard { traces }))
}
