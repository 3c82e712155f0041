//! Where a booking must stand, and the jobs that follow.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    connection::{EntryState, ProviderKind},
    ids::{BusinessId, CalendarId, ConnectionId, EntryId, StaffId},
    job::{JobKind, QueueClass},
    sync::{
        plan::REMOVED,
        unknown_writes::{UnknownWrite, push_unknown_write},
    },
};
use sqlx::types::Json;

use super::writes::stored_anew;
use crate::{
    Result, Tx,
    connections::{self, covers},
    jobs::{self, JobRef, NewJob},
    remote_changes,
};

/// Which calendars a change concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetScope {
    /// Every calendar that has to do with the booking; somebody waits for it.
    Everywhere,
    /// The same, but nobody waits for it.
    EverywhereLater,
    /// One connection, as part of a batch.
    Only(ConnectionId),
}

impl TargetScope {
    fn includes(self, connection: ConnectionId) -> bool {
        match self {
            Self::Everywhere | Self::EverywhereLater => true,
            Self::Only(only) => only == connection,
        }
    }

    fn queue(self) -> QueueClass {
        match self {
            Self::Everywhere => QueueClass::Interactive,
            Self::EverywhereLater | Self::Only(_) => QueueClass::Bulk,
        }
    }
}

#[derive(sqlx_macros::FromRow)]
struct EntryTarget {
    connection_id: ConnectionId,
    calendar_id: CalendarId,
    provider: ProviderKind,
}

/// The calendars to which a new booking goes: the default connection of each staff member on it, unless it stands in
/// another calendar of theirs already, and every connection that covers it whoever is assigned, unless its person has
/// left: what they are assigned to is all that still concerns them.
const TARGETS: &str = concat!(
    "SELECT c.id AS connection_id, k.id AS calendar_id, c.provider
    FROM connections c
    JOIN staff p ON p.id = c.staff_id
    JOIN calendars k ON k.connection_id = c.id AND k.writes AND k.writable AND k.missing_since IS NULL
    WHERE c.business_id = $1 AND c.state <> 'disconnected' AND c.direction IN ('out', 'both')
      AND ((p.archived_at IS NULL AND ",
    covers!("c", "p", "$3"),
    ") OR ((c.is_default OR ",
    covers!("c", "p", "$3"),
    ") AND EXISTS (SELECT 1 FROM booking_staff b WHERE b.booking_id = $2 AND b.staff_id = c.staff_id)
           AND NOT EXISTS (
               SELECT 1 FROM entries e JOIN connections o ON o.id = e.connection_id
               WHERE e.booking_id = $2 AND e.desired AND o.id <> c.id AND o.staff_id = c.staff_id
                 AND NOT ",
    covers!("o", "p", "$3"),
    " AND o.state <> 'disconnected' AND o.direction IN ('out', 'both'))))
    ORDER BY c.id"
);

#[derive(sqlx_macros::FromRow)]
struct ExistingEntry {
    id: EntryId,
    connection_id: ConnectionId,
    staff_id: StaffId,
    is_default: bool,
    /// Its connection gets it whoever is assigned.
    covered: bool,
    desired: bool,
    state: EntryState,
    concerned: bool,
    homeless: bool,
}

/// The entries that the booking has, and whether their calendars still have to do with it. It is homeless when its
/// calendar is gone at the provider.
const EXISTING: &str = concat!(
    "SELECT e.id, e.connection_id, c.staff_id, c.is_default, ",
    covers!("c", "p", "$3"),
    " AS covered, e.desired, e.state, k.missing_since IS NOT NULL AS homeless,
           (c.state <> 'disconnected' AND c.direction IN ('out', 'both') AND (",
    covers!("c", "p", "$3"),
    " OR EXISTS (
               SELECT 1 FROM booking_staff b WHERE b.booking_id = $2 AND b.staff_id = c.staff_id))) AS concerned
    FROM entries e
    JOIN connections c ON c.id = e.connection_id
    JOIN staff p ON p.id = c.staff_id
    JOIN calendars k ON k.id = e.calendar_id
    WHERE e.business_id = $1 AND e.booking_id = $2
    ORDER BY e.id"
);

/// Whether the entry is the one of its person's own bookings. It stays where it is when their default changes. But where
/// an account was connected again whose bookings another one had taken over meanwhile, both have one, and only one of
/// them is to stay: that in the default connection, or else the newest.
fn is_in_default_connection(entry: &ExistingEntry, all: &[ExistingEntry]) -> bool {
    let rank = |one: &ExistingEntry| (one.desired, one.is_default, one.id);
    let rivals = all.iter().filter(|one| one.staff_id == entry.staff_id && one.concerned && !one.covered);
    entry.concerned && (entry.covered || rivals.map(rank).max() == Some(rank(entry)))
}

const INSERT: &str = "
    INSERT INTO entries (id, business_id, booking_id, connection_id, calendar_id, external_id, desired, state, attempted,
        created_at)
    VALUES ($1, $2, $3, $4, $5, $6, TRUE, 'pending', FALSE, $7)";

const SET_DESIRED: &str = "UPDATE entries SET desired = $2, state = 'pending' WHERE id = $1";
/// Nothing is known of it in the calendar that its connection writes to now.
const MOVE_CALENDAR: &str = concat!(
    "UPDATE entries SET etag = NULL, base = NULL, content_hash = NULL, written_version = NULL, unknown_writes = '[]', ",
    stored_anew!(),
    ", calendar_id = (SELECT k.id FROM calendars k WHERE k.connection_id = entries.connection_id
            AND k.writes AND k.writable AND k.missing_since IS NULL)
    WHERE id = $1 AND EXISTS (SELECT 1 FROM calendars k WHERE k.connection_id = entries.connection_id
        AND k.writes AND k.writable AND k.missing_since IS NULL)"
);

/// Decides where the booking must stand now, in the transaction that changed it, and enqueues what follows.
///
/// `keep_cancelled`: a cancelled booking's entry is marked instead of removed.
pub async fn target(
    tx: &mut Tx,
    booking: &Booking,
    keep_cancelled: bool,
    reach: TargetScope,
    now: DateTime<Utc>,
) -> Result<Vec<JobRef>> {
    connections::lock_targets_shared(tx, booking.business).await?;
    let queue = reach.queue();
    let occupies = booking.draft.status.occupies();
    let mut enqueued = Vec::new();
    let existing: Vec<ExistingEntry> = all!(tx, EXISTING, booking.business, booking.id, booking.draft.kind)?;
    for entry in &existing {
        let home = is_in_default_connection(entry, &existing);
        // One that gives way to another goes with whatever shows it, or both would stand until the next change.
        let gives_way = entry.desired && entry.concerned && !home;
        if !reach.includes(entry.connection_id) && !gives_way {
            continue;
        }
        let desired = home && (occupies || keep_cancelled);
        if !desired && !entry.desired && entry.state == EntryState::Removed {
            continue;
        }
        exec!(tx, SET_DESIRED, entry.id, desired)?;
        if desired && entry.homeless {
            exec!(tx, MOVE_CALENDAR, entry.id)?;
        }
        enqueued.push(enqueue(tx, booking.business, entry.id, desired, queue, now).await?);
    }
    if occupies && booking.interval.end > now {
        let targets: Vec<EntryTarget> = all!(tx, TARGETS, booking.business, booking.id, booking.draft.kind)?;
        for target in targets.into_iter().filter(|target| reach.includes(target.connection_id)) {
            if existing.iter().any(|entry| entry.connection_id == target.connection_id) {
                continue;
            }
            let id = EntryId::new(now);
            exec!(tx, INSERT;
                id, booking.business, booking.id, target.connection_id, target.calendar_id,
                target.provider.external_id(id), now
            )?;
            enqueued.push(enqueue(tx, booking.business, id, true, queue, now).await?);
        }
    }
    Ok(enqueued)
}

pub(super) async fn enqueue(
    tx: &mut Tx,
    business: BusinessId,
    entry: EntryId,
    desired: bool,
    queue: QueueClass,
    now: DateTime<Utc>,
) -> Result<JobRef> {
    let kind = if desired { JobKind::SyncBooking } else { JobKind::DeleteBooking };
    let job = NewJob { business: Some(business), kind, subject: entry.0, queue, due_at: now };
    jobs::enqueue(tx, job, now).await
}

const LIST_UNDESIRED: &str = "
    SELECT id FROM entries
    WHERE business_id = $1 AND connection_id = $2 AND NOT desired AND state <> 'removed' AND id > $3
    ORDER BY id LIMIT $4";

/// Enqueues the removal of the next `limit` entries after `after` that should be gone from a connection's calendars, those
/// of the past too. Returns the jobs, and the last entry if there may be more.
pub async fn remove_undesired(
    tx: &mut Tx,
    (business, connection): (BusinessId, ConnectionId),
    after: EntryId,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<(Vec<JobRef>, Option<EntryId>)> {
    let ids: Vec<EntryId> = scalars!(tx, LIST_UNDESIRED, business, connection, after, i64::from(limit))?;
    let mut enqueued = Vec::with_capacity(ids.len());
    for id in &ids {
        enqueued.push(enqueue(tx, business, *id, false, QueueClass::Bulk, now).await?);
    }
    let more = ids.last().copied().filter(|_| ids.len() >= limit as usize);
    Ok((enqueued, more))
}

const MARK_ALL_PENDING: &str = "
    UPDATE entries SET state = 'pending'
    WHERE business_id = $1 AND desired AND state = 'synced'
      AND connection_id IN (SELECT id FROM connections WHERE business_id = $1) AND EXISTS (
        SELECT 1 FROM calendars k WHERE k.id = entries.calendar_id AND k.missing_since IS NULL)";

/// What stands in the calendars of a business must not stay as it is, also where the booking is over: the next batch of
/// each connection takes them up. Enqueues nothing.
pub(crate) async fn mark_all_pending(tx: &mut Tx, business: BusinessId) -> Result<()> {
    exec!(tx, MARK_ALL_PENDING, business)
}

const MARK_FOR_REWRITE: &str = concat!(
    "UPDATE entries SET content_hash = NULL, state = 'pending', ",
    stored_anew!(),
    " WHERE business_id = $1 AND id = $2 RETURNING desired"
);

/// What stands there is not what should: it is written again, or removed. Returns the job.
pub async fn enqueue_rewrite(
    tx: &mut Tx,
    business: BusinessId,
    id: EntryId,
    now: DateTime<Utc>,
) -> Result<JobRef> {
    let desired: bool = scalar!(tx, MARK_FOR_REWRITE, business, id)?;
    enqueue(tx, business, id, desired, QueueClass::Interactive, now).await
}

const MARK_FOR_RECHECK: &str = concat!(
    "UPDATE entries SET content_hash = CASE WHEN content_hash = $3 THEN content_hash END, attempted = TRUE,
        state = 'pending', ",
    stored_anew!(),
    " WHERE id = $1 AND calendar_id = $2 RETURNING business_id, desired, content_hash, unknown_writes"
);
const STORE_UNKNOWN: &str = "UPDATE entries SET unknown_writes = $2 WHERE id = $1";

/// A write ended after another writer could have begun: nobody knows which of them came first, so the entry is looked at
/// again. `unknown`: what that write would have left; it is stored with those that are there by now. A removal names no
/// version, so that it may have come after a newer write: that explains a deletion that somebody is asked about. Returns the
/// job; `None`: the entry belongs into another calendar by now, and what was written is nobody's concern.
pub async fn look_again(
    tx: &mut Tx,
    (id, calendar): (EntryId, CalendarId),
    unknown: Vec<UnknownWrite>,
    now: DateTime<Utc>,
) -> Result<Option<JobRef>> {
    type RecheckRow = (BusinessId, bool, Option<String>, Json<Vec<UnknownWrite>>);
    // It holds the row from here on, so that no other write is lost from the list.
    let row: Option<RecheckRow> = optional!(tx, MARK_FOR_RECHECK, id, calendar, REMOVED)?;
    let Some((business, desired, known, Json(stored))) = row else { return Ok(None) };
    if unknown.contains(&UnknownWrite::Removed) {
        remote_changes::overtake_deletion(tx, id, now).await?;
    }
    // What overtook it was a removal: that it is gone is no news.
    let removed = (known.is_some() && !unknown.is_empty()).then_some(UnknownWrite::Removed);
    let all = unknown.into_iter().chain(removed).fold(stored, push_unknown_write);
    exec!(tx, STORE_UNKNOWN, id, Json(all))?;
    enqueue(tx, business, id, desired, QueueClass::Interactive, now).await.map(Some)
}
