//! What a call is authorised with.

use chrono_tz::Tz;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::error::ProviderError;

/// What a call is authorised with.
#[derive(Clone, Debug)]
pub enum ProviderCredentials {
    /// An OAuth access token.
    Bearer(SecretString),
    /// A name and a password, sent with each call: CalDAV.
    Password {
        /// As the person gave it.
        user: String,
        /// An app password, where the server has such.
        password: SecretString,
        /// Where the account's calendars are: all calls stay below its origin.
        home: Url,
        /// Where the account's owner lives: what a calendar without a zone of its own tells in no zone in particular is
        /// told by their clocks (RFC 4791, 7.3).
        zone: Tz,
    },
}

impl ProviderCredentials {
    /// The `Authorization` header of a token. `Unauthorized`: it is a password, or no header value (a line break in it),
    /// so that nobody can accept it.
    pub(crate) fn bearer(&self) -> Result<HeaderValue, ProviderError> {
        let Self::Bearer(token) = self else { return Err(ProviderError::Unauthorized) };
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
            .map_err(|_| ProviderError::Unauthorized)?;
        value.set_sensitive(true);
        Ok(value)
    }
}
