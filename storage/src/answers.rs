//! What those who are invited answer: written once, with all that says so, whether the booking goes with it or not.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    audit::HistorySubject,
    customer::CustomerAnswer,
    ids::{AttendeeId, BookingId},
    webhook::Event,
};
use serde_json::Value;

use crate::{
    ChangeContext, Result, StorageError, Tx, events,
    history::{self, NewHistoryEntry},
    jobs::JobRef,
    limits::{self, BucketRate, RateDecision},
    notices::{self, NewNotice},
};

/// A mail that comes again within this time is done once.
const REPEATED_WITHIN: Duration = Duration::days(30);

/// What somebody has answered.
#[derive(Clone, Copy, Debug)]
pub struct AnswerWrite<'a> {
    pub attendee: AttendeeId,
    pub booking: BookingId,
    pub answer: CustomerAnswer,
    pub answered_at: DateTime<Utc>,
    /// By what a reply that came by mail is known when it comes again; `None`: it was given on the page.
    pub reply: Option<&'a str>,
    /// What the line of the history holds besides who and when: the reference, the answer, and what they wrote.
    pub detail: &'a Value,
    /// What people are told. None of it is due at once, so that there is nothing to push.
    pub notices: &'a [NewNotice<'a>],
    /// What other systems are told, last in the transaction.
    pub event: &'a Event,
}

/// Whether a reply to a booking has not come before. It has, from then on.
pub async fn is_new_reply(tx: &mut Tx, booking: BookingId, reply: &str, now: DateTime<Utc>) -> Result<bool> {
    let once = BucketRate { interval: REPEATED_WITHIN, burst: 1 };
    let bucket = format!("reply:{booking}:{reply}");
    let taken = limits::take(tx, &bucket, now, once, Duration::zero()).await?;
    Ok(matches!(taken, RateDecision::At(_)))
}

const SET: &str = "
    UPDATE attendees SET answer = $2, answered_at = $3
    WHERE id = $1 AND (answered_at IS NULL OR answered_at < $3 OR (answered_at = $3 AND answer <> $2))";

/// Notes what an attendee answered. `false`: it is known, or a later answer is, or they were erased meanwhile.
pub async fn set(tx: &mut Tx, id: AttendeeId, answer: CustomerAnswer, at: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, SET, id, answer, at)? == 1)
}

/// Writes an answer down; `publish` follows, last in the transaction. `Exists`: it is known, or they have answered later.
pub async fn record(tx: &mut Tx, change: &ChangeContext, answer: &AnswerWrite<'_>) -> Result<()> {
    if let Some(reply) = answer.reply
        && !is_new_reply(tx, answer.booking, reply, change.now).await?
    {
        return Err(StorageError::Exists);
    }
    if !set(tx, answer.attendee, answer.answer, answer.answered_at).await? {
        return Err(StorageError::Exists);
    }
    let line = NewHistoryEntry {
        business: change.business,
        actor: &change.actor,
        action: "answered",
        subject_kind: HistorySubject::Booking,
        subject: answer.booking.0,
        detail: answer.detail,
    };
    history::append(tx, &line, change.now).await?;
    notices::raise_all(tx, answer.notices, change.now).await
}

/// Tells other systems of it. The caller pushes what this returns after the commit.
pub async fn publish(tx: &mut Tx, change: &ChangeContext, answer: &AnswerWrite<'_>) -> Result<Vec<JobRef>> {
    events::publish(tx, change.business, answer.event, change.now).await
}
