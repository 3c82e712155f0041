//! What a request carries, read so that whatever is wrong with it is named by its field.

use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, Path, Query, Request, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, FixedOffset, NaiveDate, SubsecRound, Utc};
use chrono_tz::Tz;
use concord_domain::{interval::start_of_day, json::StrictStructs};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::{
    json_errors::field_problem,
    problem::{ApiError, Kind},
};
use crate::app::{
    App,
    admission::{BodyClass, BodySize},
};

/// A body in JSON; what is wrong with it is a problem.
#[derive(Clone, Debug)]
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        check_media_type(request.headers())?;
        let bytes = read_body(request, app).await?;
        from_json(&bytes).map(ApiJson)
    }
}

/// A JSON body that may be left out.
#[derive(Clone, Debug)]
pub struct OptionalApiJson<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let media_type = check_media_type(request.headers());
        let bytes = read_body(request, app).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        media_type?;
        from_json(&bytes).map(Self)
    }
}

/// Holds room for the bodies of the API until they are answered. It stands inside of `auth::require_key`.
pub(crate) async fn reserve_body_layer(
    State((app, sort, most)): State<(App, BodyClass, usize)>,
    request: Request,
    next: Next,
) -> Response {
    let size = BodySize::of(request.body());
    match app.admission.reserve_body(sort, size, most).await {
        Ok(_held) => next.run(request).await,
        Err(error) => ApiError::from(error).into_response(),
    }
}

async fn read_body(request: Request, app: &App) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, app)
        .await
        .map_err(|rejection| body_problem(rejection.into_response().status()))
}

/// Why a body could not be read.
pub(super) fn body_problem(status: StatusCode) -> ApiError {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        ApiError::new(Kind::TooLarge, "The body is larger than this installation accepts.")
    } else {
        ApiError::new(Kind::Malformed, "The body is incomplete.")
    }
}

/// `application/json`, any `+json`, or nothing said.
fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        Ok(())
    } else {
        Err(ApiError::new(
            Kind::MediaType,
            format!("The body has the content type \"{}\".", text.escape_debug()),
        ))
    }
}

/// Reads JSON; what is no JSON is `Malformed`, what has the wrong fields is `Invalid` and names the field.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(StrictStructs(&mut reader)).map_err(|error| {
        let field = json_pointer(&error.path().to_string());
        json_problem(&field, error.inner())
    })?;
    reader.end().map_err(|error| json_problem("", &error))?;
    Ok(value)
}

/// As `from_json`, of a value that is JSON already.
pub fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(StrictStructs(value)).map_err(|error| {
        let field = json_pointer(&error.path().to_string());
        json_problem(&field, error.inner())
    })
}

/// The root is written as a dot.
fn json_pointer(path: &str) -> String {
    if path == "." { String::new() } else { path.to_owned() }
}

fn json_problem(path: &str, error: &serde_json::Error) -> ApiError {
    let words = error.to_string();
    if !error.is_data() {
        return ApiError::new(Kind::Malformed, format!("The body is not JSON: {words}."));
    }
    // Lines and columns help with syntax; with a field's name they are noise.
    let plain =
        words.rsplit_once(" at line ").filter(|_| error.line() > 0).map_or(&*words, |(plain, _)| plain);
    ApiError::invalid_fields(vec![field_problem(path, plain)])
}

/// The query; what is wrong with it is a problem.
#[derive(Clone, Debug, FromRequestParts)]
#[from_request(via(Query), rejection(ApiError))]
pub struct ApiQuery<T>(pub T);

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        let words = rejection.body_text();
        let plain = words.strip_prefix("Failed to deserialize query string: ").unwrap_or(&words);
        let (field, message) = plain.split_once(": ").unwrap_or(("", plain));
        let error = field_problem(field, message);
        Self::new(Kind::Malformed, format!("The query is not valid: {} {}.", error.field, error.message))
            .with_errors(vec![error])
    }
}

/// The variable parts of a path. What cannot be one of ours is not found.
#[derive(Clone, Debug, FromRequestParts)]
#[from_request(via(Path), rejection(ApiError))]
pub struct ApiPath<T>(pub T);

impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::new(Kind::NotFound, "An id in the path is not valid.")
    }
}

/// An instant as callers write it, cut to the microseconds that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiInstant(pub DateTime<Utc>);

impl<'de> Deserialize<'de> for ApiInstant {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        instant(&text).map(Self).ok_or_else(|| {
            serde::de::Error::custom(
                "must be an RFC 3339 time with its offset, such as 2026-12-01T14:00:00+01:00",
            )
        })
    }
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::<FixedOffset>::parse_from_rfc3339(text).ok()?;
    Some(at.with_timezone(&Utc).trunc_subsecs(6))
}

/// A date as callers write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiDate(pub NaiveDate);

impl<'de> Deserialize<'de> for ApiDate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        parse_date(&text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("must be a date such as 2026-12-01"))
    }
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    // chrono alone would take 2026-12-1 too.
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}

/// One end of a stretch of time in a query: an instant, or a day in the business's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiTimeBound {
    /// An instant.
    At(DateTime<Utc>),
    /// The beginning of a day.
    On(NaiveDate),
}

impl ApiTimeBound {
    /// The instant; a local time is one of `zone`.
    pub fn instant(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::On(date) => start_of_day(date, zone),
        }
    }
}

impl<'de> Deserialize<'de> for ApiTimeBound {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // A plus sign that was not encoded arrives as a space.
        let text = String::deserialize(from)?.replace(' ', "+");
        parse_date(&text).map(Self::On).or_else(|| instant(&text).map(Self::At)).ok_or_else(|| {
            serde::de::Error::custom("must be a date, or an RFC 3339 time with its offset (encode + as %2B)")
        })
    }
}

#[cfg(test)]
mod tests {
    use concord_domain::{feed::FeedScope, ids::StaffId};

    use super::*;
    use crate::http::api::problem::FieldProblem;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct SampleBody {
        #[expect(dead_code, reason = "only read from JSON")]
        at: ApiInstant,
        #[expect(dead_code, reason = "only read from JSON")]
        inner: Option<SampleInnerBody>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct SampleInnerBody {
        #[expect(dead_code, reason = "only read from JSON")]
        count: u32,
        #[expect(dead_code, reason = "only read from JSON")]
        whose: Option<StaffId>,
        #[expect(dead_code, reason = "only read from JSON")]
        scope: Option<FeedScope>,
    }

    #[test]
    fn whatever_is_wrong_is_named() {
        const AT: &str = "\"at\":\"2026-01-01T00:00:00Z\"";
        for (json, kind, field, message) in [
            ("{}".to_owned(), Kind::Invalid, "at", "is required"),
            ("[]".to_owned(), Kind::Invalid, "", "must be a JSON object"),
            ("[\"2026-01-01T00:00:00Z\",null]".to_owned(), Kind::Invalid, "", "must be a JSON object"),
            (format!("{{{AT},\"inner\":[1,null,null]}}"), Kind::Invalid, "inner", "must be a JSON object"),
            ("7".to_owned(), Kind::Invalid, "", "must be a JSON object"),
            (
                "{\"at\":\"2026-01-01T00:00:00\"}".to_owned(),
                Kind::Invalid,
                "at",
                "must be an RFC 3339 time with its offset, such as 2026-12-01T14:00:00+01:00",
            ),
            ("{\"at\":7}".to_owned(), Kind::Invalid, "at", "must be a string"),
            (format!("{{{AT},{AT}}}"), Kind::Invalid, "at", "is given twice"),
            (format!("{{{AT},\"colour\":1}}"), Kind::Invalid, "colour", "is not a known field"),
            (
                format!("{{{AT},\"iner\":1}}"),
                Kind::Invalid,
                "iner",
                "is not a known field; did you mean `inner`?",
            ),
            (format!("{{{AT},\"a at line b\":1}}"), Kind::Invalid, "a at line b", "is not a known field"),
            (format!("{{{AT},\"inner\":{{}}}}"), Kind::Invalid, "inner.count", "is required"),
            (
                format!("{{{AT},\"inner\":{{\"count\":-1}}}}"),
                Kind::Invalid,
                "inner.count",
                "must be a whole number between 0 and 4294967295",
            ),
            (
                format!("{{{AT},\"inner\":{{\"count\":1,\"cuont\":1}}}}"),
                Kind::Invalid,
                "inner.cuont",
                "is not a known field; did you mean `count`?",
            ),
            (
                format!("{{{AT},\"inner\":{{\"count\":1,\"whose\":\"Ana\"}}}}"),
                Kind::Invalid,
                "inner.whose",
                "must be an id (a UUID)",
            ),
            (
                format!("{{{AT},\"inner\":{{\"count\":1,\"scope\":\"all\"}}}}"),
                Kind::Invalid,
                "inner.scope",
                "must be one of `business`, `resource`, `staff`, `driver`, `channel`",
            ),
        ] {
            let error = from_json::<SampleBody>(json.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), kind, "{json}: {error:?}");
            assert_eq!(
                error.errors(),
                [FieldProblem { field: field.into(), message: message.into() }],
                "{json}"
            );
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            // A value that was read already knows each name once.
            if message != "is given twice" {
                let again = from_value::<SampleBody>(value).unwrap_err();
                assert_eq!(again.errors(), error.errors(), "{json}");
            }
        }
        for json in ["{", "{\"at\":\"2026-01-01T00:00:00Z\"} x"] {
            let error = from_json::<SampleBody>(json.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), Kind::Malformed, "{json}: {error:?}");
            assert!(format!("{error:?}").contains("The body is not JSON"), "{json}: {error:?}");
        }
    }

    #[test]
    fn any_offset_is_the_same_instant() {
        assert_eq!(instant("2026-12-01T14:00:00+01:00"), instant("2026-12-01T13:00:00Z"));
        assert_eq!(instant("2026-12-01T13:00:00.123456789Z").unwrap().timestamp_subsec_nanos(), 123_456_000);
    }

    #[test]
    fn dates_have_ten_characters() {
        assert!(parse_date("2026-12-01").is_some());
        for bad in ["2026-12-1", "20261201", "2026-02-30", "+2026-12-01", ""] {
            assert!(parse_date(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_json_is_read() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            headers
        };
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert!(check_media_type(&with(good)).is_ok(), "{good}");
        }
        for bad in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            assert!(check_media_type(&with(bad)).is_err(), "{bad}");
        }
        assert!(check_media_type(&HeaderMap::new()).is_ok());
    }
}
