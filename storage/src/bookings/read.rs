//! Finding bookings.

use chrono::{DateTime, NaiveDate, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime, Customer, check_reference},
    ids::{BookingId, BusinessId, ChannelId, ConnectionId, ResourceId, StaffId},
    interval::Interval,
};
use sqlx::{Postgres, QueryBuilder, Sqlite};

use crate::{
    Db, Page, PageAsk, StorageError, Tx,
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
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    check_in: Option<NaiveDate>,
    check_out: Option<NaiveDate>,
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

impl BookingRow {
    fn into_booking(self, staff: Vec<StaffId>) -> Result<Booking, StorageError> {
        let time = match (self.check_in, self.check_out) {
            (Some(check_in), Some(check_out)) => BookingTime::Stay { check_in, check_out },
            _ => BookingTime::Timed { starts_at: self.starts_at, ends_at: self.ends_at },
        };
        let count =
            |number: i64| u32::try_from(number).map_err(|_| StorageError::Inconsistent { what: "booking" });
        Ok(Booking {
            id: self.id,
            business: self.business_id,
            reference: self.reference,
            version: self.version,
            interval: Interval::new(self.starts_at, self.ends_at)
                .ok_or(StorageError::Inconsistent { what: "booking" })?,
            channel: self.channel_id,
            created_at: self.created_at,
            updated_at: self.updated_at,
            draft: BookingDraft {
                resource: self.resource_id,
                kind: self.kind,
                status: self.status,
                time,
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

const SELECT: &str = "
    SELECT b.id, b.business_id, b.reference, b.version, b.resource_id, b.kind, b.status, b.starts_at, b.ends_at,
           b.check_in, b.check_out, b.title, b.customer_name, b.customer_email, b.customer_phone, b.party_size,
           b.quantity, b.location, b.notes, b.source, b.channel_id, b.created_at, b.updated_at
    FROM bookings b";

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

async fn with_staff(db: &Db, row: Option<BookingRow>) -> Result<Option<Booking>, StorageError> {
    let Some(row) = row else { return Ok(None) };
    let staff = on_db!(db, c => sqlx::query_scalar(STAFF).bind(row.id).fetch_all(c).await)?;
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
    let lock = if matches!(tx, Tx::Postgres(_)) { "FOR NO KEY UPDATE" } else { "" };
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
enum Order {
    EarliestFirst,
    LatestFirst,
}

/// Adds the filter to a query of either database: the calls are the same, the types are not.
macro_rules! narrow {
    ($database:ty, $business:expr, $filter:expr, $after:expr, $order:expr, $limit:expr) => {{
        let mut query = QueryBuilder::<$database>::new(SELECT);
        query.push(" WHERE b.business_id = ").push_bind($business);
        if let Some(resource) = $filter.resource {
            query.push(" AND b.resource_id = ").push_bind(resource);
        }
        if let Some(staff) = $filter.staff {
            query
                .push(
                    " AND EXISTS (SELECT 1 FROM booking_staff s WHERE s.booking_id = b.id AND s.staff_id = ",
                )
                .push_bind(staff)
                .push(")");
        }
        if let Some(status) = $filter.status {
            query.push(" AND b.status = ").push_bind(status);
        }
        if let Some(kind) = $filter.kind {
            query.push(" AND b.kind = ").push_bind(kind);
        }
        if let Some(from) = $filter.from {
            query.push(" AND b.ends_at > ").push_bind(from);
        }
        if let Some(until) = $filter.until {
            query.push(" AND b.starts_at < ").push_bind(until);
        }
        if $filter.standing {
            query.push(" AND b.status NOT IN ('cancelled', 'no_show')");
        }
        if let Some(search) = &$filter.search {
            query.push(" AND b.search_text LIKE ").push_bind(pattern(search));
        }
        if let Some((starts_at, id)) = $after {
            let starts_at: DateTime<Utc> = starts_at;
            let id: BookingId = id;
            query
                .push(" AND (b.starts_at, b.id) > (")
                .push_bind(starts_at)
                .push(", ")
                .push_bind(id)
                .push(")");
        }
        query.push(match $order {
            Order::EarliestFirst => " ORDER BY b.starts_at, b.id LIMIT ",
            Order::LatestFirst => " ORDER BY b.starts_at DESC, b.id DESC LIMIT ",
        });
        query.push_bind($limit);
        query
    }};
}

/// A page of bookings in order of their starts.
pub async fn list(
    db: &Db,
    business: BusinessId,
    filter: &BookingFilter,
    ask: &PageAsk,
) -> Result<Page<Booking>, StorageError> {
    let after: Option<(DateTime<Utc>, BookingId)> = ask.after_key()?;
    let rows = narrowed(db, business, filter, after, Order::EarliestFirst, ask.fetch()).await?;
    let bookings = all_with_staff(db, rows).await?;
    Ok(Page::cut(bookings, ask, |booking| (booking.interval.start, booking.id)))
}

async fn narrowed(
    db: &Db,
    business: BusinessId,
    filter: &BookingFilter,
    after: Option<(DateTime<Utc>, BookingId)>,
    order: Order,
    limit: i64,
) -> Result<Vec<BookingRow>, StorageError> {
    Ok(match db {
        Db::Sqlite { read, .. } => {
            narrow!(Sqlite, business, filter, after, order, limit).build_query_as().fetch_all(read).await?
        }
        Db::Postgres(pool) => {
            narrow!(Postgres, business, filter, after, order, limit).build_query_as().fetch_all(pool).await?
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
    let staff = match db {
        Db::Sqlite { read, .. } => staff_of!(Sqlite, read),
        Db::Postgres(pool) => staff_of!(Postgres, pool),
    };
    let mut of_booking: std::collections::HashMap<BookingId, Vec<StaffId>> = std::collections::HashMap::new();
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

/// A part of what a feed shows.
#[derive(Clone, Copy, Debug)]
pub struct FeedAsk {
    /// What ended by then is left out.
    pub from: DateTime<Utc>,
    /// How many at the most. Where there are more, the earliest are left out: who reads a feed wants to know what is to
    /// come.
    pub most: usize,
}

/// The bookings of a business that stand, for its feed, in order of their starts.
pub async fn of_business(db: &Db, business: BusinessId, ask: FeedAsk) -> Result<Vec<Booking>, StorageError> {
    for_feed(db, business, BookingFilter::default(), ask).await
}

/// The bookings of a resource that stand, for its feed, in order of their starts.
pub async fn of_resource(
    db: &Db,
    business: BusinessId,
    resource: ResourceId,
    ask: FeedAsk,
) -> Result<Vec<Booking>, StorageError> {
    let filter = BookingFilter { resource: Some(resource), ..BookingFilter::default() };
    for_feed(db, business, filter, ask).await
}

/// The bookings that stand on the resource of a channel and did not come from its platform, for its feed, in order of
/// their starts.
pub async fn for_channel(db: &Db, channel: &Channel, ask: FeedAsk) -> Result<Vec<Booking>, StorageError> {
    let mut found = of_resource(db, channel.business_id, channel.resource_id, ask).await?;
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
    ask: FeedAsk,
) -> Result<Vec<Booking>, StorageError> {
    let filter = BookingFilter { staff: Some(staff), ..BookingFilter::default() };
    for_feed(db, business, filter, ask).await
}

/// Pending ones among them: they hold their place, and who reads the feed must not sell it.
async fn for_feed(
    db: &Db,
    business: BusinessId,
    filter: BookingFilter,
    ask: FeedAsk,
) -> Result<Vec<Booking>, StorageError> {
    let filter = BookingFilter { from: Some(ask.from), standing: true, ..filter };
    let limit = i64::try_from(ask.most).unwrap_or(i64::MAX);
    let rows = narrowed(db, business, &filter, None, Order::LatestFirst, limit).await?;
    let mut bookings = Vec::with_capacity(rows.len());
    // Many parameters in one statement are slow to plan: ask for the staff of some hundred bookings at a time.
    let mut rows = rows.into_iter().rev().peekable();
    while rows.peek().is_some() {
        let part: Vec<BookingRow> = rows.by_ref().take(500).collect();
        bookings.extend(all_with_staff(db, part).await?);
    }
    Ok(bookings)
}

const CONCERNING: &str = concat!(
    " WHERE b.business_id = $1 AND b.id > $4 AND (
        EXISTS (SELECT 1 FROM entries e
                WHERE e.booking_id = b.id AND e.connection_id = $2 AND (b.ends_at > $3 OR e.state IN ('pending', 'failed')))
        OR (b.ends_at > $3 AND b.status NOT IN ('cancelled', 'no_show') AND EXISTS (
            SELECT 1 FROM connections c JOIN staff p ON p.id = c.staff_id
            WHERE c.id = $2 AND c.business_id = $1 AND c.direction IN ('out', 'both')
              AND ((p.archived_at IS NULL AND ",
    covers!("c", "p", "b.kind"),
    ") OR ((c.is_default OR ",
    covers!("c", "p", "b.kind"),
    ") AND EXISTS (
                    SELECT 1 FROM booking_staff s WHERE s.booking_id = b.id AND s.staff_id = c.staff_id))))))
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
    let text = format!("{SELECT} {CONCERNING}");
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

const ROUND: &str = "
    WHERE b.business_id = $1 AND b.kind = 'delivery' AND b.status NOT IN ('cancelled', 'no_show')
      AND b.starts_at >= $3 AND b.starts_at < $4 AND EXISTS (
        SELECT 1 FROM connections c JOIN staff p ON p.id = c.staff_id
        WHERE c.id = $2 AND c.business_id = $1 AND ((c.coverage = 'craft' AND p.craft = 'driver') OR EXISTS (
            SELECT 1 FROM booking_staff s WHERE s.booking_id = b.id AND s.staff_id = c.staff_id)))
    ORDER BY b.starts_at, b.reference";

/// The deliveries of a day that the owner of a connection drives: those that they are assigned to, or all where their
/// calendar gets all of their craft.
pub async fn round(
    db: &Db,
    business: BusinessId,
    connection: ConnectionId,
    day: Interval,
) -> Result<Vec<Booking>, StorageError> {
    let text = format!("{SELECT} {ROUND}");
    let rows: Vec<BookingRow> = on_db!(db, c => sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(business)
        .bind(connection)
        .bind(day.start)
        .bind(day.end)
        .fetch_all(c)
        .await)?;
    all_with_staff(db, rows).await
}
