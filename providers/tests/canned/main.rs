//! What becomes of answers that no sandbox gives: a server that says whatever a test puts into its mouth.

#![expect(clippy::unwrap_used, reason = "a test may end where it stands")]

mod caldav;
mod caldav_addresses;
mod caldav_deleted;
mod caldav_floating;
mod caldav_withheld;
mod feed;
mod google;
mod http;
mod inputs;
mod microsoft;
mod microsoft_writes;
mod oauth;
mod server;
