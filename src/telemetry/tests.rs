//! What a line looks like, and what arrives at a collector.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use tokio::{net::TcpListener, sync::mpsc};
use tracing::{Instrument, info, info_span, instrument::WithSubscriber};

use super::*;
use crate::config::Config;

#[derive(Clone, Default)]
struct CapturedLogs(Arc<Mutex<Vec<u8>>>);

impl CapturedLogs {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for CapturedLogs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for CapturedLogs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn settings(format: LogFormat) -> TelemetryConfig {
    TelemetryConfig { log_format: format, ..Config::default().telemetry }
}

fn logged(config: &TelemetryConfig, directives: &str, work: impl FnOnce()) -> String {
    let lines = CapturedLogs::default();
    let (dispatch, _guard) = build(config, directives, lines.clone(), false).unwrap();
    dispatcher::with_default(&dispatch, work);
    lines.text()
}

#[test]
fn a_line_is_for_people_or_for_machines() {
    let work = || {
        let _request = info_span!("request", request_id = "r-1").entered();
        info!(bookings = 3, "synced");
    };
    let text = logged(&settings(LogFormat::Text), "info", work);
    assert!(
        text.ends_with("INFO request{request_id=\"r-1\"}: concord::telemetry::tests: synced bookings=3\n"),
        "{text}"
    );
    let line = logged(&settings(LogFormat::Json), "info", work);
    let object: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(object["message"], "synced");
    assert_eq!(object["bookings"], 3);
    assert_eq!(object["span"]["request_id"], "r-1");
    assert_eq!(object["level"], "INFO");
}

#[test]
fn the_filter_chooses_by_level_and_module() {
    let work = || {
        tracing::debug!("a detail");
        tracing::debug!(target: "concord_jobs", "a detail of jobs");
    };
    assert_eq!(logged(&settings(LogFormat::Text), "info", work), "");
    let text = logged(&settings(LogFormat::Text), "info,concord_jobs=debug", work);
    assert!(text.contains("a detail of jobs") && text.lines().count() == 1, "{text}");
    let refused = build(&settings(LogFormat::Text), "a=b=c", CapturedLogs::default(), false);
    assert!(refused.unwrap_err().to_string().starts_with("environment RUST_LOG: "));
}

/// A collector that hands on what it gets.
async fn collector() -> (String, mpsc::UnboundedReceiver<(HeaderMap, Bytes)>) {
    let (got, gets) = mpsc::unbounded_channel();
    let take = move |headers: HeaderMap, body: Bytes| async move {
        got.send((headers, body)).unwrap();
        StatusCode::OK
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/traces", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, gets)
}

/// Some work in a span, as an answered request is.
async fn work_in_a_span(dispatch: Dispatch) {
    let work = async {
        info!("rendered");
        let detail = tracing::debug_span!("a library's detail");
        async { info!("inside") }.instrument(detail).await;
    };
    let span = async {
        let span = info_span!("request", otel.name = "GET /feeds/{token}", request_id = "r-7");
        work.instrument(span).await;
    };
    span.with_subscriber(dispatch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_arrive_at_the_collector() {
    let (endpoint, mut gets) = collector().await;
    let config = TelemetryConfig {
        otlp_endpoint: Some(endpoint.parse().unwrap()),
        service_name: "front-desk".into(),
        ..settings(LogFormat::Json)
    };
    let lines = CapturedLogs::default();
    let (dispatch, guard) = build(&config, "trace", lines.clone(), false).unwrap();
    work_in_a_span(dispatch).await;
    drop(guard);

    let (headers, body) = gets.recv().await.unwrap();
    assert_eq!(headers["content-type"], "application/x-protobuf");
    // Protocol buffers hold texts as they are.
    let sent = String::from_utf8_lossy(&body).into_owned();
    for expected in ["front-desk", "GET /feeds/{token}", "r-7", "rendered", "inside"] {
        assert!(sent.contains(expected), "{expected} in {sent:?}");
    }
    assert!(!sent.contains("a library's detail"), "{sent:?}");
    assert!(lines.text().contains("r-7"), "{}", lines.text());
    assert!(gets.try_recv().is_err(), "the sending of traces is traced");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let config =
        TelemetryConfig { otlp_endpoint: Some(endpoint.parse().unwrap()), ..settings(LogFormat::Text) };
    let (dispatch, guard) = build(&config, "info", CapturedLogs::default(), false).unwrap();
    work_in_a_span(dispatch).await;
    let started = tokio::time::Instant::now();
    drop(guard);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}
