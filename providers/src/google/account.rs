//! Whose account a token opens.

use bytes::Bytes;
use http::{Method, Request, header::AUTHORIZATION};
use serde::Deserialize;

use super::{
    GoogleCalendar,
    errors::{GoogleErrorResponse, unreadable},
};
use crate::{
    error::ProviderError,
    provider::{ProviderAccount, ProviderCredentials},
};

/// OpenID Connect Core 1.0, section 5.3.2.
#[derive(Deserialize)]
struct GoogleUserInfo {
    /// Google's unchanging number of the account; the e-mail address can change.
    sub: String,
    #[serde(default)]
    email: String,
}

impl GoogleCalendar {
    /// Over the shared client: the hub knows the calendar's API only.
    pub(super) async fn read_account(
        &self,
        credentials: &ProviderCredentials,
    ) -> Result<ProviderAccount, ProviderError> {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = self.userinfo.as_str().parse().map_err(|_| {
            ProviderError::Rejected("the address of Google's API cannot be called".to_owned())
        })?;
        request.headers_mut().insert(AUTHORIZATION, credentials.bearer()?);
        let answer = self.http.send(request).await?;
        if !answer.status.is_success() {
            let now = self.clock.now();
            return Err(GoogleErrorResponse::read(&answer, now).into_error());
        }
        let user: GoogleUserInfo =
            serde_json::from_slice(&answer.body).map_err(|error| unreadable(&error))?;
        Ok(ProviderAccount { subject: user.sub, email: user.email })
    }
}
