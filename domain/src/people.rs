//! Who may do what.

use serde::{Deserialize, Serialize};

use crate::{
    booking::BookingKind,
    ids::{ApiKeyId, AttendeeId, ChannelId, StaffId, UserId},
    words,
};

words! {
    /// What a person who signs in may do.
    Role {
        /// Everything in the business.
        Manager = "manager",
        /// Their own calendars, and the bookings.
        Staff = "staff",
    }
}

words! {
    /// What a staff member does, which decides the bookings that suit them.
    Trade "Trade of a staff member." {
        General = "general",
        Technician = "technician",
        Driver = "driver",
    }
}

impl Trade {
    /// The bookings that suit it, whoever is assigned to them. `None`: none but those that one is assigned to.
    pub fn kind(self) -> Option<BookingKind> {
        match self {
            Self::General => None,
            Self::Technician => Some(BookingKind::Maintenance),
            Self::Driver => Some(BookingKind::Delivery),
        }
    }
}

/// Who did something, for the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Actor {
    /// A person at a page.
    User {
        id: UserId,
        name: String,
    },
    /// A program by an API key.
    ApiKey {
        id: ApiKeyId,
        name: String,
    },
    /// What a staff member did in their own calendar.
    Calendar {
        staff: StaffId,
        name: String,
    },
    /// What a booking platform says.
    Platform {
        /// By which of its feeds.
        channel: ChannelId,
        name: String,
    },
    /// A customer, or whom they bring, at their own page of a booking.
    Customer {
        attendee: AttendeeId,
        /// Full name; empty where nobody has said it.
        name: String,
    },
    System,
}

impl Actor {
    /// For people: "Rita", "Ana, in their calendar".
    pub fn label(&self) -> String {
        match self {
            Self::User { name, .. } | Self::ApiKey { name, .. } | Self::Platform { name, .. } => name.clone(),
            Self::Calendar { name, .. } => format!("{name}, in their calendar"),
            Self::Customer { name, .. } if name.is_empty() => "Customer".to_owned(),
            Self::Customer { name, .. } => format!("{name} (customer)"),
            Self::System => "Concord".to_owned(),
        }
    }
}
