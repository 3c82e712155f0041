//! Changing a booking: its rows, its seats, its entries in calendars, its history and the jobs that follow, in one
//! transaction.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use concord_domain::{
    audit::HistorySubject,
    booking::{Booking, BookingDraft, BookingStatus, BookingTime, FieldError, check_reference},
    ids::{BookingId, BusinessId, ChannelId, StaffId},
    interval::Interval,
    people::Actor,
    sync::remote_change,
};
use serde_json::{Map, Value, json};

use super::{
    allocation::{BookingOrigin, allocate_anew, too_many_units},
    follow::{LinkedWrite, write_linked},
    read::find_in,
    unavailability::{Unavailability, alternatives, obstacles},
};
use crate::{
    Db, StorageError, Tx,
    entries::{self, TargetScope, rounds},
    history,
    jobs::JobRef,
    on_db, people, remote_changes,
    resources::{self, Resource},
};

/// Who changes something, where and when.
#[derive(Clone, Debug)]
pub struct ChangeContext {
    /// The tenant.
    pub business: BusinessId,
    /// Who.
    pub actor: Actor,
    /// The instant of the change.
    pub now: DateTime<Utc>,
}

/// A booking that was written.
#[derive(Clone, Debug)]
pub struct WrittenBooking {
    /// As it stands now.
    pub booking: Booking,
    /// Whether it is new.
    pub created: bool,
    /// Whether all that it newly takes has a seat; only what a platform has sold may have none.
    pub allocated: bool,
    /// What to push to the queue, now that it is committed.
    pub jobs: Vec<JobRef>,
    /// Why whatever is asked about it is no question any more; `None`: it says what it said.
    overtakes: Option<remote_change::Refusal>,
}

/// Why a booking was not written. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// What it says cannot be.
    #[error("{}", .0.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// There is no room.
    #[error("the time is taken")]
    Taken(Box<Unavailability>),
    /// It was changed since the caller read it.
    #[error("the booking is at version {current} by now")]
    Stale {
        /// The version that it is at.
        current: i64,
    },
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Somebody else was faster this often in a row: then the database is in trouble.
const MAX_TRIES: u32 = 5;

/// Creates the booking of that reference, or replaces what it says. A draft that changes nothing changes nothing.
///
/// `expected`: the version that the caller has read, if it minds.
pub async fn put(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    draft: &BookingDraft,
    expected: Option<i64>,
) -> Result<WrittenBooking, PutError> {
    check_reference(reference).map_err(|fault| PutError::Invalid(vec![fault]))?;
    write(db, change, reference, BookingCommand::Say(draft), expected, LinkedWrite::Nothing).await
}

pub(super) async fn write(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    wish: BookingCommand<'_>,
    expected: Option<i64>,
    along: LinkedWrite<'_>,
) -> Result<WrittenBooking, PutError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut tx = db.begin().await?;
        match put_in(&mut tx, change, reference, wish, expected).await {
            Ok(put) => {
                write_linked(&mut tx, change, &put, along).await?;
                if let Some(why) = put.overtakes {
                    remote_changes::overtake(&mut tx, put.booking.id, why, change.now).await?;
                }
                tx.commit().await?;
                return Ok(put);
            }
            // The same reference was created at the same time, or a lock could not be had: look again.
            Err(PutFailure::Error(PutError::Storage(
                StorageError::Exists | StorageError::Busy | StorageError::Overlap,
            ))) if tries < MAX_TRIES => drop(tx),
            Err(PutFailure::Error(error)) => return Err(error),
            Err(PutFailure::Full { obstacles, draft, interval, zone }) => {
                drop(tx);
                let alternatives = alternatives(db, change, reference, &draft, interval, zone).await?;
                return Err(PutError::Taken(Box::new(Unavailability { obstacles, alternatives })));
            }
        }
    }
}

/// Cancels the booking of that reference; one that is cancelled already stays so. `NotFound` inside: there is none.
pub async fn cancel(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    expected: Option<i64>,
) -> Result<WrittenBooking, PutError> {
    write(db, change, reference, BookingCommand::Cancel, expected, LinkedWrite::Nothing).await
}

/// What a booking is to say.
#[derive(Clone, Copy)]
pub(super) enum BookingCommand<'a> {
    /// This.
    Say(&'a BookingDraft),
    /// This, which came by the feed of a channel and stands whether there is room or not.
    Fact(&'a BookingDraft, ChannelId),
    /// What it says by then, but cancelled: somebody may be changing it at this moment.
    Cancel,
}

enum PutFailure {
    Error(PutError),
    Full { obstacles: Vec<super::Obstacle>, draft: Box<BookingDraft>, interval: Interval, zone: Tz },
}

impl<E: Into<PutError>> From<E> for PutFailure {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

async fn put_in(
    tx: &mut Tx,
    change: &ChangeContext,
    reference: &str,
    wish: BookingCommand<'_>,
    expected: Option<i64>,
) -> Result<WrittenBooking, PutFailure> {
    let before = find_in(tx, change.business, reference).await?;
    let draft = match (wish, &before) {
        (BookingCommand::Say(draft) | BookingCommand::Fact(draft, _), _) => draft.clone().normalised(),
        (BookingCommand::Cancel, Some(before)) => {
            BookingDraft { status: BookingStatus::Cancelled, ..before.draft.clone() }
        }
        (BookingCommand::Cancel, None) => return Err(StorageError::NotFound.into()),
    };
    if let (Some(expected), current) = (expected, before.as_ref().map_or(0, |booking| booking.version))
        && expected != current
    {
        return Err(PutError::Stale { current }.into());
    }
    if let Some(before) = before.as_ref().filter(|before| before.draft == draft) {
        return Ok(WrittenBooking {
            booking: before.clone(),
            created: false,
            allocated: true,
            jobs: vec![],
            overtakes: None,
        });
    }
    let resource = lock_subjects(tx, change.business, before.as_ref(), &draft, wish).await?;
    let business = business_booking_settings(tx, change.business).await?;
    let zone = resource.zone.unwrap_or(business.zone);
    let is_as_long = |before: &Booking| before.interval.length() >= draft_duration(&draft, zone);
    let interval = match wish {
        BookingCommand::Fact(..) => draft.check_imported(zone),
        // What came so long may be renamed, called off and made shorter here.
        _ if before.as_ref().is_some_and(|before| before.channel.is_some() && is_as_long(before)) => {
            draft.check_imported(zone)
        }
        BookingCommand::Say(_) | BookingCommand::Cancel => draft.check(zone),
    };
    let interval = interval.map_err(PutError::Invalid)?;
    let booking = Booking {
        id: before.as_ref().map_or_else(|| BookingId::new(change.now), |before| before.id),
        business: change.business,
        reference: reference.to_owned(),
        version: before.as_ref().map_or(1, |before| before.version + 1),
        interval,
        channel: match wish {
            BookingCommand::Fact(_, channel) => Some(channel),
            BookingCommand::Say(_) | BookingCommand::Cancel => {
                before.as_ref().and_then(|before| before.channel)
            }
        },
        created_at: before.as_ref().map_or(change.now, |before| before.created_at),
        updated_at: change.now,
        draft,
    };
    let word =
        if matches!(wish, BookingCommand::Fact(..)) { BookingOrigin::Theirs } else { BookingOrigin::Ours };
    if let (BookingOrigin::Ours, Some(fault)) = (word, too_many_units(before.as_ref(), &booking, &resource)) {
        return Err(PutError::Invalid(vec![fault]).into());
    }
    write_rows(tx, &booking).await?;
    let allocated = match allocate_anew(tx, before.as_ref(), &booking, (&resource, word), change.now).await? {
        Ok(allocated) => allocated,
        Err(in_the_way) => {
            let obstacles = obstacles(tx, change.business, &in_the_way).await?;
            return Err(PutFailure::Full { obstacles, draft: Box::new(booking.draft), interval, zone });
        }
    };
    let rounds = rounds::begin(tx, (before.as_ref(), &booking), business.zone).await?;
    let mut jobs =
        entries::aim(tx, &booking, business.mark_cancelled, TargetScope::Everywhere, change.now).await?;
    jobs.extend(rounds.enqueue(tx, change.now).await?);
    append_history(tx, change, before.as_ref(), &booking).await?;
    let overtakes = Some(overtakes(before.as_ref(), &booking));
    Ok(WrittenBooking { booking, created: before.is_none(), allocated, jobs, overtakes })
}

/// Zero: it ends before it begins.
fn draft_duration(draft: &BookingDraft, zone: Tz) -> Duration {
    draft.time.interval(zone).map_or(Duration::zero(), |interval| interval.length())
}

fn overtakes(before: Option<&Booking>, after: &Booking) -> remote_change::Refusal {
    let was = before.map(|before| before.draft.status);
    match after.draft.status {
        status if Some(status) == was => remote_change::Refusal::ChangedHere,
        BookingStatus::Completed => remote_change::Refusal::Completed,
        status if !status.occupies() => remote_change::Refusal::Cancelled,
        _ => remote_change::Refusal::ChangedHere,
    }
}

/// Enqueues again what follows from a booking as it stands, such as for a calendar that was connected after it was made.
/// The booking is read and locked here: whoever decided that it is concerned may have read it before it was changed.
pub async fn aim_again(
    tx: &mut Tx,
    business: BusinessId,
    reference: &str,
    reach: TargetScope,
    now: DateTime<Utc>,
) -> Result<Vec<JobRef>, StorageError> {
    let Some(booking) = find_in(tx, business, reference).await? else { return Ok(vec![]) };
    let business = business_booking_settings(tx, business).await?;
    entries::aim(tx, &booking, business.mark_cancelled, reach, now).await
}

/// Locks everything whose occupancy changes, resources before staff and each in the order of ids, so that two changes
/// never wait for one another in a circle. The locks count the revisions that feeds are rendered by.
async fn lock_subjects(
    tx: &mut Tx,
    business: BusinessId,
    before: Option<&Booking>,
    draft: &BookingDraft,
    wish: BookingCommand<'_>,
) -> Result<Resource, PutError> {
    let mut resources = vec![draft.resource];
    let mut staff = draft.staff.clone();
    if let Some(before) = before {
        resources.push(before.draft.resource);
        staff.extend(&before.draft.staff);
    }
    resources.sort_unstable();
    resources.dedup();
    staff.sort_unstable();
    staff.dedup();
    let mut wanted = None;
    for id in resources {
        match resources::lock(tx, business, id).await {
            Ok(resource) if id == draft.resource => wanted = Some(resource),
            Ok(_) => {}
            Err(StorageError::NotFound) => {
                return Err(PutError::Invalid(vec![FieldError::new(
                    "resource",
                    "is not one of your resources",
                )]));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let wanted = wanted.ok_or(StorageError::NotFound)?;
    let is_new = |id| before.is_none_or(|before| !before.draft.staff.contains(&id));
    // What a platform has sold is sold, though nobody books it here any more.
    let is_fact = matches!(wish, BookingCommand::Fact(..));
    if !is_fact
        && wanted.archived_at.is_some()
        && before.is_none_or(|before| before.draft.resource != draft.resource)
    {
        return Err(PutError::Invalid(vec![FieldError::new("resource", "is archived")]));
    }
    for id in staff {
        if !lock_staff(tx, business, id, is_new(id)).await? && draft.staff.contains(&id) {
            let message = format!("names {id}, who is not one of your staff");
            return Err(PutError::Invalid(vec![FieldError::new("staff", message)]));
        }
    }
    Ok(wanted)
}

/// `false`: the business has nobody of that id; or, where somebody is newly asked for, they are archived.
async fn lock_staff(
    tx: &mut Tx,
    business: BusinessId,
    id: StaffId,
    newly_asked: bool,
) -> Result<bool, StorageError> {
    match people::lock(tx, business, id).await {
        Ok(member) => Ok(member.archived_at.is_none() || !newly_asked),
        Err(StorageError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

struct BusinessBookingSettings {
    zone: Tz,
    mark_cancelled: bool,
}

const SETTINGS: &str = "SELECT zone, mark_cancelled FROM businesses WHERE id = $1";

async fn business_booking_settings(
    tx: &mut Tx,
    business: BusinessId,
) -> Result<BusinessBookingSettings, StorageError> {
    let (zone, mark_cancelled): (String, bool) =
        on_db!(tx, c => sqlx::query_as(SETTINGS).bind(business).fetch_one(c).await)?;
    let zone = zone.parse().map_err(|_| StorageError::Inconsistent { what: "zone of a business" })?;
    Ok(BusinessBookingSettings { zone, mark_cancelled })
}

const UPSERT: &str = "
    INSERT INTO bookings (id, business_id, reference, version, resource_id, kind, status, starts_at, ends_at, check_in,
        check_out, title, customer_name, customer_email, customer_phone, party_size, quantity, location, notes, source,
        search_text, created_at, updated_at, channel_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
        $24)
    ON CONFLICT (id) DO UPDATE SET
        version = excluded.version, resource_id = excluded.resource_id, kind = excluded.kind,
        status = excluded.status, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
        check_in = excluded.check_in, check_out = excluded.check_out, title = excluded.title,
        customer_name = excluded.customer_name, customer_email = excluded.customer_email,
        customer_phone = excluded.customer_phone, party_size = excluded.party_size, quantity = excluded.quantity,
        location = excluded.location, notes = excluded.notes, source = excluded.source,
        search_text = excluded.search_text, updated_at = excluded.updated_at, channel_id = excluded.channel_id";
const CLEAR_STAFF: &str = "DELETE FROM booking_staff WHERE booking_id = $1";
const ADD_STAFF: &str = "INSERT INTO booking_staff (booking_id, staff_id, business_id) VALUES ($1, $2, $3)";

async fn write_rows(tx: &mut Tx, booking: &Booking) -> Result<(), StorageError> {
    let draft = &booking.draft;
    let (check_in, check_out) = match draft.time {
        BookingTime::Stay { check_in, check_out } => (Some(check_in), Some(check_out)),
        BookingTime::Timed { .. } => (None, None),
    };
    on_db!(tx, c => sqlx::query(UPSERT)
        .bind(booking.id)
        .bind(booking.business)
        .bind(&booking.reference)
        .bind(booking.version)
        .bind(draft.resource)
        .bind(draft.kind)
        .bind(draft.status)
        .bind(booking.interval.start)
        .bind(booking.interval.end)
        .bind(check_in)
        .bind(check_out)
        .bind(&draft.title)
        .bind(&draft.customer.name)
        .bind(&draft.customer.email)
        .bind(&draft.customer.phone)
        .bind(draft.party_size.map(i64::from))
        .bind(i64::from(draft.quantity))
        .bind(&draft.location)
        .bind(&draft.notes)
        .bind(&draft.source)
        .bind(search_text(booking))
        .bind(booking.created_at)
        .bind(booking.updated_at)
        .bind(booking.channel)
        .execute(c)
        .await
        .map(drop))?;
    on_db!(tx, c => sqlx::query(CLEAR_STAFF).bind(booking.id).execute(c).await.map(drop))?;
    for member in &draft.staff {
        on_db!(tx, c => sqlx::query(ADD_STAFF)
            .bind(booking.id)
            .bind(member)
            .bind(booking.business)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}

/// What a search looks through, in small letters: the databases know those of ASCII only, or of their own locale.
fn search_text(booking: &Booking) -> String {
    let Booking { reference, draft, .. } = booking;
    format!("{reference} {} {} {}", draft.title, draft.customer.name, draft.customer.email).to_lowercase()
}

async fn append_history(
    tx: &mut Tx,
    change: &ChangeContext,
    before: Option<&Booking>,
    after: &Booking,
) -> Result<(), StorageError> {
    let action = match (before, after.draft.status) {
        (None, _) => "created",
        (Some(before), BookingStatus::Cancelled) if before.draft.status != BookingStatus::Cancelled => {
            "cancelled"
        }
        _ => "changed",
    };
    let detail = json!({
        "reference": after.reference,
        "version": after.version,
        "changes": before.map(|before| differences(&before.draft, &after.draft)),
    });
    let line = history::NewHistoryEntry {
        business: change.business,
        actor: &change.actor,
        action,
        subject_kind: HistorySubject::Booking,
        subject: after.id.0,
        detail: &detail,
    };
    history::append(tx, &line, change.now).await
}

/// `{field: [before, after]}` for each field that differs.
fn differences(before: &BookingDraft, after: &BookingDraft) -> Value {
    let fields = |draft: &BookingDraft| match serde_json::to_value(draft) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (mut old, new) = (fields(before), fields(after));
    let changed: Map<String, Value> = new
        .into_iter()
        .filter_map(|(name, value)| {
            let was = old.remove(&name).unwrap_or(Value::Null);
            (was != value).then(|| (name, json!([was, value])))
        })
        .collect();
    Value::Object(changed)
}
