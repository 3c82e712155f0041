//! A booking's entry in each connected calendar: what should stand there (`desired`), what we last wrote (`writes`), how it
//! stands there (`states`, and `comparison` for a compare with what does), and where its owner has put it (`moved`). A
//! driver's day is the matter of `rounds`.

mod comparison;
mod desired;
mod moved;
pub(crate) mod rounds;
mod states;
mod writes;

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::{ConnectionState, EntryState, ProviderKind},
    ids::{BookingId, BusinessId, CalendarId, ConnectionId, EntryId, StaffId},
    sync::{read_sequence::ReadSequence, synced_fields::SyncedFields, unknown_writes::UnknownWrite},
};
use serde::Serialize;

pub(crate) use self::desired::mark_all_pending;
pub use self::{
    comparison::{ComparedEntry, compared, of_anybody},
    desired::{TargetScope, enqueue_rewrite, look_again, remove_undesired, target},
    moved::{MovedEntry, PresentEntry, list_stored_since, move_to},
    states::{SyncState, UpcomingEntry, sync_states, sync_states_of, upcoming},
    writes::{
        PlannedWrite, WrittenEntry, begin_write, is_being_written, let_be, mark_undesired, note_seen,
        record_failure, record_removed, record_written, refuse_write,
    },
};
use crate::{Db, Result};

/// An entry, with what is needed to reach it.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct Entry {
    pub id: EntryId,
    pub business_id: BusinessId,
    pub booking_id: BookingId,
    pub connection_id: ConnectionId,
    /// Whose calendar it is.
    pub staff_id: StaffId,
    pub provider: ProviderKind,
    /// Whether the connection is served.
    pub connection_state: ConnectionState,
    pub calendar_id: CalendarId,
    /// The provider's id of the calendar.
    pub calendar_external_id: String,
    /// The provider's id of the entry: decided before the first call, or given by the provider then.
    pub external_id: String,
    /// Whether it should stand there.
    pub desired: bool,
    pub state: EntryState,
    /// Whether a create may have reached the provider.
    pub attempted: bool,
    /// The version that our last write left.
    pub etag: Option<String>,
    /// The digest of what we last wrote.
    pub content_hash: Option<String>,
    /// The booking's version that was last written.
    pub written_version: Option<i64>,
    /// Why the last try did not write it.
    pub last_error: Option<String>,
    /// What it said after our last write, or when a person's change to it was last dealt with.
    #[sqlx(json(nullable))]
    pub base: Option<SyncedFields>,
    /// What each write of ours would have left whose outcome is not known: what stands there may be its doing.
    #[sqlx(json)]
    pub unknown_writes: Vec<UnknownWrite>,
    /// Raised by whatever stores what is known of it.
    pub revision: i64,
    /// How many readings of the connection had begun when that was last stored.
    pub reading: ReadSequence,
    /// Whether somebody is asked what is to become of it: until they answer it stays as it is.
    pub is_asked_about: bool,
    /// Which of its connection's grants is the present one.
    pub grant_number: i64,
    /// Whether the last that was tried with its connection failed.
    pub connection_fails: bool,
}

const ENTRY: &str = "
    SELECT e.id, e.business_id, e.booking_id, e.connection_id, c.staff_id, c.provider, c.state AS connection_state,
           e.calendar_id, k.external_id AS calendar_external_id, e.external_id, e.desired, e.state, e.attempted, e.etag,
           e.content_hash, e.written_version, e.last_error, e.base, e.unknown_writes,
           e.revision, e.reading, c.grant_number, c.last_error IS NOT NULL AS connection_fails,
           EXISTS (SELECT 1 FROM remote_changes o WHERE o.entry_id = e.id AND o.state = 'open') AS is_asked_about
    FROM entries e
    JOIN connections c ON c.id = e.connection_id
    JOIN calendars k ON k.id = e.calendar_id
    WHERE e.business_id = $1 AND e.id = $2";

/// One entry of a business; `None` if there is none.
pub async fn find(db: &Db, business: BusinessId, id: EntryId) -> Result<Option<Entry>> {
    optional!(db, ENTRY, business, id)
}

/// An entry by what its calendar calls it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct NamedEntry {
    pub id: EntryId,
    pub connection_id: ConnectionId,
    pub calendar_id: CalendarId,
    /// The provider's id of it.
    pub external_id: String,
    /// The version that our last write left, or that was last dealt with.
    pub etag: Option<String>,
    /// Whether it stands there as far as is known.
    pub stands: bool,
    /// Whether there are writes of ours whose outcome is not known.
    pub has_unknown: bool,
}

const NAMED: &str =
    "SELECT id, connection_id, calendar_id, external_id, etag, base IS NOT NULL AS stands, unknown_writes <> '[]' AS has_unknown
    FROM entries WHERE business_id = ";
/// Ids in one question: SQLite takes about thirty thousand, and no question needs to be that long.
const IDS_PER_QUERY: usize = 500;

/// The entries of a calendar that it calls by these names.
pub async fn named(
    db: &Db,
    business: BusinessId,
    calendar: CalendarId,
    external_ids: &[&str],
) -> Result<Vec<NamedEntry>> {
    Ok(all_in!(
        db,
        build_query_as,
        [NAMED, business, " AND calendar_id = ", calendar, " AND external_id IN ("],
        external_ids,
        IDS_PER_QUERY,
        ")"
    ))
}

/// Which of these are entries of the business.
pub async fn ours(db: &Db, business: BusinessId, ids: &[EntryId]) -> Result<Vec<NamedEntry>> {
    Ok(all_in!(db, build_query_as, [NAMED, business, " AND id IN ("], ids, IDS_PER_QUERY, ")"))
}

const TO_REMOVE: &str = "
    SELECT id FROM entries
    WHERE business_id = $1 AND connection_id = $2 AND state <> 'removed' AND attempted AND id > $3
    ORDER BY id LIMIT $4";

/// The entries of a connection that may stand at the provider, in order, after `after`.
pub async fn list_present(
    db: &Db,
    business: BusinessId,
    connection: ConnectionId,
    after: EntryId,
    limit: u32,
) -> Result<Vec<EntryId>> {
    scalars!(db, TO_REMOVE, business, connection, after, i64::from(limit))
}

const COUNT_PRESENT: &str = "
    SELECT COUNT(*) FROM entries WHERE business_id = $1 AND connection_id = $2 AND state <> 'removed' AND attempted";

/// How many entries a connection may have at the provider: what a disconnection would remove.
pub async fn count_present(db: &Db, business: BusinessId, connection: ConnectionId) -> Result<i64> {
    scalar!(db, COUNT_PRESENT, business, connection)
}

/// How the entries of a business stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EntryCounts {
    /// As they should be, of bookings that are not over; at most `COUNT_LIMIT`.
    pub synced: i64,
    /// To be written, by connections that are served.
    pub pending: i64,
    /// To be written once their connection is served again: it is paused, or its person must connect anew.
    pub waiting: i64,
    /// Given up for now.
    pub failed: i64,
}

// By connection, so that an index by connection and state tells all; and less those that somebody is asked about, which are
// few.
const UNSETTLED: &str = "
    SELECT e.state, c.state = 'active', COUNT(*) FROM connections c JOIN entries e ON e.connection_id = c.id
    WHERE c.business_id = $1 AND c.state <> 'disconnected' AND ($2 IS NULL OR c.staff_id = $2)
      AND e.state IN ('pending', 'failed')
    GROUP BY e.state, c.state = 'active'
    UNION ALL
    SELECT e.state, c.state = 'active', -COUNT(*) FROM remote_changes o
    JOIN entries e ON e.id = o.entry_id JOIN connections c ON c.id = e.connection_id
    WHERE o.business_id = $1 AND o.state = 'open' AND c.state <> 'disconnected' AND ($2 IS NULL OR c.staff_id = $2)
      AND e.state IN ('pending', 'failed')
    GROUP BY e.state, c.state = 'active'";

/// So many entries are counted at most: to count all that are to come would take each page longer the more there are.
pub const COUNT_LIMIT: i64 = 1_000;

// By what is to come: the past grows for ever.
const SYNCED: &str = "
    SELECT COUNT(*) FROM (
        SELECT 1 FROM bookings b JOIN entries e ON e.booking_id = b.id JOIN connections c ON c.id = e.connection_id
        WHERE b.business_id = $1 AND b.ends_at > $3 AND e.state = 'synced' AND c.state <> 'disconnected'
          AND ($2 IS NULL OR c.staff_id = $2)
          AND NOT EXISTS (SELECT 1 FROM remote_changes o WHERE o.entry_id = e.id AND o.state = 'open')
        LIMIT $4) AS counted";

/// How the entries of a business stand, but for those of connections that are over; of the calendars of one person, if one
/// is named.
pub async fn counts(
    db: &Db,
    business: BusinessId,
    staff: Option<StaffId>,
    now: DateTime<Utc>,
) -> Result<EntryCounts> {
    let (synced, unsettled) =
        tokio::try_join!(count_synced(db, business, staff, now), count_unsettled(db, business, staff))?;
    Ok(EntryCounts { synced, ..unsettled })
}

/// How many entries stand as they should, of bookings that are not over: `EntryCounts::synced`.
pub async fn count_synced(
    db: &Db,
    business: BusinessId,
    staff: Option<StaffId>,
    now: DateTime<Utc>,
) -> Result<i64> {
    // PostgreSQL's plan for any instant would read all entries: this one is planned for the instant that is asked for.
    scalar!(db, unprepared(SYNCED), business, staff, now, COUNT_LIMIT)
}

/// The same, of a business or of one person, without those that stand as they should: `synced` is 0.
pub async fn count_unsettled(db: &Db, business: BusinessId, staff: Option<StaffId>) -> Result<EntryCounts> {
    let rows: Vec<(EntryState, bool, i64)> = all!(db, UNSETTLED, business, staff)?;
    let mut counts = EntryCounts::default();
    for (state, is_served, count) in rows {
        match state {
            EntryState::Pending if is_served => counts.pending += count,
            EntryState::Pending => counts.waiting += count,
            EntryState::Failed => counts.failed += count,
            EntryState::Synced | EntryState::Removed | EntryState::Left | EntryState::Asked => {}
        }
    }
    Ok(counts)
}
