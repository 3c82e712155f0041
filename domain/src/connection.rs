//! A staff member's account at a calendar provider.

pub use crate::provider::ProviderKind;
use crate::words;

words! {
    /// Which way facts flow.
    Direction "Sync direction." {
        /// Bookings are written; nothing is read.
        Out = "out",
        /// Busy times are read; nothing is written.
        In = "in",
        Both = "both",
    }
}

impl Direction {
    /// Whether bookings are written.
    pub fn writes(self) -> bool {
        matches!(self, Self::Out | Self::Both)
    }

    /// Whether busy times are read.
    pub fn reads(self) -> bool {
        matches!(self, Self::In | Self::Both)
    }
}

words! {
    /// Whether a connection is being served.
    ConnectionState "Calendar integration status." {
        /// It is kept in step.
        Active = "active",
        /// Its grant is dead: nothing is tried until the person connects again.
        NeedsReconnect = "needs_reconnect",
        /// A person has stopped it for a while.
        Paused = "paused",
        /// It is over; kept so that the same account can be adopted again.
        Disconnected = "disconnected",
    }
}

words! {
    /// Which bookings a connection gets.
    Coverage "Which bookings are written." {
        /// Those that its staff member is assigned to.
        Assigned = "assigned",
        /// Those too that suit its staff member's trade, assigned or not: all maintenance for a technician, all
        /// deliveries for a driver.
        Trade = "trade",
        /// All of the business: for the manager who wants everything in one calendar.
        Everything = "everything",
    }
}

words! {
    /// Where a booking's entry in a calendar stands.
    EntryState "Sync status of a booking's entry." {
        /// To be written, changed or removed.
        Pending = "pending",
        /// As it should be.
        Synced = "synced",
        /// Gave up for now; tried again slowly and by hand.
        Failed = "failed",
        /// Removed, as it should be.
        Removed = "removed",
        /// It stands in a calendar that is no longer connected, and nobody updates it. Told, never stored.
        Left = "left",
        /// Its owner has changed or deleted it, and somebody has to decide what follows. Told, never stored.
        Asked = "asked",
    }
}
