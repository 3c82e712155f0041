//! What calendars answer to invitations, as a mail server hands it to us or as it was fetched from a mailbox.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ical::{booking_of, writer::IcalTime},
    invitation::{ReplyDecision, decide_reply, is_answered_to},
    mail::MailAddress,
    people::Actor,
};
use concord_jobs::{
    Context, MailReceiver,
    invitations::Subject,
    mail::incoming::{IncomingReply, ReplyOutcome, read_incoming},
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

/// Takes in a mail as it came. Whatever it is, it need not come again unless the database is away.
pub async fn receive(context: &Context, mail: &[u8]) -> Result<ReplyOutcome, StorageError> {
    let Some(incoming) = read_incoming(mail, &context.mail.authserv_id) else {
        return Ok(ReplyOutcome::Ignored);
    };
    let Some(booking) = booking_of(&incoming.reply.uid) else { return Ok(ReplyOutcome::Ignored) };
    let invited = attendees::of_replied_booking(&context.db, booking).await?;
    let Some(first) = invited.first() else { return Ok(ReplyOutcome::Ignored) };
    let business = first.business_id;
    // Whose invitation it is that was answered, where only those know its sender who have it.
    let by_address = invited.iter().find(|one| {
        let organizer = one.organizer_address.as_deref().unwrap_or_default();
        is_answered_to(organizer, incoming.to.iter().map(String::as_str))
    });
    if !incoming.is_authenticated && by_address.is_none() {
        return Ok(ReplyOutcome::NotBelieved);
    }
    let answers_for = MailAddress::key_of(&incoming.reply.attendee);
    let by_address = by_address.map(|one| one.id);
    let Some(subject) = Subject::load(context, business, booking).await? else {
        return Ok(ReplyOutcome::Ignored);
    };
    let own = invited.into_iter().find(|one| {
        let is_sender = incoming.is_authenticated && one.address_key == incoming.from_key;
        // Who has the invitation itself may answer from an alias.
        one.address_key == answers_for && (is_sender || by_address == Some(one.id))
    });
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

/// The same, for the job that fetches mails.
pub const RECEIVER: MailReceiver = |context, mail| Box::pin(receive(context, mail));

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
