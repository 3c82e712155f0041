//! Conditional requests (RFC 9110, section 13): the version of a booking, or of the business, is its entity tag.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};

use super::problem::{ApiError, Kind};
use crate::app::App;

/// What must hold for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precondition {
    /// Nothing was asked for.
    None,
    /// `If-Match` with a version.
    Version(i64),
    /// `If-Match: *`: it exists, in whatever version.
    Exists,
    /// `If-None-Match: *`: it does not exist yet.
    New,
}

impl Precondition {
    /// What `storage` is told to expect, if anything: nothing is version 0.
    pub(crate) fn expected_version(self) -> Option<i64> {
        match self {
            Self::None | Self::Exists => None,
            Self::Version(version) => Some(version),
            Self::New => Some(0),
        }
    }
}

impl FromRequestParts<App> for Precondition {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        parse_precondition(&parts.headers)
    }
}

fn parse_precondition(headers: &HeaderMap) -> Result<Precondition, ApiError> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default().trim());
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (None, None) => Ok(Precondition::None),
        (Some("*"), None) => Ok(Precondition::Exists),
        (Some(tag), None) => parse_entity_tag(tag)
            .map(Precondition::Version)
            .ok_or_else(|| ApiError::new(Kind::Malformed, "If-Match must be an ETag, such as \"3\", or *.")),
        (None, Some("*")) => Ok(Precondition::New),
        _ => Err(ApiError::new(Kind::Malformed, "If-None-Match may only be *, and not beside If-Match.")),
    }
}

fn parse_entity_tag(tag: &str) -> Option<i64> {
    let digits = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?;
    digits.parse().ok().filter(|version| *version > 0)
}

/// The entity tag of a version.
pub(crate) fn entity_tag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: header::HeaderName, value: &'static str) -> Option<Precondition> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        parse_precondition(&headers).ok()
    }

    #[test]
    fn versions_stand_in_quotes() {
        assert_eq!(of(header::IF_MATCH, "\"3\""), Some(Precondition::Version(3)));
        assert_eq!(of(header::IF_MATCH, "W/\"3\""), Some(Precondition::Version(3)));
        assert_eq!(of(header::IF_MATCH, "*"), Some(Precondition::Exists));
        assert_eq!(of(header::IF_NONE_MATCH, "*"), Some(Precondition::New));
        for bad in ["3", "\"x\"", "\"0\"", "\"-1\"", ""] {
            assert_eq!(of(header::IF_MATCH, bad), None, "{bad}");
        }
        assert_eq!(of(header::IF_NONE_MATCH, "\"3\""), None);
    }
}
