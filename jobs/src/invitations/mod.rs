//! Sends those who come to a booking what has changed of it, so that their own calendars hold it.
//!
//! Its subject is the booking. It makes the rows of those who come the ones that the booking names, has
//! `domain::invitation::plan` decide for each of them from what they were last sent, takes back what waits and is no longer
//! so, and writes the mails, in one transaction. `render` makes a message, whose job sends it (`notify::send`).

#[cfg(test)]
mod message_tests;
mod portal;
mod render;

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    ids::{BookingId, BusinessId},
    invitation::{InvitationPlan, InvitationStep, NamedBooking, SentInvitation, desired_invitation, plan},
    mail::{MailAddress, MailKind, MailState},
};
use concord_storage::{
    StorageError, Tx,
    attendees::{self, Attendee, PlannedInvitation, UnsentInvitation},
    bookings,
    businesses::{self, Business},
    customer_links,
    jobs::{ClaimedJob, JobOutcome, JobRef},
    mails::{self, MailSender, NewInvitation, NewMail},
    people, resources,
};
use secrecy::ExposeSecret;

pub use self::{
    portal::write_portal_mail,
    render::{BookingFact, CustomerText, booking_file},
};
use crate::{
    Context,
    job::{JobError, require_business},
    notify::send::{NO_SERVER, RECHECK_INTERVAL},
};

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let now = context.clock.now();
    if context.mail.mailer.is_none() {
        // Nothing is written that would be old when there is a server.
        return Ok(JobOutcome::Snooze { until: now + RECHECK_INTERVAL, reason: NO_SERVER.to_owned() });
    }
    let Some(subject) = Subject::load(context, require_business(job)?, BookingId(job.subject_id)).await?
    else {
        return Ok(JobOutcome::Done);
    };
    let mut tx = context.db.begin().await?;
    if !bookings::hold(&mut tx, subject.booking.id, subject.booking.version).await? {
        return Ok(JobOutcome::Again(now));
    }
    let mut enqueued = Vec::new();
    for attendee in attendees::reconcile(&mut tx, &subject.booking, now).await? {
        enqueued.extend(invite(&mut tx, context, &subject, &attendee).await?);
    }
    context.commit(tx, &enqueued).await?;
    Ok(JobOutcome::Done)
}

/// A booking with all that stands in its invitations.
pub struct Subject {
    pub booking: Booking,
    pub business: Business,
    pub resource: String,
    /// Who does the work, by name.
    pub staff: Vec<String>,
    /// In which its hours are told.
    pub zone: chrono_tz::Tz,
}

impl Subject {
    /// `None`: there is no such booking.
    pub async fn load(
        context: &Context,
        business: BusinessId,
        booking: BookingId,
    ) -> Result<Option<Self>, StorageError> {
        let db = &context.db;
        let Some(booking) = bookings::by_id(db, business, booking).await? else { return Ok(None) };
        let business = businesses::find(db, business).await?.ok_or(StorageError::NotFound)?;
        let resource = resources::find(db, business.id, booking.draft.resource).await?;
        let resource = resource.ok_or(StorageError::NotFound)?;
        let mut staff = Vec::new();
        for id in &booking.draft.staff {
            staff.extend(people::find_staff(db, business.id, *id).await?.map(|member| member.name));
        }
        let zone = resource.zone.unwrap_or(business.zone);
        Ok(Some(Self { booking, business, resource: resource.name, staff, zone }))
    }

    /// With the names that stand in it.
    pub fn named(&self) -> NamedBooking<'_> {
        NamedBooking {
            booking: &self.booking,
            business: &self.business.name,
            resource: &self.resource,
            staff: &self.staff,
        }
    }
}

/// Does for one attendee what the plan says. The caller pushes what this returns after the commit.
async fn invite(
    tx: &mut Tx,
    context: &Context,
    subject: &Subject,
    attendee: &Attendee,
) -> Result<Option<JobRef>, StorageError> {
    // A customer without an address has a page, and is sent nothing.
    if attendee.address.is_empty() {
        return Ok(None);
    }
    let now = context.clock.now();
    let unsent = attendees::unsent(tx, attendee.id).await?;
    let is_in = |state: MailState| move |mail: &&UnsentInvitation| mail.state == state;
    let sending = unsent.iter().rfind(is_in(MailState::Sending));
    let sent = sending.map(|mail| &mail.invitation).or(attendee.sent.as_ref());
    let waiting: Vec<&UnsentInvitation> = unsent.iter().filter(is_in(MailState::Waiting)).collect();
    // Two wait where the first was handed over and refused for now: the second was planned as if it had left.
    let kept = match waiting.as_slice() {
        [only] => Some(&only.invitation),
        _ => None,
    };
    let rule = (subject.business.invitations.mode, attendee.asked);
    let comes = attendee.removed_at.is_none();
    let desired = desired_invitation(&subject.named(), comes, sent, rule, now);
    let InvitationPlan { withdraw, step } = plan(sent, kept, (&desired, attendee.asked), now);
    if (withdraw || waiting.len() > 1) && !withdraw_all(tx, &waiting).await? {
        // It was handed over meanwhile: what follows from that is decided anew.
        return Err(StorageError::Busy);
    }
    let InvitationStep::Send(kind, message) = step else {
        if attendee.asked {
            let problem = attendee.problem.as_deref();
            let unchanged = PlannedInvitation { organizer_address: None, problem, asks_anew: false };
            attendees::record_planned(tx, attendee.id, unchanged).await?;
        }
        return Ok(None);
    };
    let Ok(address) = MailAddress::parse(&attendee.address) else {
        let problem = format!("{} cannot be sent emails", attendee.address);
        let planned =
            PlannedInvitation { organizer_address: None, problem: Some(&problem), asks_anew: false };
        return attendees::record_planned(tx, attendee.id, planned).await.map(|()| None);
    };
    let organizer = organizer_address(context, &subject.business, Some(attendee));
    // Who has agreed to another time has not agreed to this one, unless they have seen it on their page.
    let is_raised = sent.is_none_or(|sent| message.sequence > sent.sequence);
    let asks_anew = is_raised && attendee.answered_at.is_none_or(|at| at < subject.booking.updated_at);
    let planned = PlannedInvitation { organizer_address: Some(organizer), problem: None, asks_anew };
    attendees::record_planned(tx, attendee.id, planned).await?;
    let attendee = &Attendee { answer: attendee.answer.filter(|_| !asks_anew), ..attendee.clone() };
    let to = (attendee, address.as_str(), organizer);
    write(tx, context, subject, to, (kind, sent, &message), now).await
}

async fn withdraw_all(tx: &mut Tx, waiting: &[&UnsentInvitation]) -> Result<bool, StorageError> {
    for mail in waiting {
        if !attendees::withdraw(tx, mail.id).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The one of the first invitation, then that of the business, then that of the installation.
pub fn organizer_address<'a>(
    context: &'a Context,
    business: &'a Business,
    attendee: Option<&'a Attendee>,
) -> &'a str {
    let of_business =
        Some(business.invitations.sender_address.as_str()).filter(|address| !address.is_empty());
    let frozen = attendee.and_then(|attendee| attendee.organizer_address.as_deref());
    frozen.or(of_business).unwrap_or(&context.mail.from_address)
}

async fn write(
    tx: &mut Tx,
    context: &Context,
    subject: &Subject,
    (attendee, address, organizer): (&Attendee, &str, &str),
    (kind, before, message): (MailKind, Option<&SentInvitation>, &SentInvitation),
    now: DateTime<Utc>,
) -> Result<Option<JobRef>, StorageError> {
    let token = customer_links::token(tx, &context.ring, attendee.id).await?;
    let page = context.mail.address(&format!("/b/{}", token.expose_secret()));
    let text = CustomerText::of(subject, context.mail.host(), Some(attendee), organizer).with_page(page);
    let rendered = text.mail(kind, before.map(|before| &before.content), message);
    let calendar = text.calendar(message);
    let settings = &subject.business.invitations;
    let reply_to = Some(settings.reply_address.as_str()).filter(|reply_to| !reply_to.is_empty());
    let new = NewMail {
        business: subject.business.id,
        kind,
        to_address: address,
        to_name: &attendee.name,
        subject: &rendered.subject,
        text: &rendered.text,
        html: &rendered.html,
        from_domain: organizer.rsplit_once('@').map_or("localhost", |(_, domain)| domain),
        dedupe_key: &format!(
            "invitation:{}:{}:{}",
            attendee.id,
            message.sequence,
            message.dtstamp.timestamp()
        ),
        sender: Some(MailSender { name: sender_name(&subject.business), address: organizer, reply_to }),
        invitation: Some(NewInvitation { attendee: attendee.id, message, calendar: &calendar }),
        reminder: None,
        useful_until: Some(subject.booking.interval.end),
    };
    mails::create(tx, &new, now).await
}

/// The name that mails to customers come from.
pub fn sender_name(business: &Business) -> &str {
    Some(business.invitations.sender_name.as_str()).filter(|name| !name.is_empty()).unwrap_or(&business.name)
}
