//! `/metrics` in Prometheus' text format: what was answered, what is waiting, how old the oldest of it is,
//! what came of calling the providers.
//!
//! Nothing in it is about one business. To add a metric: read it in `text_of` and write it with `Page`.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::{Display, Write},
    sync::{Arc, LazyLock, Mutex, PoisonError},
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
    StorageError, connections, jobs,
    probe::DatabaseCondition,
    push_subscriptions::{self, PushSubscriptionCount},
    sync_log::{self, OutcomeCount},
};

use tokio::time::timeout;

use crate::app::App;

/// Seconds; the last bucket is infinite.
const BOUNDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What was answered since the process began. One for the process, as its readers count by processes.
static ANSWERED: LazyLock<Mutex<RequestMetrics>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct RequestMetrics {
    counts: BTreeMap<(&'static str, String, u16), u64>,
    durations: BTreeMap<(&'static str, String), Histogram>,
}

#[derive(Clone, Default)]
struct Histogram {
    /// Not cumulative.
    buckets: [u64; BOUNDS.len() + 1],
    seconds: f64,
}

impl Histogram {
    fn observe(&mut self, seconds: f64) {
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket] += 1;
        self.seconds += seconds;
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
    let mut answered = ANSWERED.lock().unwrap_or_else(PoisonError::into_inner);
    *answered.counts.entry((method, route.clone(), response.status().as_u16())).or_default() += 1;
    answered.durations.entry((method, route)).or_default().observe(seconds);
    drop(answered);
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
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, text).into_response()
}

/// All metrics. What the database cannot say is left out, and `concord_database_up` says so.
async fn render_metrics(
    app: &App,
    condition: &DatabaseCondition,
    depth: Option<HashMap<QueueClass, usize>>,
) -> String {
    let mut page = MetricsExposition::default();
    page.family("concord_build_info", "gauge", "The running program.");
    page.sample("concord_build_info", &[("version", &env!("CARGO_PKG_VERSION"))], 1);
    let kind = app.context.db.kind();
    page.family("concord_database_up", "gauge", "Whether the database answers.");
    page.sample(
        "concord_database_up",
        &[("kind", &kind)],
        u8::from(!matches!(condition, DatabaseCondition::Away(_))),
    );
    page.family("concord_database_writable", "gauge", "Whether the database takes changes.");
    page.sample(
        "concord_database_writable",
        &[("kind", &kind)],
        u8::from(*condition == DatabaseCondition::Works),
    );
    if !matches!(condition, DatabaseCondition::Away(_)) {
        match timeout(DATABASE_TIMEOUT, write_database_metrics(&mut page, app)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "what the database knows is left out of a scrape"),
            Err(_) => tracing::warn!("what the database knows is left out of a scrape: it took too long"),
        }
    }
    page.family("concord_queue_up", "gauge", "Whether the queue answers.");
    page.sample("concord_queue_up", &[("kind", &app.context.queue.kind())], u8::from(depth.is_some()));
    write_depth(&mut page, &depth.unwrap_or_default());
    write_requests(&mut page, &ANSWERED.lock().unwrap_or_else(PoisonError::into_inner));
    page.0
}

/// What the database knows.
async fn write_database_metrics(page: &mut MetricsExposition, app: &App) -> Result<(), StorageError> {
    write_jobs(page, app).await?;
    write_outcomes(page, app).await?;
    write_channels(page, app).await?;
    write_drift(page, app).await
}

async fn write_channels(page: &mut MetricsExposition, app: &App) -> Result<(), StorageError> {
    let name = "concord_push_subscriptions";
    page.family(name, "gauge", "Push subscriptions, by provider and state.");
    for PushSubscriptionCount { provider, state, count } in
        push_subscriptions::counts(&app.context.db).await?
    {
        page.sample(name, &[("provider", &provider), ("state", &state)], count);
    }
    Ok(())
}

async fn write_jobs(page: &mut MetricsExposition, app: &App) -> Result<(), StorageError> {
    let counts = jobs::counts(&app.context.db).await?;
    let now = app.now();
    let oldest = jobs::oldest_due(&app.context.db, now).await?;
    page.family("concord_jobs", "gauge", "Jobs by kind, queue and state.");
    for count in counts {
        page.sample(
            "concord_jobs",
            &[("kind", &count.kind), ("queue", &count.queue), ("state", &count.state)],
            count.count,
        );
    }
    page.family("concord_oldest_due_seconds", "gauge", "How long the oldest due job has been waiting.");
    let waited = oldest.map_or(0, |due| (now - due).num_milliseconds().max(0));
    page.sample("concord_oldest_due_seconds", &[], format!("{}.{:03}", waited / 1000, waited % 1000));
    Ok(())
}

/// A gauge and no counter: it comes from the log that all workers write and that is kept for a time only, so that every
/// front says the same, and it falls again.
async fn write_outcomes(page: &mut MetricsExposition, app: &App) -> Result<(), StorageError> {
    let outcomes = sync_log::outcomes_since(&app.context.db, app.now() - chrono::Duration::hours(1)).await?;
    let name = "concord_sync_attempts_last_hour";
    page.family(name, "gauge", "Calendar calls in the last hour, by provider, operation and outcome.");
    for OutcomeCount { provider, operation, outcome, count } in outcomes {
        page.sample(
            name,
            &[("provider", &provider), ("operation", &operation), ("outcome", &outcome)],
            count,
        );
    }
    Ok(())
}

/// What the last full compares found: how far what stands in calendars was from what should.
async fn write_drift(page: &mut MetricsExposition, app: &App) -> Result<(), StorageError> {
    let totals = connections::drift_totals(&app.context.db).await?;
    page.family(
        "concord_drift_entries",
        "gauge",
        "Entries at the last full compares, by provider and what was found.",
    );
    for total in &totals {
        for (found, number) in [
            ("standing", total.standing),
            ("missing", total.missing),
            ("extra", total.extra),
            ("different", total.different),
        ] {
            page.sample("concord_drift_entries", &[("provider", &total.provider), ("found", &found)], number);
        }
    }
    let name = "concord_drift_oldest_seconds";
    page.family(
        name,
        "gauge",
        "How long ago the calendar was compared that has waited longest, by provider.",
    );
    for total in &totals {
        page.sample(name, &[("provider", &total.provider)], (app.now() - total.oldest).num_seconds().max(0));
    }
    Ok(())
}

fn write_depth(page: &mut MetricsExposition, depth: &HashMap<QueueClass, usize>) {
    page.family("concord_queue_messages", "gauge", "Messages that wait in the queue.");
    for queue in QueueClass::ALL {
        page.sample("concord_queue_messages", &[("queue", queue)], depth.get(queue).copied().unwrap_or(0));
    }
}

fn write_requests(page: &mut MetricsExposition, answered: &RequestMetrics) {
    let name = "concord_http_requests_total";
    page.family(name, "counter", "Requests answered, by method, route and status.");
    for ((method, route, status), count) in &answered.counts {
        page.sample(name, &[("method", method), ("route", route), ("status", status)], count);
    }
    let name = "concord_http_request_duration_seconds";
    page.family(name, "histogram", "How long answers took, by method and route.");
    for ((method, route), histogram) in &answered.durations {
        let mut so_far = 0;
        for (index, count) in histogram.buckets.iter().enumerate() {
            so_far += count;
            let bound = BOUNDS.get(index).map_or_else(|| "+Inf".to_owned(), ToString::to_string);
            let labels: [(&str, &dyn Display); 3] = [("method", method), ("route", route), ("le", &bound)];
            page.sample(&format!("{name}_bucket"), &labels, so_far);
        }
        let labels: [(&str, &dyn Display); 2] = [("method", method), ("route", route)];
        page.sample(&format!("{name}_sum"), &labels, histogram.seconds);
        page.sample(&format!("{name}_count"), &labels, so_far);
    }
}

/// A text in the exposition format.
#[derive(Default)]
struct MetricsExposition(String);

impl MetricsExposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_as_prometheus_reads_them() {
        let mut page = MetricsExposition::default();
        page.family("a", "gauge", "Help.");
        page.sample("a", &[], 1);
        page.sample("a", &[("x", &"q\"\\\n"), ("y", &2)], 0.5);
        assert_eq!(page.0, "# HELP a Help.\n# TYPE a gauge\na 1\na{x=\"q\\\"\\\\\\n\",y=\"2\"} 0.5\n");
    }

    #[test]
    fn buckets_add_up() {
        let mut answered = RequestMetrics::default();
        let histogram = answered.durations.entry(("GET", "/x".to_owned())).or_default();
        for seconds in [0.0004, 0.002, 0.002, 30.0] {
            histogram.observe(seconds);
        }
        let mut page = MetricsExposition::default();
        write_requests(&mut page, &answered);
        assert!(page.0.contains("le=\"0.001\"} 1\n"), "{}", page.0);
        assert!(page.0.contains("le=\"0.0025\"} 3\n"));
        assert!(page.0.contains("le=\"5\"} 3\n"));
        assert!(page.0.contains("le=\"+Inf\"} 4\n"));
        assert!(page.0.contains("_count{method=\"GET\",route=\"/x\"} 4\n"));
    }
}
