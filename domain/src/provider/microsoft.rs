//! Microsoft 365 and Outlook.com.

use super::{OAuthDescription, ProviderDescription};

/// How its accounts are opened.
pub const OAUTH: OAuthDescription = OAuthDescription {
    // A refresh token, who they are, and their calendars.
    scopes: &["offline_access", "User.Read", "Calendars.ReadWrite"],
    // A person who is signed in with one account may want to connect another.
    authorize_params: &[("prompt", "select_account")],
    explains_refusals: true,
    api_word: "outlook",
    accounts: Some("Microsoft 365 and Outlook.com"),
};

pub(super) const DESCRIPTION: ProviderDescription = ProviderDescription {
    name: "Microsoft",
    oauth: Some(&OAUTH),
    // The `transactionId`: ids are given out there, and what the first write returns takes its place.
    external_id: |entry| entry.0.to_string(),
    // Those of events are immutable, those of calendars are not (<https://learn.microsoft.com/graph/outlook-immutable-id>).
    calendar_ids_change: true,
    // It allows an application 10,000 in ten minutes for one mailbox.
    calls_per_minute: (1_000, 10_000),
    access_end: "Syncing stops.",
    revoke_note: Some(
        "Concord deletes its access. To also revoke it at Microsoft, the account's owner goes to \
         myapps.microsoft.com (work or school) or account.live.com/consent/Manage (private).",
    ),
    variables: &[
        ("MICROSOFT_GRAPH_CLIENT_ID", "providers.microsoft.client_id"),
        ("MICROSOFT_GRAPH_CLIENT_SECRET", "providers.microsoft.client_secret"),
    ],
};
