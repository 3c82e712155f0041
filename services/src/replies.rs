//! What calendars answer to invitations, as a mail server hands it to us or as it was fetched from a mailbox.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ical::{booking_of, reply::Reply, writer::IcalTime},
    invitation::{ReplyDecision, decide_reply, given_answer, is_answered_to},
    mail::MailAddress,
    people::Actor,
};
use concord_jobs::{
    Context, MailReceiver,
    invitations::Subject,
    mail::incoming::{ReplyOutcome, read_incoming},
    notify::customer::{CustomerDeed, CustomerNotice},
};
use concord_storage::{
    ChangeContext, StorageError, answers as stored_answers,
    attendees::{self, Attendee},
    erasures,
    limits::{self, RateDecision},
    secret,
};
use serde_json::json;

use crate::{
    answers::{self, AnswerOutcome, MailedReply},
    customers::{self, CustomerError, CustomerVisit},
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
    let Some(subject) = Subject::load(context, business, booking).await? else {
        return Ok(ReplyOutcome::Ignored);
    };
    let is_own = |one: &&Attendee| {
        let is_sender = incoming.is_authenticated && one.address_key == incoming.from_key;
        // Who has the invitation itself may answer from an alias.
        one.address_key == answers_for && (is_sender || by_address.is_some_and(|by| by.id == one.id))
    };
    let own = invited.iter().find(is_own).filter(|one| one.removed_at.is_none());
    let Some(attendee) = own.cloned() else {
        if erasures::concern(&context.db, booking).await? {
            // They may be who was erased, and nothing is written of them any more.
            return Ok(ReplyOutcome::Ignored);
        }
        let by = ChangeContext { business, actor: Actor::System, now: context.clock.now() };
        // Nobody vouches for what else stands in the mail.
        let proved = if incoming.is_authenticated {
            incoming.from_key.as_str()
        } else {
            by_address.map_or("", |one| one.address_key.as_str())
        };
        let noted = (proved, "answered by another address");
        let is_noted = note(context, &by, &subject, noted, &incoming.reply).await?;
        return Ok(if is_noted { ReplyOutcome::OtherAddress } else { ReplyOutcome::Ignored });
    };
    let content = subject.named().content();
    // What may have reached them is answered, too.
    let sending = attendees::sending(&context.db, attendee.id).await?.map(|mail| mail.invitation);
    let sent = sending.as_ref().or(attendee.sent.as_ref());
    let decision = decide_reply(&incoming.reply, (sent, &content), attendee.answered_at);
    let visit = CustomerVisit { subject, attendee };
    act(context, &visit, &incoming.reply, decision).await
}

/// The same, for the job that fetches mails.
pub const RECEIVER: MailReceiver = |context, mail| Box::pin(receive(context, mail));

async fn act(
    context: &Context,
    visit: &CustomerVisit,
    reply: &Reply,
    decision: ReplyDecision,
) -> Result<ReplyOutcome, StorageError> {
    let by = visit.by(context.clock.now());
    let sender = visit.attendee.address_key.as_str();
    match decision {
        ReplyDecision::Answer(answer) => {
            let at = answered_at(reply, by.now);
            let mailed = MailedReply { comment: &reply.comment, digest: &digest_of(reply) };
            match answers::record_answer(context, visit, (answer, at), Some(mailed)).await {
                Ok(AnswerOutcome::Known) => Ok(ReplyOutcome::Ignored),
                Ok(AnswerOutcome::Recorded | AnswerOutcome::Cancelled) => Ok(ReplyOutcome::Answered(answer)),
                Err(CustomerError::Storage(error)) => Err(error),
                // It was changed at this moment: the reply is judged anew when it comes again.
                Err(_) => Err(StorageError::Busy),
            }
        }
        ReplyDecision::Wish => {
            let is_noted = note(context, &by, &visit.subject, (sender, "asked for a change"), reply).await?;
            Ok(if is_noted { ReplyOutcome::Wished } else { ReplyOutcome::Ignored })
        }
        ReplyDecision::Outdated => {
            let noted = (sender, "answered an earlier invitation");
            let is_noted = note(context, &by, &visit.subject, noted, reply).await?;
            Ok(if is_noted { ReplyOutcome::Outdated } else { ReplyOutcome::Ignored })
        }
        ReplyDecision::Superseded | ReplyDecision::NoAnswer => Ok(ReplyOutcome::Ignored),
    }
}

/// When the reply was made, unless its clock is ahead of ours.
fn answered_at(reply: &Reply, now: DateTime<Utc>) -> DateTime<Utc> {
    reply.dtstamp.unwrap_or(now).min(now)
}

/// By what a reply is known when it comes again, from a mail server that has not heard us or from a mailbox that is read anew.
fn digest_of(reply: &Reply) -> String {
    secret::digest_bytes(format!("{reply:?}").as_bytes())
}

/// For people and programs alike: the zone is not that of whoever reads it.
fn shown(time: IcalTime) -> String {
    match time {
        IcalTime::At(at) => at.format("%Y-%m-%d %H:%M UTC").to_string(),
        IcalTime::On(date) => date.to_string(),
    }
}

/// Leaves in the history what was answered, and tells the managers of a wish. `sender`: who has answered, as far as that is
/// proved. `false`: it was noted before, or more has come for this booking than people write.
async fn note(
    context: &Context,
    by: &ChangeContext,
    subject: &Subject,
    (sender, action): (&str, &str),
    reply: &Reply,
) -> Result<bool, StorageError> {
    let booking = &subject.booking;
    let times = reply.proposed.map(|(from, until)| format!("{} – {}", shown(from), shown(until)));
    let lines: Vec<&str> = [times.as_deref().unwrap_or_default(), reply.comment.as_str()]
        .into_iter()
        .filter(|line| !line.is_empty())
        .collect();
    let mut detail = json!({ "reference": booking.reference, "by": sender });
    if let Some(answer) = given_answer(reply) {
        detail["answer"] = json!(answer);
    }
    if !lines.is_empty() {
        detail["wish"] = lines.join("\n").into();
    }
    let mut tx = context.db.begin().await?;
    if !stored_answers::is_new_reply(&mut tx, booking.id, &digest_of(reply), by.now).await? {
        return Ok(false);
    }
    let bucket = format!("replies:{}", booking.id);
    let taken = limits::take(&mut tx, &bucket, by.now, customers::NOTICE_RATE, Duration::zero()).await?;
    if matches!(taken, RateDecision::Wait(_)) {
        return Ok(false);
    }
    history::record(&mut tx, by, action, booking.id, &detail).await?;
    if reply.is_counter {
        let notice = CustomerNotice::of(context, booking, CustomerDeed::WishSent, &by.actor);
        notice.raise(&mut tx, context).await?;
    }
    context.commit(tx, &[]).await?;
    Ok(true)
}
