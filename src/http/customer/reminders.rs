//! Turning reminders of a booking off: by a button, or by a mail program for its reader (RFC 8058).

use askama::Template;
use axum::http::StatusCode;
use concord_jobs::language::TextKey;
use concord_services::reminders;

use super::{CustomerResult, CustomerTexts, PageVisitor, answer_with};
use crate::http::pages::Assets;

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
pub(super) async fn confirm(visitor: PageVisitor) -> CustomerResult {
    page(&visitor, visitor.visit.attendee.reminders_off)
}

/// What is sent with it does not matter: a mail program sends `List-Unsubscribe=One-Click`, and the button nothing.
pub(super) async fn turn_off(visitor: PageVisitor) -> CustomerResult {
    reminders::turn_off(&visitor.app.context, &visitor.visit).await?;
    page(&visitor, true)
}

fn page(visitor: &PageVisitor, is_off: bool) -> CustomerResult {
    let texts = &visitor.texts();
    let heading = texts.text(if is_off { TextKey::ReminderOff } else { TextKey::ReminderOffHeading });
    let page = RemindersPage { texts, assets: Assets::current(), path: visitor.path(), heading, is_off };
    Ok(answer_with(StatusCode::OK, page.render()?))
}
