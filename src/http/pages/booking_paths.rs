//! Where the pages of bookings are.

use concord_domain::{booking::Booking, ids::BookingId};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Where a booking's page is.
pub(super) fn booking_path(booking: &Booking) -> String {
    if needs_id_path(&booking.reference) {
        format!("/bookings/{}", booking.id)
    } else {
        reference_path(&booking.reference)
    }
}

/// What stands in a segment of a path as it is: the unreserved characters of RFC 3986, and the colon.
const SEGMENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':');

/// Where the page of the booking of that reference is.
fn reference_path(reference: &str) -> String {
    format!("/bookings/{}", utf8_percent_encode(reference, &SEGMENT))
}

/// The same where only the reference is known; `None` where it alone does not lead there.
pub(super) fn linkable_path(reference: &str) -> Option<String> {
    (!needs_id_path(reference)).then(|| reference_path(reference))
}

/// A reference that would name another page, or that browsers take for a way up.
fn needs_id_path(reference: &str) -> bool {
    matches!(reference, "new" | "." | "..") || reference.parse::<BookingId>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_reference_has_a_path_of_its_own() {
        for (reference, path) in [
            ("B-7", "/bookings/B-7"),
            ("a?b#c%", "/bookings/a%3Fb%23c%25"),
            ("Sée", "/bookings/S%C3%A9e"),
            ("2026-A.7:x", "/bookings/2026-A.7:x"),
        ] {
            assert_eq!(reference_path(reference), path);
        }
        for awkward in ["new", "..", "0193b5a0-0000-7000-8000-000000000000"] {
            assert!(needs_id_path(awkward), "{awkward}");
        }
        assert!(!needs_id_path("new-1"));
    }
}
