//! How bookings stand in connected calendars.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::{BookingStatus, BookingTime},
    connection::{EntryState, ProviderKind},
    ids::{BookingId, BusinessId, ConnectionId, StaffId},
};
use serde::Serialize;

use super::IDS_PER_QUERY;
use crate::{Db, Result, column::TimeColumns};

/// How a booking stands in one connected calendar, for the API and the page.
#[derive(Clone, Debug, Serialize, sqlx_macros::FromRow)]
pub struct SyncState {
    #[serde(skip)]
    pub booking_id: BookingId,
    pub connection: ConnectionId,
    pub provider: ProviderKind,
    pub staff: StaffId,
    pub staff_name: String,
    pub calendar: String,
    /// The provider's id of the entry.
    pub external_id: String,
    /// Where it stands; one that a disconnection has kept is `left`, and one whose
    /// owner's change waits for somebody's word is `asked`.
    pub state: EntryState,
    /// When it was last written.
    pub written_at: Option<DateTime<Utc>>,
    /// Why it could not be, for people.
    pub last_error: Option<String>,
    /// Whether its connection is over.
    #[serde(skip)]
    pub is_over: bool,
}

impl SyncState {
    /// Whether the entry stands in a calendar that is kept in step, or shall.
    pub fn is_kept_up(&self) -> bool {
        !matches!(self.state, EntryState::Removed | EntryState::Left)
    }
}

// One that a disconnection has kept is `left`, and one whose owner's change waits for somebody's word is `asked`.
macro_rules! state {
    () => {
        "CASE WHEN c.state <> 'disconnected'
                   AND EXISTS (SELECT 1 FROM remote_changes o WHERE o.entry_id = e.id AND o.state = 'open') THEN 'asked'
              WHEN c.state <> 'disconnected' OR c.remove_entries OR e.state = 'removed' THEN e.state
              WHEN e.written_at IS NULL THEN 'removed' ELSE 'left' END AS state"
    };
}

const SYNC_STATES: &str = concat!(
    "SELECT e.booking_id, e.connection_id AS connection, c.provider, c.staff_id AS staff, s.name AS staff_name,
            k.name AS calendar, e.external_id, e.written_at, e.last_error, c.state = 'disconnected' AS is_over, ",
    state!(),
    " FROM entries e
    JOIN connections c ON c.id = e.connection_id
    JOIN staff s ON s.id = c.staff_id
    JOIN calendars k ON k.id = e.calendar_id
    WHERE e.business_id = "
);

/// How each of these bookings stands in every connected calendar that it concerns or concerned. A booking that concerns
/// none is not among the keys.
pub async fn sync_states_of(
    db: &Db,
    business: BusinessId,
    bookings: &[BookingId],
) -> Result<HashMap<BookingId, Vec<SyncState>>> {
    let states: Vec<SyncState> = all_in!(
        db,
        build_query_as,
        [SYNC_STATES, business, " AND e.booking_id IN ("],
        bookings,
        IDS_PER_QUERY,
        ") ORDER BY e.created_at, e.id"
    );
    let mut found: HashMap<BookingId, Vec<SyncState>> = HashMap::new();
    for state in states {
        found.entry(state.booking_id).or_default().push(state);
    }
    Ok(found)
}

/// How one booking stands in every connected calendar that it concerns or concerned.
pub async fn sync_states(db: &Db, business: BusinessId, booking: BookingId) -> Result<Vec<SyncState>> {
    Ok(sync_states_of(db, business, &[booking]).await?.remove(&booking).unwrap_or_default())
}

/// An entry of a booking that is still to come, with what people know the booking by.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct UpcomingEntry {
    pub booking_id: BookingId,
    pub reference: String,
    /// Where the booking stands.
    pub status: BookingStatus,
    #[sqlx(flatten)]
    time: TimeColumns,
    pub calendar: String,
    /// The provider's id of the entry.
    pub external_id: String,
    /// Where it stands, as in `SyncState`.
    pub state: EntryState,
    /// When it was last written.
    pub written_at: Option<DateTime<Utc>>,
    /// Why it could not be, for people.
    pub last_error: Option<String>,
}

impl UpcomingEntry {
    /// When the booking takes place.
    pub fn time(&self) -> BookingTime {
        self.time.into()
    }
}

// By the index of ends, which it leaves as soon as it has enough: neither the past nor all that is to come is walked.
const UPCOMING: &str = concat!(
    "SELECT e.booking_id, b.reference, b.status, b.starts_at, b.ends_at, b.check_in, b.check_out, k.name AS calendar,
            e.external_id, e.written_at, e.last_error, ",
    state!(),
    " FROM bookings b
    JOIN entries e ON e.booking_id = b.id AND e.connection_id = $2
    JOIN connections c ON c.id = e.connection_id
    JOIN calendars k ON k.id = e.calendar_id
    WHERE b.business_id = $1 AND b.ends_at > $3 AND e.state <> 'removed'
      AND (c.state <> 'disconnected' OR c.remove_entries OR e.written_at IS NOT NULL)
    ORDER BY b.ends_at, b.starts_at, b.id LIMIT $4"
);

/// The entries of a connection whose bookings are not over at `now`, those that end first, at most `limit`.
pub async fn upcoming(
    db: &Db,
    business: BusinessId,
    connection: ConnectionId,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<UpcomingEntry>> {
    all!(db, UPCOMING, business, connection, now, i64::from(limit))
}
