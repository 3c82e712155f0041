//! Brings everything that a connection should hold up to date: after connecting, resuming, or by hand.
//!
//! Claims the connection. Goes through the bookings still to come that it should hold or has an entry of, and raises
//! a duty for each entry, on the bulk queue; what is as it should be costs no call.

use concord_domain::{
    booking::{Booking, BookingKind},
    connection::ConnectionState,
    duty::{DutyKind, QueueClass},
    ids::{BookingId, BusinessId, ConnectionId, EntryId, StaffId},
};
use concord_storage::{
    StorageError, Tx, bookings, calendars, connections,
    duties::{self, ClaimedDuty, DutyRef, NewDuty, Outcome},
    entries::{self, Reach},
};
use uuid::Uuid;

use crate::{
    Context,
    duty::{JobError, business_of, keep},
};

/// Bookings in one transaction: a batch must not keep others from writing for long.
const PART: u32 = 50;

pub(crate) async fn run(context: &Context, duty: &ClaimedDuty) -> Result<Outcome, JobError> {
    let business = business_of(duty)?;
    let id = ConnectionId(duty.subject_id);
    let Some(connection) = connections::find(&context.db, business, id).await? else {
        return Ok(Outcome::Done);
    };
    if connection.state != ConnectionState::Active {
        return Ok(Outcome::Done);
    }
    remove_unwanted(context, business, id).await?;
    let mut after = BookingId(Uuid::nil());
    loop {
        let now = context.clock.now();
        let part = bookings::concerning(&context.db, business, id, now, after, PART).await?;
        let Some(last) = part.last() else { return Ok(Outcome::Done) };
        after = last.id;
        // Who changes one delivery writes to the entries of others: each is aimed alone, or the two could wait for each
        // other.
        for together in part.chunk_by(|one, next| !is_delivery(one) && !is_delivery(next)) {
            let mut tx = context.db.begin().await?;
            let mut raised = Vec::new();
            for booking in together {
                let reach = Reach::Only(id);
                raised.extend(bookings::aim_again(&mut tx, business, &booking.reference, reach, now).await?);
            }
            tx.commit().await?;
            context.push(&raised).await;
        }
        // Another worker that takes over goes through all of them again.
        keep(context, duty).await?;
    }
}

fn is_delivery(booking: &Booking) -> bool {
    booking.draft.kind == BookingKind::Delivery
}

/// What should have gone while the connection was not served goes now, also where the booking is over by now.
async fn remove_unwanted(context: &Context, business: BusinessId, id: ConnectionId) -> Result<(), JobError> {
    let mut after = EntryId(Uuid::nil());
    loop {
        let mut tx = context.db.begin().await?;
        let now = context.clock.now();
        let (raised, more) = entries::remove_unwanted(&mut tx, (business, id), after, PART, now).await?;
        tx.commit().await?;
        context.push(&raised).await;
        let Some(last) = more else { return Ok(()) };
        after = last;
    }
}

/// Raises the batch of one connection.
pub(crate) async fn raise(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
    connection: ConnectionId,
) -> Result<DutyRef, StorageError> {
    let now = context.clock.now();
    let duty = NewDuty {
        business: Some(business),
        kind: DutyKind::BatchSync,
        subject: connection.0,
        queue: QueueClass::Bulk,
        due_at: now,
    };
    duties::raise(tx, duty, now).await
}

/// Raises the batch of every connection of the business that is active, in the transaction that changes what entries are
/// made of, such as a name. The caller pushes what this returns after the commit.
pub async fn raise_all(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
) -> Result<Vec<DutyRef>, StorageError> {
    let mut raised = Vec::new();
    for connection in connections::active(tx, business).await? {
        raised.push(raise(tx, context, business, connection).await?);
    }
    Ok(raised)
}

/// The same for the connections of one person, in the transaction that changes which bookings suit them.
pub async fn raise_of_staff(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
    staff: StaffId,
) -> Result<Vec<DutyRef>, StorageError> {
    let mut raised = Vec::new();
    for connection in connections::active_of_staff(tx, business, staff).await? {
        raised.push(raise(tx, context, business, connection).await?);
    }
    Ok(raised)
}

/// "Sync all pending bookings": every connection of the business that is active. Returns how many.
pub async fn sync_all_pending(context: &Context, business: BusinessId) -> Result<usize, StorageError> {
    let mut tx = context.db.begin().await?;
    let raised = raise_all(&mut tx, context, business).await?;
    tx.commit().await?;
    context.push(&raised).await;
    Ok(raised.len())
}

/// "Import all availability": every calendar of the business that is read. Returns how many.
pub async fn import_all(context: &Context, business: BusinessId) -> Result<usize, StorageError> {
    let connections = connections::list(&context.db, business).await?;
    let mut calendars = Vec::new();
    for connection in connections.iter().filter(|one| one.state == ConnectionState::Active) {
        if connection.direction.reads() {
            calendars.extend(calendars::of_connection(&context.db, business, connection.id).await?);
        }
    }
    let mut tx = context.db.begin().await?;
    let mut raised = Vec::new();
    for calendar in calendars.iter().filter(|one| one.reads && one.missing_since.is_none()) {
        raised.push(crate::import_availability::raise(&mut tx, context, calendar, QueueClass::Bulk).await?);
    }
    tx.commit().await?;
    context.push(&raised).await;
    Ok(raised.len())
}
