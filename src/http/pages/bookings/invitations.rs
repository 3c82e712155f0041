//! Who was invited to a booking: the part of its page that says so, sending the invitation again, and the file.

use askama::{Template, filters::HtmlSafe};
use axum::response::{IntoResponse, Redirect};
use chrono_tz::Tz;
use concord_domain::{
    booking::Booking,
    customer::CustomerAnswer,
    invitation::{InvitationMode, InvitationState, invites},
};
use concord_services::{
    ServiceError, customers,
    invitations::{self, AttendeeInvitation},
};
use concord_storage::StorageError;

use super::find_booking;
use crate::http::{
    calendar_file::calendar_file,
    pages::{
        CurrentUser, Flash, PageError, PagePath, PageResult, Pill, RelativeTime, Tone, booking_path,
        capitalize, render_partial,
    },
};

/// The invitations of a booking: the part that changes while it is looked at.
#[derive(Template)]
#[template(path = "booking_invitations.html")]
pub(super) struct BookingInvitations {
    path: String,
    csrf: String,
    people: Vec<AttendeeRow>,
    is_under_way: bool,
    /// Whether an invitation can be sent by hand.
    can_send: bool,
    /// Why nobody is invited.
    reason: &'static str,
    /// Whether people are invited to such a booking at all.
    is_shown: bool,
    is_anyone_invited: bool,
}
impl HtmlSafe for BookingInvitations {}

struct AttendeeRow {
    name: String,
    address: String,
    state: Pill,
    sent: Option<RelativeTime>,
    problem: Option<String>,
    /// What they answered, as people read it; `None`: nothing yet.
    answer: Option<&'static str>,
    is_removed: bool,
}

impl BookingInvitations {
    /// Whether anybody would be told of a cancellation.
    pub(super) fn is_anyone_invited(&self) -> bool {
        self.is_anyone_invited
    }

    /// Whether there is anything to say.
    pub(super) fn is_shown(&self) -> bool {
        self.is_shown
    }

    pub(super) async fn load(user: &CurrentUser, booking: &Booking, zone: Tz) -> PageResult<Self> {
        let people = invitations::list(&user.app.context, booking).await?;
        let reason = if user.app.context.mail.mailer.is_none() {
            "No mail server is set up, so no invitations are sent."
        } else if booking.channel.is_some() {
            "The platform that the booking came from writes to its guests itself."
        } else if user.business.invitations.mode == InvitationMode::Off {
            "Invitations are off. You can send one by hand."
        } else {
            ""
        };
        Ok(Self {
            path: booking_path(booking),
            csrf: user.token.form_token(),
            is_anyone_invited: people.iter().any(is_invited),
            is_under_way: people.iter().any(|one| one.state == InvitationState::Waiting),
            can_send: invitations::obstacle(&user.app.context, booking).is_none(),
            reason,
            is_shown: invites(booking) || !people.is_empty(),
            people: people.into_iter().map(|one| attendee_row(one, user, zone)).collect(),
        })
    }
}

/// Whether their calendar has the booking, whatever became of later messages.
fn is_invited(one: &AttendeeInvitation) -> bool {
    one.sequence.is_some() && one.state != InvitationState::Cancelled && !one.is_removed
}

fn attendee_row(one: AttendeeInvitation, user: &CurrentUser, zone: Tz) -> AttendeeRow {
    let tone = match one.state {
        InvitationState::Sent => Tone::Good,
        InvitationState::Waiting => Tone::Waiting,
        InvitationState::Failed => Tone::Wrong,
        InvitationState::NotSent | InvitationState::Cancelled => Tone::Neutral,
    };
    AttendeeRow {
        name: if one.name.is_empty() { one.address.clone() } else { one.name },
        address: one.address,
        state: Pill::new(tone, one.state.label()),
        sent: one.sent_at.map(|at| RelativeTime::new(at, user.app.now(), zone)),
        problem: one.problem.as_deref().map(capitalize),
        is_removed: one.is_removed,
        answer: one.answer.map(|answer| match answer {
            CustomerAnswer::Accepted => "Accepted",
            CustomerAnswer::Tentative => "Tentative",
            CustomerAnswer::Declined => "Declined",
        }),
    }
}

pub(super) async fn live(user: CurrentUser, PagePath(key): PagePath<String>) -> PageResult {
    let booking = find_booking(&user, &key).await?;
    render_partial(&BookingInvitations::load(&user, &booking, user.business.zone).await?)
}

pub(super) async fn send(user: CurrentUser, PagePath(key): PagePath<String>) -> PageResult {
    let booking = find_booking(&user, &key).await?;
    let flash = match invitations::send(&user.app.context, &user.change(), &booking).await {
        Ok(()) => Flash::information("Sending the invitation. Its status appears below."),
        Err(ServiceError::NotPossible(why)) => Flash::failure(format!("The invitation was not sent: {why}.")),
        Err(ServiceError::Storage(StorageError::Busy)) => {
            Flash::failure("Someone is changing this booking, so the invitation was not sent. Try again.")
        }
        Err(error) => return Err(PageError::from(error)),
    };
    Ok(user.redirect_with_flash(&booking_path(&booking), &flash))
}

pub(super) async fn file(user: CurrentUser, PagePath(key): PagePath<String>) -> PageResult {
    let booking = find_booking(&user, &key).await?;
    let calendar = invitations::file(&user.app.context, user.business.id, booking.id).await?;
    Ok(calendar_file(calendar))
}

/// Leads to the customer's own page, as they see it.
pub(super) async fn customer_page(user: CurrentUser, PagePath(key): PagePath<String>) -> PageResult {
    let booking = find_booking(&user, &key).await?;
    let url = customers::page_url(&user.app.context, &booking).await?;
    Ok(Redirect::to(&url).into_response())
}
