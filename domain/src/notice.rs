//! What people are told without having asked: which notices there are, and how many of them go into one mail.

use crate::words;

words! {
    /// What happened.
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
        FeedHeld = "feed_held",
    }
}

impl NoticeKind {
    /// Whether it is told at once: until somebody acts, nothing of it goes on. The others wait a little for one another.
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::Reconnect)
    }

    /// For a list, such as `3 calendars to reconnect`.
    pub fn counted(self, count: usize) -> String {
        let (one, many) = match self {
            Self::RemoteChange => ("change in a calendar", "changes in calendars"),
            Self::Conflict => ("double booking", "double bookings"),
            Self::FailedSync => ("calendar that cannot be written", "calendars that cannot be written"),
            Self::Reconnect => ("calendar to reconnect", "calendars to reconnect"),
            Self::FeedUnread => {
                ("platform calendar that cannot be read", "platform calendars that cannot be read")
            }
            Self::FeedHeld => ("platform calendar to look at", "platform calendars to look at"),
        };
        format!("{count} {}", if count == 1 { one } else { many })
    }
}

/// So many notices are told one by one in a mail; of the others only the number is told.
pub const TOLD_ONE_BY_ONE: usize = 20;
