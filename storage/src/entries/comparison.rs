//! Entries as whoever has read all of their calendars needs them.

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::EntryState,
    ids::{BookingId, BusinessId, CalendarId, ConnectionId, EntryId},
    interval::Interval,
};

use super::IDS_PER_QUERY;
use crate::{Db, Result};

/// An entry, and how it should stand.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct ComparedEntry {
    pub id: EntryId,
    pub booking_id: BookingId,
    pub calendar_id: CalendarId,
    /// The provider's id of it.
    pub external_id: String,
    /// The version that our last write left, or that was last dealt with.
    pub etag: Option<String>,
    /// Whether it should stand there.
    pub desired: bool,
    pub state: EntryState,
    /// Whether it stands there as far as is known.
    pub stands: bool,
    /// Whether there are writes of ours whose outcome is not known.
    pub has_unknown: bool,
    /// Raised by whatever stores what is known of it.
    pub revision: i64,
    /// Whether somebody is asked what is to become of it.
    pub is_asked_about: bool,
    /// When its booking starts.
    pub starts_at: DateTime<Utc>,
    /// When its booking ends.
    pub ends_at: DateTime<Utc>,
}

const LIST_FOR_COMPARISON: &str = "
    SELECT e.id, e.booking_id, e.calendar_id, e.external_id, e.etag, e.desired, e.state, e.base IS NOT NULL AS stands, e.unknown_writes <> '[]' AS has_unknown,
           e.revision,
           EXISTS (SELECT 1 FROM remote_changes o WHERE o.entry_id = e.id AND o.state = 'open') AS is_asked_about,
           b.starts_at, b.ends_at
    FROM entries e JOIN bookings b ON b.id = e.booking_id
    WHERE e.business_id = $1 AND e.connection_id = $2 AND b.ends_at > $3 AND b.starts_at < $4
    ORDER BY e.id";

/// The entries of a connection whose bookings lie in a window, those that were removed among them.
pub async fn compared(
    db: &Db,
    business: BusinessId,
    connection: ConnectionId,
    window: Interval,
) -> Result<Vec<ComparedEntry>> {
    all!(db, LIST_FOR_COMPARISON, business, connection, window.start, window.end)
}

/// Which of these are entries of anybody on this installation. It tells no more than that: who compares a calendar that
/// two businesses write to must not take the other's entries for lost ones.
pub async fn of_anybody(db: &Db, ids: &[EntryId]) -> Result<Vec<EntryId>> {
    Ok(all_in!(db, build_query_scalar, ["SELECT id FROM entries WHERE id IN ("], ids, IDS_PER_QUERY, ")"))
}
