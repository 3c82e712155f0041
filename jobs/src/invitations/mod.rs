//! Sends those who come to a booking what has changed of it, so that their own calendars hold it.
//!
//! Its subject is the booking. It makes the rows of those who come the ones that the booking names, has
//! `domain::invitation::plan` decide for each of them from what they were last sent, takes back what waits and is no longer
//! so, and writes the mails, in one transaction. `render` makes a message, whose job sends it (`notify::send`).

#[cfg(test)]
mod message_tests;
mod portal;
mod render;
mod sender;

use std::collections::{HashMap, hash_map::Entry};

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    ids::{BookingId, BusinessId},
    invitation::{InvitationMethod, InvitationPlan, NamedBooking, SentInvitation, desired_invitation, plan},
    mail::{MailAddress, MailKind, MailState},
};
use concord_storage::{
    StorageError, Tx,
    attendees::{self, Attendee, PlannedInvitation, UnsentInvitation},
    bookings,
    businesses::{self, Business},
    jobs::{ClaimedJob, JobOutcome, JobRef},
    mail_design::{self, BusinessMailTexts, MailDesign},
    mails::{self, NewInvitation, NewMail},
    people::{self, Staff},
    resources::{self, Resource},
};

use self::sender::lasting_organizer_address;
pub(crate) use self::sender::{attendee_mail, sender_name};
pub use self::{
    portal::write_portal_mail,
    render::{BookingFact, BookingTexts, InvitationTexts},
    sender::{logo_path, organizer_address, page_address},
};
use crate::{
    Context,
    job::{JobError, require_business},
    mail::Recipient,
    notify::send::wait_for_server,
};

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let now = context.clock.now();
    if context.mail.mailer.is_none() {
        // Nothing is written that would be old when there is a server.
        return Ok(wait_for_server(now));
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
    /// Those of them who can be written to, each once.
    pub crew: Vec<Recipient>,
    /// In which its hours are told.
    pub zone: chrono_tz::Tz,
    /// The business's own words in mails.
    pub words: Vec<BusinessMailTexts>,
    /// The absolute address of the business's logo; empty: it has none.
    pub logo: String,
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
        Ok(Self::load_all(context, &business, vec![booking]).await?.pop())
    }

    /// Those of several bookings of one business, in their order. What they share is read once.
    pub async fn load_all(
        context: &Context,
        business: &Business,
        bookings: Vec<Booking>,
    ) -> Result<Vec<Self>, StorageError> {
        let MailDesign { texts, logo } = mail_design::find(&context.db, business.id).await?;
        let logo = logo.map(|logo| context.mail.address(&logo_path(business.id, &logo))).unwrap_or_default();
        let (mut resources, mut people) = (HashMap::new(), HashMap::new());
        let mut all = Vec::with_capacity(bookings.len());
        for booking in bookings {
            let id = booking.draft.resource;
            if let Entry::Vacant(place) = resources.entry(id) {
                let found = resources::find(&context.db, business.id, id).await?;
                place.insert(found.ok_or(StorageError::NotFound)?);
            }
            for id in &booking.draft.staff {
                if let Entry::Vacant(place) = people.entry(*id) {
                    place.insert(people::find_staff(&context.db, business.id, *id).await?);
                }
            }
            let staff: Vec<&Staff> =
                booking.draft.staff.iter().filter_map(|id| people[id].as_ref()).collect();
            let resource: &Resource = &resources[&id];
            all.push(Self {
                business: business.clone(),
                resource: resource.name.clone(),
                staff: staff.iter().map(|member| member.name.clone()).collect(),
                crew: crew(&staff),
                zone: resource.zone.unwrap_or(business.zone),
                words: texts.clone(),
                logo: logo.clone(),
                booking,
            });
        }
        Ok(all)
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

/// Those who do the work and have an address.
fn crew(staff: &[&Staff]) -> Vec<Recipient> {
    let reachable = staff.iter().filter(|member| member.archived_at.is_none() && !member.email.is_empty());
    let mut all: Vec<Recipient> = reachable
        .map(|member| Recipient { address: member.email.clone(), name: member.name.clone() })
        .collect();
    all.sort();
    all.dedup_by(|one, other| MailAddress::key_of(&one.address) == MailAddress::key_of(&other.address));
    all
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
    let rule = (subject.business.invitations.mode, attendee.invited_by_hand);
    let comes = attendee.removed_at.is_none();
    let desired = desired_invitation(&subject.named(), comes, sent, rule, now);
    let InvitationPlan { withdraw, send } = plan(sent, kept, (&desired, attendee.asked), now);
    if (withdraw || waiting.len() > 1) && !withdraw_all(tx, &waiting).await? {
        // It was handed over meanwhile: what follows from that is decided anew.
        return Err(StorageError::Busy);
    }
    let Some((kind, message)) = send else {
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
    let organizer = &*lasting_organizer_address(context, &subject.business, attendee);
    // Who has agreed to another time has not agreed to this one, unless they have seen it on their page. Of what is off nobody is
    // asked: that they declined stays.
    let is_raised = message.method == InvitationMethod::Request
        && sent.is_none_or(|sent| message.sequence > sent.sequence);
    let asks_anew = is_raised && attendee.answered_at.is_none_or(|at| at < subject.booking.updated_at);
    let planned = PlannedInvitation { organizer_address: Some(organizer), problem: None, asks_anew };
    attendees::record_planned(tx, attendee.id, planned).await?;
    let attendee = &Attendee { answer: attendee.answer.filter(|_| !asks_anew), ..attendee.clone() };
    let to = (attendee, &address, organizer);
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

async fn write(
    tx: &mut Tx,
    context: &Context,
    subject: &Subject,
    to: (&Attendee, &MailAddress, &str),
    (kind, before, message): (MailKind, Option<&SentInvitation>, &SentInvitation),
    now: DateTime<Utc>,
) -> Result<Option<JobRef>, StorageError> {
    let (attendee, _, organizer) = to;
    let page = page_address(tx, context, attendee.id).await?;
    let texts =
        InvitationTexts::of(subject, &context.mail.uid_host, Some(attendee), organizer).with_page(page);
    let rendered = texts.mail(kind, before.map(|before| &before.content), message);
    let calendar = texts.calendar(message);
    let key = format!("invitation:{}:{}:{}", attendee.id, message.sequence, message.dtstamp.timestamp());
    let ends_at = subject.booking.interval.end;
    let new = NewMail {
        invitation: Some(NewInvitation { attendee: attendee.id, message, calendar: &calendar }),
        // Until both the time that they know and the one that they are told of are over.
        useful_until: Some(before.map_or(ends_at, |before| before.content.ends_at().max(ends_at))),
        ..attendee_mail(&subject.business, kind, to, &rendered, &key)
    };
    mails::create(tx, &new, now).await
}
