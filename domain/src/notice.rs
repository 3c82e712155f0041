//! What people are told without having asked: which notices there are, and how many of them go into one mail.

use crate::words;

words! {
    NoticeKind {
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
        /// A customer did something from the page of their booking.
        Customer = "customer",
        /// Events are no longer delivered to a webhook endpoint.
        WebhookDisabled = "webhook_disabled",
    }
}

impl NoticeKind {
    /// Whether it is told at once: until somebody acts, nothing of it goes on. The others wait a little for one another.
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::Reconnect)
    }
}

/// So many notices are told one by one in a mail; of the others only the number is told.
pub const MAX_LISTED_NOTICES: usize = 20;
