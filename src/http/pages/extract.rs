//! What a request asks for, with a page for whoever asks for nonsense.

use axum::{
    extract::{
        FromRequest, FromRequestParts, Path, Query,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::IntoResponse,
};
use axum_extra::extract::{Form, FormRejection};

use super::PageError;

/// What stands after the question mark.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(PageError))]
pub(crate) struct PageQuery<T>(pub T);

/// What the path names.
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(PageError))]
pub(crate) struct PagePath<T>(pub T);

/// What a form says; fields may come several times.
#[derive(FromRequest)]
#[from_request(via(Form), rejection(PageError))]
pub(crate) struct PageForm<T>(pub T);

impl From<QueryRejection> for PageError {
    fn from(rejection: QueryRejection) -> Self {
        Self::Malformed(rejection.body_text())
    }
}

impl From<PathRejection> for PageError {
    fn from(_: PathRejection) -> Self {
        // An id that is none names nothing.
        Self::NotFound("page")
    }
}

impl From<FormRejection> for PageError {
    fn from(rejection: FormRejection) -> Self {
        let words = rejection.to_string();
        match rejection.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            _ => Self::Malformed(words),
        }
    }
}

/// The path if it leads to a page of ours, and not elsewhere.
pub(crate) fn local_path(path: &str) -> Option<&str> {
    // Browsers read `//host`, `/\host` and what has tabs or line breaks in it as the way to another site.
    let is_local = path.starts_with('/')
        && !path[1..].starts_with(['/', '\\'])
        && !path.chars().any(|c| c.is_control() || c == '\\');
    is_local.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_in_the_house() {
        for path in ["/", "/bookings?q=a%20b", "/a//b"] {
            assert_eq!(local_path(path), Some(path));
        }
        for elsewhere in
            ["", "bookings", "//evil.example", "/\\evil.example", "https://evil.example", "/a\n/b", "/a\\b"]
        {
            assert_eq!(local_path(elsewhere), None, "{elsewhere:?}");
        }
    }
}
