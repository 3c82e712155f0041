//! Ids: of entries as Google allows them, and of anything as a path segment.

use concord_domain::{connection::ProviderKind, ids::EntryId};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::ProviderError;

/// Unreserved characters (RFC 3986, section 2.3), and `@`, which calendar ids have and paths allow.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// As storage decides it before the first call.
pub(super) fn external_id(entry: EntryId) -> String {
    concord_domain::entry::external_id(ProviderKind::Google, entry)
}

/// `id` as one segment of a path; the hub puts it in as it is given. `NotFound`: no provider has such an id, and in a
/// path it would mean another place.
pub(super) fn segment(id: &str) -> Result<String, ProviderError> {
    match id {
        "" | "." | ".." => Err(ProviderError::NotFound),
        id => Ok(utf8_percent_encode(id, SEGMENT).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use concord_domain::ids::EntryId;

    use super::*;

    fn id(text: &str) -> EntryId {
        text.parse().unwrap()
    }

    #[test]
    fn ids_are_base32hex() {
        // Held against Python's base64.b32hexencode.
        for (uuid, expected) in [
            ("00000000-0000-0000-0000-000000000000", "00000000000000000000000000"),
            ("ffffffff-ffff-ffff-ffff-ffffffffffff", "vvvvvvvvvvvvvvvvvvvvvvvvvs"),
            ("01234567-89ab-cdef-0123-456789abcdef", "04hkaps9lf6uu0938ljojaudts"),
        ] {
            assert_eq!(external_id(id(uuid)), expected, "{uuid}");
        }
    }

    #[test]
    fn segments_cannot_leave_their_place() {
        assert_eq!(segment("a/b%2F#c?d e").unwrap(), "a%2Fb%252F%23c%3Fd%20e");
        assert_eq!(segment("ana@example.com").unwrap(), "ana@example.com");
        assert_eq!(segment("kalender-ä{eventId}").unwrap(), "kalender-%C3%A4%7BeventId%7D");
        for nowhere in ["", ".", ".."] {
            assert!(matches!(segment(nowhere), Err(ProviderError::NotFound)), "{nowhere:?}");
        }
    }
}
