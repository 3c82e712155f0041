//! Turning reminders of a booking off: by a button, or by a mail program for its reader (RFC 8058).

use askama::Template;
use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use concord_jobs::language::TextKey;
use concord_services::{ServiceError, customers::CustomerVisit, reminders};

use super::{CustomerPageError, CustomerResult, CustomerTexts, answer_with, open, page::accept_language};
use crate::{
    app::App,
    http::{pages::Assets, request_origin::RequestOrigin},
};

#[derive(Template)]
#[template(path = "customer/reminders.html")]
struct RemindersPage<'a> {
    texts: &'a CustomerTexts<'a>,
    assets: Assets,
    path: String,
    heading: String,
    is_off: bool,
}

/// Asks first: programs that look for viruses open every link of a mail.
pub(super) async fn confirm(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    page(&visit, &token, &headers, visit.attendee.reminders_off)
}

/// What is sent with it does not matter: a mail program sends `List-Unsubscribe=One-Click`, and the button nothing.
pub(super) async fn turn_off(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    reminders::turn_off(&app.context, &visit).await.map_err(|error| match error {
        ServiceError::Storage(error) => error.into(),
        other => CustomerPageError::Broken(other.to_string()),
    })?;
    page(&visit, &token, &headers, true)
}

fn page(visit: &CustomerVisit, token: &str, headers: &HeaderMap, is_off: bool) -> CustomerResult {
    let texts = CustomerTexts::of(visit, accept_language(headers));
    let heading = if is_off { TextKey::ReminderOff } else { TextKey::ReminderOffHeading };
    let page = RemindersPage {
        texts: &texts,
        assets: Assets::current(),
        path: format!("/b/{token}"),
        heading: texts.text(heading),
        is_off,
    };
    Ok(answer_with(StatusCode::OK, page.render()?))
}
