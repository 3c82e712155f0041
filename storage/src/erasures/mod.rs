//! Taking people out of what is kept: what was asked for, whose bookings those are, and how far it is.
//!
//! An erasure is written down with the bookings that it concerns before anything is done (`create`); a job does them one
//! after another (`bookings::erase`, `scrub`) and then looks for what is left of the person in records that name no booking
//! (`sweep`). Whose data it is stands sealed in its row for as long as that takes. What stays for ever are ids and times.

mod export;
mod list;
mod notices;
mod person;
mod retention;
mod scrub;
pub mod sweep;

use chrono::{DateTime, Utc};
use concord_domain::{
    erasure::{ErasureReason, ErasureScope, ErasureState, ErasureTarget, PersonTraces},
    ids::{AttendeeId, BookingId, BusinessId, ErasureId},
    job::{JobKind, QueueClass},
};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

pub(crate) use self::person::note_addresses;
pub use self::{
    export::{ExportedAttendee, ExportedMail, attendees_of_booking, mails_of_booking},
    list::{ListedErasure, address_of_listed, concern, is_known, list_all},
    notices::scrub_notices,
    person::{PersonBooking, bookings_of_address, repair_address_keys, revoke_portals, withdraw_mails},
    retention::{ExpiredBooking, expired_bookings},
    scrub::{scrub_answers, scrub_booking},
};
use crate::{
    Db, Result, StorageError, Tx,
    jobs::{self, JobRef, NewJob},
    seal::{AssociatedData, Keyring},
};

/// An erasure, without whose data it is.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Erasure {
    pub id: ErasureId,
    pub business_id: BusinessId,
    pub reason: ErasureReason,
    pub state: ErasureState,
    /// How many bookings it concerns.
    pub bookings: i64,
    /// Of how many of these the person was taken out.
    pub erased: i64,
    pub created_at: DateTime<Utc>,
    /// `None`: it is under way.
    pub finished_at: Option<DateTime<Utc>>,
}

fn associated_data(id: ErasureId) -> AssociatedData {
    AssociatedData { column: "erasures.sealed", row: id.0 }
}

fn seal(ring: &Keyring, id: ErasureId, traces: &PersonTraces) -> Result<String> {
    let text = serde_json::to_string(traces).map_err(|_| StorageError::Inconsistent { what: "erasure" })?;
    Ok(ring.seal(&SecretString::from(text), associated_data(id)))
}

const CREATE: &str = "
    INSERT INTO erasures (id, business_id, reason, state, sealed, created_at) VALUES ($1, $2, $3, 'running', $4, $5)";
const ADD_BOOKING: &str = "
    INSERT INTO erased_bookings (erasure_id, booking_id, business_id, scope, attendee_id) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (erasure_id, booking_id) DO NOTHING";

/// An erasure that is new.
#[derive(Clone, Copy, Debug)]
pub struct NewErasure<'a> {
    pub business: BusinessId,
    pub reason: ErasureReason,
    pub targets: &'a [ErasureTarget],
    /// Whose data it is.
    pub traces: &'a PersonTraces,
}

/// Writes an erasure down, and enqueues the job that does it; the caller pushes that after the commit.
pub async fn create(
    tx: &mut Tx,
    ring: &Keyring,
    new: &NewErasure<'_>,
    now: DateTime<Utc>,
) -> Result<(ErasureId, JobRef)> {
    let id = ErasureId::new(now);
    exec!(tx, CREATE, id, new.business, new.reason, seal(ring, id, new.traces)?, now)?;
    for target in new.targets {
        exec!(tx, ADD_BOOKING, id, target.booking, new.business, target.scope, target.attendee)?;
    }
    let queue = match new.reason {
        ErasureReason::Request => QueueClass::Interactive,
        ErasureReason::Retention | ErasureReason::Restore => QueueClass::Bulk,
    };
    let (business, kind, subject) = (Some(new.business), JobKind::Erase, id.0);
    let job = jobs::enqueue(tx, NewJob { business, kind, subject, queue, due_at: now }, now).await?;
    Ok((id, job))
}

macro_rules! select_erasure {
    ($rest:literal) => {
        concat!(
            "SELECT e.id, e.business_id, e.reason, e.state, e.created_at, e.finished_at,
                (SELECT COUNT(*) FROM erased_bookings b WHERE b.erasure_id = e.id) AS bookings,
                (SELECT COUNT(*) FROM erased_bookings b WHERE b.erasure_id = e.id AND b.erased_at IS NOT NULL) AS erased
             FROM erasures e WHERE e.business_id = $1 ",
            $rest
        )
    };
}

const FIND: &str = select_erasure!("AND e.id = $2");
const LIST: &str = select_erasure!("ORDER BY e.created_at DESC, e.id DESC LIMIT $2");

/// One erasure of a business; `None` if there is none.
pub async fn find(db: &Db, business: BusinessId, id: ErasureId) -> Result<Option<Erasure>> {
    optional!(db, FIND, business, id)
}

/// The erasures of a business, the last first, at most so many.
pub async fn list(db: &Db, business: BusinessId, limit: u32) -> Result<Vec<Erasure>> {
    all!(db, LIST, business, i64::from(limit))
}

const TRACES: &str = "SELECT sealed FROM erasures WHERE business_id = $1 AND id = $2 AND state = 'running'";

/// Whose data it is. `None`: there is no such erasure that is under way.
pub async fn traces(
    db: &Db,
    ring: &Keyring,
    business: BusinessId,
    id: ErasureId,
) -> Result<Option<PersonTraces>> {
    let sealed: Option<Option<String>> = optional_scalar!(db, TRACES, business, id)?;
    let Some(sealed) = sealed else { return Ok(None) };
    let Some(sealed) = sealed else { return Ok(Some(PersonTraces::default())) };
    let text = ring.open(&sealed, associated_data(id))?;
    let traces = serde_json::from_str(text.expose_secret());
    traces.map(Some).map_err(|_| StorageError::Inconsistent { what: "erasure" })
}

#[derive(sqlx_macros::FromRow)]
struct TargetRow {
    booking_id: BookingId,
    scope: ErasureScope,
    attendee_id: Option<AttendeeId>,
}

const WAITING: &str = "
    SELECT booking_id, scope, attendee_id FROM erased_bookings WHERE erasure_id = $1 AND erased_at IS NULL
    ORDER BY booking_id LIMIT $2";

/// The bookings of which the person is yet to be taken out, at most so many.
pub async fn waiting(db: &Db, id: ErasureId, limit: u32) -> Result<Vec<ErasureTarget>> {
    let rows: Vec<TargetRow> = all!(db, WAITING, id, i64::from(limit))?;
    let target = |row: TargetRow| ErasureTarget {
        booking: row.booking_id,
        scope: row.scope,
        attendee: row.attendee_id,
    };
    Ok(rows.into_iter().map(target).collect())
}

const RECORD_ERASED: &str = "
    UPDATE erased_bookings SET erased_at = $3 WHERE erasure_id = $1 AND booking_id = $2 AND erased_at IS NULL";

/// The person was taken out of a booking, in this transaction.
pub async fn record_erased(tx: &mut Tx, id: ErasureId, booking: BookingId, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, RECORD_ERASED, id, booking, now)
}

const FINISH: &str = "
    UPDATE erasures SET state = 'done', sealed = NULL, finished_at = $2 WHERE id = $1 AND state = 'running'";

/// All is done: whose data it was is forgotten.
pub async fn finish(tx: &mut Tx, id: ErasureId, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, FINISH, id, now)
}

const SEALED: &str = "SELECT id, sealed FROM erasures WHERE sealed IS NOT NULL ORDER BY id";
const RESEAL: &str = "UPDATE erasures SET sealed = $2 WHERE id = $1 AND sealed IS NOT NULL";

/// Seals again, with the current key, what another one has sealed. Returns how many erasures those were.
pub async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<u64> {
    let rows: Vec<(ErasureId, String)> = all!(tx, SEALED)?;
    let mut changed = 0;
    for (id, sealed) in rows {
        if let Some(again) = ring.reseal(&sealed, associated_data(id))? {
            changed += changed!(tx, RESEAL, id, again)?;
        }
    }
    Ok(changed)
}

/// Comes before all ids, so that a list begins after it.
pub(crate) const FIRST: Uuid = Uuid::nil();
