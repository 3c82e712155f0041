//! What a business chooses about reminders.

use super::QuietHours;
use crate::{
    booking::{Booking, BookingKind},
    invitation::invites,
    settings::FieldErrors,
    words,
};

words! {
    /// To whom a reminder goes, and how.
    ReminderChannel "How a reminder is sent." {
        /// A mail to the customer.
        CustomerMail = "customer_email",
        /// A mail to each staff member who is assigned.
        StaffMail = "staff_email",
        /// The event `booking.reminder`, for other systems.
        Webhook = "webhook",
    }
}

impl ReminderChannel {
    /// Whether it needs a mail server.
    pub fn is_mail(self) -> bool {
        match self {
            Self::CustomerMail | Self::StaffMail => true,
            Self::Webhook => false,
        }
    }

    /// The hours in which it reminds nobody, where people have such. A machine sleeps at no time, and whom it tells of it
    /// only itself knows.
    pub fn quiet_hours(self, of_people: Option<QuietHours>) -> Option<QuietHours> {
        of_people.filter(|_| self.is_mail())
    }
}

words! {
    /// Where a reminder stands.
    ReminderState "Reminder status." {
        /// It is yet to be due.
        Planned = "planned",
        /// Its mail is written and on its way.
        Queued = "queued",
        /// A mail server has taken it, or its event is published.
        Sent = "sent",
        /// It was not sent, for a reason that is written down.
        Skipped = "skipped",
        /// Its mail was refused, or would have come too late.
        Failed = "failed",
    }
}

/// The shortest time before the start at which a reminder may be due, in minutes.
const MIN_MINUTES_BEFORE: u32 = 5;
/// The longest one: four weeks.
pub const MAX_MINUTES_BEFORE: u32 = 28 * 24 * 60;
/// The most rules of a business.
pub const MAX_REMINDER_RULES: usize = 20;

/// When somebody is reminded of which bookings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReminderRuleSettings {
    pub channel: ReminderChannel,
    /// Of bookings of this kind alone; `None`: of all kinds.
    pub kind: Option<BookingKind>,
    /// So many minutes before the start, in real time: no change of clocks makes it more or fewer.
    pub minutes_before: u32,
}

impl ReminderRuleSettings {
    /// Those of a new business: the customer is reminded a day and an hour before.
    pub fn defaults() -> [Self; 2] {
        [24 * 60, 60].map(|minutes_before| Self {
            channel: ReminderChannel::CustomerMail,
            kind: None,
            minutes_before,
        })
    }

    /// Adds what is wrong with it.
    pub fn check(&self, faults: &mut FieldErrors) {
        faults.within("minutes_before", self.minutes_before, MIN_MINUTES_BEFORE, MAX_MINUTES_BEFORE);
        if self.channel == ReminderChannel::CustomerMail
            && matches!(self.kind, Some(BookingKind::Maintenance | BookingKind::Block))
        {
            faults.add("kind", "has no customers to remind");
        }
    }

    /// Whether some booking would be reminded of twice at one time.
    pub fn repeats(&self, other: &Self) -> bool {
        self.channel == other.channel
            && self.minutes_before == other.minutes_before
            && (self.kind == other.kind || self.kind.is_none() || other.kind.is_none())
    }

    /// Whether anybody is to be reminded of such a booking. Guests of a platform hear from the platform, and a block is
    /// nothing to come to. What other systems are told of has all that staff are reminded of.
    pub fn applies_to(&self, booking: &Booking) -> bool {
        let kind = booking.draft.kind;
        let is_attended = match self.channel {
            ReminderChannel::CustomerMail => invites(booking),
            ReminderChannel::StaffMail | ReminderChannel::Webhook => {
                kind != BookingKind::Block || self.kind == Some(kind)
            }
        };
        is_attended && self.kind.is_none_or(|wanted| wanted == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::fixtures::booking;

    fn rule(
        channel: ReminderChannel,
        kind: Option<BookingKind>,
        minutes_before: u32,
    ) -> ReminderRuleSettings {
        ReminderRuleSettings { channel, kind, minutes_before }
    }

    #[test]
    fn new_business_reminds_customers_a_day_and_an_hour_before() {
        let defaults = ReminderRuleSettings::defaults().map(|rule| (rule.channel, rule.minutes_before));
        assert_eq!(defaults, [(ReminderChannel::CustomerMail, 1440), (ReminderChannel::CustomerMail, 60)]);
    }

    #[test]
    fn rules_have_bounds_and_customers() {
        use ReminderChannel::{CustomerMail, StaffMail, Webhook};
        for (rule, faulty) in [
            (rule(CustomerMail, None, 5), false),
            (rule(CustomerMail, None, 4), true),
            (rule(CustomerMail, None, MAX_MINUTES_BEFORE), false),
            (rule(CustomerMail, None, MAX_MINUTES_BEFORE + 1), true),
            (rule(CustomerMail, Some(BookingKind::Block), 60), true),
            (rule(StaffMail, Some(BookingKind::Maintenance), 60), false),
            (rule(Webhook, Some(BookingKind::Block), 60), false),
            (rule(Webhook, None, 4), true),
        ] {
            let mut faults = FieldErrors::default();
            rule.check(&mut faults);
            assert_eq!(faults.into_result().is_err(), faulty, "{rule:?}");
        }
    }

    #[test]
    fn rule_for_all_kinds_repeats_that_of_one() {
        let all = rule(ReminderChannel::StaffMail, None, 60);
        let one = rule(ReminderChannel::StaffMail, Some(BookingKind::Delivery), 60);
        assert!(all.repeats(&one) && one.repeats(&all));
        assert!(!one.repeats(&rule(ReminderChannel::StaffMail, Some(BookingKind::Booking), 60)));
        assert!(!all.repeats(&rule(ReminderChannel::CustomerMail, None, 60)));
        assert!(!all.repeats(&rule(ReminderChannel::StaffMail, None, 61)));
    }

    #[test]
    fn nobody_reminds_a_platforms_guests_or_of_a_block() {
        let customer = rule(ReminderChannel::CustomerMail, None, 60);
        let staff = rule(ReminderChannel::StaffMail, None, 60);
        let system = rule(ReminderChannel::Webhook, None, 60);
        let others = |booking: &Booking| {
            assert_eq!(staff.applies_to(booking), system.applies_to(booking));
            staff.applies_to(booking)
        };
        assert!(customer.applies_to(&booking()) && others(&booking()));
        let mut sold = booking();
        sold.channel = Some(crate::ids::ChannelId(uuid::Uuid::from_u128(9)));
        assert!(!customer.applies_to(&sold) && others(&sold));
        let mut block = booking();
        block.draft.kind = BookingKind::Block;
        assert!(!customer.applies_to(&block) && !others(&block));
        let blocks = rule(ReminderChannel::Webhook, Some(BookingKind::Block), 60);
        assert!(blocks.applies_to(&block) && !blocks.applies_to(&booking()));
        let mut work = booking();
        work.draft.kind = BookingKind::Maintenance;
        assert!(!customer.applies_to(&work) && others(&work));
    }

    #[test]
    fn machines_have_no_quiet_hours() {
        let night: Option<QuietHours> = "22:00-07:00".parse().ok();
        for channel in ReminderChannel::ALL {
            let is_quiet = channel.quiet_hours(night).is_some();
            assert_eq!(is_quiet, *channel != ReminderChannel::Webhook, "{channel}");
            assert_eq!(channel.quiet_hours(None), None);
        }
    }
}
