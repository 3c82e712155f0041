//! What can be done from the page of a booking, each by POST; and the pages that ask before.

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use concord_domain::{booking::BookingTime, customer::CustomerAnswer};
use concord_jobs::{invitations::CustomerText, language::TextKey};
use concord_services::customers::{self, CustomerError, CustomerVisit};
use serde::Deserialize;

use super::{
    CustomerPageError, CustomerResult, CustomerTexts, answer_with, open,
    page::{accept_language, back, refused},
    refusal,
};
use crate::{
    app::App,
    http::{pages::Assets, request_origin::RequestOrigin},
};

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
struct AskPage<'a> {
    texts: &'a CustomerTexts<'a>,
    assets: Assets,
    path: String,
    wish: String,
    message: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct AnswerForm {
    answer: CustomerAnswer,
}

pub(super) async fn answer(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
    Form(form): Form<AnswerForm>,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    match customers::answer(&app.context, &visit, form.answer).await {
        Ok(true) => Ok(back(&token, "cancelled")),
        Ok(false) => Ok(back(&token, "answered")),
        Err(error) => {
            refused(&app, &visit, &CustomerTexts::of(&visit, accept_language(&headers)), &token, error)
        }
    }
}

pub(super) async fn choose_time(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    let texts = CustomerTexts::of(&visit, accept_language(&headers));
    if !visit.may_move(app.now()).is_allowed() {
        return refused(&app, &visit, &texts, &token, CustomerError::NotAllowed);
    }
    Ok(answer_with(StatusCode::OK, times_page(&app, &visit, &texts, &token, None).await?))
}

async fn times_page(
    app: &App,
    visit: &CustomerVisit,
    texts: &CustomerTexts<'_>,
    token: &str,
    message: Option<String>,
) -> Result<String, CustomerPageError> {
    let free = customers::free_times(&app.context, visit).await?;
    let own = own_text(app, visit, texts);
    let sent = |time: &BookingTime| serde_json::to_string(time).unwrap_or_default();
    let page = MovePage {
        texts,
        assets: Assets::current(),
        path: format!("/b/{token}"),
        now: own.time(&visit.subject.booking.draft.time),
        version: visit.subject.booking.version,
        times: free.iter().map(|time| (sent(time), own.time(time))).collect(),
        message,
    };
    Ok(page.render()?)
}

fn own_text<'a>(app: &App, visit: &'a CustomerVisit, texts: &CustomerTexts<'_>) -> CustomerText<'a> {
    CustomerText::of(&visit.subject, app.context.mail.host(), Some(&visit.attendee), "")
        .in_language(texts.language)
}

#[derive(Deserialize)]
pub(super) struct MoveForm {
    time: String,
    version: i64,
}

pub(super) async fn move_to(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
    Form(form): Form<MoveForm>,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    let texts = CustomerTexts::of(&visit, accept_language(&headers));
    // What is no time is none that is free.
    let moved = match serde_json::from_str::<BookingTime>(&form.time) {
        Ok(time) => customers::move_to(&app.context, &visit, time, form.version).await,
        Err(_) => Err(CustomerError::Taken),
    };
    match moved {
        Ok(()) => Ok(back(&token, "moved")),
        Err(error @ CustomerError::Taken) => {
            let why = refusal(&texts, error)?;
            Ok(answer_with(StatusCode::CONFLICT, times_page(&app, &visit, &texts, &token, Some(why)).await?))
        }
        Err(error) => refused(&app, &visit, &texts, &token, error),
    }
}

pub(super) async fn confirm_cancel(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    let texts = CustomerTexts::of(&visit, accept_language(&headers));
    if !visit.may_cancel(app.now()).is_allowed() {
        return refused(&app, &visit, &texts, &token, CustomerError::NotAllowed);
    }
    let page = CancelPage {
        texts: &texts,
        assets: Assets::current(),
        path: format!("/b/{token}"),
        title: visit.subject.named().content().title,
        when: own_text(&app, &visit, &texts).time(&visit.subject.booking.draft.time),
        version: visit.subject.booking.version,
    };
    Ok(answer_with(StatusCode::OK, page.render()?))
}

#[derive(Deserialize)]
pub(super) struct CancelForm {
    version: i64,
}

pub(super) async fn cancel(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
    Form(form): Form<CancelForm>,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    match customers::cancel(&app.context, &visit, form.version).await {
        Ok(()) => Ok(back(&token, "cancelled")),
        Err(error) => {
            refused(&app, &visit, &CustomerTexts::of(&visit, accept_language(&headers)), &token, error)
        }
    }
}

pub(super) async fn write_wish(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    let texts = CustomerTexts::of(&visit, accept_language(&headers));
    Ok(answer_with(StatusCode::OK, wish_page(&texts, &token, String::new(), None)?))
}

fn wish_page(
    texts: &CustomerTexts<'_>,
    token: &str,
    wish: String,
    message: Option<String>,
) -> Result<String, CustomerPageError> {
    let path = format!("/b/{token}");
    Ok(AskPage { texts, assets: Assets::current(), path, wish, message }.render()?)
}

#[derive(Deserialize)]
pub(super) struct AskForm {
    wish: String,
}

pub(super) async fn ask(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
    Form(form): Form<AskForm>,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    let texts = CustomerTexts::of(&visit, accept_language(&headers));
    match customers::ask(&app.context, &visit, &form.wish).await {
        Ok(()) => Ok(back(&token, "asked")),
        Err(error @ (CustomerError::EmptyWish | CustomerError::LongWish)) => {
            let why = refusal(&texts, error)?;
            let page = wish_page(&texts, &token, form.wish, Some(why))?;
            Ok(answer_with(StatusCode::UNPROCESSABLE_ENTITY, page))
        }
        Err(error) => refused(&app, &visit, &texts, &token, error),
    }
}

impl CustomerTexts<'_> {
    /// Says that nothing is free.
    pub(super) fn no_times(&self) -> String {
        self.text(TextKey::CustomerMoveNone)
    }
}
