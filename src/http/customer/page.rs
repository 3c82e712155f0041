//! The page of one booking: what, when, where, with whom, and what can be done.

use askama::Template;
use axum::{
    extract::{Query, rejection::QueryRejection},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use concord_domain::{
    booking::{BookingStatus, BookingTime},
    customer::{CalendarLink, CustomerAnswer, CustomerPermission, LinkedEvent, calendar_links},
};
use concord_jobs::{
    invitations::BookingFact,
    language::{TextKey, text},
};
use concord_services::{
    customers::{CustomerError, CustomerVisit},
    invitations,
};
use serde::Deserialize;

use super::{
    CompletedAction, CustomerPageError, CustomerResult, CustomerTexts, PageVisitor, answer_with,
    error::refusal,
};
use crate::http::{calendar_file::calendar_file, pages::Assets};

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
    /// Of the booking, as it is shown.
    version: i64,
    /// Whether they may answer.
    can_answer: bool,
    answers: Vec<(&'static str, String)>,
    answered: Option<String>,
    /// What "No" does, or has not done.
    answer_note: Option<String>,
    may_move: Option<String>,
    may_cancel: Option<String>,
    may_ask: bool,
    /// Whether they can be mailed a link to all their bookings.
    may_get_mail: bool,
    /// The hours for whoever is in another zone, shown by script: start and end, RFC 3339.
    instants: Option<(String, String)>,
    here: String,
    /// What was just done, or why it was not.
    message: Option<String>,
    is_refused: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CompletedQuery {
    done: Option<CompletedAction>,
}

/// What the address says besides is no reason to refuse the page.
pub(super) async fn show(
    visitor: PageVisitor,
    query: Result<Query<CompletedQuery>, QueryRejection>,
) -> CustomerResult {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let texts = visitor.texts();
    let message = query.done.map(|done| match done {
        CompletedAction::Answered => texts.text(TextKey::CustomerAnswerThanks),
        CompletedAction::Moved => texts.text(TextKey::CustomerMoved),
        CompletedAction::Cancelled => texts.text(TextKey::CustomerCancelled),
        CompletedAction::WishSent => texts.with_business(TextKey::CustomerAsked),
        CompletedAction::LinkSent => texts.text(TextKey::CustomerAllSent),
    });
    Ok(answer_with(StatusCode::OK, render(&visitor, message, false)?))
}

/// The page again, with why something was not done.
pub(super) fn refused(visitor: &PageVisitor, error: CustomerError) -> CustomerResult {
    let (status, why) = refusal(&visitor.texts(), error)?;
    Ok(answer_with(status, render(visitor, Some(why), true)?))
}

fn render(
    visitor: &PageVisitor,
    message: Option<String>,
    is_refused: bool,
) -> Result<String, CustomerPageError> {
    let (texts, own, visit) = (&visitor.texts(), visitor.booking_texts(), &visitor.visit);
    let (now, zone) = (visitor.app.now(), visit.subject.zone);
    let booking = &visit.subject.booking;
    let content = visit.subject.named().content();
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
        path: visitor.path(),
        title: content.title.clone(),
        state: texts.text(state(visit, now >= booking.interval.end)),
        facts: own.facts(&content, None),
        zone: own.zone_note(),
        zone_name: zone.name(),
        links: if is_off { Vec::new() } else { calendar_links(&linked) },
        version: booking.version,
        can_answer: visit.may_answer(now),
        answers: [
            (CustomerAnswer::Accepted, TextKey::CustomerAccept),
            (CustomerAnswer::Tentative, TextKey::CustomerMaybe),
            (CustomerAnswer::Declined, TextKey::CustomerDecline),
        ]
        .map(|(answer, key)| (answer.as_str(), texts.text(key)))
        .into(),
        answered,
        answer_note: answer_note(visit, now).map(|key| texts.text(key)),
        may_ask: visit.may_ask(now),
        may_get_mail: visit.may_get_mail(&visitor.app.context),
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

/// Whether declining gives the place up, which somebody who declines may think.
fn answer_note(visit: &CustomerVisit, now: DateTime<Utc>) -> Option<TextKey> {
    if visit.is_cancelled_by(CustomerAnswer::Declined, now) {
        return Some(TextKey::CustomerDeclineCancels);
    }
    let has_declined = visit.attendee.answer == Some(CustomerAnswer::Declined);
    (has_declined && visit.may_cancel(now).is_allowed()).then_some(TextKey::CustomerDeclineNote)
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

pub(super) async fn file(visitor: PageVisitor) -> CustomerResult {
    let CustomerVisit { subject, attendee } = &visitor.visit;
    Ok(calendar_file(invitations::file_of(&visitor.app.context, subject, Some(attendee))))
}
