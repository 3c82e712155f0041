//! One call to Google's API, over the shared client.

use bytes::Bytes;
use google_calendar3::common::remove_json_null_values;
use http::{
    HeaderValue, Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use url::Url;

use super::{GoogleCalendar, errors::GoogleCallError};
use crate::{access::AccountAccess, error::ProviderError, http::BufferedResponse};

/// Unreserved characters (RFC 3986, section 2.3), and `@`, which calendar ids have and paths allow.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// `id` as one segment of a path. `NotFound`: no provider has such an id, and in a
/// path it would mean another place.
pub(super) fn segment(id: &str) -> Result<String, ProviderError> {
    match id {
        "" | "." | ".." => Err(ProviderError::NotFound),
        id => Ok(utf8_percent_encode(id, SEGMENT).to_string()),
    }
}

impl AccountAccess<'_, GoogleCalendar> {
    /// Reads `path`, whose ids are [`segment`]s, below the calendar API's address.
    pub(super) async fn get(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<BufferedResponse, GoogleCallError> {
        self.call(Method::GET, self.address(path, query)?, None, None).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<BufferedResponse, GoogleCallError> {
        self.call(Method::POST, self.address(path, &[])?, None, Some(without_nulls(body)?)).await
    }

    pub(super) fn address(&self, path: &str, query: &[(&str, String)]) -> Result<Url, ProviderError> {
        let mut url = self.provider.calendar_base.join(path).map_err(|_| ProviderError::NotFound)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    pub(super) async fn call(
        &self,
        method: Method,
        url: Url,
        if_match: Option<HeaderValue>,
        body: Option<Bytes>,
    ) -> Result<BufferedResponse, GoogleCallError> {
        let has_body = body.is_some();
        let request = Request::builder().method(method).uri(url.as_str()).body(body.unwrap_or_default());
        let mut request = request.map_err(|_| ProviderError::NotFound)?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.credentials.bearer()?);
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(etag) = if_match {
            headers.insert(IF_MATCH, etag);
        }
        self.provider.http.call(request, &self.provider.clock).await
    }
}

/// The crate's models write every field that they have, absent ones as null.
pub(super) fn without_nulls(model: &impl Serialize) -> Result<Bytes, ProviderError> {
    let mut value = serde_json::to_value(model).map_err(serialization_error)?;
    remove_json_null_values(&mut value);
    Ok(serde_json::to_vec(&value).map_err(serialization_error)?.into())
}

pub(super) fn serialization_error(_: serde_json::Error) -> ProviderError {
    ProviderError::Rejected("the request cannot be written as JSON".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_cannot_leave_their_place() {
        assert_eq!(segment("a/b%2F#c?d e").unwrap(), "a%2Fb%252F%23c%3Fd%20e");
        assert_eq!(segment("ana@example.com").unwrap(), "ana@example.com");
        assert_eq!(segment("kalender-ä{eventId}").unwrap(), "kalender-%C3%A4%7BeventId%7D");
        for nowhere in ["", ".", ".."] {
            assert!(matches!(segment(nowhere), Err(ProviderError::NotFound)), "{nowhere:?}");
        }
    }
}
