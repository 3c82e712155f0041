//! Sends the reminders of a booking that are due.
//!
//! Its subject is the booking. Each reminder is a row that was planned with the booking; here the booking is read anew, and
//! `domain::reminder::decide` says whether it is still sent. A mail is written in the transaction that says so of its row, by
//! a key of the row, so that there is one however often this runs. It comes back when the next one is due.

pub(crate) mod plan;
mod render;

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::BookingId,
    invitation::AttendeeRole,
    mail::{MailAddress, MailKind},
    reminder::{ReminderChannel, ReminderSkip, ReminderState, ReminderStep, decide},
};
use concord_storage::{
    StorageError, Tx,
    attendees::{self, Attendee},
    bookings, customer_links,
    jobs::{ClaimedJob, JobOutcome, JobRef},
    mails::{self, MailSender, NewMail, NewReminderMail},
    people,
    reminder_rules::{self, ReminderRule},
    reminders::{self, Reminder},
};
use secrecy::ExposeSecret;

use crate::{
    Context,
    invitations::{CustomerText, Subject, organizer_address, sender_name},
    job::{JobError, require_business},
    language::NOTICE_LANGUAGE,
    mail::{Recipient, RenderedMail},
    notify::send::RECHECK_INTERVAL,
};

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let business = require_business(job)?;
    let Some(subject) = Subject::load(context, business, BookingId(job.subject_id)).await? else {
        return Ok(JobOutcome::Done);
    };
    let crew = assigned(context, &subject).await?;
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    // Whoever changes the booking plans anew, and then we do.
    if !bookings::hold(&mut tx, subject.booking.id, subject.booking.version).await? {
        return Ok(JobOutcome::Again(now));
    }
    let rules = reminder_rules::list_in(&mut tx, business).await?;
    let clocks = reminders::quiet_clocks(&mut tx, subject.booking.id).await?;
    let (mut enqueued, mut next) = (Vec::new(), Vec::new());
    for row in reminders::rows(&mut tx, subject.booking.id).await? {
        if row.state != ReminderState::Planned {
            continue;
        }
        if row.due_at > now {
            next.push(row.due_at);
            continue;
        }
        let rule = rules.iter().find(|rule| rule.id == row.rule_id);
        let quiet = clocks.of(rule.map_or(ReminderChannel::CustomerMail, |rule| rule.settings.channel));
        let step = decide(&row.plan(), &subject.booking, rule.map(|rule| &rule.settings), quiet, now);
        let has_server = context.mail.mailer.is_some();
        match (step, rule) {
            (ReminderStep::Wait(until), _) => {
                reminders::postpone(&mut tx, row.id, until).await?;
                next.push(until);
            }
            // Nothing is written that would be old when there is a server.
            (ReminderStep::Send(useful_until), Some(_)) if !has_server => {
                next.push(useful_until.min(now + RECHECK_INTERVAL));
            }
            (ReminderStep::Send(useful_until), Some(rule)) => {
                let sent = send(&mut tx, context, (&subject, &crew), (&row, rule), useful_until).await?;
                match sent {
                    Ok(jobs) => enqueued.extend(jobs),
                    Err(why) => reminders::record_skipped(&mut tx, row.id, why, now).await?,
                }
            }
            (ReminderStep::Skip(ReminderSkip::TooLate), _) if !has_server => {
                reminders::record_skipped(&mut tx, row.id, ReminderSkip::NoMailServer, now).await?;
            }
            (ReminderStep::Skip(why), _) => reminders::record_skipped(&mut tx, row.id, why, now).await?,
            (ReminderStep::Send(_), None) => {
                reminders::record_skipped(&mut tx, row.id, ReminderSkip::RuleChanged, now).await?;
            }
        }
    }
    context.commit(tx, &enqueued).await?;
    Ok(next.into_iter().min().map_or(JobOutcome::Done, JobOutcome::Again))
}

/// Writes the mails of a reminder. The caller pushes what this returns after the commit; or why there are none.
async fn send(
    tx: &mut Tx,
    context: &Context,
    (subject, crew): (&Subject, &[Recipient]),
    (row, rule): (&Reminder, &ReminderRule),
    useful_until: DateTime<Utc>,
) -> Result<Result<Vec<JobRef>, ReminderSkip>, StorageError> {
    let written = match rule.settings.channel {
        ReminderChannel::CustomerMail => to_customer(tx, context, subject, row, useful_until).await?,
        ReminderChannel::StaffMail => to_staff(tx, context, (subject, crew), row, useful_until).await?,
    };
    if written.is_ok() {
        reminders::record_queued(tx, row.id, context.clock.now()).await?;
    }
    Ok(written)
}

async fn to_customer(
    tx: &mut Tx,
    context: &Context,
    subject: &Subject,
    row: &Reminder,
    useful_until: DateTime<Utc>,
) -> Result<Result<Vec<JobRef>, ReminderSkip>, StorageError> {
    let now = context.clock.now();
    let all = attendees::reconcile(tx, &subject.booking, now).await?;
    let is_customer = |one: &Attendee| one.role == AttendeeRole::Customer && one.removed_at.is_none();
    let Some(customer) = all.into_iter().find(is_customer) else { return Ok(Err(ReminderSkip::NoAddress)) };
    if customer.reminders_off {
        return Ok(Err(ReminderSkip::TurnedOff));
    }
    let Ok(address) = MailAddress::parse(&customer.address) else { return Ok(Err(ReminderSkip::NoAddress)) };
    let token = customer_links::token(tx, &context.ring, customer.id).await?;
    let page = context.mail.address(&format!("/b/{}", token.expose_secret()));
    let off = format!("{page}/reminders/off");
    let business = &subject.business;
    let organizer = organizer_address(context, business, Some(&customer));
    let text = CustomerText::of(subject, context.mail.host(), Some(&customer), organizer);
    let rendered = render::to_customer(&text, subject, (&page, &off));
    let reply_to = Some(business.invitations.reply_address.as_str()).filter(|address| !address.is_empty());
    let new = NewMail {
        business: business.id,
        kind: MailKind::Reminder,
        to_address: address.as_str(),
        to_name: &customer.name,
        subject: &rendered.subject,
        text: &rendered.text,
        html: &rendered.html,
        from_domain: organizer.rsplit_once('@').map_or("localhost", |(_, domain)| domain),
        dedupe_key: &format!("reminder:{}", row.id),
        sender: Some(MailSender { name: sender_name(business), address: organizer, reply_to }),
        invitation: None,
        reminder: Some(NewReminderMail { reminder: row.id, unsubscribe_url: Some(&off) }),
        useful_until: Some(useful_until),
    };
    Ok(Ok(mails::create(tx, &new, now).await?.into_iter().collect()))
}

async fn to_staff(
    tx: &mut Tx,
    context: &Context,
    (subject, crew): (&Subject, &[Recipient]),
    row: &Reminder,
    useful_until: DateTime<Utc>,
) -> Result<Result<Vec<JobRef>, ReminderSkip>, StorageError> {
    let link = context.mail.address(&format!("/bookings/{}", subject.booking.id));
    let text = CustomerText::of(subject, context.mail.host(), None, &context.mail.from_address)
        .in_language(NOTICE_LANGUAGE);
    let rendered = render::to_staff(&text, subject, &link);
    let mut enqueued = Vec::new();
    for to in crew {
        enqueued.extend(write_to_staff(tx, context, (subject, row), (to, &rendered), useful_until).await?);
    }
    Ok(if crew.is_empty() { Err(ReminderSkip::NoAddress) } else { Ok(enqueued) })
}

/// Those who do the work and have an address.
async fn assigned(context: &Context, subject: &Subject) -> Result<Vec<Recipient>, StorageError> {
    let mut all = Vec::new();
    for id in &subject.booking.draft.staff {
        let member = people::find_staff(&context.db, subject.business.id, *id).await?;
        let member = member.filter(|member| member.archived_at.is_none() && !member.email.is_empty());
        all.extend(member.map(|member| Recipient { address: member.email, name: member.name }));
    }
    all.sort();
    all.dedup_by(|one, other| MailAddress::key_of(&one.address) == MailAddress::key_of(&other.address));
    Ok(all)
}

async fn write_to_staff(
    tx: &mut Tx,
    context: &Context,
    (subject, row): (&Subject, &Reminder),
    (to, rendered): (&Recipient, &RenderedMail),
    useful_until: DateTime<Utc>,
) -> Result<Option<JobRef>, StorageError> {
    let new = NewMail {
        business: subject.business.id,
        kind: MailKind::Reminder,
        to_address: &to.address,
        to_name: &to.name,
        subject: &rendered.subject,
        text: &rendered.text,
        html: &rendered.html,
        from_domain: context.mail.domain(),
        dedupe_key: &format!("reminder:{}:{}", row.id, MailAddress::key_of(&to.address)),
        sender: None,
        invitation: None,
        reminder: Some(NewReminderMail { reminder: row.id, unsubscribe_url: None }),
        useful_until: Some(useful_until),
    };
    mails::create(tx, &new, context.clock.now()).await
}
