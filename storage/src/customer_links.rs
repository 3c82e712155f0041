//! The addresses of customers' own pages: one for each attendee of a booking, and one for all bookings of an address.
//!
//! Tokens are stored as digests; that of an attendee sealed besides, since every mail about the booking holds it. The mails
//! themselves stand as they were sent, for as long as mails are kept.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use concord_domain::ids::{AttendeeId, BookingId, BusinessId};
use secrecy::SecretString;
use uuid::Uuid;

use crate::{
    Db, Result, Tx,
    bookings::IDS_AT_ONCE,
    seal::{AssociatedData, Keyring},
    secret,
};

/// What tells people and secret scanners what it is.
const PREFIX: &str = "cb_";
const PORTAL_PREFIX: &str = "cp_";

fn associated_data(id: AttendeeId) -> AssociatedData {
    AssociatedData { column: "attendees.token_sealed", row: id.0 }
}

const TOKEN: &str = "SELECT token_sealed FROM attendees WHERE id = $1 AND token_sealed IS NOT NULL";
const STORE_TOKEN: &str =
    "UPDATE attendees SET token_hash = $2, token_sealed = $3 WHERE id = $1 AND token_hash IS NULL";

/// The tokens of attendees' pages, as far as there are any.
pub async fn find_tokens(
    db: &Db,
    ring: &Keyring,
    ids: &[AttendeeId],
) -> Result<HashMap<AttendeeId, SecretString>> {
    let rows: Vec<(AttendeeId, String)> = all_in!(
        db,
        build_query_as,
        ["SELECT id, token_sealed FROM attendees WHERE token_sealed IS NOT NULL AND id IN ("],
        ids,
        IDS_AT_ONCE,
        ")"
    );
    rows.into_iter().map(|(id, sealed)| Ok((id, ring.open(&sealed, associated_data(id))?))).collect()
}

/// The token of an attendee's page, made where there is none.
pub async fn token(tx: &mut Tx, ring: &Keyring, id: AttendeeId) -> Result<SecretString> {
    let sealed: Option<String> = optional_scalar!(tx, TOKEN, id)?;
    if let Some(sealed) = sealed {
        return ring.open(&sealed, associated_data(id));
    }
    let token = secret::new_token(PREFIX);
    let sealed = ring.seal(&token, associated_data(id));
    if changed!(tx, STORE_TOKEN, id, secret::digest(&token), sealed)? == 1 {
        return Ok(token);
    }
    // Somebody else was faster.
    let sealed: String = scalar!(tx, TOKEN, id)?;
    ring.open(&sealed, associated_data(id))
}

const REVOKE: &str = "
    UPDATE attendees SET token_hash = NULL, token_sealed = NULL WHERE business_id = $1 AND booking_id = $2";

const REVOKE_PORTALS: &str = "
    DELETE FROM portal_links WHERE business_id = $1
      AND address_key IN (SELECT address_key FROM attendees WHERE business_id = $1 AND booking_id = $2)";

/// Ends the pages of all attendees of a booking, and the links that lead to them; the next mail to each has another address.
/// Returns how many pages it ended.
pub async fn revoke(tx: &mut Tx, business: BusinessId, booking: BookingId) -> Result<u64> {
    exec!(tx, REVOKE_PORTALS, business, booking)?;
    changed!(tx, REVOKE, business, booking)
}

const SET_REMINDERS_OFF: &str = "UPDATE attendees SET reminders_off = $2 WHERE id = $1";

/// Notes whether an attendee wants no reminders.
pub async fn set_reminders_off(tx: &mut Tx, id: AttendeeId, off: bool) -> Result<()> {
    exec!(tx, SET_REMINDERS_OFF, id, off)
}

const SEALED: &str =
    "SELECT id, token_sealed FROM attendees WHERE token_sealed IS NOT NULL AND id > $1 ORDER BY id LIMIT $2";
const SEAL_AGAIN: &str = "UPDATE attendees SET token_sealed = $3 WHERE id = $1 AND token_sealed = $2";
const RESEALED_AT_ONCE: i64 = 1_000;

/// Seals again, with the current key, what another one has sealed. Returns how many tokens those were.
pub async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<u64> {
    let (mut after, mut sealed) = (AttendeeId(Uuid::nil()), 0);
    loop {
        let rows: Vec<(AttendeeId, String)> = all!(tx, SEALED, after, RESEALED_AT_ONCE)?;
        let Some((last, _)) = rows.last() else { return Ok(sealed) };
        after = *last;
        for (id, old) in rows {
            let Some(new) = ring.reseal(&old, associated_data(id))? else { continue };
            sealed += changed!(tx, SEAL_AGAIN, id, &old, &new)?;
        }
    }
}

const CREATE_PORTAL: &str = "
    INSERT INTO portal_links (token_hash, business_id, address_key, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
const RECENT_PORTALS: &str =
    "SELECT COUNT(*) FROM portal_links WHERE business_id = $1 AND address_key = $2 AND created_at > $3";

/// Makes a link to all bookings of an address. `None`: there were `most` since `since` already.
pub async fn create_portal(
    tx: &mut Tx,
    (business, address_key): (BusinessId, &str),
    (most, since): (i64, DateTime<Utc>),
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<SecretString>> {
    let recent: i64 = scalar!(tx, RECENT_PORTALS, business, address_key, since)?;
    if recent >= most {
        return Ok(None);
    }
    let token = secret::new_token(PORTAL_PREFIX);
    exec!(tx, CREATE_PORTAL, secret::digest(&token), business, address_key, now, expires_at)?;
    Ok(Some(token))
}

const FIND_PORTAL: &str =
    "SELECT business_id, address_key FROM portal_links WHERE token_hash = $1 AND expires_at > $2";

/// Whose bookings a link leads to; `None`: it is none, or over.
pub async fn find_portal(db: &Db, digest: &str, now: DateTime<Utc>) -> Result<Option<(BusinessId, String)>> {
    optional!(db, FIND_PORTAL, digest, now)
}
