//! From a booking and the rule of its business to what shall be in an attendee's calendar.

use chrono::{DateTime, Utc};

use super::{DesiredInvitation, InvitationContent, InvitationMethod, InvitationMode, SentInvitation};
use crate::{
    booking::{Booking, BookingKind, BookingStatus},
    mail::one_line,
};

/// A booking with the names that stand in it.
#[derive(Clone, Copy, Debug)]
pub struct NamedBooking<'a> {
    pub booking: &'a Booking,
    pub business: &'a str,
    pub resource: &'a str,
    /// Who does the work, in the order in which they are assigned.
    pub staff: &'a [String],
}

impl NamedBooking<'_> {
    /// What an attendee is sent of it.
    pub fn content(&self) -> InvitationContent {
        let draft = &self.booking.draft;
        let what = if draft.title.trim().is_empty() { self.resource } else { draft.title.trim() };
        InvitationContent {
            // As it stands in the mail's subject, after which Exchange names the event.
            title: one_line(&format!("{what} – {}", self.business)),
            time: draft.time,
            place: if draft.location.is_empty() { self.resource } else { &draft.location }.to_owned(),
            meeting_url: draft.meeting_url.clone(),
            staff: self.staff.to_vec(),
            party_size: draft.party_size,
            tentative: !draft.status.is_certain(),
        }
    }
}

/// Whether people are invited to such a booking at all. Guests of a platform are told by the platform.
pub fn invites(booking: &Booking) -> bool {
    booking.channel.is_none() && matches!(booking.draft.kind, BookingKind::Booking | BookingKind::Delivery)
}

/// What shall be in the calendar of somebody who comes to the booking, or no longer does (`comes`).
///
/// `sent`: what they were last sent. `by_hand`: whether a person has invited them, whatever the business's rule is.
pub fn desired_invitation(
    named: &NamedBooking<'_>,
    comes: bool,
    sent: Option<&SentInvitation>,
    (mode, by_hand): (InvitationMode, bool),
    now: DateTime<Utc>,
) -> DesiredInvitation {
    let booking = named.booking;
    let status = booking.draft.status;
    // What is over is left as it was: a calendar is a diary too. Not so a time to come that was moved into the past.
    let held = sent.filter(|sent| sent.method == InvitationMethod::Request);
    let is_over = booking.interval.end <= now && held.is_none_or(|sent| sent.content.ends_at() <= now);
    if is_over || status == BookingStatus::NoShow {
        return DesiredInvitation::AsItIs;
    }
    if status == BookingStatus::Cancelled || !invites(booking) {
        return DesiredInvitation::Cancelled;
    }
    if !comes {
        return DesiredInvitation::Removed;
    }
    let is_due = match mode {
        InvitationMode::Off => false,
        InvitationMode::Confirmed => status.is_certain(),
        InvitationMode::Pending => true,
    };
    if held.is_some() || is_due || by_hand {
        DesiredInvitation::Invited(named.content())
    } else {
        DesiredInvitation::AsItIs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        booking::BookingTime,
        ical::fixtures::{at, booking},
    };

    fn named<'a>(booking: &'a Booking, staff: &'a [String]) -> NamedBooking<'a> {
        NamedBooking { booking, business: "Casa do Mar", resource: "Sea View", staff }
    }

    fn sent(method: InvitationMethod, content: InvitationContent) -> SentInvitation {
        SentInvitation { method, sequence: 0, dtstamp: at("2026-11-01T09:00:00Z"), content }
    }

    #[test]
    fn content_names_business_and_place() {
        let mut booking = booking();
        let staff = ["Ana".to_owned()];
        let content = named(&booking, &staff).content();
        assert_eq!((content.title.as_str(), content.place.as_str()), ("Sea View – Casa do Mar", "Sea View"));
        assert!(!content.tentative);
        booking.draft.title = " Massage ".into();
        booking.draft.location = "Rua do Mar 7".into();
        booking.draft.status = BookingStatus::Pending;
        let content = named(&booking, &staff).content();
        assert_eq!(
            (content.title.as_str(), content.place.as_str()),
            ("Massage – Casa do Mar", "Rua do Mar 7")
        );
        assert!(content.tentative);
    }

    #[test]
    fn rule_of_the_business_decides_who_is_invited() {
        use BookingStatus::{Approved, Confirmed, Pending};
        let now = at("2026-11-20T00:00:00Z");
        for (mode, status, asked, invited) in [
            (InvitationMode::Off, Confirmed, false, false),
            (InvitationMode::Off, Confirmed, true, true),
            (InvitationMode::Confirmed, Confirmed, false, true),
            (InvitationMode::Confirmed, Approved, false, true),
            (InvitationMode::Confirmed, Pending, false, false),
            (InvitationMode::Confirmed, Pending, true, true),
            (InvitationMode::Pending, Pending, false, true),
        ] {
            let mut booking = booking();
            booking.draft.status = status;
            let desired = desired_invitation(&named(&booking, &[]), true, None, (mode, asked), now);
            let is_invited = matches!(desired, DesiredInvitation::Invited(_));
            assert_eq!(is_invited, invited, "{mode:?} {status:?} {asked}");
        }
    }

    #[test]
    fn who_is_invited_is_kept_up_to_date_whatever_the_rule_becomes() {
        let mut booking = booking();
        let before = sent(InvitationMethod::Request, named(&booking, &[]).content());
        booking.draft.status = BookingStatus::Pending;
        let now = at("2026-11-20T00:00:00Z");
        let desired =
            desired_invitation(&named(&booking, &[]), true, Some(&before), (InvitationMode::Off, false), now);
        assert!(matches!(desired, DesiredInvitation::Invited(content) if content.tentative));
    }

    #[test]
    fn what_is_over_is_left_in_the_calendar() {
        let mut booking = booking();
        booking.draft.status = BookingStatus::Cancelled;
        let desired = |booking: &Booking, now: &str| {
            desired_invitation(&named(booking, &[]), true, None, (InvitationMode::Pending, true), at(now))
        };
        assert_eq!(desired(&booking, "2026-12-02T00:00:00Z"), DesiredInvitation::Cancelled);
        assert_eq!(desired(&booking, "2026-12-03T00:00:00Z"), DesiredInvitation::AsItIs);
        booking.draft.status = BookingStatus::NoShow;
        assert_eq!(desired(&booking, "2026-12-02T00:00:00Z"), DesiredInvitation::AsItIs);
    }

    #[test]
    fn what_was_moved_into_the_past_does_not_stay_in_the_future() {
        let mut booking = booking();
        let before = sent(InvitationMethod::Request, named(&booking, &[]).content());
        let now = at("2026-11-30T12:00:00Z");
        let time =
            BookingTime::Timed { starts_at: at("2026-11-30T08:00:00Z"), ends_at: at("2026-11-30T09:00:00Z") };
        booking.draft.time = time;
        booking.interval = time.interval(chrono_tz::UTC).unwrap();
        let desired = |sent: Option<&SentInvitation>, now| {
            desired_invitation(&named(&booking, &[]), true, sent, (InvitationMode::Confirmed, false), now)
        };
        assert!(
            matches!(desired(Some(&before), now), DesiredInvitation::Invited(content) if content.time == time)
        );
        assert_eq!(desired(None, now), DesiredInvitation::AsItIs, "nobody is invited to what is over");
        let later = at("2026-12-04T00:00:00Z");
        assert_eq!(desired(Some(&before), later), DesiredInvitation::AsItIs);
    }

    #[test]
    fn nobody_is_invited_to_a_block_or_to_what_a_platform_sold() {
        let now = at("2026-11-20T00:00:00Z");
        let mut block = booking();
        block.draft.kind = BookingKind::Block;
        let mut sold = booking();
        sold.channel = Some(crate::ids::ChannelId(uuid::Uuid::from_u128(9)));
        for booking in [block, sold] {
            let desired =
                desired_invitation(&named(&booking, &[]), true, None, (InvitationMode::Pending, true), now);
            assert_eq!(desired, DesiredInvitation::Cancelled);
        }
    }
}
