//! What holds for every request, whichever part of the front answers it.
//!
//! The policy for browsers is strict: nothing inline, nothing from elsewhere. The one thing that must be let out is the
//! form that connects a calendar: it is answered by a redirect to the provider, and browsers hold redirects of forms
//! against `form-action` too.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use concord_domain::{clock::Clock, ids::new_uuid};
use futures::FutureExt;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, trace::TraceLayer};
use tracing::{Instrument, Span, field, info_span};

use super::{
    admission,
    api::problem::{self, ApiError, Kind},
    pages::{self, PageError},
    request_origin::{REQUEST_ID, RequestOrigin},
};
use crate::app::App;

/// Puts the whole front behind what holds for every request.
pub(super) fn apply_layers(router: Router, app: &App) -> Router {
    let policy = SecurityHeaders::from_app(app);
    router
        .layer(middleware::from_fn_with_state(app.config.server.request_timeout, enforce_timeout))
        .layer(DefaultBodyLimit::max(app.config.server.max_body_kilobytes * 1024))
        .layer(CatchPanicLayer::custom(|panic: Box<dyn Any + Send>| handle_panic(panic.as_ref())))
        .layer(middleware::from_fn(render_failure))
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
        .layer(middleware::from_fn_with_state(app.clone(), pages::error_page::render_in_layout))
        .layer(middleware::from_fn(pages::error_page::render))
        .layer(CompressionLayer::new().compress_when(should_compress))
        .layer(middleware::from_fn_with_state(app.clone(), admission::admit))
        // Of what was not let in.
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
        .layer(middleware::from_fn(pages::error_page::render))
        .layer(middleware::from_fn_with_state(policy, set_security_headers))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_request(())
                .on_response(|response: &Response, took: Duration, span: &Span| {
                    span.record("status", response.status().as_u16());
                    tracing::info!(parent: span, milliseconds = milliseconds(took), "answered");
                })
                .on_failure(()),
        )
        .layer(middleware::from_fn_with_state(app.clone(), set_request_id))
}

/// The same for feeds, in one layer. Their readers are programs that come in great numbers, and want neither pages nor
/// problem documents; their answers are compressed already.
pub(super) fn apply_feed_layers(router: Router, app: &App) -> Router {
    let watch = RequestGuard {
        policy: SecurityHeaders::from_app(app),
        limit: app.config.server.request_timeout,
        clock: app.context.clock.clone(),
    };
    router.layer(middleware::from_fn_with_state(watch, guard_request))
}

#[derive(Clone)]
struct RequestGuard {
    policy: SecurityHeaders,
    limit: Duration,
    clock: Clock,
}

async fn guard_request(State(watch): State<RequestGuard>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(&watch.clock);
    if let Some(id) = &id {
        request.headers_mut().insert(REQUEST_ID, id.clone());
    }
    let span = span(&request);
    let answer = AssertUnwindSafe(next.run(request).instrument(span.clone())).catch_unwind();
    let mut response = match tokio::time::timeout(watch.limit, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            handle_panic(panic.as_ref());
            (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong.\n").into_response()
        }
        Err(_) => {
            let wait = [(header::RETRY_AFTER, "30")];
            (StatusCode::SERVICE_UNAVAILABLE, wait, "This took too long.\n").into_response()
        }
    };
    watch.policy.apply(response.headers_mut());
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    span.record("status", response.status().as_u16());
    tracing::info!(parent: &span, milliseconds = milliseconds(began.elapsed()), "answered");
    response
}

/// With three decimals at the most, as people and machines read them.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[derive(Clone)]
struct SecurityHeaders {
    content: HeaderValue,
    is_secure: bool,
}

impl SecurityHeaders {
    #[expect(clippy::expect_used, reason = "origins of URLs are visible ASCII")]
    fn from_app(app: &App) -> Self {
        let providers = &app.context.providers;
        let consent_pages: Vec<String> = providers
            .kinds()
            .filter_map(|kind| providers.oauth(kind))
            .map(|oauth| oauth.authorize("", None).url.origin().ascii_serialization())
            .collect();
        Self {
            content: HeaderValue::from_str(&content_policy(&consent_pages)).expect("a policy of ASCII"),
            is_secure: app.is_secure(),
        }
    }
}

impl SecurityHeaders {
    /// What browsers are told, unless the answer has said so itself.
    fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in [
            (header::CONTENT_SECURITY_POLICY, self.content.clone()),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
            // Sign-in links and feeds carry a token in their path; other sites learn nothing of it.
            (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
            (
                HeaderName::from_static("permissions-policy"),
                HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
            ),
            (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        ] {
            headers.entry(name).or_insert(value);
        }
        if self.is_secure {
            headers
                .entry(header::STRICT_TRANSPORT_SECURITY)
                .or_insert(HeaderValue::from_static("max-age=31536000"));
        }
    }
}

fn content_policy(consent_pages: &[String]) -> String {
    let forms =
        ["'self'"].into_iter().chain(consent_pages.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; \
         form-action {forms}; frame-ancestors 'none'; base-uri 'none'"
    )
}

async fn set_security_headers(
    State(policy): State<SecurityHeaders>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    policy.apply(response.headers_mut());
    response
}

async fn set_request_id(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let visit = RequestOrigin::from_request(&request, &app.config.server);
    request.extensions_mut().insert(visit);
    let Some(id) = request_id(&app.context.clock) else { return next.run(request).await };
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// An id from outside would let a caller write into our log; a reverse proxy can log the one in the answer.
fn request_id(clock: &Clock) -> Option<HeaderValue> {
    HeaderValue::from_str(&new_uuid(clock.now()).simple().to_string()).ok()
}

fn span(request: &Request) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    // The pattern, never the path, which may hold a token; and no query: a callback's holds the code of a consent.
    let path = match request.extensions().get::<MatchedPath>() {
        Some(pattern) => pattern.as_str().to_owned(),
        None => path_prefix(request.uri().path()),
    };
    info_span!("request", method = %request.method(), %path, request_id = id, status = field::Empty)
}

/// Of a path that leads nowhere, what may be logged: its first part, if that is a word. A token, which has digits, an
/// underscore or capitals, is none.
fn path_prefix(path: &str) -> String {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let Some(first) = parts.next() else { return "/".to_owned() };
    let is_word =
        first.len() <= 20 && first.bytes().all(|byte| byte.is_ascii_lowercase() || b".-".contains(&byte));
    let first = if is_word { first } else { "…" };
    let rest = if parts.next().is_some() { "/…" } else { "" };
    format!("/{first}{rest}")
}

async fn enforce_timeout(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => MiddlewareFailure::TooSlow.into_response(),
    }
}

fn handle_panic(panic: &(dyn Any + Send)) -> Response {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no words");
    tracing::error!(words, "a handler panicked");
    MiddlewareFailure::Panic.into_response()
}

/// What went wrong outside of any handler; who asked is known further out.
#[derive(Clone, Copy, Debug)]
enum MiddlewareFailure {
    TooSlow,
    Panic,
}

impl IntoResponse for MiddlewareFailure {
    fn into_response(self) -> Response {
        let status = match self {
            Self::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panic => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Programs get a problem document, people a page; both are written further out.
async fn render_failure(request: Request, next: Next) -> Response {
    let is_program = request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    let Some(trouble) = response.extensions().get::<MiddlewareFailure>().copied() else { return response };
    match (is_program, trouble) {
        (true, MiddlewareFailure::TooSlow) => {
            ApiError::new(Kind::TooSlow, "The request timed out. It may still have been completed.")
                .retry_after(5)
                .into_response()
        }
        (true, MiddlewareFailure::Panic) => ApiError::internal("a handler panicked").into_response(),
        (false, MiddlewareFailure::TooSlow) => PageError::TooSlow.into_response(),
        (false, MiddlewareFailure::Panic) => {
            PageError::Broken("a handler panicked".to_owned()).into_response()
        }
    }
}

/// Feeds compress themselves, once per revision; pictures and what is tiny gain nothing.
fn should_compress(status: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    status != StatusCode::PARTIAL_CONTENT
        && [
            "text/html",
            "text/css",
            "text/javascript",
            "application/json",
            "application/problem+json",
            "image/svg",
        ]
        .iter()
        .any(|text| kind.starts_with(text))
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        routing::get,
    };
    use tower::ServiceExt;

    use super::*;

    #[test]
    fn of_a_path_that_leads_nowhere_the_first_word_is_logged() {
        for (path, logged) in [
            ("/", "/"),
            ("//", "/"),
            ("/favicon.ico", "/favicon.ico"),
            ("/feeds", "/feeds"),
            ("//feeds/cf_abc.ics", "/feeds/…"),
            ("/feeds//cf_abc.ics", "/feeds/…"),
            ("/sign-in//cl_secret", "/sign-in/…"),
            ("/cf_abc.ics", "/…"),
            ("//ck_abc/x", "/…/…"),
            ("/Zm9vYmFy", "/…"),
            ("/%63f_abc", "/…"),
            ("/zmzvymfyzmzvymfyzmzvymfy", "/…"),
        ] {
            assert_eq!(path_prefix(path), logged);
        }
    }

    /// As feeds are answered, whatever becomes of them.
    async fn feed(path: &str) -> Response {
        let watch = RequestGuard {
            policy: SecurityHeaders {
                content: HeaderValue::from_static("default-src 'none'"),
                is_secure: true,
            },
            limit: Duration::from_millis(20),
            clock: Clock::system(),
        };
        let router = Router::new()
            .route("/broken", get(async || -> &'static str { panic!("as a mistake would") }))
            .route("/slow", get(std::future::pending::<&'static str>))
            .route("/good", get(async || "well"))
            .layer(middleware::from_fn_with_state(watch, guard_request));
        router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn readers_of_feeds_get_words_whatever_goes_wrong() {
        for (path, status, words) in [
            ("/good", StatusCode::OK, "well"),
            ("/broken", StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong.\n"),
            ("/slow", StatusCode::SERVICE_UNAVAILABLE, "This took too long.\n"),
        ] {
            let response = feed(path).await;
            assert_eq!(response.status(), status);
            for name in ["content-security-policy", "x-content-type-options", "strict-transport-security"] {
                assert!(response.headers().contains_key(name), "{path}: {name}");
            }
            assert_eq!(response.headers()[REQUEST_ID].len(), 32);
            let body = to_bytes(response.into_body(), 1000).await.unwrap();
            assert_eq!(body, words);
        }
    }

    async fn response(path: &str) -> Response {
        let router = Router::new()
            .route("/broken", get(async || -> &'static str { panic!("as a mistake would") }))
            .route("/slow", get(std::future::pending::<&'static str>))
            .route("/api/slow", get(std::future::pending::<&'static str>))
            .layer(middleware::from_fn_with_state(Duration::from_millis(20), enforce_timeout))
            .layer(CatchPanicLayer::custom(|panic: Box<dyn Any + Send>| handle_panic(panic.as_ref())))
            .layer(middleware::from_fn(render_failure))
            .layer(middleware::from_fn(pages::error_page::render));
        router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn answer(path: &str) -> (StatusCode, String) {
        let response = response(path).await;
        let status = response.status();
        let body = to_bytes(response.into_body(), 100_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn people_get_a_page_whatever_goes_wrong() {
        let (status, page) = answer("/broken").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(page.contains("Something went wrong") && !page.contains("as a mistake would"));
        let (status, page) = answer("/slow").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(page.contains("This took too long"));
    }

    #[tokio::test]
    async fn timeout_problem_does_not_claim_nothing_was_done() {
        let response = response("/api/slow").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let error = response.extensions().get::<ApiError>().unwrap();
        assert_eq!(error.kind(), Kind::TooSlow);
        assert!(!error.kind().advice().contains("Nothing was saved"));
    }

    #[test]
    fn milliseconds_have_three_decimals_at_the_most() {
        for (nanoseconds, words) in [(57_214_954, "57.215"), (0, "0"), (1_500_000_000, "1500"), (400, "0")] {
            assert_eq!(milliseconds(Duration::from_nanos(nanoseconds)).to_string(), words);
        }
    }

    #[test]
    fn csp_forbids_inline_and_allows_forms_to_consent_pages() {
        let policy = content_policy(&["https://accounts.google.com".to_owned()]);
        assert!(!policy.contains("unsafe"));
        assert!(policy.starts_with("default-src 'none';"));
        assert!(policy.contains("form-action 'self' https://accounts.google.com;"));
    }
}
