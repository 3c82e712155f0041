//! Traces, sent by OTLP over HTTP with the client that all of Concord uses.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use concord_providers::{HttpClient, HttpConfig};
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_http::{Bytes, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use tokio::runtime::Handle;
use tracing::{Subscriber, instrument::WithSubscriber, subscriber::NoSubscriber};
use tracing_subscriber::{Layer, registry::LookupSpan};
use url::Url;

use super::TelemetryError;
use crate::config::TelemetryConfig;

/// How long a stopping process waits for a collector.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The way of finished spans to a collector.
#[derive(Debug)]
pub(super) struct TraceExport(SdkTracerProvider);

impl TraceExport {
    /// To the collector at `endpoint`. Headers that it wants are taken from `OTEL_EXPORTER_OTLP_HEADERS`.
    pub(super) fn connect(endpoint: &Url, config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        // https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
        let address = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
        let client =
            ExportHttpClient { http: HttpClient::new(HttpConfig::default())?, runtime: Handle::current() };
        let exporter =
            SpanExporter::builder().with_http().with_http_client(client).with_endpoint(address).build()?;
        let resource = Resource::builder()
            .with_service_name(config.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio)));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(sampler)
            .with_batch_exporter(exporter)
            .build();
        Ok(Self(provider))
    }

    /// What makes traces of `tracing`'s spans.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("concord"))
            .with_location(false)
            .with_threads(false)
    }

    /// Sends what is still here.
    pub(super) fn shutdown(self) {
        // The exporter waits for its thread, which in turn waits for this runtime.
        let stopped = tokio::task::block_in_place(|| self.0.shutdown_with_timeout(STOP_WITHIN));
        if let Err(error) = stopped {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Carries the exporter's requests, which come from a thread without a runtime, over the shared client.
struct ExportHttpClient {
    http: HttpClient,
    runtime: Handle,
}

impl fmt::Debug for ExportHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carrier")
    }
}

#[async_trait]
impl opentelemetry_http::HttpClient for ExportHttpClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        // Without a subscriber, since a trace of the sending of traces would never end.
        let sending = async move { http.send(request).await }.with_subscriber(NoSubscriber::default());
        let answer = self.runtime.spawn(sending).await??;
        let mut response = Response::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}
