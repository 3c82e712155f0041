//! Finding bookings.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, Customer, Guest, check_reference},
    ids::{BookingId, BusinessId, ChannelId, ResourceId, StaffId},
    interval::Interval,
    language::Language,
};

use crate::{Db, Result, StorageError, Tx, column::TimeColumns};

/// A booking without who is assigned to it.
#[derive(sqlx_macros::FromRow)]
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
    customer_language: Option<Language>,
    meeting_url: String,
    #[sqlx(json)]
    guests: Vec<Guest>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl BookingRow {
    pub(super) fn into_booking(self, staff: Vec<StaffId>) -> Result<Booking> {
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
                    language: self.customer_language,
                },
                party_size: self.party_size.map(count).transpose()?,
                quantity: count(self.quantity)?,
                staff,
                location: self.location,
                notes: self.notes,
                source: self.source,
                meeting_url: self.meeting_url,
                guests: self.guests,
            },
        })
    }
}

/// The columns of a [`BookingRow`].
macro_rules! booking_columns {
    () => {
        "b.id, b.business_id, b.reference, b.version, b.resource_id, b.kind, b.status, b.starts_at, b.ends_at,
           b.check_in, b.check_out, b.title, b.customer_name, b.customer_email, b.customer_phone, b.party_size,
           b.quantity, b.location, b.notes, b.source, b.channel_id, b.customer_language, b.meeting_url, b.guests,
           b.created_at, b.updated_at"
    };
}
pub(super) use booking_columns;

macro_rules! select_booking {
    ($($rest:expr),*) => {
        concat!("SELECT ", booking_columns!(), " FROM bookings b", $($rest),*)
    };
}
pub(super) use select_booking;

pub(super) const SELECT: &str = select_booking!();
const FIND: &str = select_booking!(" WHERE b.business_id = $1 AND b.reference = $2");
const FIND_LOCKED: &str = select_booking!(" WHERE b.business_id = $1 AND b.reference = $2 FOR NO KEY UPDATE");
const BY_ID: &str = select_booking!(" WHERE b.business_id = $1 AND b.id = $2");

const STAFF: &str = "SELECT staff_id FROM booking_staff WHERE booking_id = $1 ORDER BY staff_id";

/// A booking by the caller's own reference.
pub async fn find(db: &Db, business: BusinessId, reference: &str) -> Result<Option<Booking>> {
    if check_reference(reference).is_err() {
        return Ok(None);
    }
    with_staff(db, optional!(db, FIND, business, reference)?).await
}

/// A booking by Concord's id.
pub async fn by_id(db: &Db, business: BusinessId, id: BookingId) -> Result<Option<Booking>> {
    with_staff(db, optional!(db, BY_ID, business, id)?).await
}

/// So many parameters in one statement: more are slow to plan, and from some hundreds on PostgreSQL would rather read the index
/// of all bookings of the business.
pub(crate) const IDS_AT_ONCE: usize = 100;

/// Those of these that are bookings of the business.
pub async fn find_by_ids(
    db: &Db,
    business: BusinessId,
    ids: &[BookingId],
) -> Result<HashMap<BookingId, Booking>> {
    let rows = all_in!(
        db,
        build_query_as,
        [select_booking!(" WHERE b.business_id = "), business, " AND b.id IN ("],
        ids,
        IDS_AT_ONCE,
        ")"
    );
    let bookings = all_with_staff(db, rows).await?;
    Ok(bookings.into_iter().map(|booking| (booking.id, booking)).collect())
}

pub(super) async fn staff_of(db: &Db, id: BookingId) -> Result<Vec<StaffId>> {
    scalars!(db, STAFF, id)
}

async fn with_staff(db: &Db, row: Option<BookingRow>) -> Result<Option<Booking>> {
    let Some(row) = row else { return Ok(None) };
    let staff = staff_of(db, row.id).await?;
    row.into_booking(staff).map(Some)
}

/// As `find`, within a transaction; on PostgreSQL the row stays locked until its end. Not `FOR UPDATE`: that one also
/// waits for whoever writes a row that refers to the booking, such as a worker's line in the log, who may be waiting
/// for the booking's entries.
pub(super) async fn find_in(tx: &mut Tx, business: BusinessId, reference: &str) -> Result<Option<Booking>> {
    if check_reference(reference).is_err() {
        return Ok(None);
    }
    let row: Option<BookingRow> = optional!(tx, either(FIND, FIND_LOCKED), business, reference)?;
    let Some(row) = row else { return Ok(None) };
    let staff = scalars!(tx, STAFF, row.id)?;
    row.into_booking(staff).map(Some)
}

/// The bookings of these rows, each with who is assigned to it.
pub(super) async fn all_with_staff(db: &Db, rows: Vec<BookingRow>) -> Result<Vec<Booking>> {
    let ids: Vec<BookingId> = rows.iter().map(|row| row.id).collect();
    let staff: Vec<(BookingId, StaffId)> = all_in!(
        db,
        build_query_as,
        ["SELECT booking_id, staff_id FROM booking_staff WHERE booking_id IN ("],
        ids,
        500,
        ") ORDER BY staff_id"
    );
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
pub async fn existing_ids(db: &Db, business: BusinessId, ids: &[BookingId]) -> Result<HashSet<BookingId>> {
    let found: Vec<BookingId> = all_in!(
        db,
        build_query_scalar,
        ["SELECT b.id FROM bookings b WHERE b.business_id = ", business, " AND b.id IN ("],
        ids,
        IDS_AT_ONCE,
        ")"
    );
    Ok(found.into_iter().collect())
}
