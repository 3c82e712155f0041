//! Calls with a person's name and password.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono_tz::Tz;
use http::{HeaderName, HeaderValue, Request, StatusCode, header::AUTHORIZATION};
use secrecy::ExposeSecret;
use url::Url;

use super::{
    Caldav,
    address::is_kindred,
    errors::{CaldavCallError, CaldavErrorResponse, unreadable},
    requests::DavRequest,
    xml::{self, Multistatus},
};
use crate::{
    access::AccountAccess, error::ProviderError, http::BufferedResponse, provider::ProviderCredentials,
};

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
        method: &str,
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
        method: &str,
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

    /// A call whose answer tells of resources.
    pub(super) async fn ask(&self, url: &Url, request: DavRequest) -> Result<Multistatus, CaldavCallError> {
        let headers = request.headers();
        let response = self.call(request.method, url, &headers, request.body.into()).await?;
        Ok(xml::multistatus(&response.body).ok_or_else(|| unreadable("multistatus"))?)
    }
}

/// What a network that wants people to sign in says to everything, and what must not be taken for the outcome of a write.
/// (Some servers say 201 with a page: mod_dav, of a PUT.)
fn is_html(response: &BufferedResponse) -> bool {
    response.status == StatusCode::OK && response.is_of_type("text/html")
}
