//! The calendars of a connection: which are read for busy times, which one is written, how far reading has come.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{BusinessId, CalendarId, ConnectionId, StaffId},
    interval::Interval,
    sync::read_sequence::ReadSequence,
};

use crate::{Db, Result, Tx};

/// A calendar of a connection.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct Calendar {
    pub id: CalendarId,
    pub business_id: BusinessId,
    pub connection_id: ConnectionId,
    pub external_id: String,
    pub name: String,
    /// `#rrggbb`, where the provider gives one.
    pub colour: Option<String>,
    /// IANA name, where the provider gives one.
    pub zone: Option<String>,
    /// Whose it is, as the provider names them, where it does.
    pub owner: Option<String>,
    /// Whether entries can be written at all.
    pub writable: bool,
    /// Whether it is the account's main calendar.
    pub is_primary: bool,
    /// Whether its busy times are read.
    pub reads: bool,
    /// Whether new bookings are written to it.
    pub writes: bool,
    /// When its busy times were last read.
    pub last_import_at: Option<DateTime<Utc>>,
    /// Why the last full read was held back, if it was.
    pub quarantine_reason: Option<String>,
    /// Since when the provider no longer lists it.
    pub missing_since: Option<DateTime<Utc>>,
}

/// A calendar as the provider lists it.
#[derive(Clone, Debug)]
pub struct ListedCalendar {
    pub external_id: String,
    pub name: String,
    pub colour: Option<String>,
    pub zone: Option<String>,
    /// Whose it is, as the provider names them, where it does.
    pub owner: Option<String>,
    /// Whether entries can be written.
    pub writable: bool,
    /// Whether it is the account's main one.
    pub is_primary: bool,
}

macro_rules! columns {
    () => {
        "id, business_id, connection_id, external_id, name, colour, zone, owner, writable, is_primary, reads, writes,
    last_import_at, quarantine_reason, missing_since"
    };
}

const LISTED: &str = "
    INSERT INTO calendars (id, business_id, connection_id, external_id, name, colour, zone, writable, is_primary, reads,
        writes, created_at, owner)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9,
        $9 AND $8 AND NOT EXISTS (SELECT 1 FROM calendars WHERE connection_id = $3 AND writes), $10, $11)
    ON CONFLICT (connection_id, external_id) DO UPDATE SET
        name = excluded.name, colour = excluded.colour, zone = excluded.zone, writable = excluded.writable,
        is_primary = excluded.is_primary, owner = excluded.owner, missing_since = NULL";
/// Takes over what the provider lists. At first the main calendar is both read and written; what a person chose stays,
/// also of a calendar that is missing for a while. Every account has a main calendar: where it is not listed, something
/// is wrong with the list, and nothing counts as missing because of it.
pub async fn take_over(
    tx: &mut Tx,
    business: BusinessId,
    connection: ConnectionId,
    listed: &[ListedCalendar],
    now: DateTime<Utc>,
) -> Result<()> {
    for calendar in listed {
        exec!(tx, LISTED;
            CalendarId::new(now), business, connection, &calendar.external_id, &calendar.name,
            &calendar.colour, &calendar.zone, calendar.writable, calendar.is_primary, now,
            &calendar.owner
        )?;
    }
    if !is_complete_list(listed) {
        return Ok(());
    }
    mark_missing(tx, connection, listed, now).await
}

/// Whether a list can be believed in what it does not name.
pub fn is_complete_list(listed: &[ListedCalendar]) -> bool {
    listed.iter().any(|calendar| calendar.is_primary)
}

const KNOWN: &str =
    "SELECT id, external_id FROM calendars WHERE connection_id = $1 AND missing_since IS NULL";
const MARK_MISSING: &str = "UPDATE calendars SET missing_since = $2 WHERE id = $1";

async fn mark_missing(
    tx: &mut Tx,
    connection: ConnectionId,
    listed: &[ListedCalendar],
    now: DateTime<Utc>,
) -> Result<()> {
    let known: Vec<(CalendarId, String)> = all!(tx, KNOWN, connection)?;
    for (id, external_id) in known {
        if !listed.iter().any(|calendar| calendar.external_id == external_id) {
            exec!(tx, MARK_MISSING, id, now)?;
        }
    }
    Ok(())
}

const CHANGE_EXTERNAL_ID: &str = "
    UPDATE calendars SET external_id = $3, cursor = NULL, missing_since = NULL WHERE business_id = $1 AND id = $2";

/// The provider calls it by another id from now on: by that it is read from the beginning.
pub async fn change_external_id(
    tx: &mut Tx,
    business: BusinessId,
    id: CalendarId,
    external_id: &str,
) -> Result<()> {
    must_change!(tx, CHANGE_EXTERNAL_ID, business, id, external_id)
}

const FIND: &str = select!("FROM calendars WHERE business_id = $1 AND id = $2");
const OF_CONNECTION: &str = select!(
    "FROM calendars WHERE business_id = $1 AND connection_id = $2 ORDER BY is_primary DESC, name, id"
);

/// One calendar of the business.
pub async fn find(db: &Db, business: BusinessId, id: CalendarId) -> Result<Option<Calendar>> {
    optional!(db, FIND, business, id)
}

/// The calendars of a connection, the main one first.
pub async fn of_connection(db: &Db, business: BusinessId, connection: ConnectionId) -> Result<Vec<Calendar>> {
    all!(db, OF_CONNECTION, business, connection)
}

/// More ids in one statement are slow to plan.
const CONNECTIONS_PER_QUERY: usize = 500;

/// The calendars of each of these connections, the main one first. A connection without any is not in the answer.
pub async fn of_connections(
    db: &Db,
    business: BusinessId,
    connections: &[ConnectionId],
) -> Result<HashMap<ConnectionId, Vec<Calendar>>> {
    let calendars: Vec<Calendar> = all_in!(
        db,
        build_query_as,
        [select!("FROM calendars WHERE business_id = "), business, " AND connection_id IN ("],
        connections,
        CONNECTIONS_PER_QUERY,
        ") ORDER BY is_primary DESC, name, id"
    );
    let mut all: HashMap<ConnectionId, Vec<Calendar>> = HashMap::new();
    for calendar in calendars {
        all.entry(calendar.connection_id).or_default().push(calendar);
    }
    Ok(all)
}

const READ: &str = select!(
    "FROM calendars WHERE business_id = $1 AND connection_id = $2 AND reads AND missing_since IS NULL ORDER BY id"
);

/// The calendars of a connection whose busy times are read.
pub async fn list_read(tx: &mut Tx, business: BusinessId, connection: ConnectionId) -> Result<Vec<Calendar>> {
    all!(tx, READ, business, connection)
}

const SET_READS: &str = "
    UPDATE calendars SET reads = $3, cursor = NULL WHERE business_id = $1 AND id = $2";

/// Turns the reading of busy times on or off; turned on, it starts from the beginning.
pub async fn set_reads(tx: &mut Tx, business: BusinessId, id: CalendarId, reads: bool) -> Result<()> {
    must_change!(tx, SET_READS, business, id, reads)
}

const SET_WRITTEN: &str = "
    UPDATE calendars SET writes = (id = $3)
    WHERE business_id = $1 AND connection_id = $2
      AND EXISTS (SELECT 1 FROM calendars
                  WHERE business_id = $1 AND connection_id = $2 AND id = $3 AND writable AND missing_since IS NULL)";

/// Makes it the one calendar of its connection to which new bookings go. `NotFound`: it is not of that connection, or
/// cannot be written.
pub async fn set_written(
    tx: &mut Tx,
    business: BusinessId,
    connection: ConnectionId,
    id: CalendarId,
) -> Result<()> {
    must_change!(tx, SET_WRITTEN, business, connection, id)
}

const CHOOSE: &str = "
    UPDATE calendars SET writes = (external_id = $3),
        cursor = CASE WHEN external_id = $3 AND NOT reads THEN NULL ELSE cursor END,
        reads = (reads OR external_id = $3)
    WHERE business_id = $1 AND connection_id = $2
      AND EXISTS (SELECT 1 FROM calendars
                  WHERE business_id = $1 AND connection_id = $2 AND external_id = $3 AND writable
                    AND missing_since IS NULL)";

/// Makes the calendar that the provider calls so the one to which new bookings of its connection go, and reads it.
/// `NotFound`: the connection has no such calendar, or may not write to it.
pub async fn choose(
    tx: &mut Tx,
    business: BusinessId,
    connection: ConnectionId,
    external_id: &str,
) -> Result<()> {
    must_change!(tx, CHOOSE, business, connection, external_id)
}

/// How far the reading of a calendar has come.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct CalendarReadState {
    /// The provider's cursor; `None`: begin with everything.
    pub cursor: Option<String>,
    /// The window that the cursor was begun with.
    pub window_start: Option<DateTime<Utc>>,
    pub window_end: Option<DateTime<Utc>>,
    /// What the last full read took away and was held back, as the plan wrote it.
    #[sqlx(rename = "quarantined_ids")]
    pub held: Option<String>,
    /// Whose busy times they are.
    pub staff_id: StaffId,
    /// The last reading that was completed.
    pub last_reading: ReadSequence,
}

const PROGRESS: &str = "
    SELECT k.cursor, k.window_start, k.window_end, k.quarantined_ids, c.staff_id, k.last_reading
    FROM calendars k JOIN connections c ON c.id = k.connection_id
    WHERE k.business_id = $1 AND k.id = $2";

/// How far the reading of a calendar has come.
pub async fn progress(db: &Db, business: BusinessId, id: CalendarId) -> Result<CalendarReadState> {
    one!(db, PROGRESS, business, id)
}

const ADVANCE: &str = "
    UPDATE calendars SET cursor = $2, window_start = $3, window_end = $4, last_import_at = $5, quarantined_ids = NULL,
        quarantine_reason = NULL, last_reading = $6
    WHERE id = $1";

/// A read is complete: the next one begins at `cursor`.
pub async fn advance(
    tx: &mut Tx,
    (id, reading): (CalendarId, ReadSequence),
    cursor: &str,
    window: Interval,
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, ADVANCE, id, cursor, window.start, window.end, now, reading)
}

const QUARANTINE: &str = "UPDATE calendars SET quarantined_ids = $2, quarantine_reason = $3 WHERE id = $1";

/// What a full read took away is held back until it is seen again.
pub async fn hold(tx: &mut Tx, id: CalendarId, held: &str, reason: &str) -> Result<()> {
    exec!(tx, QUARANTINE, id, held, reason)
}

const RESET_CURSOR: &str = "UPDATE calendars SET cursor = NULL WHERE id = $1";

/// The next read begins with everything.
pub async fn forget_cursor(tx: &mut Tx, id: CalendarId) -> Result<()> {
    exec!(tx, RESET_CURSOR, id)
}
