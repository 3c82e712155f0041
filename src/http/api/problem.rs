//! What the API says when something is wrong: problem documents (RFC 9457), and nothing else.
//!
//! A handler returns an `ApiError`; `render` makes the document of it, since only there the address of the
//! installation and the id of the request are known. Texts of the inside (of the database, of a provider's answer) go
//! to the log, never into the document.

mod conversions;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use concord_storage::StorageError;
use serde::Serialize;
use utoipa::ToSchema;

use super::occupancy::{ConflictResponse, FreeTime};
use crate::{app::App, http::request_origin::REQUEST_ID};

/// The media type of problem documents.
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $slug:literal, $status:ident, $title:literal, $advice:literal;)+) => {
        /// What went wrong, as programs tell it apart: the last part of `type`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $kind),+ }

        impl Kind {
            /// Every kind, in the order of its definition.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// The last part of `type`; it never changes.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$kind => $slug),+ }
            }

            /// The HTTP status of its answer.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status),+ }
            }

            /// The same words for every problem of the kind.
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title),+ }
            }

            /// What a caller can do about it, for the documentation.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$kind => $advice),+ }
            }
        }
    };
}

kinds! {
    /// No JSON, or a header, cursor or parameter that makes no sense.
    Malformed = "malformed", BAD_REQUEST, "The request is not valid",
        "Fix the request: see `detail` and `errors`. Retrying it unchanged will not help.";
    /// No key, or none that opens anything.
    Unauthorized = "unauthorized", UNAUTHORIZED, "An API key is required",
        "Send `Authorization: Bearer ck_...` with a key that a manager created in the settings and that has not been revoked.";
    /// Known, but it is not for them.
    Forbidden = "forbidden", FORBIDDEN, "Managers only",
        "Ask a manager of the business.";
    /// Not there, or another business's.
    NotFound = "not-found", NOT_FOUND, "Not found",
        "Check the path and its ids. Data of other businesses is never found.";
    /// The path exists, the method does not.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "Method not allowed",
        "The `Allow` header lists the supported methods.";
    /// No room.
    Taken = "taken", CONFLICT, "The time is taken",
        "`conflicts` lists what is in the way, `alternatives` free times of the same length.";
    /// Right in itself, but not as things stand.
    NotPossible = "not-possible", CONFLICT, "Not possible in the current state",
        "See `detail` for the reason.";
    /// `Idempotency-Key`: the first request has not ended.
    UnderWay = "under-way", CONFLICT, "The same request is in progress",
        "Retry after the seconds in `Retry-After` to get the response to the first request.";
    /// `Idempotency-Key`: done, and the answer was lost.
    AlreadyDone = "already-done", CONFLICT, "Already completed",
        "The request was not repeated. `Location`, if present, points to the result; the response itself was \
         lost when the server stopped.";
    /// `If-Match` or `If-None-Match` does not hold.
    Stale = "stale", PRECONDITION_FAILED, "Changed in the meantime",
        "Read it again, apply your change to the current version, and send the new `ETag` as `If-Match`.";
    /// Too many bytes.
    TooLarge = "too-large", PAYLOAD_TOO_LARGE, "The body is too large",
        "Send less data per request.";
    /// Not JSON by its own account.
    MediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The body must be JSON",
        "Send `Content-Type: application/json`.";
    /// Fields that are not acceptable.
    Invalid = "invalid", UNPROCESSABLE_ENTITY, "Some fields are not valid",
        "`errors` lists each field and what is wrong. Nothing was saved.";
    /// `Idempotency-Key`: used for something else.
    KeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "The idempotency key was used for another request",
        "Use a new key for each new request.";
    /// By one address or one key.
    TooMany = "too-many-requests", TOO_MANY_REQUESTS, "Too many requests",
        "Nothing was done. Retry after the seconds in `Retry-After`, and send requests less often.";
    /// A calendar provider would not.
    Provider = "provider", BAD_GATEWAY, "The calendar provider failed",
        "See `detail` for the provider's error. Retry later, or reconnect the calendar.";
    /// Others write the same rows.
    Busy = "busy", SERVICE_UNAVAILABLE, "Too many changes at once",
        "Nothing was saved. Retry after the seconds in `Retry-After`.";
    /// The database is away.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Concord is temporarily unavailable",
        "Nothing was saved. Retry after the seconds in `Retry-After`. Find details in the logs by `request_id`.";
    /// The answer was given up; the work goes on.
    TooSlow = "too-slow", SERVICE_UNAVAILABLE, "The request timed out",
        "It may still have been completed: read the resource, or retry with the same `Idempotency-Key`.";
    /// A mistake of ours.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal error",
        "Report it with the `request_id` to find it in the logs.";
}

/// A field that is not valid, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The field's name, with dots between the levels; empty where the whole body is meant.
    #[schema(example = "customer.email")]
    pub field: String,
    /// What is wrong with it, to be read after the field's name.
    #[schema(example = "is not a valid email address")]
    pub message: String,
}

/// A problem document (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// The problem type; its URL leads to the explanation.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference")]
    pub kind: String,
    /// The same title for every problem of this type.
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 409)]
    pub status: u16,
    /// What is wrong in this case.
    pub detail: String,
    /// The fields that are not valid.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// What is in the way; only with `taken`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<ConflictResponse>,
    /// Free times of the same length for the same resource and people, the nearest first; only with `taken`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternatives: Option<Vec<FreeTime>>,
    /// The version that a booking is at; only with `stale`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_version: Option<i64>,
    /// Finds the request in the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Why a request was not answered as it was meant to be.
#[derive(Clone, Debug)]
pub struct ApiError(Box<Problem>);

/// What most handlers answer: JSON, or a problem.
pub(super) type ApiResult<T> = Result<Json<T>, ApiError>;

#[derive(Clone, Debug)]
struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldProblem>,
    conflicts: Vec<ConflictResponse>,
    alternatives: Option<Vec<FreeTime>>,
    current_version: Option<i64>,
    headers: HeaderMap,
    /// For the log alone.
    cause: Option<String>,
}

impl ApiError {
    /// `what` has been changed since the caller read it; it is at that version, or not there if that is 0.
    pub(super) fn stale(what: &str, current: i64) -> Self {
        let detail = if current == 0 {
            format!("This {what} does not exist.")
        } else {
            format!("The {what} is at version {current}.")
        };
        let mut error = Self::new(Kind::Stale, detail);
        error.0.current_version = (current > 0).then_some(current);
        error
    }

    /// A problem of a kind, and what is wrong this time.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            conflicts: Vec::new(),
            alternatives: None,
            current_version: None,
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// `what`: in words, such as "booking".
    pub fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, format!("This {what} was not found."))
    }

    /// One field that is not acceptable.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldProblem { field: field.into(), message: message.into() }])
    }

    /// Fields that are not acceptable.
    pub fn invalid_fields(errors: Vec<FieldProblem>) -> Self {
        Self::new(Kind::Invalid, sentence(&errors)).with_errors(errors)
    }

    /// Names the fields that it is about.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.0.errors = errors;
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// When to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// A mistake of ours; `cause` goes to the log alone.
    #[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
    pub fn internal(cause: impl ToString) -> Self {
        let mut error = Self::new(Kind::Internal, "The error was logged.");
        error.0.cause = Some(cause.to_string());
        error
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The fields that it is about.
    #[cfg(test)]
    pub(super) fn errors(&self) -> &[FieldProblem] {
        &self.0.errors
    }

    fn unavailable(cause: &StorageError, words: &str) -> Self {
        let mut error = Self::new(Kind::Unavailable, words).retry_after(5);
        error.0.cause = Some(cause.to_string());
        error
    }

    fn document(self, app: &App, request_id: Option<String>) -> ProblemDocument {
        let problem = *self.0;
        ProblemDocument {
            kind: app.absolute_url(&format!("/problems/{}", problem.kind.slug())),
            title: problem.kind.title(),
            status: problem.kind.status().as_u16(),
            detail: problem.detail,
            errors: problem.errors,
            conflicts: problem.conflicts,
            alternatives: problem.alternatives,
            current_version: problem.current_version,
            request_id,
        }
    }
}

fn sentence(errors: &[FieldProblem]) -> String {
    let subject = |fault: &FieldProblem| match fault.field.as_str() {
        "" => "The body".to_owned(),
        field => field.to_owned(),
    };
    let faults: Vec<String> =
        errors.iter().map(|fault| format!("{} {}", subject(fault), fault.message)).collect();
    let sentence = faults.join("; ");
    if sentence.ends_with('?') { sentence } else { format!("{sentence}.") }
}

/// Without `render` around it an error is its status alone.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.kind.status().into_response();
        response.headers_mut().extend(self.0.headers.clone());
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the document of an `ApiError`, and its cause to the log. It stands around all of the API.
pub async fn render(State(app): State<App>, request: Request, next: Next) -> Response {
    let request_id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<ApiError>() else { return response };
    if let Some(cause) = &error.0.cause {
        tracing::error!(request_id, kind = error.0.kind.slug(), cause, "a request could not be answered");
    }
    let (mut parts, _) = response.into_parts();
    let document = error.document(&app, request_id);
    let body = serde_json::to_vec(&document).unwrap_or_default();
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_stays_inside() {
        let error = ApiError::from(StorageError::Url("postgres://user:secret@host".to_owned()));
        assert_eq!(error.kind(), Kind::Internal);
        assert!(!error.0.detail.contains("secret"), "{}", error.0.detail);
    }

    #[test]
    fn a_lost_race_may_be_run_again() {
        for error in [StorageError::Exists, StorageError::Overlap, StorageError::Busy] {
            assert_eq!(ApiError::from(error).kind(), Kind::Busy);
        }
    }

    #[test]
    fn slugs_are_told_apart() {
        for (index, kind) in Kind::ALL.iter().enumerate() {
            assert!(Kind::ALL[index + 1..].iter().all(|other| other.slug() != kind.slug()), "{kind:?}");
        }
    }

    #[test]
    fn faults_are_told_in_one_sentence() {
        let error = ApiError::invalid("title", "is too long");
        assert_eq!(error.0.detail, "title is too long.");
    }
}
