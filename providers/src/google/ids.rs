//! Ids as segments of a path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::ProviderError;

/// Unreserved characters (RFC 3986, section 2.3), and `@`, which calendar ids have and paths allow.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// `id` as one segment of a path. `NotFound`: no provider has such an id, and in a
/// path it would mean another place.
pub(super) fn segment(id: &str) -> Result<String, ProviderError> {
    match id {
        "" | "." | ".." => Err(ProviderError::NotFound),
        id => Ok(utf8_percent_encode(id, SEGMENT).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
