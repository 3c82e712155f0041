//! Sends the reminders of a booking that are due.
//!
//! Its subject is the booking. Each reminder is a row that was planned with the booking; here the booking is read anew, and
//! `domain::reminder::decide` says whether it is still sent. A mail is written, or an event published, in the transaction that
//! says so of its row, so that there is one however often this runs. It comes back when the next one is due.

pub(crate) mod plan;
pub(crate) mod render;

use chrono::{DateTime, Utc};
use concord_domain::{
    customer::CustomerAnswer,
    ids::BookingId,
    mail::{MailAddress, MailKind},
    reminder::{ReminderChannel, ReminderSkip, ReminderState, ReminderStep, decide},
    webhook::{Event, ReminderPayload},
};
use concord_storage::{
    StorageError, Tx, attendees, bookings, events,
    jobs::{ClaimedJob, JobOutcome, JobRef},
    mails::{self, NewMail, NewReminderMail},
    reminder_rules::{self, ReminderRule},
    reminders::{self, Reminder},
};

use crate::{
    Context,
    invitations::{BookingTexts, Subject, attendee_mail, organizer_address, page_address},
    job::{JobError, require_business},
    language::NOTICE_LANGUAGE,
    notify::{outbox::new_mail, send::RECHECK_INTERVAL},
};

/// What was written of the reminders that are due.
#[derive(Default)]
struct Written {
    /// The jobs of the mails, to be pushed after the commit.
    enqueued: Vec<JobRef>,
    /// Published last, as all events are.
    events: Vec<Event>,
}

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let business = require_business(job)?;
    let Some(subject) = Subject::load(context, business, BookingId(job.subject_id)).await? else {
        return Ok(JobOutcome::Done);
    };
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    // Whoever changes the booking plans anew, and then we do.
    if !bookings::hold(&mut tx, subject.booking.id, subject.booking.version).await? {
        return Ok(JobOutcome::Again(now));
    }
    let rules = reminder_rules::list_in(&mut tx, business).await?;
    let clocks = reminders::quiet_clocks(&mut tx, subject.booking.id).await?;
    let (mut written, mut next) = (Written::default(), Vec::new());
    for row in reminders::rows(&mut tx, subject.booking.id).await? {
        if row.state != ReminderState::Planned {
            continue;
        }
        if row.due_at > now {
            next.push(row.due_at);
            continue;
        }
        let rule = rules.iter().find(|rule| rule.id == row.rule_id);
        let channel = rule.map_or(ReminderChannel::CustomerMail, |rule| rule.settings.channel);
        let quiet = clocks.of(channel);
        let step = decide(&row.plan(), &subject.booking, rule.map(|rule| &rule.settings), quiet, now);
        let lacks_server = channel.is_mail() && context.mail.mailer.is_none();
        let why = match (step, rule) {
            (ReminderStep::Wait(until), _) => {
                reminders::postpone(&mut tx, row.id, until).await?;
                next.push(until);
                continue;
            }
            // Nothing is written that would be old when there is a server.
            (ReminderStep::Send(useful_until), Some(_)) if lacks_server => {
                next.push(useful_until.min(now + RECHECK_INTERVAL));
                continue;
            }
            (ReminderStep::Send(useful_until), Some(rule)) => {
                let due = (&row, rule, useful_until);
                match send(&mut tx, context, &subject, due, &mut written).await? {
                    None => continue,
                    Some(why) => why,
                }
            }
            (ReminderStep::Skip(ReminderSkip::TooLate), _) if lacks_server => ReminderSkip::NoMailServer,
            (ReminderStep::Skip(why), _) => why,
            (ReminderStep::Send(_), None) => ReminderSkip::RuleChanged,
        };
        reminders::record_skipped(&mut tx, row.id, why, now).await?;
    }
    let Written { mut enqueued, events } = written;
    for event in events {
        enqueued.extend(events::publish(&mut tx, business, &event, now).await?);
    }
    context.commit(tx, &enqueued).await?;
    Ok(next.into_iter().min().map_or(JobOutcome::Done, JobOutcome::Again))
}

/// Writes the mails or the event of a reminder, or returns why there are none.
async fn send(
    tx: &mut Tx,
    context: &Context,
    subject: &Subject,
    (row, rule, useful_until): (&Reminder, &ReminderRule, DateTime<Utc>),
    written: &mut Written,
) -> Result<Option<ReminderSkip>, StorageError> {
    let mails = match rule.settings.channel {
        ReminderChannel::CustomerMail => to_customer(tx, context, subject, row, useful_until).await?,
        ReminderChannel::StaffMail => to_staff(tx, context, subject, row, useful_until).await?,
        ReminderChannel::Webhook => {
            if reminders::record_published(tx, row.id, context.clock.now()).await? {
                written.events.push(to_systems(tx, subject, (row, rule), useful_until).await?);
            }
            return Ok(None);
        }
    };
    match mails {
        Ok(jobs) => {
            reminders::record_queued(tx, row.id, context.clock.now()).await?;
            written.enqueued.extend(jobs);
            Ok(None)
        }
        Err(why) => Ok(Some(why)),
    }
}

/// It is told whoever hears of it, and kept for whoever asks: who that is, is no matter of the booking. That the customer
/// wants no reminders is said, since what a system does by it may be none.
async fn to_systems(
    tx: &mut Tx,
    subject: &Subject,
    (row, rule): (&Reminder, &ReminderRule),
    useful_until: DateTime<Utc>,
) -> Result<Event, StorageError> {
    let reminder = ReminderPayload {
        id: row.id,
        rule: rule.id,
        minutes_before: rule.settings.minutes_before,
        due_at: row.due_at,
        useful_until,
        turned_off: attendees::wants_no_reminders(tx, &subject.booking).await?,
    };
    Ok(Event::booking_reminder(&subject.booking, reminder))
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
    let Some(customer) = all.iter().find(|one| one.is_present_customer()) else {
        return Ok(Err(ReminderSkip::NoAddress));
    };
    if customer.reminders_off {
        return Ok(Err(ReminderSkip::TurnedOff));
    }
    if customer.answer == Some(CustomerAnswer::Declined) {
        return Ok(Err(ReminderSkip::Declined));
    }
    let Ok(address) = MailAddress::parse(&customer.address) else { return Ok(Err(ReminderSkip::NoAddress)) };
    let page = page_address(tx, context, customer.id).await?;
    let off = format!("{page}/reminders/off");
    let rendered = render::to_customer(&BookingTexts::of(subject), &customer.name, (page, &off));
    let to = (customer, &address, organizer_address(context, &subject.business, Some(customer)));
    // Whose address was wrong is reminded at another one.
    let key = format!("reminder:{}:{}", row.id, customer.address_key);
    let new = NewMail {
        reminder: Some(NewReminderMail { reminder: row.id, unsubscribe_url: Some(&off) }),
        useful_until: Some(useful_until),
        ..attendee_mail(&subject.business, MailKind::Reminder, to, &rendered, &key)
    };
    Ok(Ok(mails::create(tx, &new, now).await?.into_iter().collect()))
}

async fn to_staff(
    tx: &mut Tx,
    context: &Context,
    subject: &Subject,
    row: &Reminder,
    useful_until: DateTime<Utc>,
) -> Result<Result<Vec<JobRef>, ReminderSkip>, StorageError> {
    if subject.crew.is_empty() {
        return Ok(Err(ReminderSkip::NoAddress));
    }
    let page = context.mail.address(&format!("/bookings/{}", subject.booking.id));
    let rendered = render::to_staff(&BookingTexts::of(subject).in_language(NOTICE_LANGUAGE), page);
    let mut enqueued = Vec::new();
    for to in &subject.crew {
        let key = format!("reminder:{}:{}", row.id, MailAddress::key_of(&to.address));
        let about = (subject.business.id, MailKind::Reminder);
        let new = NewMail {
            reminder: Some(NewReminderMail { reminder: row.id, unsubscribe_url: None }),
            useful_until: Some(useful_until),
            ..new_mail(&context.mail, about, to, &rendered, &key)
        };
        enqueued.extend(mails::create(tx, &new, context.clock.now()).await?);
    }
    Ok(Ok(enqueued))
}
