//! Google Calendar.

use super::{OAuthDescription, ProviderDescription};
use crate::ids::EntryId;

/// How its accounts are opened.
pub const OAUTH: OAuthDescription = OAuthDescription {
    // Who they are, to write entries, and to list calendars and read them.
    scopes: &[
        "openid",
        "email",
        "https://www.googleapis.com/auth/calendar.events",
        "https://www.googleapis.com/auth/calendar.readonly",
    ],
    // Without both, Google gives no refresh token when the same account is connected again.
    authorize_params: &[("access_type", "offline"), ("prompt", "consent")],
    explains_refusals: false,
    api_word: "google",
    accounts: None,
};

pub(super) const DESCRIPTION: ProviderDescription = ProviderDescription {
    name: "Google",
    oauth: Some(&OAUTH),
    external_id,
    calendar_ids_change: false,
    // Its quotas for a user and for a project.
    calls_per_minute: (600, 10_000),
    access_end: "Syncing stops, and Concord's access at Google is revoked.",
    revoke_note: None,
    variables: &[
        ("GOOGLE_CALENDAR_CLIENT_ID", "providers.google.client_id"),
        ("GOOGLE_CALENDAR_CLIENT_SECRET", "providers.google.client_secret"),
    ],
};

/// Google takes base32hex in lower case (`a-v0-9`, 5 to 1024 characters): RFC 4648, section 7, without padding.
fn external_id(entry: EntryId) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut text = String::with_capacity(26);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in entry.0.as_bytes() {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(DIGITS[(buffer >> bits) as usize & 31]));
        }
    }
    if bits > 0 {
        text.push(char::from(DIGITS[(buffer << (5 - bits)) as usize & 31]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn google_ids_are_base32hex() {
        // Held against Python's base64.b32hexencode.
        for (uuid, expected) in [
            ("00000000-0000-0000-0000-000000000000", "00000000000000000000000000"),
            ("ffffffff-ffff-ffff-ffff-ffffffffffff", "vvvvvvvvvvvvvvvvvvvvvvvvvs"),
            ("01234567-89ab-cdef-0123-456789abcdef", "04hkaps9lf6uu0938ljojaudts"),
        ] {
            assert_eq!(external_id(uuid.parse().unwrap()), expected, "{uuid}");
        }
    }
}
