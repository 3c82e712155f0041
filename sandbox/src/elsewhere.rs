//! Another host than the provider's, where a client has no business: it notes who came, and whether with a token.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, Request, State};
use axum::http::header;
use serde_json::{Value, json};

use crate::clock;
use crate::gate::redacted_headers;
use crate::recorder::RecordedExchange;
use crate::server::SandboxServer;

/// The name under which the recorder keeps the visits.
pub(crate) const RECORDER_NAME: &str = "elsewhere";

/// Answers like an empty page of any list.
pub(crate) async fn visit(
    State(server): State<Arc<SandboxServer>>,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Json<Value> {
    let mut headers = redacted_headers(request.headers());
    headers.insert("has_token".into(), request.headers().contains_key(header::AUTHORIZATION).into());
    server.recorder.record(RecordedExchange {
        at: clock::now(),
        provider: RECORDER_NAME,
        method: request.method().as_str().into(),
        path: uri.path().into(),
        query: serde_json::Map::new(),
        body: None,
        status: 200,
        response: None,
        headers,
        account: None,
        delivered: true,
    });
    Json(json!({ "value": [], "items": [] }))
}
