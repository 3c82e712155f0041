//! Why there is no feed, by what follows from it.

use std::time::Duration;

use http::StatusCode;

use crate::http::HttpCallError;

/// Why there is no feed. Its text is for people, and says no more of an address than its host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum FeedError {
    /// Nothing that can be called.
    #[error("this is not a calendar link: {0}")]
    BadAddress(&'static str),
    /// The guard refuses the host, the one that was named or one that it led to.
    #[error("{0}")]
    PrivateHost(String),
    /// The server leads to what is no address, or from https to http.
    #[error("the server redirects to an address that is not allowed: {0}")]
    BadRedirect(&'static str),
    /// The server leads on and on, or in a circle.
    #[error("the server redirects too many times")]
    TooManyRedirects,
    #[error("no calendar found at this link: copy the link again from the platform")]
    NotFound,
    #[error(
        "the server denies access to this calendar: copy the complete link again, including its secret part"
    )]
    Forbidden,
    #[error("the server's rate limit was reached")]
    RateLimited {
        /// How long it wants us to wait, if it said so.
        retry_after: Option<Duration>,
    },
    #[error("the server has an error (status {})", .status.as_u16())]
    Server {
        status: StatusCode,
        /// How long it wants us to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// Any other status that is not 200.
    #[error("the server did not return the calendar (status {})", .0.as_u16())]
    Refused(StatusCode),
    #[error(
        "this is a web page, not a calendar: use the calendar export link \
         (iCal), not the page's address"
    )]
    WebPage,
    /// Packed, or packed in another way than was asked for.
    #[error("the calendar uses an unsupported compression ({0})")]
    Packed(&'static str),
    /// Of what came over the wire, or of what it unpacks to.
    #[error("the calendar is larger than {} MB", .limit.div_ceil(1024 * 1024))]
    TooLarge { limit: usize },
    /// The time for all of it is over.
    #[error("the server did not send the whole calendar in time")]
    Timeout,
    /// No such name, nobody there, TLS that is not in order, no HTTP.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// It ended before its end.
    #[error("the calendar was cut off in transit")]
    CutShort,
}

impl FeedError {
    /// Whether asking again will not help until a person has done something.
    ///
    /// A web page is not such: many sites show one while they are being worked on.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::BadAddress(_)
            | Self::PrivateHost(_)
            | Self::BadRedirect(_)
            | Self::TooManyRedirects
            | Self::NotFound
            | Self::Forbidden
            | Self::Refused(_)
            | Self::Packed(_)
            | Self::TooLarge { .. } => true,
            Self::RateLimited { .. }
            | Self::Server { .. }
            | Self::WebPage
            | Self::Timeout
            | Self::Unreachable(_)
            | Self::CutShort => false,
        }
    }

    /// How long the server wants us to wait, if it said so; at most an hour.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What went wrong and what to do, for people.
    pub fn user_message(&self) -> String {
        self.to_string()
    }

    /// A short word for logs and metrics.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// What a status other than 200 means.
    pub(super) fn from_status(status: StatusCode, retry_after: Option<Duration>) -> Self {
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Self::NotFound,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::TOO_MANY_REQUESTS => Self::RateLimited { retry_after },
            // A part that nobody asked for.
            StatusCode::PARTIAL_CONTENT => Self::CutShort,
            StatusCode::REQUEST_TIMEOUT => Self::Server { status, retry_after },
            _ if status.is_server_error() => Self::Server { status, retry_after },
            _ => Self::Refused(status),
        }
    }
}

impl From<HttpCallError> for FeedError {
    fn from(error: HttpCallError) -> Self {
        match error {
            HttpCallError::BadAddress => Self::BadAddress("it cannot be called"),
            HttpCallError::PrivateHost(refused) => Self::PrivateHost(refused.to_string()),
            HttpCallError::Timeout(_) => Self::Timeout,
            HttpCallError::CutShort(_) => Self::CutShort,
            HttpCallError::TooLarge { limit } => Self::TooLarge { limit },
            // Nobody sends a password with a feed.
            HttpCallError::PlainHost(_)
            | HttpCallError::NoConnection(_)
            | HttpCallError::NoTls
            | HttpCallError::Broken(_) => Self::Unreachable(error.to_string()),
        }
    }
}
