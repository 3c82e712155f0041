//! One call of `google-calendar3`'s hub, and what came of it.

use concord_domain::clock::Clock;
use google_calendar3::{CalendarHub, common};
use hyper_util::{client::legacy, rt::TokioExecutor};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{
    GoogleCalendar,
    errors::{GoogleRefusal, Refusal, Trouble, unreadable},
    pipe::{Failure, PipeConnector},
};
use crate::{error::ProviderError, http::USER_AGENT, provider::Credentials};

/// A hub that is good for one call.
///
/// `session.hub.….delegate(&mut session.capture).doit().await`, then [`Session::outcome`].
pub(super) struct Session {
    pub(super) hub: CalendarHub<PipeConnector>,
    pub(super) capture: Capture,
    failure: Failure,
}

/// Keeps what the hub drops of a refusal: its status, headers and reason.
pub(super) struct Capture {
    refusal: Option<Refusal>,
    clock: Clock,
}

impl common::Delegate for Capture {
    fn http_failure(&mut self, response: &common::Response, error: Option<&Value>) -> common::Retry {
        let body = error.and_then(GoogleRefusal::of);
        self.refusal = Some(Refusal::new(response.status(), response.headers(), body, self.clock.now()));
        common::Retry::Abort
    }
}

impl GoogleCalendar {
    /// A hub with this token.
    pub(super) fn session(&self, credentials: &Credentials) -> Result<Session, ProviderError> {
        // The hub panics on a token that is no header value.
        credentials.bearer()?;
        let Credentials::Bearer(token) = credentials else { return Err(ProviderError::Unauthorized) };
        let failure = Failure::default();
        let connector = PipeConnector { http: self.http.clone(), failure: failure.clone() };
        let client = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        let mut hub = CalendarHub::new(client, token.expose_secret().to_owned());
        hub.base_url(self.calendar_base.to_string());
        hub.user_agent(USER_AGENT.to_owned());
        let capture = Capture { refusal: None, clock: self.clock.clone() };
        Ok(Session { hub, capture, failure })
    }
}

impl Session {
    /// The value that the call brought, or what went wrong.
    pub(super) fn outcome<T>(self, result: common::Result<(common::Response, T)>) -> Result<T, Trouble> {
        let error = match result {
            Ok((_, value)) => return Ok(value),
            Err(error) => error,
        };
        if let Some(refusal) = self.capture.refusal {
            return Err(Trouble::Refused(refusal));
        }
        Err(Trouble::Other(match (self.failure.take(), error) {
            (Some(failure @ Trouble::Slow(_)), _) => return Err(failure),
            (Some(failure), _) => failure.into(),
            (None, common::Error::JsonDecodeError(_, error)) => unreadable(&error),
            // Without its text, which may quote what was sent.
            (None, _) => ProviderError::Transient("the connection failed".to_owned()),
        }))
    }
}
