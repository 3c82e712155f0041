//! The one error of all providers: it says what to do next.

use std::time::Duration;

/// What went wrong at a provider, by what follows from it. Its text is for the log and for people; it never
/// holds a token.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ProviderError {
    /// The access token is not accepted: refresh it once, then try again.
    #[error("the provider did not accept the access token")]
    Unauthorized,
    /// The grant itself is dead (`invalid_grant`): only the person can mend it, by connecting again.
    #[error("the provider ended the connection: {0}")]
    GrantDead(String),
    /// Too many requests: come back later; it costs no try.
    #[error("the provider asks to slow down")]
    RateLimited {
        /// How long the provider wants us to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// The calendar or the entry does not exist (any more).
    #[error("not found at the provider")]
    NotFound,
    /// Nothing of the account can be used as things are: it has no calendars there, or the provider does not serve this
    /// installation or this person. Nothing is said of any entry or calendar; somebody has to change something first, who
    /// and what is said in our words.
    #[error("the account cannot be used: {0}")]
    AccountUnusable(String),
    /// It changed since we last saw it, or it exists although it should not: look, then plan again.
    #[error("it was changed at the provider in the meantime")]
    Precondition,
    /// The cursor is no longer good: forget it and compare in full.
    #[error("the cursor has expired")]
    CursorExpired,
    /// It will never be accepted as it is.
    #[error("the provider refused it: {0}")]
    Rejected(String),
    /// A passing fault (network, time-out, 5xx, an answer cut short): the call may have had its effect.
    #[error("the provider could not be reached: {0}")]
    Transient(String),
    /// A write of several calls went wrong after one of them had been carried out: the entry is not as it was. What went wrong
    /// then is inside, and means what it means.
    #[error("a part was written, and then: {0}")]
    Partly(Box<ProviderError>),
}

impl ProviderError {
    /// Whether it says that what was asked for was not done.
    pub fn is_definite(&self) -> bool {
        !matches!(self, Self::Transient(_) | Self::Partly(_))
    }

    /// What went wrong, whether or not a part was written before.
    #[must_use]
    pub fn cause(self) -> Self {
        match self {
            Self::Partly(cause) => cause.cause(),
            other => other,
        }
    }

    /// The same, after another call of the same write has been carried out.
    pub(crate) fn after_a_part(self) -> Self {
        Self::Partly(Box::new(self))
    }

    /// What people read where they see what became of a booking; `provider` is what they call it. What only says
    /// something to whoever runs the installation is in the log.
    pub fn user_message(&self, provider: &str) -> String {
        match self {
            Self::Unauthorized => format!("{provider} did not accept the access token"),
            Self::GrantDead(_) => format!("{provider} ended the connection; it needs to be reconnected"),
            Self::RateLimited { .. } => format!("{provider}'s rate limit was reached"),
            Self::NotFound => format!("not found at {provider}"),
            Self::AccountUnusable(why) => why.clone(),
            Self::Precondition => format!("it was changed at {provider} in the meantime"),
            Self::CursorExpired => format!("{provider} requires a full read of the calendar"),
            Self::Rejected(why) => format!("{provider} refused it: {why}"),
            Self::Transient(why) => format!("couldn't reach {provider}: {why}"),
            Self::Partly(cause) => cause.user_message(provider),
        }
    }

    /// A short word for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Partly(cause) => cause.code(),
            other => other.into(),
        }
    }
}

/// Why the providers cannot be set up at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The HTTP client cannot be built, for instance because the system has no root certificates.
    #[error("cannot set up the HTTP client: {0}")]
    Http(#[from] reqwest::Error),
    /// An address in the configuration is not one that can be called.
    #[error("{what} must be an http or https address: {url}")]
    Address { what: &'static str, url: url::Url },
}
