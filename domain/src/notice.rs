//! What people are told without having asked: which notices there are, and how many of them go into one mail.

use chrono_tz::Tz;

use crate::{booking::BookingTime, mail::one_line, words};

words! {
    /// What people are told of.
    NoticeKind "What a notification is about." {
        /// Somebody changed an entry in their calendar.
        RemoteChange = "remote_change",
        /// Somebody or something is taken twice.
        Conflict = "conflict",
        /// Bookings do not reach a calendar.
        FailedSync = "failed_sync",
        /// A calendar must be connected again.
        Reconnect = "reconnect",
        /// A platform's feed cannot be read.
        FeedUnread = "feed_unread",
        /// A platform's feed lacks so much that it is not believed.
        FeedQuarantined = "feed_quarantined",
        /// A platform's feed lacks what was imported by hand.
        NotInFeed = "not_in_feed",
        /// A customer moved or cancelled their booking.
        Customer = "customer",
        /// Somebody who was invited to a booking has answered.
        Answer = "answer",
        /// A customer would like their booking to be changed.
        ChangeRequest = "change_request",
        /// A booking waits for a manager to approve it.
        PendingBooking = "pending_booking",
        /// A reminder of a booking could not be sent.
        ReminderFailed = "reminder_failed",
        /// Answers that customers' calendars send by mail are not read.
        MailboxUnread = "mailbox_unread",
        /// Events do not reach a webhook endpoint.
        WebhookFailing = "webhook_failing",
        /// Events are no longer delivered to a webhook endpoint.
        WebhookDisabled = "webhook_disabled",
        /// What people were told that it fails works again.
        Recovered = "recovered",
    }
}

impl NoticeKind {
    /// Whether it is told at once: until somebody acts, nothing of it goes on. The others wait a little for one another.
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::Reconnect)
    }

    /// What people choose by it.
    pub fn label(self) -> &'static str {
        match self {
            Self::RemoteChange => "Changes made in a connected calendar",
            Self::Conflict => "Double bookings",
            Self::FailedSync => "Calendars that do not sync",
            Self::Reconnect => "Calendars that need to be reconnected",
            Self::FeedUnread => "Platform calendars that cannot be read",
            Self::FeedQuarantined => "Platform calendars held for review",
            Self::NotInFeed => "Imported bookings that a platform does not list",
            Self::Customer => "Bookings moved or cancelled by a customer",
            Self::Answer => "Answers to invitations",
            Self::ChangeRequest => "Change requests from customers",
            Self::PendingBooking => "Bookings that wait for approval",
            Self::ReminderFailed => "Reminders that could not be sent",
            Self::MailboxUnread => "Answers by email that cannot be read",
            Self::WebhookFailing => "Webhooks that fail",
            Self::WebhookDisabled => "Webhooks that were disabled",
            Self::Recovered => "Problems that are resolved",
        }
    }

    /// Whether staff are told of it too, where it is theirs; of all else managers alone.
    pub fn concerns_staff(self) -> bool {
        matches!(self, Self::RemoteChange | Self::FailedSync | Self::Reconnect | Self::Recovered)
    }
}

/// So many notices are told one by one in a mail; of the others only the number is told.
pub const MAX_LISTED_NOTICES: usize = 20;

/// Numbers have more digits, names fewer.
const MAX_DIGITS_OF_A_NAME: usize = 4;

/// What a notice calls somebody, in one line. `None`: what is written as their name is an address, a number or nothing, and no
/// notice tells those.
pub fn name_in_notice(name: &str) -> Option<String> {
    let name = one_line(name.trim());
    let digits = name.chars().filter(char::is_ascii_digit).count();
    let is_name = name.chars().any(char::is_alphabetic) && digits <= MAX_DIGITS_OF_A_NAME;
    (is_name && !name.contains(['@', '/'])).then_some(name)
}

/// What managers are told of a booking that waits for them.
pub fn approval_headline(reference: &str) -> String {
    format!("Booking {reference} waits for your approval")
}

/// The same with the name of whoever asks for it.
pub fn named_approval_headline(name: &str, reference: &str) -> String {
    format!("Booking {reference} of {name} waits for your approval")
}

/// What they are asked, and what they should do. `zone`: that of the resource.
pub fn approval_detail(resource: &str, time: &BookingTime, zone: Tz) -> String {
    const DAY: &str = "%a %-d %b %Y";
    let when = match time {
        BookingTime::Timed { starts_at, ends_at } => {
            let (from, until) = (starts_at.with_timezone(&zone), ends_at.with_timezone(&zone));
            let is_one_day = from.date_naive() == until.date_naive();
            let end = if is_one_day { "%H:%M" } else { "%a %-d %b %Y, %H:%M" };
            format!("{} – {}", from.format("%a %-d %b %Y, %H:%M"), until.format(end))
        }
        BookingTime::Stay { check_in, check_out } => {
            format!("{} – {}", check_in.format(DAY), check_out.format(DAY))
        }
    };
    format!(
        "{resource}, {when}.\nThe time is held until then. Open the booking to approve or decline it.\n\
         A customer who was invited hears of it by email; tell others yourself."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managers_read_what_is_asked() {
        let time = BookingTime::Timed {
            starts_at: "2026-12-16T14:00:00Z".parse().unwrap(),
            ends_at: "2026-12-16T15:00:00Z".parse().unwrap(),
        };
        let told = |time| approval_detail("Sea View", time, chrono_tz::Europe::Berlin);
        assert!(told(&time).starts_with("Sea View, Wed 16 Dec 2026, 15:00 – 16:00.\nThe time is held"));
        let (check_in, check_out) = ("2026-12-31".parse().unwrap(), "2027-01-02".parse().unwrap());
        let stay = BookingTime::Stay { check_in, check_out };
        assert!(told(&stay).starts_with("Sea View, Thu 31 Dec 2026 – Sat 2 Jan 2027.\n"));
    }

    #[test]
    fn names_are_told_and_addresses_and_numbers_are_not() {
        for (name, told) in [
            ("Maria Silva", Some("Maria Silva")),
            (" Zoë O'Neil 2 ", Some("Zoë O'Neil 2")),
            ("Ana\nCosta", Some("Ana Costa")),
            ("山田太郎", Some("山田太郎")),
            ("", None),
            ("maria@example.com", None),
            ("Maria <maria@example.com>", None),
            ("+351 912 777 333", None),
            ("Maria 912777333", None),
            ("https://example.com", None),
        ] {
            assert_eq!(name_in_notice(name).as_deref(), told, "{name}");
        }
    }
}
