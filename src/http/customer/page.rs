//! The page of one booking: what, when, where, with whom, and what can be done.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use concord_domain::{
    booking::{BookingStatus, BookingTime},
    customer::{CalendarLink, CustomerAnswer, CustomerPermission, LinkedEvent, calendar_links},
};
use concord_jobs::{
    invitations::{BookingFact, CustomerText},
    language::{TextKey, text},
};
use concord_services::{
    customers::{CustomerError, CustomerVisit},
    invitations,
};
use serde::Deserialize;

use super::{CustomerPageError, CustomerResult, CustomerTexts, answer_with, open, refusal};
use crate::{
    app::App,
    http::{calendar_file::calendar_file, pages::Assets, request_origin::RequestOrigin},
};

#[derive(Template)]
#[template(path = "customer/booking.html")]
struct BookingPage<'a> {
    texts: &'a CustomerTexts<'a>,
    assets: Assets,
    /// Of the page, without a slash at its end.
    path: String,
    title: String,
    state: String,
    facts: Vec<BookingFact>,
    zone: String,
    /// Its IANA name, for the script that compares it with the zone of the reader.
    zone_name: &'static str,
    links: Vec<CalendarLink>,
    /// Whether they may answer.
    can_answer: bool,
    answers: Vec<(&'static str, String)>,
    answered: Option<String>,
    may_move: Option<String>,
    may_cancel: Option<String>,
    may_ask: bool,
    /// The hours for whoever is in another zone, shown by script: start and end, RFC 3339.
    instants: Option<(String, String)>,
    here: String,
    /// What was just done, or why it was not.
    message: Option<String>,
    is_refused: bool,
}

/// What was just done.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Done {
    Answered,
    Moved,
    Cancelled,
    Asked,
    Sent,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct DoneQuery {
    done: Option<Done>,
}

pub(super) async fn show(
    State(app): State<App>,
    Path(token): Path<String>,
    Query(query): Query<DoneQuery>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    let texts = CustomerTexts::of(&visit, accept_language(&headers));
    let message = query.done.map(|done| match done {
        Done::Answered => texts.text(TextKey::CustomerAnswerThanks),
        Done::Moved => texts.text(TextKey::CustomerMoved),
        Done::Cancelled => texts.text(TextKey::CustomerCancelled),
        Done::Asked => texts.with_business(TextKey::CustomerAsked),
        Done::Sent => texts.text(TextKey::CustomerAllSent),
    });
    let page = render(&app, &visit, &texts, &token, message, false)?;
    Ok(answer_with(StatusCode::OK, page))
}

/// The page again, with why something was not done.
pub(super) fn refused(
    app: &App,
    visit: &CustomerVisit,
    texts: &CustomerTexts<'_>,
    token: &str,
    error: CustomerError,
) -> CustomerResult {
    let status =
        if matches!(error, CustomerError::NotAllowed) { StatusCode::FORBIDDEN } else { StatusCode::CONFLICT };
    let why = refusal(texts, error)?;
    Ok(answer_with(status, render(app, visit, texts, token, Some(why), true)?))
}

fn render(
    app: &App,
    visit: &CustomerVisit,
    texts: &CustomerTexts<'_>,
    token: &str,
    message: Option<String>,
    is_refused: bool,
) -> Result<String, CustomerPageError> {
    let (now, zone) = (app.now(), visit.subject.zone);
    let booking = &visit.subject.booking;
    let content = visit.subject.named().content();
    let own = CustomerText::of(&visit.subject, app.context.mail.host(), Some(&visit.attendee), "")
        .in_language(texts.language);
    let details = own.description(&content);
    let linked = LinkedEvent {
        title: &content.title,
        time: content.time,
        details: &details,
        location: &content.place,
    };
    let until = |key, permission| match permission {
        CustomerPermission::Allowed { until } => Some(texts.with_time(key, until, zone)),
        CustomerPermission::Ask | CustomerPermission::Closed => None,
    };
    let (may_move, may_cancel) = (visit.may_move(now), visit.may_cancel(now));
    let is_off = !booking.draft.status.occupies();
    let answered = visit
        .attendee
        .answer
        .map(|answer| text(texts.language, TextKey::CustomerAnswered, [("answer", answer.as_str().into())]));
    let page = BookingPage {
        texts,
        assets: Assets::current(),
        path: format!("/b/{token}"),
        title: content.title.clone(),
        state: texts.text(state(visit, now >= booking.interval.end)),
        facts: own.facts(&content, None),
        zone: text(texts.language, TextKey::CustomerZone, [("zone", zone.name().replace('_', " ").into())]),
        zone_name: zone.name(),
        links: if is_off { Vec::new() } else { calendar_links(&linked) },
        can_answer: visit.may_answer(now),
        answers: [
            (CustomerAnswer::Accepted, TextKey::CustomerAccept),
            (CustomerAnswer::Tentative, TextKey::CustomerMaybe),
            (CustomerAnswer::Declined, TextKey::CustomerDecline),
        ]
        .map(|(answer, key)| (answer.as_str(), texts.text(key)))
        .into(),
        answered,
        may_ask: visit.may_ask(now),
        may_move: until(TextKey::CustomerMoveUntil, may_move),
        may_cancel: until(TextKey::CustomerCancelUntil, may_cancel),
        instants: match content.time {
            BookingTime::Timed { starts_at, ends_at } => Some((starts_at.to_rfc3339(), ends_at.to_rfc3339())),
            BookingTime::Stay { .. } => None,
        },
        here: text(texts.language, TextKey::CustomerWhenHere, [("time", "{time}".into())]),
        message,
        is_refused,
    };
    Ok(page.render()?)
}

fn state(visit: &CustomerVisit, is_over: bool) -> TextKey {
    match visit.subject.booking.draft.status {
        BookingStatus::Cancelled => TextKey::CustomerStateCancelled,
        _ if is_over => TextKey::CustomerStateOver,
        BookingStatus::Pending => TextKey::CustomerStatePending,
        BookingStatus::Completed | BookingStatus::NoShow => TextKey::CustomerStateOver,
        BookingStatus::Approved | BookingStatus::Confirmed | BookingStatus::InProgress => {
            TextKey::CustomerStateConfirmed
        }
    }
}

pub(super) async fn file(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    let booking = &visit.subject.booking;
    let calendar =
        invitations::file(&app.context, booking.business, booking.id, Some(visit.attendee.id)).await;
    let calendar = calendar.map_err(|error| CustomerPageError::Broken(error.to_string()))?;
    Ok(calendar_file(calendar))
}

/// What the browser asks for.
pub(super) fn accept_language(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok())
}

/// Back to the page, which says what was done.
pub(super) fn back(token: &str, done: &str) -> Response {
    let to = format!("/b/{token}?done={done}");
    (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::CACHE_CONTROL, "no-store".to_owned())])
        .into_response()
}
