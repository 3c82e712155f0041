//! The platforms on which something is let.

use serde::{Deserialize, Serialize};

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum OtaPlatform {
    Airbnb,
    Vrbo,
    BookingCom,
}

impl OtaPlatform {
    pub(crate) const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Its name in addresses and in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }

    /// Its name for persons.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Airbnb => "Airbnb",
            Self::Vrbo => "Vrbo",
            Self::BookingCom => "Booking.com",
        }
    }

    /// As what it comes to read a feed. What the platforms send is not published; these are reported by hosts.
    pub(super) fn user_agent(self) -> &'static str {
        match self {
            Self::Airbnb => "Airbnb/1.0 (calendar sync)",
            Self::Vrbo => "HomeAway iCal fetcher",
            Self::BookingCom => "Booking.com iCal importer",
        }
    }

    /// Seconds between two reads of a feed: Airbnb 2 to 3 hours, Vrbo 1 to 6, Booking.com about one (reported).
    pub(super) fn reads_every(self) -> u32 {
        match self {
            Self::Airbnb => 2 * 3_600,
            Self::Vrbo => 3 * 3_600,
            Self::BookingCom => 3_600,
        }
    }

    /// How many months ahead a new listing can be booked; Airbnb exports what lies behind as a block.
    pub(super) fn window_months(self) -> Option<u32> {
        match self {
            Self::Airbnb => Some(12),
            Self::Vrbo | Self::BookingCom => None,
        }
    }
}
