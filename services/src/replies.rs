//! What calendars answer to invitations, as a mail server hands it to us.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    customer::CustomerAnswer,
    ical::{booking_of, writer::IcalTime},
    invitation::{ReplyDecision, decide_reply},
    mail::MailAddress,
    people::Actor,
};
use concord_jobs::{
    Context,
    invitations::Subject,
    mail::incoming::{IncomingReply, read_incoming},
    notify::customer::{CustomerDeed, CustomerNotice},
};
use concord_storage::{
    ChangeContext, StorageError, attendees,
    limits::{self, BucketRate, RateDecision},
    secret,
};
use serde_json::json;

use crate::{
    customers::{self, CustomerVisit},
    history,
};

/// What has come of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyOutcome {
    /// It is the answer of whoever was invited.
    Answered(CustomerAnswer),
    /// They wish for another time: it is in the booking's history.
    Wished,
    /// It answers an invitation that is no longer so, and is noted.
    Outdated,
    /// Somebody else has answered, who was given the invitation; it is noted.
    OtherAddress,
    /// Nobody says that it is from there. Nothing was noted.
    NotBelieved,
    /// It is no reply to an invitation of ours, or says nothing new.
    Ignored,
}

/// Takes in a mail as it came. Whatever it is, it need not come again unless the database is away.
///
/// `authserv_id`: as for [`read_incoming`].
pub async fn receive(
    context: &Context,
    mail: &[u8],
    authserv_id: &str,
) -> Result<ReplyOutcome, StorageError> {
    let Some(incoming) = read_incoming(mail, authserv_id) else { return Ok(ReplyOutcome::Ignored) };
    let Some(booking) = booking_of(&incoming.reply.uid) else { return Ok(ReplyOutcome::Ignored) };
    if !incoming.is_authenticated {
        return Ok(ReplyOutcome::NotBelieved);
    }
    let invited = attendees::of_replied_booking(&context.db, booking).await?;
    let Some(first) = invited.first() else { return Ok(ReplyOutcome::Ignored) };
    let business = first.business_id;
    let Some(subject) = Subject::load(context, business, booking).await? else {
        return Ok(ReplyOutcome::Ignored);
    };
    let answers_for = MailAddress::key_of(&incoming.reply.attendee);
    let own = invited
        .into_iter()
        .find(|one| one.address_key == incoming.from_key && one.address_key == answers_for);
    let now = context.clock.now();
    let Some(attendee) = own.filter(|one| one.removed_at.is_none()) else {
        let by = ChangeContext { business, actor: Actor::System, now };
        let is_noted = note(context, &by, &subject, "answered by another address", &incoming).await?;
        return Ok(if is_noted { ReplyOutcome::OtherAddress } else { ReplyOutcome::Ignored });
    };
    let content = subject.named().content();
    let decision = decide_reply(&incoming.reply, (attendee.sent.as_ref(), &content), attendee.answered_at);
    let visit = CustomerVisit { subject, attendee };
    act(context, &visit, &incoming, decision).await
}

async fn act(
    context: &Context,
    visit: &CustomerVisit,
    incoming: &IncomingReply,
    decision: ReplyDecision,
) -> Result<ReplyOutcome, StorageError> {
    let by = visit.by(context.clock.now());
    match decision {
        ReplyDecision::Answer(answer) => {
            let at = answered_at(incoming, by.now);
            // A mail server that has not heard us hands it in again.
            if (visit.attendee.answer, visit.attendee.answered_at) != (Some(answer), Some(at)) {
                customers::record_answer(context, visit, (answer, at), &incoming.reply.comment).await?;
            }
            if visit.is_cancelled_by(answer, by.now) {
                // That it could not be cancelled is seen by who reads the notice of the answer.
                let _ = customers::cancel(context, visit, visit.subject.booking.version).await;
            }
            Ok(ReplyOutcome::Answered(answer))
        }
        ReplyDecision::Wish => {
            let is_noted = note(context, &by, &visit.subject, "asked for a change", incoming).await?;
            Ok(if is_noted { ReplyOutcome::Wished } else { ReplyOutcome::Ignored })
        }
        ReplyDecision::Outdated => {
            let is_noted =
                note(context, &by, &visit.subject, "answered an earlier invitation", incoming).await?;
            Ok(if is_noted { ReplyOutcome::Outdated } else { ReplyOutcome::Ignored })
        }
        ReplyDecision::Superseded | ReplyDecision::NoAnswer => Ok(ReplyOutcome::Ignored),
    }
}

/// When the reply was made, unless its clock is ahead of ours.
fn answered_at(incoming: &IncomingReply, now: DateTime<Utc>) -> DateTime<Utc> {
    incoming.reply.dtstamp.unwrap_or(now).min(now)
}

/// For people and programs alike: the zone is not that of whoever reads it.
fn shown(time: IcalTime) -> String {
    match time {
        IcalTime::At(at) => at.format("%Y-%m-%d %H:%M UTC").to_string(),
        IcalTime::On(date) => date.to_string(),
    }
}

/// A mail that is handed in again within this time is noted once.
const REPEAT: BucketRate = BucketRate { interval: Duration::days(30), burst: 1 };

/// Leaves in the history what was answered, and tells the managers of a wish. `false`: it was noted before, or more has come
/// for this booking than people write.
async fn note(
    context: &Context,
    by: &ChangeContext,
    subject: &Subject,
    action: &str,
    incoming: &IncomingReply,
) -> Result<bool, StorageError> {
    let booking = &subject.booking;
    let reply = &incoming.reply;
    let times = reply.proposed.map(|(from, until)| format!("{} – {}", shown(from), shown(until)));
    let lines: Vec<&str> = [times.as_deref().unwrap_or_default(), reply.comment.as_str()]
        .into_iter()
        .filter(|line| !line.is_empty())
        .collect();
    let mut detail = json!({ "reference": booking.reference, "by": incoming.from_key });
    if !lines.is_empty() {
        detail["wish"] = lines.join("\n").into();
    }
    let said = json!([action, incoming.from_key, reply.dtstamp, lines]).to_string();
    let mut tx = context.db.begin().await?;
    for (bucket, rate) in [
        (format!("reply:{}:{}", booking.id, secret::digest_bytes(said.as_bytes())), REPEAT),
        (format!("replies:{}", booking.id), customers::NOTICE_RATE),
    ] {
        let taken = limits::take(&mut tx, &bucket, by.now, rate, Duration::zero()).await?;
        if matches!(taken, RateDecision::Wait(_)) {
            return Ok(false);
        }
    }
    history::record(&mut tx, by, action, booking.id, &detail).await?;
    if reply.proposed.is_some() {
        CustomerNotice::of(context, booking, CustomerDeed::WishSent).raise(&mut tx, context).await?;
    }
    context.commit(tx, &[]).await?;
    Ok(true)
}
