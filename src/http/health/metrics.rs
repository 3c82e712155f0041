//! `/metrics` in OpenMetrics' text format: what was answered, what is waiting, how old the oldest of it is, what came of
//! calling the providers.
//!
//! Nothing in it is about one business. To add what the database knows: read it in `register_database_metrics`; what a
//! process counts itself is a field of `concord_jobs::Metrics`, registered by `Metrics::register`.

use std::{
    collections::HashMap,
    fmt::Display,
    sync::{Arc, LazyLock, atomic::AtomicU64},
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::{Extension, MatchedPath, Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use concord_domain::job::QueueClass;
use concord_storage::{
    StorageError, connections, jobs, probe::DatabaseCondition, push_subscriptions, sync_log,
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use tokio::time::timeout;

use crate::app::App;

/// Seconds; one more bucket is infinite.
const BOUNDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What was answered since the process began. One for the process, as its readers count by processes.
static ANSWERED: LazyLock<RequestMetrics> = LazyLock::new(RequestMetrics::default);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

struct RequestMetrics {
    answers: Family<AnswerLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        let durations = Family::new_with_constructor((|| Histogram::new(BOUNDS)) as fn() -> Histogram);
        Self { answers: Family::default(), durations }
    }
}

impl RequestMetrics {
    fn note(&self, (method, route): (&'static str, String), status: u16, seconds: f64) {
        let labels = RouteLabels { method, route: route.clone() };
        self.durations.get_or_create(&labels).observe(seconds);
        self.answers.get_or_create(&AnswerLabels { method, route, status }).inc();
    }

    fn register(&self, registry: &mut Registry) {
        let help = "Requests answered, by method, route and status";
        registry.register("http_requests", help, self.answers.clone());
        let help = "How long answers took, by method and route";
        registry.register("http_request_duration_seconds", help, self.durations.clone());
    }
}

/// Counts and times each answer under the route that gave it. A layer over routes: it must know which one matched.
pub async fn count_requests(request: Request, next: Next) -> Response {
    let method = method_name(request.method());
    // The pattern, never the path: paths hold references and secrets, and there is no end of them.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let began = Instant::now();
    let response = next.run(request).await;
    let seconds = began.elapsed().as_secs_f64();
    ANSWERED.note((method, route), response.status().as_u16(), seconds);
    response
}

/// A caller can make up methods, but not make us count them one by one.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// How long a database that answers may take to count what it holds; Prometheus waits ten seconds.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);

/// A scrape is answered again for so long. Anybody may ask without being counted, and Prometheus asks every few seconds at
/// the soonest.
const SCRAPE_CACHE_TTL: Duration = Duration::from_secs(1);

/// What was answered last, when, and how the database was; clones share it. Locked while the next answer is made, so that
/// one is made for all who wait.
#[derive(Clone, Debug, Default)]
pub(super) struct LastScrape(Arc<tokio::sync::Mutex<Option<(Instant, DatabaseCondition, Bytes)>>>);

/// Answers a scrape, within a second where the database is away.
pub(super) async fn scrape(State(app): State<App>, Extension(last): Extension<LastScrape>) -> Response {
    // To its end: else whoever asks and hangs up at once would have it made anew again and again.
    let whole = app.clone();
    let text = app.run_to_completion(async move {
        let mut last = last.0.lock().await;
        // As `/readyz` says it, at every moment.
        let condition = super::check_database(&whole);
        let depth = timeout(super::QUEUE_TIMEOUT, whole.context.queue.depth());
        let fresh = last.as_ref().filter(|(at, ..)| at.elapsed() < SCRAPE_CACHE_TTL);
        let (condition, depth) = if let Some((_, then, text)) = fresh {
            let condition = condition.await;
            if *then == condition {
                return text.clone();
            }
            (condition, depth.await)
        } else {
            // Together: both may be away.
            futures::join!(condition, depth)
        };
        let depth = depth.ok().and_then(Result::ok);
        let text = Bytes::from(render_metrics(&whole, &condition, depth).await);
        *last = Some((Instant::now(), condition, text.clone()));
        text
    });
    let Ok(text) = text.await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let kind = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    (kind, text).into_response()
}

/// All metrics. What the database cannot say is left out, and `concord_database_up` says so.
async fn render_metrics(
    app: &App,
    condition: &DatabaseCondition,
    depth: Option<HashMap<QueueClass, usize>>,
) -> String {
    let mut registry = Registry::with_prefix("concord");
    let is_away = matches!(condition, DatabaseCondition::Away(_));
    let version = [("version", env!("CARGO_PKG_VERSION").to_owned())];
    gauges(&mut registry, "build_info", "The running program", [(version, 1)]);
    let kind = || [("kind", app.context.db.kind().to_string())];
    gauges(&mut registry, "database_up", "Whether the database answers", [(kind(), (!is_away).into())]);
    let works = (*condition == DatabaseCondition::Works).into();
    gauges(&mut registry, "database_writable", "Whether the database takes changes", [(kind(), works)]);
    if !is_away {
        match timeout(DATABASE_TIMEOUT, register_database_metrics(&mut registry, app)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "what the database knows is left out of a scrape"),
            Err(_) => tracing::warn!("what the database knows is left out of a scrape: it took too long"),
        }
    }
    let kind = [("kind", app.context.queue.kind().to_string())];
    gauges(&mut registry, "queue_up", "Whether the queue answers", [(kind, depth.is_some().into())]);
    let depth = depth.unwrap_or_default();
    let waiting = QueueClass::ALL
        .iter()
        .map(|queue| ([("queue", queue.to_string())], count(depth.get(queue).copied().unwrap_or(0))));
    gauges(&mut registry, "queue_messages", "Messages that wait in the queue", waiting);
    ANSWERED.register(&mut registry);
    app.context.metrics.register(&mut registry);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

/// Registers one sample for each set of labels.
fn gauges<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = ([(&'static str, String); N], i64)>,
) {
    let family = Family::<[(&'static str, String); N], Gauge>::default();
    for (labels, value) in samples {
        family.get_or_create(&labels).set(value);
    }
    registry.register(name, help, family);
}

fn count(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// What the database knows. All of them are gauges and no counters: they come from what all workers write and what is kept
/// for a time only, so that every front says the same, and they fall again.
async fn register_database_metrics(registry: &mut Registry, app: &App) -> Result<(), StorageError> {
    let (db, now) = (&app.context.db, app.now());
    let samples = jobs::counts(db).await?.into_iter().map(|one| {
        let labels = [("kind", word(one.kind)), ("queue", word(one.queue)), ("state", word(one.state))];
        (labels, one.count)
    });
    gauges(registry, "jobs", "Jobs by kind, queue and state", samples);
    let waited = jobs::oldest_due(db, now).await?.map_or(0, |due| (now - due).num_milliseconds().max(0));
    let oldest = Gauge::<f64, AtomicU64>::default();
    oldest.set(Duration::from_millis(waited.unsigned_abs()).as_secs_f64());
    registry.register("oldest_due_seconds", "How long the oldest due job has been waiting", oldest);

    let since = now - chrono::Duration::hours(1);
    let samples = sync_log::outcomes_since(db, since).await?.into_iter().map(|one| {
        let labels =
            [("provider", word(one.provider)), ("operation", one.operation), ("outcome", word(one.outcome))];
        (labels, one.count)
    });
    let help = "Calendar calls in the last hour, by provider, operation and outcome";
    gauges(registry, "sync_attempts_last_hour", help, samples);

    let samples = push_subscriptions::counts(db)
        .await?
        .into_iter()
        .map(|one| ([("provider", word(one.provider)), ("state", word(one.state))], one.count));
    gauges(registry, "push_subscriptions", "Push subscriptions, by provider and state", samples);

    let totals = connections::drift_totals(db).await?;
    let samples = totals.iter().flat_map(|total| {
        let found = [
            ("standing", total.standing),
            ("missing", total.missing),
            ("extra", total.extra),
            ("different", total.different),
        ];
        found.map(|(found, number)| ([("provider", word(total.provider)), ("found", word(found))], number))
    });
    let help = "Entries at the last full compares, by provider and what was found";
    gauges(registry, "drift_entries", help, samples);
    let samples = totals
        .iter()
        .map(|total| ([("provider", word(total.provider))], (now - total.oldest).num_seconds().max(0)));
    let help = "How long ago the calendar was compared that has waited longest, by provider";
    gauges(registry, "drift_oldest_seconds", help, samples);
    Ok(())
}

fn word(word: impl Display) -> String {
    word.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_as_prometheus_reads_them() {
        let mut registry = Registry::with_prefix("concord");
        gauges(&mut registry, "a", "Help", [([("x", "one".to_owned()), ("y", "2".to_owned())], 5)]);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let expected =
            "# HELP concord_a Help.\n# TYPE concord_a gauge\nconcord_a{x=\"one\",y=\"2\"} 5\n# EOF\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn buckets_add_up() {
        let answered = RequestMetrics::default();
        for seconds in [0.0004, 0.002, 0.002, 30.0] {
            answered.note(("GET", "/x".to_owned()), 200, seconds);
        }
        let mut registry = Registry::with_prefix("concord");
        answered.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "_duration_seconds_bucket{le=\"0.001\",method=\"GET\",route=\"/x\"} 1\n",
            "_duration_seconds_bucket{le=\"0.0025\",method=\"GET\",route=\"/x\"} 3\n",
            "_duration_seconds_bucket{le=\"5.0\",method=\"GET\",route=\"/x\"} 3\n",
            "_duration_seconds_bucket{le=\"+Inf\",method=\"GET\",route=\"/x\"} 4\n",
            "_duration_seconds_count{method=\"GET\",route=\"/x\"} 4\n",
            "concord_http_requests_total{method=\"GET\",route=\"/x\",status=\"200\"} 4\n",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
