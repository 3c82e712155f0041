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

pub(crate) use concord_services::connect::local_path;

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
