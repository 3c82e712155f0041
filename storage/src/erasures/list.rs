//! The list of what was erased, which a database that was restored from a backup goes through again.

use chrono::{DateTime, Utc};
use concord_domain::{
    erasure::{ErasureScope, ErasureTarget},
    ids::{AttendeeId, BookingId, BusinessId, ErasureId},
};
use serde::{Deserialize, Serialize};

use super::FIRST;
use crate::{Db, Result, Tx};

/// A booking of which somebody was taken out, or is to be: ids and times, and nobody's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx_macros::FromRow)]
pub struct ListedErasure {
    #[sqlx(rename = "erasure_id")]
    pub erasure: ErasureId,
    #[sqlx(rename = "business_id")]
    pub business: BusinessId,
    #[sqlx(rename = "booking_id")]
    pub booking: BookingId,
    pub scope: ErasureScope,
    #[sqlx(rename = "attendee_id")]
    pub attendee: Option<AttendeeId>,
    #[sqlx(rename = "created_at")]
    pub asked_at: DateTime<Utc>,
}

impl ListedErasure {
    /// The same as it is done.
    pub fn target(&self) -> ErasureTarget {
        ErasureTarget { booking: self.booking, scope: self.scope, attendee: self.attendee }
    }
}

const LIST: &str = "
    SELECT b.erasure_id, b.business_id, b.booking_id, b.scope, b.attendee_id, e.created_at
    FROM erased_bookings b JOIN erasures e ON e.id = b.erasure_id
    WHERE b.erasure_id > $1 OR (b.erasure_id = $1 AND b.booking_id > $2)
    ORDER BY b.erasure_id, b.booking_id LIMIT $3";
const LISTED_AT_ONCE: i64 = 1_000;

/// All of an installation, in the order in which it was asked for.
pub async fn list_all(db: &Db) -> Result<Vec<ListedErasure>> {
    let mut listed: Vec<ListedErasure> = Vec::new();
    loop {
        let after = listed.last().map_or((FIRST, FIRST), |last| (last.erasure.0, last.booking.0));
        let mut rows: Vec<ListedErasure> = all!(db, LIST, after.0, after.1, LISTED_AT_ONCE)?;
        if rows.is_empty() {
            return Ok(listed);
        }
        listed.append(&mut rows);
    }
}

const CONCERN: &str = "SELECT EXISTS (SELECT 1 FROM erased_bookings WHERE booking_id = $1)";

/// Whether anybody was erased from a booking, or is about to be.
pub async fn concern(db: &Db, booking: BookingId) -> Result<bool> {
    scalar!(db, CONCERN, booking)
}

const ADDRESS_OF_ATTENDEE: &str =
    "SELECT address_key FROM attendees WHERE business_id = $1 AND booking_id = $2 AND id = $3";
const IS_KNOWN: &str = "
    SELECT EXISTS (SELECT 1 FROM erased_bookings b JOIN erasures e ON e.id = b.erasure_id
        WHERE b.booking_id = $1 AND b.scope = $2 AND e.created_at >= $3
          AND (b.attendee_id = $4 OR (b.attendee_id IS NULL AND $4 IS NULL)))";

/// Whether this database knows of an erasure.
pub async fn is_known(tx: &mut Tx, listed: &ListedErasure) -> Result<bool> {
    scalar!(tx, IS_KNOWN, listed.booking, listed.scope, listed.asked_at, listed.attendee)
}

/// The address of whoever was erased, where one person was who has a row here.
pub async fn address_of_listed(tx: &mut Tx, listed: &ListedErasure) -> Result<Option<String>> {
    let Some(attendee) = listed.attendee else { return Ok(None) };
    optional_scalar!(tx, ADDRESS_OF_ATTENDEE, listed.business, listed.booking, attendee)
}
