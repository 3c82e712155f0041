//! Lists of bookings in order of their starts.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::{Booking, BookingKind, BookingStatus},
    ids::{BookingId, BusinessId, ResourceId, StaffId},
};
use sqlx::{Postgres, QueryBuilder, Sqlite};

use super::read::{BookingRow, SELECT, all_with_staff};
use crate::{Db, Open, Page, PageRequest, Result};

/// Which bookings are wanted. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct BookingFilter {
    pub resource: Option<ResourceId>,
    /// With this staff member.
    pub staff: Option<StaffId>,
    pub status: Option<BookingStatus>,
    pub kind: Option<BookingKind>,
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// Somewhere in reference, title or the customer's name or address, letters of any case. Control characters in it
    /// do not count, nor what follows the first 300.
    pub search: Option<String>,
    /// Only what holds its place: neither cancelled nor a no-show.
    pub active_only: bool,
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
pub(super) enum ListOrder {
    EarliestFirst,
    LatestFirst,
}

/// Which of the bookings of a list are looked for, by the order of their starts.
#[derive(Clone, Copy)]
enum StartRange {
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

pub(super) type StartKey = (DateTime<Utc>, BookingId);

/// What a list is asked for.
#[derive(Clone, Copy)]
pub(super) struct BookingListParams<'a> {
    pub(super) business: BusinessId,
    pub(super) filter: &'a BookingFilter,
    pub(super) after: Option<StartKey>,
    pub(super) order: ListOrder,
    pub(super) limit: i64,
    /// Whether those of the filter's staff member are so few that all of them are read, and not all of the business until
    /// enough of them are found.
    pub(super) by_staff: bool,
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
        if filter.active_only {
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
) -> Result<Page<Booking>> {
    let after: Option<StartKey> = ask.after_key()?;
    let (order, limit) = (ListOrder::EarliestFirst, ask.fetch());
    let list = BookingListParams { business, filter, after, order, limit, by_staff: false };
    let rows = list_rows(db, list).await?;
    let bookings = all_with_staff(db, rows).await?;
    Ok(Page::cut(bookings, ask, |booking| (booking.interval.start, booking.id)))
}

pub(super) async fn list_rows(db: &Db, ask: BookingListParams<'_>) -> Result<Vec<BookingRow>> {
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
