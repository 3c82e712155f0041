//! The invitations of a booking: how they stand, sending them again, and the booking as a file.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    customer::CustomerAnswer,
    ids::{BookingId, BusinessId},
    invitation::{AttendeeRole, InvitationState, has_address, invites, named_attendees},
    job::JobKind,
    mail::MailAddress,
};
use concord_jobs::{
    Context, enqueue,
    invitations::{InvitationTexts, Subject, organizer_address},
};
use concord_storage::{
    ChangeContext, StorageError,
    attendees::{self, Attendee, InvitationMail},
    bookings, jobs,
};
use serde_json::json;

use crate::{ServiceError, error::OrNotFound, history};

/// Somebody who comes to a booking, or came, and what they were sent.
#[derive(Clone, Debug)]
pub struct AttendeeInvitation {
    pub role: AttendeeRole,
    /// Full name; empty where nobody has said it.
    pub name: String,
    pub address: String,
    pub state: InvitationState,
    /// SEQUENCE of the last message that reached them.
    pub sequence: Option<u32>,
    /// When a mail server took the last message.
    pub sent_at: Option<DateTime<Utc>>,
    /// Why they are sent nothing, or why the last message failed, for people.
    pub problem: Option<String>,
    /// Whether they no longer come.
    pub is_removed: bool,
    /// What they answered; `None`: nothing yet.
    pub answer: Option<CustomerAnswer>,
    pub answered_at: Option<DateTime<Utc>>,
}

/// How the invitations of a booking stand, the customer's first. Who comes and was not written to yet is listed too.
pub async fn list(context: &Context, booking: &Booking) -> Result<Vec<AttendeeInvitation>, StorageError> {
    let (db, business) = (&context.db, booking.business);
    let known = attendees::of_booking(db, business, booking.id).await?;
    let mails = attendees::mails(db, business, booking.id).await?;
    let known: Vec<Attendee> = known.into_iter().filter(|one| !one.address.is_empty()).collect();
    let mut all: Vec<AttendeeInvitation> = known.iter().map(|one| invitation(one, &mails)).collect();
    // What is gathered into one mail is on its way.
    let is_planned = jobs::next_due_at(db, business, JobKind::Invite, booking.id.0).await?.is_some();
    let unsent =
        |one: &&mut AttendeeInvitation| one.state == InvitationState::NotSent && one.problem.is_none();
    for one in all.iter_mut().filter(unsent).filter(|one| is_planned && !one.is_removed) {
        one.state = InvitationState::Waiting;
    }
    for (role, name, address) in named_attendees(&booking.draft) {
        let key = MailAddress::key_of(address);
        if !address.is_empty() && !known.iter().any(|one| one.address_key == key) {
            all.push(AttendeeInvitation {
                role,
                name: name.to_owned(),
                address: address.to_owned(),
                state: InvitationState::NotSent,
                sequence: None,
                sent_at: None,
                problem: None,
                is_removed: false,
                answer: None,
                answered_at: None,
            });
        }
    }
    all.sort_by_key(|one| (one.is_removed, one.role));
    Ok(all)
}

fn invitation(attendee: &Attendee, newest_first: &[InvitationMail]) -> AttendeeInvitation {
    let newest = newest_first.iter().find(|mail| mail.attendee_id == attendee.id);
    let sent_at =
        newest_first.iter().filter(|mail| mail.attendee_id == attendee.id).find_map(|mail| mail.sent_at);
    AttendeeInvitation {
        role: attendee.role,
        name: attendee.name.clone(),
        address: attendee.address.clone(),
        state: InvitationState::of(attendee.sent.as_ref(), newest.map(|mail| mail.state)),
        sequence: attendee.sent.as_ref().map(|sent| sent.sequence),
        sent_at,
        problem: attendee.problem.clone().or_else(|| newest.and_then(|mail| mail.last_error.clone())),
        is_removed: attendee.removed_at.is_some(),
        answer: attendee.answer,
        answered_at: attendee.answered_at,
    }
}

/// Sends all who come to a booking the invitation again, or for the first time, whatever the business's rule is.
/// `NotPossible`: it is over or cancelled, nobody is invited to such a booking, or nobody has an address.
pub async fn send(context: &Context, by: &ChangeContext, booking: &Booking) -> Result<(), ServiceError> {
    if let Some(why) = obstacle(context, booking) {
        return Err(ServiceError::NotPossible(why.to_owned()));
    }
    let mut tx = context.db.begin().await?;
    if !bookings::hold(&mut tx, booking.id, booking.version).await? {
        return Err(StorageError::Busy.into());
    }
    attendees::reconcile(&mut tx, booking, by.now).await?;
    attendees::ask(&mut tx, by.business, booking.id).await?;
    let enqueued = enqueue::invite(&mut tx, context, booking).await?;
    let detail = json!({ "reference": booking.reference });
    history::record(&mut tx, by, "invitation sent", booking.id, &detail).await?;
    context.commit(tx, &[enqueued]).await?;
    Ok(())
}

/// Why nobody can be sent the invitation by hand; `None`: they can.
pub fn obstacle(context: &Context, booking: &Booking) -> Option<&'static str> {
    if context.mail.mailer.is_none() {
        Some("no mail server is set up")
    } else if !booking.draft.status.occupies() {
        Some("the booking is cancelled")
    } else if booking.interval.end <= context.clock.now() {
        Some("the booking is over")
    } else if booking.channel.is_some() {
        Some("the platform that the booking came from writes to its guests itself")
    } else if !invites(booking) {
        Some("nobody is invited to a booking of this type")
    } else if !has_address(&booking.draft) {
        Some("the booking has no email address")
    } else {
        None
    }
}

/// The booking as an iCalendar file (METHOD:PUBLISH), with the UID and SEQUENCE of the customer's invitation.
pub async fn file(
    context: &Context,
    business: BusinessId,
    booking: BookingId,
) -> Result<String, ServiceError> {
    let subject = Subject::load(context, business, booking).await?.or_not_found("booking")?;
    let known = attendees::of_booking(&context.db, business, booking).await?;
    Ok(file_of(context, &subject, known.iter().find(|one| one.is_present_customer())))
}

/// The same of a booking that was read, for one attendee.
pub fn file_of(context: &Context, subject: &Subject, attendee: Option<&Attendee>) -> String {
    let organizer = organizer_address(context, &subject.business, attendee);
    InvitationTexts::of(subject, &context.mail.uid_host, attendee, organizer).file()
}
