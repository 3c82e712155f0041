//! Drivers' days: the entries of the other stops, when one of them changes. Each says which stop of how many it is, and
//! lists the day, so that one delivery more or less, or at another time, changes what all of them should say.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::{Booking, BookingKind},
    delivery_route::day_of,
    ids::{BookingId, BusinessId, EntryId, StaffId},
    interval::Interval,
    job::QueueClass,
};

use super::desired;
use crate::{Open, Result, Tx, jobs::JobRef};

/// The days on which a change of a delivery is felt, and whose.
pub(crate) struct AffectedRounds {
    business: BusinessId,
    booking: BookingId,
    days: BTreeSet<Interval>,
    staff: BTreeSet<StaffId>,
}

/// Those who change the days of drivers do so one after another: each writes to the rows of the others.
const LOCK_ROUNDS: &str = "SELECT pg_advisory_xact_lock(1, $1)";

/// Finds out whether a change is of a driver's day, before and after. Before the booking is targeted: where it is, whoever
/// changes another delivery of the business waits until the end of the transaction.
pub(crate) async fn begin(
    tx: &mut Tx,
    (before, after): (Option<&Booking>, &Booking),
    zone: Tz,
) -> Result<AffectedRounds> {
    let mut rounds = AffectedRounds {
        business: after.business,
        booking: after.id,
        days: BTreeSet::new(),
        staff: BTreeSet::new(),
    };
    for booking in before.into_iter().chain([after]) {
        if booking.draft.kind == BookingKind::Delivery {
            rounds.days.insert(day_of(booking.interval.start, zone));
            rounds.staff.extend(&booking.draft.staff);
        }
    }
    if let (false, Open::Postgres(c)) = (rounds.days.is_empty(), tx.open()) {
        // The end of an id is random. Two businesses with the same would wait for each other, and no more than that.
        let (_, name) = after.business.0.as_u64_pair();
        sqlx::query(LOCK_ROUNDS).bind((name & 0x7fff_ffff) as i32).execute(c).await?;
    }
    Ok(rounds)
}

/// `$5`: of this person; NULL: of those whose calendar gets every delivery.
const OTHER_STOPS: &str = "
    SELECT e.id FROM bookings b
    JOIN entries e ON e.booking_id = b.id
    JOIN connections c ON c.id = e.connection_id
    WHERE b.business_id = $1 AND e.desired AND b.id <> $2 AND b.kind = 'delivery' AND b.starts_at >= $3
      AND b.starts_at < $4 AND c.state <> 'disconnected'
      AND (c.staff_id = $5 OR ($5 IS NULL AND c.coverage = 'trade'))";
const MARK_PENDING: &str = "UPDATE entries SET state = 'pending' WHERE id = $1 AND state = 'synced'";

impl AffectedRounds {
    /// Enqueues the writing of the other stops; what turns out to say what it should costs no call.
    pub(crate) async fn enqueue(self, tx: &mut Tx, now: DateTime<Utc>) -> Result<Vec<JobRef>> {
        let mut entries = BTreeSet::new();
        for day in &self.days {
            for staff in self.staff.iter().copied().map(Some).chain([None]) {
                entries.extend(self.others(tx, *day, staff).await?);
            }
        }
        let mut enqueued = Vec::with_capacity(entries.len());
        for entry in entries {
            exec!(tx, MARK_PENDING, entry)?;
            enqueued
                .push(desired::enqueue(tx, self.business, entry, true, QueueClass::Interactive, now).await?);
        }
        Ok(enqueued)
    }

    async fn others(&self, tx: &mut Tx, day: Interval, staff: Option<StaffId>) -> Result<Vec<EntryId>> {
        scalars!(tx, OTHER_STOPS, self.business, self.booking, day.start, day.end, staff)
    }
}
