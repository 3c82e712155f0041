//! One call of `google-calendar3`'s hub, and what came of it.

use concord_domain::clock::Clock;
use google_calendar3::{CalendarHub, common};
use hyper_util::{client::legacy, rt::TokioExecutor};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{
    GoogleCalendar,
    errors::{GoogleCallError, GoogleErrorBody, GoogleErrorResponse, unreadable},
    pipe::{PipeConnector, PipeFailure},
};
use crate::{error::ProviderError, http::USER_AGENT, provider::ProviderCredentials};

/// A hub that is good for one call.
///
/// `session.hub.….delegate(&mut session.capture).doit().await`, then [`Session::outcome`].
pub(super) struct HubSession {
    pub(super) hub: CalendarHub<PipeConnector>,
    pub(super) capture: ErrorCapture,
    failure: PipeFailure,
}

/// Keeps what the hub drops of a refusal: its status, headers and reason.
pub(super) struct ErrorCapture {
    refusal: Option<GoogleErrorResponse>,
    clock: Clock,
}

impl common::Delegate for ErrorCapture {
    fn http_failure(&mut self, response: &common::Response, error: Option<&Value>) -> common::Retry {
        let body = error.and_then(GoogleErrorBody::of);
        self.refusal =
            Some(GoogleErrorResponse::new(response.status(), response.headers(), body, self.clock.now()));
        common::Retry::Abort
    }
}

impl GoogleCalendar {
    /// A hub with this token.
    pub(super) fn session(&self, credentials: &ProviderCredentials) -> Result<HubSession, ProviderError> {
        // The hub panics on a token that is no header value.
        credentials.bearer()?;
        let ProviderCredentials::Bearer(token) = credentials else { return Err(ProviderError::Unauthorized) };
        let failure = PipeFailure::default();
        let connector = PipeConnector { http: self.http.clone(), failure: failure.clone() };
        let client = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        let mut hub = CalendarHub::new(client, token.expose_secret().to_owned());
        hub.base_url(self.calendar_base.to_string());
        hub.user_agent(USER_AGENT.to_owned());
        let capture = ErrorCapture { refusal: None, clock: self.clock.clone() };
        Ok(HubSession { hub, capture, failure })
    }
}

impl HubSession {
    /// The value that the call brought, or what went wrong.
    pub(super) fn outcome<T>(
        self,
        result: common::Result<(common::Response, T)>,
    ) -> Result<T, GoogleCallError> {
        let error = match result {
            Ok((_, value)) => return Ok(value),
            Err(error) => error,
        };
        if let Some(refusal) = self.capture.refusal {
            return Err(GoogleCallError::Refused(refusal));
        }
        Err(GoogleCallError::Other(match (self.failure.take(), error) {
            (Some(failure @ GoogleCallError::Slow(_)), _) => return Err(failure),
            (Some(failure), _) => failure.into(),
            (None, common::Error::JsonDecodeError(_, error)) => unreadable(&error),
            // Without its text, which may quote what was sent.
            (None, _) => ProviderError::Transient("the connection failed".to_owned()),
        }))
    }
}
