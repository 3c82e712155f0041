//! What the guest of a booking is called where people read it: on pages and forms, in mails, calendars and feeds.
//!
//! A booking that came from a platform keeps its guest as `airbnb: Reserved`, for programs. People read a name, where the
//! platform tells one, else "Airbnb guest"; and its title only where it says more than the guest does.

use super::{Platform, Platforms};
use crate::booking::{Booking, Customer};

/// How summaries of feeds begin that name nobody.
const STOCK_PHRASES: [&str; 8] =
    ["reserved", "booked", "busy", "occupied", "closed", "blocked", "not available", "unavailable"];

/// Who comes, as far as anybody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum GuestLabel {
    Named(String),
    /// The platform tells no name: "Airbnb guest".
    Unnamed(String),
}

impl Platforms {
    /// What the customer of `booking` is called: "Maria Silva", "Airbnb guest"; empty where nobody is known to come.
    pub fn guest_of(&self, booking: &Booking) -> String {
        match self.platform_summary(booking) {
            Some((platform, summary)) => platform.guest_label(summary),
            None => booking.draft.customer.name.trim().to_owned(),
        }
    }

    /// The same with no more of a name than the first one.
    pub fn guest_first_name(&self, booking: &Booking) -> String {
        let first = |name| Customer { name, ..Customer::default() }.first_name().to_owned();
        match self.platform_summary(booking).map(|(platform, summary)| platform.guest(summary)) {
            Some(GuestLabel::Named(name)) => first(name),
            Some(GuestLabel::Unnamed(label)) => label,
            None => booking.draft.customer.first_name().to_owned(),
        }
    }

    /// The title of `booking`; empty where it is the summary by which a platform tells of the guest.
    pub fn title_of<'b>(&self, booking: &'b Booking) -> &'b str {
        let title = booking.draft.title.trim();
        match self.platform_summary(booking) {
            Some((_, summary)) if summary == title => "",
            _ => title,
        }
    }

    /// What `booking` is about where customers are not told of: its title, or the guest as a platform tells of them;
    /// empty where there is neither.
    pub fn subject_of(&self, booking: &Booking) -> String {
        match (self.title_of(booking), self.platform_summary(booking)) {
            ("", Some((platform, summary))) => platform.guest_label(summary),
            (title, _) => title.to_owned(),
        }
    }

    /// The platform that named the customer, and in which words.
    fn platform_summary<'a>(&'a self, booking: &'a Booking) -> Option<(&'a Platform, &'a str)> {
        let (id, summary) = booking.draft.customer.name.trim().split_once(':')?;
        if booking.draft.source != id && booking.channel.is_none() {
            return None;
        }
        let platform = self.find(id).filter(|platform| platform.id.as_str() == id)?;
        Some((platform, summary.trim()))
    }
}

impl Platform {
    /// What a guest is called whose reservation has this summary: "Maria", "Airbnb guest". Never the platform's own
    /// stock phrase, which names nobody.
    pub fn guest_label(&self, summary: &str) -> String {
        match self.guest(summary) {
            GuestLabel::Named(label) | GuestLabel::Unnamed(label) => label,
        }
    }

    fn guest(&self, summary: &str) -> GuestLabel {
        let summary = summary.trim();
        let rules = || self.reservation.iter().chain(&self.block);
        let begins = |phrase: &&str| summary.to_lowercase().starts_with(*phrase);
        if let Some(guest) = self.guest_of(summary) {
            GuestLabel::Named(guest)
        } else if !summary.is_empty()
            && !rules().any(|rule| rule.matches(summary, ""))
            && !STOCK_PHRASES.iter().any(begins)
        {
            GuestLabel::Named(summary.to_owned())
        } else if self.hosts.is_empty() {
            GuestLabel::Unnamed("Guest".to_owned())
        } else {
            GuestLabel::Unnamed(format!("{} guest", self.name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::fixtures;

    fn imported(platform: &str, summary: &str) -> Booking {
        let mut booking = fixtures::booking();
        platform.clone_into(&mut booking.draft.source);
        booking.draft.customer.name = format!("{platform}: {summary}").trim().to_owned();
        summary.clone_into(&mut booking.draft.title);
        booking
    }

    #[test]
    fn an_import_is_called_by_its_guest_or_platform() {
        let platforms = Platforms::builtin();
        for (booking, whole, brief, title) in [
            (imported("airbnb", "Reserved"), "Airbnb guest", "Airbnb guest", ""),
            (imported("airbnb", ""), "Airbnb guest", "Airbnb guest", ""),
            (imported("vrbo", "Reserved - Maria Silva"), "Maria Silva", "Maria", ""),
            (imported("booking_com", "CLOSED - Not available"), "Booking.com guest", "Booking.com guest", ""),
        ] {
            assert_eq!(platforms.guest_of(&booking), whole, "{booking:?}");
            assert_eq!(platforms.guest_first_name(&booking), brief, "{booking:?}");
            assert_eq!(platforms.title_of(&booking), title, "{booking:?}");
        }
        let mut renamed = imported("airbnb", "Reserved");
        renamed.draft.title = "Late arrival".into();
        assert_eq!(platforms.title_of(&renamed), "Late arrival");
    }

    #[test]
    fn what_only_looks_like_an_import_is_called_as_it_says() {
        let platforms = Platforms::builtin();
        let mut typed = imported("airbnb", "Reserved");
        typed.draft.source = "page".into();
        let unknown = imported("elsewhere", "Reserved");
        for (booking, name) in [(typed, "airbnb: Reserved"), (unknown, "elsewhere: Reserved")] {
            assert_eq!(platforms.guest_of(&booking), name);
            assert_eq!(platforms.title_of(&booking), "Reserved");
        }
    }
}
