//! Finding bookings.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime, Customer, check_reference},
    ids::{BookingId, BusinessId, ChannelId, ConnectionId, ResourceId, StaffId},
    interval::Interval,
};
use sqlx::{Postgres, QueryBuilder, Sqlite};

use crate::{
    Db, Open, Page, PageRequest, StorageError, Tx,
    channels::{self, Channel},
    connections::covers,
    on_db,
};

#[derive(sqlx::FromRow)]
pub(super) struct BookingRow {
    id: BookingId,
    business_id: BusinessId,
    reference: String,
    version: i64,
    resource_id: ResourceId,
    kind: BookingKind,
    status: BookingStatus,
    #[sqlx(flatten)]
    time: TimeColumns,
    title: String,
    customer_name: String,
    customer_email: String,
    customer_phone: String,
    party_size: Option<i64>,
    quantity: i64,
    location: String,
    notes: String,
    source: String,
    channel_id: Option<ChannelId>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// When a booking takes place, as its row says it: instants in UTC, and the dates of a stay.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(crate) struct TimeColumns {
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    check_in: Option<NaiveDate>,
    check_out: Option<NaiveDate>,
}

impl From<TimeColumns> for BookingTime {
    fn from(columns: TimeColumns) -> Self {
        match (columns.check_in, columns.check_out) {
            (Some(check_in), Some(check_out)) => Self::Stay { check_in, check_out },
            _ => Self::Timed { starts_at: columns.starts_at, ends_at: columns.ends_at },
        }
    }
}

impl BookingRow {
    pub(super) fn into_booking(self, staff: Vec<StaffId>) -> Result<Booking, StorageError> {
        let count =
            |number: i64| u32::try_from(number).map_err(|_| StorageError::Inconsistent { what: "booking" });
        Ok(Booking {
            id: self.id,
            business: self.business_id,
            reference: self.reference,
            version: self.version,
            interval: Interval::new(self.time.starts_at, self.time.ends_at)
                .ok_or(StorageError::Inconsistent { what: "booking" })?,
            channel: self.channel_id,
            created_at: self.created_at,
            updated_at: self.updated_at,
            draft: BookingDraft {
                resource: self.resource_id,
                kind: self.kind,
                status: self.status,
                time: self.time.into(),
                title: self.title,
                customer: Customer {
                    name: self.customer_name,
                    email: self.customer_email,
                    phone: self.customer_phone,
                },
                party_size: self.party_size.map(count).transpose()?,
                quantity: count(self.quantity)?,
                staff,
                location: self.location,
                notes: self.notes,
                source: self.source,
            },
        })
    }
}

/// The columns of a [`BookingRow`].
macro_rules! booking_columns {
    () => {
        "b.id, b.business_id, b.reference, b.version, b.resource_id, b.kind, b.status, b.starts_at, b.ends_at,
           b.check_in, b.check_out, b.title, b.customer_name, b.customer_email, b.customer_phone, b.party_size,
           b.quantity, b.location, b.notes, b.source, b.channel_id, b.created_at, b.updated_at"
    };
}
pub(super) use booking_columns;

const SELECT: &str = concat!("SELECT ", booking_columns!(), " FROM bookings b");

const STAFF: &str = "SELECT staff_id FROM booking_staff WHERE booking_id = $1 ORDER BY staff_id";

/// A booking by the caller's own reference.
pub async fn find(db: &Db, business: BusinessId, reference: &str) -> Result<Option<Booking>, StorageError> {
    if check_reference(reference).is_err() {
        return Ok(None);
    }
    let text = format!("{SELECT} WHERE b.business_id = $1 AND b.reference = $2");
    let row: Option<BookingRow> = on_db!(db, c => sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(business)
        .bind(reference)
        .fetch_optional(c)
        .await)?;
    with_staff(db, row).await
}

/// A booking by Concord's id.
pub async fn by_id(db: &Db, business: BusinessId, id: BookingId) -> Result<Option<Booking>, StorageError> {
    let text = format!("{SELECT} WHERE b.business_id = $1 AND b.id = $2");
    let row: Option<BookingRow> = on_db!(db, c => sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(business)
        .bind(id)
        .fetch_optional(c)
        .await)?;
    with_staff(db, row).await
}

/// `$select` of the bookings of a business that have one of these ids.
macro_rules! with_ids {
    ($database:ty, $select:expr, $business:expr, $ids:expr) => {{
        let mut query = QueryBuilder::<$database>::new($select);
        query.push(" WHERE b.business_id = ").push_bind($business).push(" AND b.id IN (");
        let mut separated = query.separated(", ");
        for id in $ids {
            separated.push_bind(*id);
        }
        query.push(")");
        query
    }};
}

/// So many parameters in one statement: more are slow to plan, and from some hundreds on PostgreSQL would rather read the index
/// of all bookings of the business.
const IDS_AT_ONCE: usize = 100;

/// Those of these that are bookings of the business.
pub async fn find_by_ids(
    db: &Db,
    business: BusinessId,
    ids: &[BookingId],
) -> Result<HashMap<BookingId, Booking>, StorageError> {
    let mut found = HashMap::new();
    for ids in ids.chunks(IDS_AT_ONCE) {
        let rows: Vec<BookingRow> = match db.open() {
            Open::Sqlite(pool) => {
                with_ids!(Sqlite, SELECT, business, ids).build_query_as().fetch_all(pool).await?
            }
            Open::Postgres(pool) => {
                with_ids!(Postgres, SELECT, business, ids).build_query_as().fetch_all(pool).await?
            }
        };
        found.extend(all_with_staff(db, rows).await?.into_iter().map(|booking| (booking.id, booking)));
    }
    Ok(found)
}

pub(super) async fn staff_of(db: &Db, id: BookingId) -> Result<Vec<StaffId>, StorageError> {
    Ok(on_db!(db, c => sqlx::query_scalar(STAFF).bind(id).fetch_all(c).await)?)
}

async fn with_staff(db: &Db, row: Option<BookingRow>) -> Result<Option<Booking>, StorageError> {
    let Some(row) = row else { return Ok(None) };
    let staff = staff_of(db, row.id).await?;
    row.into_booking(staff).map(Some)
}

/// As `find`, within a transaction; on PostgreSQL the row stays locked until its end. Not `FOR UPDATE`: that one also
/// waits for whoever writes a row that refers to the booking, such as a worker's line in the log, who may be waiting
/// for the booking's entries.
pub(super) async fn find_in(
    tx: &mut Tx,
    business: BusinessId,
    reference: &str,
) -> Result<Option<Booking>, StorageError> {
    if check_reference(reference).is_err() {
        return Ok(None);
    }
    let lock = if tx.is_postgres() { "FOR NO KEY UPDATE" } else { "" };
    let text = format!("{SELECT} WHERE b.business_id = $1 AND b.reference = $2 {lock}");
    let row: Option<BookingRow> = on_db!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(business)
        .bind(reference)
        .fetch_optional(c)
        .await)?;
    let Some(row) = row else { return Ok(None) };
    let staff = on_db!(tx, c => sqlx::query_scalar(STAFF).bind(row.id).fetch_all(c).await)?;
    row.into_booking(staff).map(Some)
}

/// Which bookings are wanted. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct BookingFilter {
    /// On this resource.
    pub resource: Option<ResourceId>,
    /// With this staff member.
    pub staff: Option<StaffId>,
    /// In this state.
    pub status: Option<BookingStatus>,
    /// Of this sort.
    pub kind: Option<BookingKind>,
    /// Ending after.
    pub from: Option<DateTime<Utc>>,
    /// Starting before.
    pub until: Option<DateTime<Utc>>,
    /// Somewhere in reference, title or the customer's name or address, letters of any case. Control characters in it
    /// do not count, nor what follows the first 300.
    pub search: Option<String>,
    /// Only what holds its place: neither cancelled nor a no-show.
    pub standing: bool,
}

/// What is looked for is not longer; a database compares no pattern of any length.
const MAX_SEARCH: usize = 300;

/// No text that is searched holds control characters, and PostgreSQL takes no NUL in any.
fn pattern(search: &str) -> String {
    let text: String = search.chars().filter(|c| !c.is_control()).take(MAX_SEARCH).collect();
    format!("%{}%", text.to_lowercase().replace(['\\', '%', '_'], "_"))
}

/// Which end of a list a limit keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ListOrder {
    EarliestFirst,
    LatestFirst,
}

/// Which of the bookings of a list are looked for, by the order of their starts.
#[derive(Clone, Copy)]
enum StartRange {
    /// All of them.
    Whole,
    /// Those that have begun before an instant and end after it: found by their ends, of which few are ahead, and not by
    /// walking the past.
    Running(DateTime<Utc>),
    /// Those that begin at an instant or after it.
    Beginning(DateTime<Utc>),
}

/// A list is one stretch, or two of which the first one precedes the second one.
fn stretches(from: Option<DateTime<Utc>>) -> Vec<StartRange> {
    from.map_or_else(
        || vec![StartRange::Whole],
        |from| vec![StartRange::Running(from), StartRange::Beginning(from)],
    )
}

type StartKey = (DateTime<Utc>, BookingId);

/// What a list is asked for.
#[derive(Clone, Copy)]
struct BookingListParams<'a> {
    business: BusinessId,
    filter: &'a BookingFilter,
    after: Option<StartKey>,
    order: ListOrder,
    limit: i64,
    /// Whether those of the filter's staff member are so few that all of them are read, and not all of the business until
    /// enough of them are found.
    by_staff: bool,
}

/// So many bookings of one person are read and sorted within milliseconds; of somebody with more, a page is found soon by
/// walking along those of the business.
const FEW_OF_STAFF: i64 = 3_000;
const COUNT_OF_STAFF: &str = "
    SELECT COUNT(*) FROM (SELECT 1 FROM booking_staff WHERE staff_id = $1 LIMIT $2)";

/// Adds the condition of one stretch and of the filter to a query of either database: the calls are the same, the types
/// are not. `$walked`: how columns are named by which the past would be walked, and their start to order by, so that no index
/// by them is taken, whatever the database guesses of how many there are.
macro_rules! narrow {
    ($query:expr, $ask:expr, $stretch:expr, $walked:expr) => {{
        let (query, filter) = ($query, $ask.filter);
        query.push(SELECT).push(" WHERE b.business_id = ").push_bind($ask.business);
        let (mut column, mut start) = ("b.", "b.starts_at");
        match $stretch {
            StartRange::Whole if $ask.by_staff => (column, start) = ($walked.0, $walked.1),
            StartRange::Whole => {}
            StartRange::Running(from) => {
                (column, start) = ($walked.0, $walked.1);
                query.push(" AND b.ends_at > ").push_bind(from);
                query.push(" AND ").push(column).push("starts_at < ").push_bind(from);
            }
            StartRange::Beginning(from) => {
                query.push(" AND b.starts_at >= ").push_bind(from);
            }
        }
        if let Some(resource) = filter.resource {
            query.push(" AND b.resource_id = ").push_bind(resource);
        }
        if let Some(staff) = filter.staff {
            query
                .push(if $ask.by_staff {
                    " AND b.id IN (SELECT s.booking_id FROM booking_staff s WHERE s.staff_id = "
                } else {
                    " AND EXISTS (SELECT 1 FROM booking_staff s WHERE s.booking_id = b.id AND s.staff_id = "
                })
                .push_bind(staff)
                .push(")");
        }
        if let Some(status) = filter.status {
            query.push(" AND ").push(column).push("status = ").push_bind(status);
        }
        if let Some(kind) = filter.kind {
            query.push(" AND ").push(column).push("kind = ").push_bind(kind);
        }
        if let Some(until) = filter.until {
            query.push(" AND ").push(column).push("starts_at < ").push_bind(until);
        }
        if filter.standing {
            query.push(" AND b.status NOT IN ('cancelled', 'no_show')");
        }
        if let Some(search) = &filter.search {
            query.push(" AND b.search_text LIKE ").push_bind(pattern(search));
        }
        if let Some((starts_at, id)) = $ask.after {
            query.push(" AND (").push(column).push("starts_at, b.id) > (").push_bind(starts_at);
            query.push(", ").push_bind(id).push(")");
        }
        push_order(query, $ask, start, "b.");
    }};
}

fn push_order<D: sqlx::Database>(
    query: &mut QueryBuilder<D>,
    ask: BookingListParams<'_>,
    start: &str,
    table: &str,
) where
    i64: sqlx::Type<D> + for<'q> sqlx::Encode<'q, D>,
{
    let way = if ask.order == ListOrder::LatestFirst { " DESC" } else { "" };
    query.push(format!(" ORDER BY {start}{way}, {table}id{way} LIMIT ")).push_bind(ask.limit);
}

/// How SQLite and PostgreSQL name what no index is to be taken for.
const WALKED_SQLITE: (&str, &str) = ("+b.", "+b.starts_at");
const WALKED_POSTGRES: (&str, &str) = ("b.", "date_trunc('microseconds', b.starts_at)");

macro_rules! list_query {
    ($database:ty, $walked:expr, $ask:expr) => {{
        let stretches = stretches($ask.filter.from);
        let mut query = QueryBuilder::<$database>::new("");
        if let [stretch] = stretches[..] {
            narrow!(&mut query, $ask, stretch, $walked);
        } else {
            for (number, stretch) in stretches.into_iter().enumerate() {
                query.push(if number == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
                narrow!(&mut query, $ask, stretch, $walked);
                query.push(if number == 0 { ") AS running" } else { ") AS beginning" });
            }
            push_order(&mut query, $ask, "starts_at", "");
        }
        query
    }};
}

/// A page of bookings in order of their starts.
pub async fn list(
    db: &Db,
    business: BusinessId,
    filter: &BookingFilter,
    ask: &PageRequest,
) -> Result<Page<Booking>, StorageError> {
    let after: Option<StartKey> = ask.after_key()?;
    let (order, limit) = (ListOrder::EarliestFirst, ask.fetch());
    let list = BookingListParams { business, filter, after, order, limit, by_staff: false };
    let rows = list_rows(db, list).await?;
    let bookings = all_with_staff(db, rows).await?;
    Ok(Page::cut(bookings, ask, |booking| (booking.interval.start, booking.id)))
}

async fn list_rows(db: &Db, ask: BookingListParams<'_>) -> Result<Vec<BookingRow>, StorageError> {
    Ok(match db.open() {
        Open::Sqlite(pool) => {
            // PostgreSQL knows from its statistics who has few.
            let count: Option<i64> = match ask.filter.staff {
                Some(staff) => Some(
                    sqlx::query_scalar(COUNT_OF_STAFF).bind(staff).bind(FEW_OF_STAFF).fetch_one(pool).await?,
                ),
                None => None,
            };
            let ask = BookingListParams { by_staff: count.is_some_and(|count| count < FEW_OF_STAFF), ..ask };
            list_query!(Sqlite, WALKED_SQLITE, ask).build_query_as().fetch_all(pool).await?
        }
        Open::Postgres(pool) => {
            list_query!(Postgres, WALKED_POSTGRES, ask).build_query_as().fetch_all(pool).await?
        }
    })
}

async fn all_with_staff(db: &Db, rows: Vec<BookingRow>) -> Result<Vec<Booking>, StorageError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    macro_rules! staff_of {
        ($database:ty, $pool:expr) => {{
            let mut query = QueryBuilder::<$database>::new(
                "SELECT booking_id, staff_id FROM booking_staff WHERE booking_id IN (",
            );
            let mut ids = query.separated(", ");
            for row in &rows {
                ids.push_bind(row.id);
            }
            query.push(") ORDER BY staff_id");
            query.build_query_as::<(BookingId, StaffId)>().fetch_all($pool).await?
        }};
    }
    let staff = match db.open() {
        Open::Sqlite(pool) => staff_of!(Sqlite, pool),
        Open::Postgres(pool) => staff_of!(Postgres, pool),
    };
    let mut of_booking: HashMap<BookingId, Vec<StaffId>> = HashMap::new();
    for (booking, member) in staff {
        of_booking.entry(booking).or_default().push(member);
    }
    rows.into_iter()
        .map(|row| {
            let staff = of_booking.remove(&row.id).unwrap_or_default();
            row.into_booking(staff)
        })
        .collect()
}

/// Which of these are bookings of the business, whatever has become of them.
pub async fn existing_ids(
    db: &Db,
    business: BusinessId,
    ids: &[BookingId],
) -> Result<HashSet<BookingId>, StorageError> {
    const IDS: &str = "SELECT b.id FROM bookings b";
    let mut found = HashSet::new();
    for ids in ids.chunks(IDS_AT_ONCE) {
        let there: Vec<BookingId> = match db.open() {
            Open::Sqlite(pool) => {
                with_ids!(Sqlite, IDS, business, ids).build_query_scalar().fetch_all(pool).await?
            }
            Open::Postgres(pool) => {
                with_ids!(Postgres, IDS, business, ids).build_query_scalar().fetch_all(pool).await?
            }
        };
        found.extend(there);
    }
    Ok(found)
}

/// A part of what a feed shows.
#[derive(Clone, Copy, Debug)]
pub struct FeedRange {
    /// What ended by then is left out.
    pub from: DateTime<Utc>,
    /// How many at the most. Where there are more, the earliest are left out: who reads a feed wants to know what is to
    /// come.
    pub most: usize,
}

/// The bookings of a business that stand, for its feed, in order of their starts.
pub async fn of_business(
    db: &Db,
    business: BusinessId,
    ask: FeedRange,
) -> Result<Vec<Booking>, StorageError> {
    list_for_feed(db, business, BookingFilter::default(), ask).await
}

/// The bookings of a resource that stand, for its feed, in order of their starts.
pub async fn list_for_resource_feed(
    db: &Db,
    business: BusinessId,
    resource: ResourceId,
    ask: FeedRange,
) -> Result<Vec<Booking>, StorageError> {
    let filter = BookingFilter { resource: Some(resource), ..BookingFilter::default() };
    list_for_feed(db, business, filter, ask).await
}

/// The bookings that stand on the resource of a channel and did not come from its platform, for its feed, in order of
/// their starts.
pub async fn list_for_channel_feed(
    db: &Db,
    channel: &Channel,
    ask: FeedRange,
) -> Result<Vec<Booking>, StorageError> {
    let mut found = list_for_resource_feed(db, channel.business_id, channel.resource_id, ask).await?;
    let all = channels::list(db, channel.business_id).await?;
    // What came by a channel that was removed came from its platform all the same.
    let of_another = |from| from != channel.id && all.iter().any(|other| other.id == from);
    found.retain(|booking| match booking.channel {
        Some(from) if from == channel.id => false,
        Some(from) if of_another(from) => true,
        _ => booking.draft.source != channel.platform,
    });
    Ok(found)
}

/// The bookings of a staff member that stand, for their feed, in order of their starts.
pub async fn of_staff(
    db: &Db,
    business: BusinessId,
    staff: StaffId,
    ask: FeedRange,
) -> Result<Vec<Booking>, StorageError> {
    let filter = BookingFilter { staff: Some(staff), ..BookingFilter::default() };
    list_for_feed(db, business, filter, ask).await
}

/// Pending ones among them: they hold their place, and who reads the feed must not sell it.
async fn list_for_feed(
    db: &Db,
    business: BusinessId,
    filter: BookingFilter,
    ask: FeedRange,
) -> Result<Vec<Booking>, StorageError> {
    let filter = BookingFilter { from: Some(ask.from), standing: true, ..filter };
    let limit = i64::try_from(ask.most).unwrap_or(i64::MAX);
    let list = BookingListParams {
        business,
        filter: &filter,
        after: None,
        order: ListOrder::LatestFirst,
        limit,
        by_staff: false,
    };
    let rows = list_rows(db, list).await?;
    let mut bookings = Vec::with_capacity(rows.len());
    // Many parameters in one statement are slow to plan: ask for the staff of some hundred bookings at a time.
    let mut rows = rows.into_iter().rev().peekable();
    while rows.peek().is_some() {
        let part: Vec<BookingRow> = rows.by_ref().take(500).collect();
        bookings.extend(all_with_staff(db, part).await?);
    }
    Ok(bookings)
}

// What is still to come is found by its end, and what waits by its entry: the past is not walked.
const LIST_FOR_CONNECTION: &str = concat!(
    " WHERE b.business_id = $1 AND b.id IN (
        SELECT e.booking_id FROM entries e
        WHERE e.connection_id = $2 AND e.state IN ('pending', 'failed') AND e.booking_id > $4
        UNION
        SELECT t.id FROM bookings t
        WHERE t.business_id = $1 AND t.ends_at > $3 AND t.id > $4 AND (
            EXISTS (SELECT 1 FROM entries e WHERE e.booking_id = t.id AND e.connection_id = $2)
            OR (t.status NOT IN ('cancelled', 'no_show') AND EXISTS (
                SELECT 1 FROM connections c JOIN staff p ON p.id = c.staff_id
                WHERE c.id = $2 AND c.business_id = $1 AND c.direction IN ('out', 'both')
                  AND ((p.archived_at IS NULL AND ",
    covers!("c", "p", "t.kind"),
    ") OR ((c.is_default OR ",
    covers!("c", "p", "t.kind"),
    ") AND EXISTS (
                        SELECT 1 FROM booking_staff s WHERE s.booking_id = t.id AND s.staff_id = c.staff_id)))))))
    ORDER BY b.id LIMIT $5"
);

/// Bookings still to come that a connection should hold or has an entry of, and those of which something waits, in order
/// of their ids after `after`.
pub async fn concerning(
    db: &Db,
    business: BusinessId,
    connection: ConnectionId,
    now: DateTime<Utc>,
    after: BookingId,
    limit: u32,
) -> Result<Vec<Booking>, StorageError> {
    let text = format!("{SELECT} {LIST_FOR_CONNECTION}");
    let rows: Vec<BookingRow> = on_db!(db, c => sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(business)
        .bind(connection)
        .bind(now)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(c)
        .await)?;
    all_with_staff(db, rows).await
}

const LIST_FOR_ROUND: &str = "
    WHERE b.business_id = $1 AND b.kind = 'delivery' AND b.status NOT IN ('cancelled', 'no_show')
      AND b.starts_at >= $3 AND b.starts_at < $4 AND EXISTS (
        SELECT 1 FROM connections c JOIN staff p ON p.id = c.staff_id
        WHERE c.id = $2 AND c.business_id = $1 AND ((c.coverage = 'trade' AND p.trade = 'driver') OR EXISTS (
            SELECT 1 FROM booking_staff s WHERE s.booking_id = b.id AND s.staff_id = c.staff_id)))
    ORDER BY b.starts_at, b.reference";

/// The deliveries of a day that the owner of a connection drives: those that they are assigned to, or all where their
/// calendar gets all of their trade.
pub async fn round(
    db: &Db,
    business: BusinessId,
    connection: ConnectionId,
    day: Interval,
) -> Result<Vec<Booking>, StorageError> {
    let text = format!("{SELECT} {LIST_FOR_ROUND}");
    let rows: Vec<BookingRow> = on_db!(db, c => sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(business)
        .bind(connection)
        .bind(day.start)
        .bind(day.end)
        .fetch_all(c)
        .await)?;
    all_with_staff(db, rows).await
}
