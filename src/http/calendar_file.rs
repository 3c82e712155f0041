//! A booking as a file that a calendar opens.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// The answer with the file: to be saved, and kept by nobody on the way.
pub(super) fn calendar_file(calendar: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"invite.ics\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, calendar).into_response()
}
