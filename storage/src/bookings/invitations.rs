//! The job that tells those who come to a booking of its change.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::{Booking, Guest},
    invitation::{InvitationMode, has_address, invites},
    job::{JobKind, QueueClass},
};

use super::rows::BusinessBookingSettings;
use crate::{
    Result, Tx, attendees,
    jobs::{self, JobRef, NewJob},
};

/// Enqueues it, if anybody may be concerned. It waits for more changes, so that they are sent in one mail; the time of the
/// first one holds. What is due at once is returned, to be pushed.
pub(super) async fn enqueue(
    tx: &mut Tx,
    before: Option<&Booking>,
    booking: &Booking,
    settings: &BusinessBookingSettings,
    now: DateTime<Utc>,
) -> Result<Option<JobRef>> {
    let is_attended = invites(booking) && has_address(&booking.draft);
    // Who was invited before is told of every change, whatever has become of the rule and of the booking.
    if !is_attended && (before.is_none() || !attendees::exist(tx, booking.id).await?) {
        return Ok(None);
    }
    if before.is_none_or(|before| names(before) != names(booking)) {
        attendees::reconcile(tx, booking, now).await?;
    }
    if settings.invitations == InvitationMode::Off && !attendees::was_invited(tx, booking.id).await? {
        return Ok(None);
    }
    let due_at = now + Duration::minutes(settings.invitation_delay_minutes);
    let job = NewJob {
        business: Some(booking.business),
        kind: JobKind::Invite,
        subject: booking.id.0,
        // Very many may be due at one moment, and what people wait for in their own calendars goes first.
        queue: QueueClass::Bulk,
        due_at,
    };
    let enqueued = jobs::enqueue(tx, job, now).await?;
    Ok((due_at <= now).then_some(enqueued))
}

/// Whom the booking names.
fn names(booking: &Booking) -> (&str, &str, &[Guest]) {
    let draft = &booking.draft;
    (&draft.customer.name, &draft.customer.email, &draft.guests)
}
