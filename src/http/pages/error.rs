//! What a person sees when something is wrong: what happened, whether anything was lost, and what to do.
//!
//! A handler returns a `PageError`; `render` makes the page of it, since only there the reader's theme and the id of the
//! request are known. Texts of the inside go to the log, never onto the page.

use askama::Template;
use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Redirect, Response},
};
use concord_jobs::connections::ManageError;
use concord_storage::StorageError;

use super::{assets::Assets, business::STAYS_AHEAD, theme::Theme};
use crate::http::security::REQUEST_ID;

/// Why a page could not be shown, or an action not be done.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    SignedOut {
        /// Where they wanted to go.
        next: Option<String>,
    },
    /// Not there, or not theirs to see; what it is, in a word.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// For managers.
    #[error("only for managers")]
    ManagersOnly,
    /// A form that did not come from our pages, or from a session that is over.
    #[error("a form without the token of its session")]
    Forged,
    /// A form that is larger than anything that people type.
    #[error("the form is too large")]
    TooLarge,
    /// A form or a link that no page of ours made.
    #[error("the request makes no sense: {0}")]
    Malformed(String),
    /// It cannot be done as things stand; a sentence that says why.
    #[error("{0}")]
    NotPossible(String),
    /// A sign-in link that opens nothing.
    #[error("the sign-in link opens nothing")]
    DeadLink,
    /// A calendar could not be connected.
    #[error("a calendar could not be connected: {message}")]
    Connect {
        /// A sentence.
        message: String,
        /// What it means for the person.
        advice: &'static str,
        /// Whether the provider is at fault, and not the request.
        is_providers: bool,
        /// Where they can try again.
        back: String,
    },
    /// Others are changing the same things.
    #[error("the database was busy")]
    Busy,
    /// The answer took too long.
    #[error("the answer took too long")]
    TooSlow,
    /// A mistake of ours, or a database that does not answer; for the log.
    #[error("{0}")]
    Broken(String),
}

impl From<StorageError> for PageError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound => Self::NotFound("thing here"),
            StorageError::Busy | StorageError::Overlap => Self::Busy,
            StorageError::BadCursor => Self::Malformed(error.to_string()),
            StorageError::Exists => Self::NotPossible("Something of that name exists already.".to_owned()),
            StorageError::StaysAhead => Self::NotPossible(STAYS_AHEAD.to_owned()),
            StorageError::UnitsTaken { highest } => Self::NotPossible(format!(
                "Unit {highest} is held by something that has not ended. Move or cancel it first."
            )),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<ManageError> for PageError {
    fn from(error: ManageError) -> Self {
        match error {
            ManageError::NotFound => Self::NotFound("calendar"),
            ManageError::NotPossible(reason) | ManageError::Provider(reason) => Self::NotPossible(reason),
            ManageError::Storage(error) => error.into(),
        }
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> Self {
        Self::Broken(format!("a template could not be rendered: {error}"))
    }
}

/// Without `render` around it an error is its status alone.
impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let Self::SignedOut { next: Some(next) } = &self {
            return Redirect::to(&super::sign_in::path_for(next)).into_response();
        }
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The words of an error page.
struct Words {
    title: String,
    text: String,
    /// Whether anything was lost, and what to do.
    advice: String,
    /// Where to go from here.
    back: (String, &'static str),
}

impl PageError {
    fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut { .. } => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::ManagersOnly | Self::Forged => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed(_) | Self::Connect { is_providers: false, .. } => StatusCode::BAD_REQUEST,
            Self::Connect { is_providers: true, .. } => StatusCode::BAD_GATEWAY,
            Self::NotPossible(_) => StatusCode::CONFLICT,
            Self::DeadLink => StatusCode::GONE,
            Self::Busy | Self::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn words(&self) -> Words {
        let home = || ("/".to_owned(), "To the overview");
        let words = |title: &str, text: &str, advice: &str| Words {
            title: title.to_owned(),
            text: text.to_owned(),
            advice: advice.to_owned(),
            back: home(),
        };
        match self {
            Self::SignedOut { .. } => Words {
                back: ("/sign-in".to_owned(), "How to sign in"),
                ..words(
                    "You are signed out",
                    "Your session has ended, so nothing was changed.",
                    "Sign in again, then go back and send the form once more: your browser still has what you typed.",
                )
            },
            Self::NotFound(what) => words(
                "There is nothing here",
                &format!("There is no such {what}, or it is not yours to see."),
                "Check the address, or find it from the overview.",
            ),
            Self::ManagersOnly => words(
                "Only for managers",
                "This page belongs to the managers of your business.",
                "Nothing was changed. Ask one of them if you need something here.",
            ),
            Self::Forged => words(
                "The form was refused",
                "It did not come from a page of this session, so nothing was changed.",
                "Go back, load the page again and send the form once more.",
            ),
            Self::TooLarge => words(
                "That was too much",
                "What was sent is larger than this page takes, so nothing was changed.",
                "Go back, shorten the text and send it again.",
            ),
            Self::Malformed(_) => words(
                "The request makes no sense",
                "No page of Concord makes such a request, so nothing was changed.",
                "Go back, load the page again and try once more.",
            ),
            Self::NotPossible(reason) => {
                words("That is not possible right now", reason, "Nothing was changed.")
            }
            Self::DeadLink => Words {
                back: ("/sign-in".to_owned(), "How to get a new link"),
                ..words(
                    "This link no longer works",
                    "Sign-in links work once and for a short time. This one has been used, or is too old.",
                    "Ask for a new one.",
                )
            },
            Self::Connect { message, advice, back, .. } => Words {
                back: (back.clone(), "Try again"),
                ..words("The calendar was not connected", message, advice)
            },
            Self::Busy => words(
                "Others were faster",
                "Somebody is changing the same things right now, so nothing was changed.",
                "Go back and try again in a moment.",
            ),
            Self::TooSlow => words(
                "This took too long",
                "The answer was given up. It may be that the change was made all the same.",
                "Look at the page again before you repeat it.",
            ),
            Self::Broken(_) => words(
                "Something went wrong on our side",
                "It has been written down. What was saved before is safe; what you just sent was not saved.",
                "Go back and try again in a moment.",
            ),
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    theme: Theme,
    assets: Assets,
    status: u16,
    title: &'a str,
    text: &'a str,
    advice: &'a str,
    back: &'a str,
    back_label: &'static str,
    /// Only where somebody may have to look for it in the log.
    request_id: Option<&'a str>,
}

/// Writes the page of a `PageError`, and its cause to the log. It stands around the whole front.
pub(crate) async fn render(request: Request, next: Next) -> Response {
    let (theme, id) = (Theme::chosen(request.headers()), request_id(request.headers()));
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<PageError>() else { return response };
    let status = error.status();
    if status.is_server_error() {
        tracing::error!(request_id = id, cause = %error, "a page could not be shown");
    }
    let words = error.words();
    let page = ErrorPage {
        theme,
        assets: Assets::now(),
        status: status.as_u16(),
        title: &words.title,
        text: &words.text,
        advice: &words.advice,
        back: &words.back.0,
        back_label: words.back.1,
        request_id: id.as_deref().filter(|_| status.is_server_error()),
    };
    let html = page.render().unwrap_or_else(|_| words.title.clone());
    let mut page = (status, Html(html)).into_response();
    page.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    page
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_stays_inside() {
        let words = PageError::from(StorageError::Url("postgres://user:secret@host".to_owned())).words();
        assert!(!format!("{}{}{}", words.title, words.text, words.advice).contains("secret"));
    }

    #[test]
    fn people_who_are_signed_out_come_back_to_where_they_wanted_to_go() {
        let response = PageError::SignedOut { next: Some("/bookings?q=a b".to_owned()) }.into_response();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[header::LOCATION], "/sign-in?next=%2Fbookings%3Fq%3Da+b");
        let response = PageError::SignedOut { next: None }.into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
}
