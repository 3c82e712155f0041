//! What can be done from the page of a booking, each by POST; and the pages that ask before.

use askama::Template;
use axum::http::StatusCode;
use concord_domain::{booking::BookingTime, customer::CustomerAnswer};
use concord_jobs::language::TextKey;
use concord_services::{
    answers::{self, AnswerOutcome},
    customers::{self, CustomerError},
};
use serde::Deserialize;

use super::{
    CompletedAction, CustomerForm, CustomerPageError, CustomerResult, CustomerTexts, PageVisitor,
    answer_with, error::refusal, page::refused,
};
use crate::http::pages::Assets;

#[derive(Template)]
#[template(path = "customer/move.html")]
struct MovePage<'a> {
    texts: &'a CustomerTexts<'a>,
    assets: Assets,
    path: String,
    now: String,
    version: i64,
    /// What is sent of each free time, and how it reads.
    times: Vec<(String, String)>,
    message: Option<String>,
}

#[derive(Template)]
#[template(path = "customer/cancel.html")]
struct CancelPage<'a> {
    texts: &'a CustomerTexts<'a>,
    assets: Assets,
    path: String,
    title: String,
    when: String,
    version: i64,
}

#[derive(Template)]
#[template(path = "customer/ask.html")]
struct WishPage<'a> {
    texts: &'a CustomerTexts<'a>,
    assets: Assets,
    path: String,
    wish: String,
    message: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct AnswerForm {
    answer: CustomerAnswer,
    version: i64,
}

pub(super) async fn answer(
    visitor: PageVisitor,
    CustomerForm(form): CustomerForm<AnswerForm>,
) -> CustomerResult {
    match answers::answer(&visitor.app.context, &visitor.visit, form.answer, form.version).await {
        Ok(AnswerOutcome::Cancelled) => Ok(visitor.redirect(CompletedAction::Cancelled)),
        Ok(AnswerOutcome::Known | AnswerOutcome::Recorded) => Ok(visitor.redirect(CompletedAction::Answered)),
        Err(error) => refused(&visitor, error),
    }
}

pub(super) async fn choose_time(visitor: PageVisitor) -> CustomerResult {
    if !visitor.visit.may_move(visitor.app.now()).is_allowed() {
        return refused(&visitor, CustomerError::NotAllowed);
    }
    Ok(answer_with(StatusCode::OK, times_page(&visitor, None).await?))
}

async fn times_page(visitor: &PageVisitor, message: Option<String>) -> Result<String, CustomerPageError> {
    let free = customers::free_times(&visitor.app.context, &visitor.visit).await?;
    let (own, booking) = (visitor.booking_texts(), visitor.visit.booking());
    let sent = |time: &BookingTime| serde_json::to_string(time).unwrap_or_default();
    let page = MovePage {
        texts: &visitor.texts(),
        assets: Assets::current(),
        path: visitor.path(),
        now: own.time(&booking.draft.time),
        version: booking.version,
        times: free.iter().map(|time| (sent(time), own.time(time))).collect(),
        message,
    };
    Ok(page.render()?)
}

#[derive(Deserialize)]
pub(super) struct MoveForm {
    time: String,
    version: i64,
}

pub(super) async fn move_to(
    visitor: PageVisitor,
    CustomerForm(form): CustomerForm<MoveForm>,
) -> CustomerResult {
    // What is no time is none that is free.
    let moved = match serde_json::from_str::<BookingTime>(&form.time) {
        Ok(time) => customers::move_to(&visitor.app.context, &visitor.visit, time, form.version).await,
        Err(_) => Err(CustomerError::Taken),
    };
    match moved {
        Ok(()) => Ok(visitor.redirect(CompletedAction::Moved)),
        Err(error @ CustomerError::Taken) => {
            let (status, why) = refusal(&visitor.texts(), error)?;
            Ok(answer_with(status, times_page(&visitor, Some(why)).await?))
        }
        Err(error) => refused(&visitor, error),
    }
}

pub(super) async fn confirm_cancel(visitor: PageVisitor) -> CustomerResult {
    if !visitor.visit.may_cancel(visitor.app.now()).is_allowed() {
        return refused(&visitor, CustomerError::NotAllowed);
    }
    let (subject, booking) = (&visitor.visit.subject, visitor.visit.booking());
    let page = CancelPage {
        texts: &visitor.texts(),
        assets: Assets::current(),
        path: visitor.path(),
        title: subject.named().content().title,
        when: visitor.booking_texts().time(&booking.draft.time),
        version: booking.version,
    };
    Ok(answer_with(StatusCode::OK, page.render()?))
}

#[derive(Deserialize)]
pub(super) struct CancelForm {
    version: i64,
}

pub(super) async fn cancel(
    visitor: PageVisitor,
    CustomerForm(form): CustomerForm<CancelForm>,
) -> CustomerResult {
    match customers::cancel(&visitor.app.context, &visitor.visit, form.version).await {
        Ok(()) => Ok(visitor.redirect(CompletedAction::Cancelled)),
        Err(error) => refused(&visitor, error),
    }
}

pub(super) async fn write_wish(visitor: PageVisitor) -> CustomerResult {
    Ok(answer_with(StatusCode::OK, wish_page(&visitor, String::new(), None)?))
}

fn wish_page(
    visitor: &PageVisitor,
    wish: String,
    message: Option<String>,
) -> Result<String, CustomerPageError> {
    let (texts, path) = (&visitor.texts(), visitor.path());
    Ok(WishPage { texts, assets: Assets::current(), path, wish, message }.render()?)
}

#[derive(Deserialize)]
pub(super) struct WishForm {
    wish: String,
}

pub(super) async fn send_wish(
    visitor: PageVisitor,
    CustomerForm(form): CustomerForm<WishForm>,
) -> CustomerResult {
    match customers::send_wish(&visitor.app.context, &visitor.visit, &form.wish).await {
        Ok(()) => Ok(visitor.redirect(CompletedAction::WishSent)),
        Err(error @ (CustomerError::EmptyWish | CustomerError::LongWish)) => {
            let (status, why) = refusal(&visitor.texts(), error)?;
            Ok(answer_with(status, wish_page(&visitor, form.wish, Some(why))?))
        }
        Err(error) => refused(&visitor, error),
    }
}
