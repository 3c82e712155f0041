//! The listings of a new sandbox: one house on three platforms, and another one.

use chrono::{DateTime, Days, Utc};

use super::{NewListing, OtaListing, OtaPlatform, StayNights};

/// What is let, where, and who comes: days from today and nights. No guest: the host's own block.
type SampleListing = (OtaPlatform, &'static str, &'static [(Option<&'static str>, u64, u64)]);

const SAMPLES: [SampleListing; 4] = [
    (OtaPlatform::Airbnb, "Sea View Suite", &[(Some("Marta Oliveira"), 33, 4), (None, 75, 2)]),
    (OtaPlatform::Vrbo, "Sea View Suite", &[(Some("Jonas Weber"), 47, 7)]),
    (OtaPlatform::BookingCom, "Sea View Suite", &[(Some("Claire Martin"), 61, 3)]),
    (OtaPlatform::Airbnb, "Garden Rooms", &[(Some("Kenji Sato"), 36, 5)]),
];

pub(super) fn listings(seed: u64, now: DateTime<Utc>) -> Vec<OtaListing> {
    let make = |(platform, name, stays): SampleListing| {
        let (id, zone, window_months) = Default::default();
        let new = NewListing { platform, name: name.to_owned(), id, zone, window_months };
        let mut listing = OtaListing::new(new, seed)?;
        let today = listing.today(now);
        for (guest, from, count) in stays {
            let check_in = today + Days::new(*from);
            if let Some(nights) = StayNights::new(check_in, check_in + Days::new(*count)) {
                listing.book(*guest, nights, now)?;
            }
        }
        Ok::<_, super::ListingError>(listing)
    };
    // What stands above is in order; a test makes it.
    SAMPLES.into_iter().filter_map(|sample| make(sample).ok()).collect()
}
