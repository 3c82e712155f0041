//! What those who are invited answer, on their page and by mail.

use chrono::{DateTime, Utc};
use concord_domain::{
    customer::CustomerAnswer,
    webhook::{Event, InvitationAnswerPayload},
};
use concord_jobs::{
    Context,
    notify::customer::{CustomerDeed, CustomerNotice},
};
use concord_storage::{
    StorageError,
    answers::{self, AnswerWrite},
    bookings::{self, LinkedWrite, PutError},
};
use serde_json::json;

use crate::customers::{CustomerError, CustomerVisit, acquire, cancel};

/// What came of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerOutcome {
    /// It is known, or they have answered later.
    Known,
    Recorded,
    /// The booking was cancelled by it.
    Cancelled,
}

/// Notes what somebody answers who has seen the booking at `version`. Declining cancels the booking where the business wants
/// that and the customer may.
pub async fn answer(
    context: &Context,
    visit: &CustomerVisit,
    answer: CustomerAnswer,
    version: i64,
) -> Result<AnswerOutcome, CustomerError> {
    let now = context.clock.now();
    if visit.booking().version != version {
        return Err(CustomerError::Stale);
    }
    if !visit.may_answer(now) {
        return Err(CustomerError::NotAllowed);
    }
    if visit.attendee.answer != Some(answer) {
        acquire(context, visit, now).await?;
        return record_answer(context, visit, (answer, now), None).await;
    }
    if !visit.is_cancelled_by(answer, now) {
        return Ok(AnswerOutcome::Known);
    }
    cancel(context, visit, version).await?;
    Ok(AnswerOutcome::Cancelled)
}

/// A reply that came by mail.
#[derive(Clone, Copy)]
pub(crate) struct MailedReply<'a> {
    /// What they wrote beside their answer; may be empty.
    pub(crate) comment: &'a str,
    /// By what it is known when it comes again.
    pub(crate) digest: &'a str,
}

/// Writes down what somebody answered `at`, and tells whom it concerns; cancels the booking with it where that follows.
/// `Stale`: the booking was changed since it was read.
pub(crate) async fn record_answer(
    context: &Context,
    visit: &CustomerVisit,
    (answer, at): (CustomerAnswer, DateTime<Utc>),
    reply: Option<MailedReply<'_>>,
) -> Result<AnswerOutcome, CustomerError> {
    let by = visit.by(context.clock.now());
    let (booking, attendee) = (visit.booking(), &visit.attendee);
    let mut detail = json!({ "reference": booking.reference, "answer": answer });
    if let Some(MailedReply { comment, .. }) = reply.filter(|reply| !reply.comment.is_empty()) {
        detail["wish"] = comment.into();
    }
    let payload = InvitationAnswerPayload {
        booking: booking.id,
        reference: booking.reference.clone(),
        version: booking.version,
        role: attendee.role,
        name: attendee.name.clone(),
        email: attendee.address.clone(),
        answer,
        answered_at: at,
    };
    let event = Event::invitation_answered(&payload);
    let answered = CustomerNotice::of(context, booking, CustomerDeed::Answered(answer), &by.actor);
    let cancelled = CustomerNotice::of(context, booking, CustomerDeed::Cancelled, &by.actor);
    let cancels = visit.is_cancelled_by(answer, by.now);
    let deed = if cancels { &cancelled } else { &answered };
    let notices = [deed.notice(context)];
    let write = AnswerWrite {
        attendee: attendee.id,
        booking: booking.id,
        answer,
        answered_at: at,
        reply: reply.map(|reply| reply.digest),
        detail: &detail,
        notices: &notices,
        event: &event,
    };
    if cancels {
        let linked = LinkedWrite::Answered(&write);
        return match bookings::cancel_linked(&context.db, &by, &booking.reference, booking.version, linked)
            .await
        {
            Ok(written) => {
                context.push(&written.jobs).await;
                Ok(AnswerOutcome::Cancelled)
            }
            Err(PutError::Storage(StorageError::Exists)) => Ok(AnswerOutcome::Known),
            Err(error) => Err(error.into()),
        };
    }
    let mut tx = context.db.begin().await?;
    // Nobody agrees to a time that they have not seen.
    if !bookings::hold(&mut tx, booking.id, booking.version).await? {
        return Err(CustomerError::Stale);
    }
    match answers::record(&mut tx, &by, &write).await {
        Ok(()) => {}
        Err(StorageError::Exists) => return Ok(AnswerOutcome::Known),
        Err(error) => return Err(error.into()),
    }
    let enqueued = answers::publish(&mut tx, &by, &write).await?;
    context.commit(tx, &enqueued).await?;
    Ok(AnswerOutcome::Recorded)
}
