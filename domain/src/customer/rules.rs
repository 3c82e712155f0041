//! What a business lets its customers do, and until when.

use chrono::{DateTime, Duration, Utc};

use crate::{
    booking::{Booking, BookingStatus},
    settings::FieldErrors,
    words,
};

words! {
    /// What somebody who is invited answers (PARTSTAT, RFC 5545, 3.2.12).
    CustomerAnswer "Answer to an invitation." {
        Accepted = "accepted",
        Tentative = "tentative",
        Declined = "declined",
    }
}

/// The longest notice that may be asked for, in hours: a year.
pub const MAX_NOTICE_HOURS: u32 = 366 * 24;
/// The longest text of a customer's wish, in characters.
pub const MAX_WISH: usize = 2_000;

/// What customers may do by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustomerRules {
    /// Until how many hours before the start they may move a booking; `None`: they ask.
    pub move_notice_hours: Option<u32>,
    /// Until how many hours before the start they may cancel it; `None`: they ask.
    pub cancel_notice_hours: Option<u32>,
    /// Whether declining an invitation cancels the booking, as far as they may cancel it.
    pub decline_cancels: bool,
}

impl Default for CustomerRules {
    fn default() -> Self {
        Self { move_notice_hours: Some(24), cancel_notice_hours: Some(24), decline_cancels: false }
    }
}

/// Whether a customer may do something to a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomerPermission {
    /// Without asking, as long as it is before that instant.
    Allowed { until: DateTime<Utc> },
    /// They may ask the business: it lets nobody do it alone, or it is too late for that.
    Ask,
    /// The booking is over, under way or cancelled.
    Closed,
}

impl CustomerPermission {
    /// Whether it may be done now, without asking.
    pub fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

impl CustomerRules {
    /// Adds what is wrong with them.
    pub fn check(&self, faults: &mut FieldErrors) {
        for (field, hours) in
            [("move_notice_hours", self.move_notice_hours), ("cancel_notice_hours", self.cancel_notice_hours)]
        {
            faults.within(field, hours.unwrap_or_default(), 0, MAX_NOTICE_HOURS);
        }
    }

    /// Whether the customer may move the booking at `now`.
    pub fn may_move(&self, booking: &Booking, now: DateTime<Utc>) -> CustomerPermission {
        permission(self.move_notice_hours, booking, now)
    }

    /// Whether the customer may cancel the booking at `now`.
    pub fn may_cancel(&self, booking: &Booking, now: DateTime<Utc>) -> CustomerPermission {
        permission(self.cancel_notice_hours, booking, now)
    }
}

/// Whether anything can still come of a booking that its customer looks at.
fn is_open(booking: &Booking, now: DateTime<Utc>) -> bool {
    let is_ahead = matches!(
        booking.draft.status,
        BookingStatus::Pending | BookingStatus::Approved | BookingStatus::Confirmed
    );
    is_ahead && now < booking.interval.start
}

fn permission(notice_hours: Option<u32>, booking: &Booking, now: DateTime<Utc>) -> CustomerPermission {
    if !is_open(booking, now) {
        return CustomerPermission::Closed;
    }
    let until = notice_hours.map(|hours| booking.interval.start - Duration::hours(hours.into()));
    // What a platform has sold is changed there.
    match until.filter(|until| now < *until && booking.channel.is_none()) {
        Some(until) => CustomerPermission::Allowed { until },
        None => CustomerPermission::Ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::fixtures::{at, booking};

    #[test]
    fn notice_ends_to_the_second() {
        let booking = booking();
        let start = booking.interval.start;
        let rules = CustomerRules::default();
        let until = start - Duration::hours(24);
        let before = until - Duration::seconds(1);
        assert_eq!(rules.may_cancel(&booking, before), CustomerPermission::Allowed { until });
        assert_eq!(rules.may_move(&booking, until), CustomerPermission::Ask);
        assert_eq!(rules.may_cancel(&booking, start - Duration::seconds(1)), CustomerPermission::Ask);
        assert_eq!(rules.may_cancel(&booking, start), CustomerPermission::Closed);
    }

    #[test]
    fn without_a_rule_customers_ask() {
        let rules =
            CustomerRules { move_notice_hours: None, cancel_notice_hours: Some(0), decline_cancels: false };
        let now = at("2026-11-01T00:00:00Z");
        assert_eq!(rules.may_move(&booking(), now), CustomerPermission::Ask);
        assert!(rules.may_cancel(&booking(), booking().interval.start - Duration::seconds(1)).is_allowed());
    }

    #[test]
    fn what_is_over_or_sold_by_a_platform_is_not_changed_here() {
        let now = at("2026-11-01T00:00:00Z");
        let rules = CustomerRules::default();
        for status in [BookingStatus::Cancelled, BookingStatus::Completed, BookingStatus::InProgress] {
            let mut booking = booking();
            booking.draft.status = status;
            assert_eq!(rules.may_cancel(&booking, now), CustomerPermission::Closed, "{status}");
        }
        let mut sold = booking();
        sold.channel = Some(crate::ids::ChannelId(uuid::Uuid::from_u128(9)));
        assert_eq!(rules.may_move(&sold, now), CustomerPermission::Ask);
    }

    #[test]
    fn notice_has_bounds() {
        let mut faults = FieldErrors::default();
        let rules =
            CustomerRules { move_notice_hours: Some(MAX_NOTICE_HOURS + 1), ..CustomerRules::default() };
        rules.check(&mut faults);
        let faults = faults.into_result().unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.field).collect::<Vec<_>>(), ["move_notice_hours"]);
    }
}
