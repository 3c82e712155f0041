//! CalDAV (RFC 4791): any server that speaks it.

use super::ProviderDescription;

pub(super) const DESCRIPTION: ProviderDescription = ProviderDescription {
    name: "CalDAV",
    oauth: None,
    // The name of the resource.
    external_id: |entry| format!("{}.ics", entry.0),
    calendar_ids_change: false,
    // Servers say nothing of it, and many are small.
    calls_per_minute: (600, 10_000),
    access_end: "Syncing stops, and the stored password is deleted.",
    revoke_note: None,
    variables: &[],
};
