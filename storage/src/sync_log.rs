//! What each attempt to bring a calendar and the bookings into agreement came to: for the log page and the success
//! rate. It is kept for a time only (`retention`).

use chrono::{DateTime, Utc};
use concord_domain::{
    audit::SyncOutcome,
    connection::ProviderKind,
    ids::{BookingId, BusinessId, ChannelId, ConnectionId, StaffId, SyncLogId},
};
use uuid::Uuid;

use crate::{Db, Page, PageRequest, Result, Tx};

/// An attempt that has ended.
#[derive(Clone, Copy, Debug)]
pub struct NewSyncLogEntry<'a> {
    pub business: BusinessId,
    /// Which connection it was about, if one.
    pub connection: Option<ConnectionId>,
    /// Which booking it was about, if one.
    pub booking: Option<BookingId>,
    /// Which channel it was about, if one.
    pub channel: Option<ChannelId>,
    /// What was attempted, such as `create` or `import`.
    pub operation: &'a str,
    /// What came of it.
    pub outcome: SyncOutcome,
    /// For people; no secrets, no customer's data.
    pub detail: &'a str,
    /// Milliseconds that it took.
    pub duration_ms: i64,
    pub at: DateTime<Utc>,
}

impl<'a> NewSyncLogEntry<'a> {
    /// About a connection, and no booking; that took no time worth a word.
    pub fn of_connection(
        (business, connection): (BusinessId, ConnectionId),
        what: (&'a str, SyncOutcome),
        detail: &'a str,
        at: DateTime<Utc>,
    ) -> Self {
        Self { connection: Some(connection), ..Self::of_business(business, what, detail, at) }
    }

    /// The same about a channel.
    pub fn of_channel(
        (business, channel): (BusinessId, ChannelId),
        what: (&'a str, SyncOutcome),
        detail: &'a str,
        at: DateTime<Utc>,
    ) -> Self {
        Self { channel: Some(channel), ..Self::of_business(business, what, detail, at) }
    }

    fn of_business(
        business: BusinessId,
        (operation, outcome): (&'a str, SyncOutcome),
        detail: &'a str,
        at: DateTime<Utc>,
    ) -> Self {
        let (connection, booking, channel) = (None, None, None);
        Self { business, connection, booking, channel, operation, outcome, detail, duration_ms: 0, at }
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct SyncLogEntry {
    pub id: SyncLogId,
    pub business_id: BusinessId,
    /// Which connection it was about, if one.
    pub connection_id: Option<ConnectionId>,
    /// Which booking it was about, if one.
    pub booking_id: Option<BookingId>,
    /// Which channel it was about, if one.
    pub channel_id: Option<ChannelId>,
    pub operation: String,
    /// What came of it.
    pub outcome: SyncOutcome,
    pub detail: String,
    /// Milliseconds that it took.
    pub duration_ms: i64,
    pub at: DateTime<Utc>,
}

/// Which lines are wanted; all that is given must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncLogFilter {
    /// Those about this connection.
    pub connection: Option<ConnectionId>,
    /// Those about this booking.
    pub booking: Option<BookingId>,
    /// Those about this channel.
    pub channel: Option<ChannelId>,
    /// Those that ended so.
    pub outcome: Option<SyncOutcome>,
    /// Those from then on.
    pub since: Option<DateTime<Utc>>,
    /// Those about connections of this staff member.
    pub staff: Option<StaffId>,
}

const APPEND: &str = "
    INSERT INTO sync_log (id, business_id, connection_id, booking_id, operation, outcome, detail, duration_ms, at,
        channel_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// Adds a line to the sync log.
pub async fn append(tx: &mut Tx, line: &NewSyncLogEntry<'_>) -> Result<SyncLogId> {
    // Of the line's own instant, so that the ids are in the order of time: `retention` deletes by them.
    let id = SyncLogId::new(line.at);
    exec!(tx, APPEND;
        id, line.business, line.connection, line.booking, line.operation, line.outcome, line.detail,
        line.duration_ms, line.at, line.channel
    )?;
    Ok(id)
}

/// The key of a page that begins with the newest line.
pub(crate) fn newest() -> (DateTime<Utc>, Uuid) {
    // The last year that both databases and their texts can hold.
    (DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(DateTime::<Utc>::MAX_UTC), Uuid::max())
}

const LINES: &str = "
    SELECT id, business_id, connection_id, booking_id, channel_id, operation, outcome, detail, duration_ms, at
    FROM sync_log
    WHERE business_id = $1 AND (at, id) < ($2, $3)";
const NEWEST_FIRST: &str = "ORDER BY at DESC, id DESC LIMIT $10";
/// Those of the connections of a person, whose parameter has that number.
macro_rules! of_staff {
    ($number:literal) => {
        concat!(
            "AND connection_id IN (SELECT id FROM connections WHERE business_id = $1 AND staff_id = ",
            $number,
            ")"
        )
    };
}

/// The lines of a business that pass the filter, newest first.
pub async fn list(
    db: &Db,
    business: BusinessId,
    filter: SyncLogFilter,
    ask: &PageRequest,
) -> Result<Page<SyncLogEntry>> {
    // A condition that isn't wanted is left out rather than made true by a parameter: the planner then takes the
    // index of the narrowest that is. `$n IS NULL` keeps the numbers of the parameters.
    let conditions = [
        if filter.connection.is_some() { "AND connection_id = $4" } else { "AND $4 IS NULL" },
        if filter.booking.is_some() { "AND booking_id = $5" } else { "AND $5 IS NULL" },
        if filter.outcome.is_some() { "AND outcome = $6" } else { "AND $6 IS NULL" },
        if filter.since.is_some() { "AND at >= $7" } else { "AND $7 IS NULL" },
        if filter.channel.is_some() { "AND channel_id = $8" } else { "AND $8 IS NULL" },
        if filter.staff.is_some() { of_staff!("$9") } else { "AND $9 IS NULL" },
    ];
    let text = format!("{LINES} {} {NEWEST_FIRST}", conditions.join(" "));
    let (at, id) = ask.after_key::<(DateTime<Utc>, Uuid)>()?.unwrap_or_else(newest);
    let lines = all!(
        db,
        dynamic(sqlx::AssertSqlSafe(text)),
        business,
        at,
        id,
        filter.connection,
        filter.booking,
        filter.outcome,
        filter.since,
        filter.channel,
        filter.staff,
        ask.fetch()
    )?;
    Ok(Page::cut(lines, ask, |last: &SyncLogEntry| (last.at, last.id.0)))
}

const LIST_DIFFERENCES: &str = "
    SELECT l.id, l.business_id, l.connection_id, l.booking_id, l.channel_id, l.operation, l.outcome, l.detail,
           l.duration_ms, l.at
    FROM sync_log l LEFT JOIN bookings b ON b.id = l.booking_id
    WHERE l.business_id = $1 AND l.connection_id = $2 AND l.at >= $3 AND l.operation = 'difference'
    ORDER BY b.starts_at IS NULL, b.starts_at, l.at, l.id LIMIT $4";

/// What compares of a connection's calendars have found since then to be otherwise than it should, in the order in which
/// the bookings begin.
pub async fn differences(
    db: &Db,
    business: BusinessId,
    connection: ConnectionId,
    since: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<SyncLogEntry>> {
    all!(db, LIST_DIFFERENCES, business, connection, since, i64::from(limit))
}

/// How often it went well and how often not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct SyncLogCounts {
    /// Attempts that ended `ok`.
    pub ok: i64,
    /// Attempts that ended `failed`; those that were tried again soon don't count.
    pub failed: i64,
}

const COUNTS: &str = "
    SELECT COUNT(CASE WHEN outcome = 'ok' THEN 1 END) AS ok, COUNT(CASE WHEN outcome = 'failed' THEN 1 END) AS failed
    FROM sync_log WHERE business_id = $1 AND at >= $2";
const OF_CONNECTION: &str = "AND connection_id = $3";

/// How often it went well and how often not since then, in the whole business or for one connection.
pub async fn counts_since(
    db: &Db,
    business: BusinessId,
    connection: Option<ConnectionId>,
    since: DateTime<Utc>,
) -> Result<SyncLogCounts> {
    // PostgreSQL's plan for any instant reads the whole log: these are planned for the instant that is asked for.
    let Some(connection) = connection else {
        return one!(db, unprepared(COUNTS), business, since);
    };
    let text = format!("{COUNTS} {OF_CONNECTION}");
    one!(db, unprepared(sqlx::AssertSqlSafe(text)), business, since, connection)
}

/// The same for the connections of one staff member.
pub async fn counts_of_staff(
    db: &Db,
    business: BusinessId,
    staff: StaffId,
    since: DateTime<Utc>,
) -> Result<SyncLogCounts> {
    let text = format!("{COUNTS} {}", of_staff!("$3"));
    one!(db, unprepared(sqlx::AssertSqlSafe(text)), business, since, staff)
}

/// How many attempts at a provider ended in a way.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct OutcomeCount {
    pub provider: ProviderKind,
    pub operation: String,
    /// What came of it.
    pub outcome: SyncOutcome,
    pub count: i64,
}

const OUTCOMES: &str = "
    SELECT c.provider, l.operation, l.outcome, COUNT(*) AS count
    FROM sync_log l JOIN connections c ON c.id = l.connection_id
    WHERE l.id >= $1 GROUP BY c.provider, l.operation, l.outcome ORDER BY c.provider, l.operation, l.outcome";

/// What came of the attempts since then, in all businesses, for the metrics.
pub async fn outcomes_since(db: &Db, since: DateTime<Utc>) -> Result<Vec<OutcomeCount>> {
    all!(db, OUTCOMES, first_id_at(since))
}

/// The smallest id that a line of that instant can have: the primary key is an index by time.
pub(crate) fn first_id_at(at: DateTime<Utc>) -> SyncLogId {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    SyncLogId(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
}
