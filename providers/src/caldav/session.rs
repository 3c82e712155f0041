//! Calls with a person's name and password.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono_tz::Tz;
use http::{
    HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use secrecy::ExposeSecret;
use url::Url;

use super::{
    Caldav,
    address::is_kindred,
    errors::{CaldavCallError, CaldavErrorResponse, unreadable},
    xml::{self, Multistatus},
};
use crate::{
    access::AccountAccess, error::ProviderError, http::BufferedResponse, provider::ProviderCredentials,
};

const DEPTH: HeaderName = HeaderName::from_static("depth");
const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");

/// One account at one server.
pub(super) struct CaldavSession<'a> {
    caldav: &'a Caldav,
    authorization: HeaderValue,
    /// The account's calendars are below it.
    pub(super) home: &'a Url,
    /// As the person gave it.
    pub(super) user: &'a str,
    pub(super) zone: Tz,
}

impl<'a> AccountAccess<'a, Caldav> {
    pub(super) fn session(&self) -> Result<CaldavSession<'a>, ProviderError> {
        let ProviderCredentials::Password { user, home, zone, .. } = self.credentials else {
            return Err(ProviderError::Unauthorized);
        };
        let authorization = basic(self.credentials)?;
        Ok(CaldavSession { caldav: self.provider, authorization, home, user, zone: *zone })
    }
}

impl Caldav {
    /// One call. `authorization`: with it.
    pub(super) async fn send(
        &self,
        method: &Method,
        url: &Url,
        authorization: Option<&HeaderValue>,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<BufferedResponse, ProviderError> {
        let request = Request::builder().method(method).uri(url.as_str()).body(body);
        let mut request = request.map_err(|_| ProviderError::NotFound)?;
        if let Some(authorization) = authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        for (name, value) in headers {
            request.headers_mut().insert(name, value.clone());
        }
        self.http.send(request).await
    }
}

/// The `Authorization` header (RFC 7617). A name with a colon in it cannot be told from its password.
pub(super) fn basic(credentials: &ProviderCredentials) -> Result<HeaderValue, ProviderError> {
    let ProviderCredentials::Password { user, password, .. } = credentials else {
        return Err(ProviderError::Unauthorized);
    };
    if user.contains(':') {
        return Err(ProviderError::Unauthorized);
    }
    let pair = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
    let mut value =
        HeaderValue::from_str(&format!("Basic {pair}")).map_err(|_| ProviderError::Unauthorized)?;
    value.set_sensitive(true);
    Ok(value)
}

impl CaldavSession<'_> {
    /// A call whose answer is a success of some kind.
    pub(super) async fn call(
        &self,
        method: &Method,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<BufferedResponse, CaldavCallError> {
        // Whatever a server or a row of ours has named: the password goes to the account's server.
        if !is_kindred(self.home, url) {
            return Err(ProviderError::NotFound.into());
        }
        let response = self.caldav.send(method, url, Some(&self.authorization), headers, body).await?;
        if is_html(&response) {
            return Err(unreadable("calendar server's, but a page for people").into());
        }
        if response.status.is_success() {
            return Ok(response);
        }
        Err(CaldavCallError::Refused(CaldavErrorResponse::read(&response, self.caldav.clock.now())))
    }

    /// The properties of a resource, and with `depth` 1 of what is in it.
    pub(super) async fn propfind(
        &self,
        url: &Url,
        depth: u8,
        body: String,
    ) -> Result<Multistatus, CaldavCallError> {
        self.multistatus(b"PROPFIND", url, depth, body).await
    }

    /// A report on a collection. RFC 4791 wants depth 1 for a query, RFC 6578 depth 0 for a sync.
    pub(super) async fn report(
        &self,
        url: &Url,
        depth: u8,
        body: String,
    ) -> Result<Multistatus, CaldavCallError> {
        self.multistatus(b"REPORT", url, depth, body).await
    }

    async fn multistatus(
        &self,
        method: &[u8],
        url: &Url,
        depth: u8,
        body: String,
    ) -> Result<Multistatus, CaldavCallError> {
        let method = Method::from_bytes(method).map_err(|_| unreadable("method"))?;
        let headers = [(DEPTH, depth_value(depth)), (CONTENT_TYPE, XML)];
        let response = self.call(&method, url, &headers, body.into()).await?;
        Ok(xml::multistatus(&response.body).ok_or_else(|| unreadable("multistatus"))?)
    }
}

/// What a network that wants people to sign in says to everything, and what must not be taken for the outcome of a write.
/// (Some servers say 201 with a page: mod_dav, of a PUT.)
fn is_html(response: &BufferedResponse) -> bool {
    response.status == StatusCode::OK && response.is_of_type("text/html")
}

pub(super) fn depth_value(depth: u8) -> HeaderValue {
    if depth == 0 { HeaderValue::from_static("0") } else { HeaderValue::from_static("1") }
}

/// The headers of a PROPFIND of one resource.
pub(super) fn propfind_headers() -> [(HeaderName, HeaderValue); 2] {
    [(DEPTH, depth_value(0)), (CONTENT_TYPE, XML)]
}
