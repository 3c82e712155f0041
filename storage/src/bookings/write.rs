//! Changing a booking: its rows, its units, its entries in calendars, its history and the jobs that follow, in one
//! transaction.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::{Booking, BookingDraft, BookingStatus, FieldError, check_reference},
    ids::{BookingId, BusinessId, ChannelId, StaffId},
    interval::Interval,
    mail::{MailAddress, MailAddressError},
    sync::remote_change,
    webhook::Event,
};

use super::{
    allocation::{BookingOrigin, allocate_anew, too_many_units},
    approval, events, invitations,
    linked::{ChannelItemWrite, LinkedWrite, write_linked},
    outcome::{BookingCommand, BookingEvents, PutError, WrittenBooking},
    read::find_in,
    rows::{append_history, business_booking_settings, write_rows},
    unavailability::{Unavailability, alternatives, obstacles},
};
use crate::{
    ChangeContext, Db, Result, StorageError, Tx, answers,
    entries::{self, TargetScope, rounds},
    jobs::JobRef,
    occupancy::OccupiedInterval,
    people, reminders, remote_changes,
    resources::{self, Resource},
};

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
    write(db, change, reference, BookingCommand::Put(draft), expected, LinkedWrite::Nothing).await
}

async fn write(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    command: BookingCommand<'_>,
    expected: Option<i64>,
    linked: LinkedWrite<'_>,
) -> Result<WrittenBooking, PutError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut tx = db.begin().await?;
        match put_in(&mut tx, change, reference, command, expected).await {
            Ok(mut put) => {
                write_linked(&mut tx, change, &put, linked).await?;
                if let Some(why) = put.overtakes {
                    remote_changes::overtake(&mut tx, put.booking.id, why, change.now).await?;
                }
                approval::raise_pending(&mut tx, change, &put).await?;
                events::publish(&mut tx, &mut put, change.now).await?;
                if let LinkedWrite::Answered(answer) = linked {
                    put.jobs.extend(answers::publish(&mut tx, change, answer).await?);
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

/// The same at a version that somebody has seen, with what is written along.
pub async fn cancel_linked(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    expected: i64,
    linked: LinkedWrite<'_>,
) -> Result<WrittenBooking, PutError> {
    write(db, change, reference, BookingCommand::Cancel, Some(expected), linked).await
}

/// Writes the booking of that reference as a platform has sold it: it stands without a unit where there is no room.
/// `expected`: the version of the booking that the draft was made from. `Exists` inside: the channel has an item with that
/// key, or another reading was faster.
pub async fn import(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    (draft, channel): (&BookingDraft, ChannelId),
    item: &ChannelItemWrite<'_>,
    expected: Option<i64>,
) -> Result<WrittenBooking, PutError> {
    write(db, change, reference, BookingCommand::Import(draft, channel), expected, LinkedWrite::Item(item))
        .await
}

/// Cancels the booking of that reference because its item is gone, or is nothing that takes time any more.
pub async fn cancel_imported(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    item: &ChannelItemWrite<'_>,
) -> Result<WrittenBooking, PutError> {
    write(db, change, reference, BookingCommand::Cancel, None, LinkedWrite::Item(item)).await
}

/// Changes the booking as a person's change of its entry wants it, as somebody decided about that, or as its customer wants it,
/// and writes both down. `Stale`: it is at another version, or the entry was written since it was seen, or another has decided.
pub async fn follow(
    db: &Db,
    change: &ChangeContext,
    reference: &str,
    draft: &BookingDraft,
    expected: i64,
    linked: LinkedWrite<'_>,
) -> Result<WrittenBooking, PutError> {
    write(db, change, reference, BookingCommand::Put(draft), Some(expected), linked).await
}

// Nothing changes but that the row is held, on either database.
const LOCK_VERSION: &str = "UPDATE bookings SET version = version WHERE id = $1 AND version = $2";

/// Whether the booking is at that version, at which it then stays until the end of the transaction. Before the booking's
/// entries are touched, as whoever writes it takes them.
pub async fn hold(tx: &mut Tx, id: BookingId, version: i64) -> Result<bool> {
    Ok(changed!(tx, LOCK_VERSION, id, version)? == 1)
}

enum PutFailure {
    Error(PutError),
    Full { obstacles: Vec<OccupiedInterval>, draft: Box<BookingDraft>, interval: Interval, zone: Tz },
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
    command: BookingCommand<'_>,
    expected: Option<i64>,
) -> Result<WrittenBooking, PutFailure> {
    let before = find_in(tx, change.business, reference).await?;
    let draft = draft_of(command, before.as_ref())?;
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
            events: None,
        });
    }
    check_new_address(command, before.as_ref())?;
    let resource = lock_subjects(tx, change.business, before.as_ref(), &draft, command).await?;
    let business = business_booking_settings(tx, change.business).await?;
    let zone = resource.zone.unwrap_or(business.zone);
    let interval = check_interval(command, before.as_ref(), &draft, zone)?;
    let booking = Booking {
        id: before.as_ref().map_or_else(|| BookingId::new(change.now), |before| before.id),
        business: change.business,
        reference: reference.to_owned(),
        version: before.as_ref().map_or(1, |before| before.version + 1),
        interval,
        channel: match command {
            BookingCommand::Import(_, channel) => Some(channel),
            BookingCommand::Put(_) | BookingCommand::Cancel => {
                before.as_ref().and_then(|before| before.channel)
            }
        },
        created_at: before.as_ref().map_or(change.now, |before| before.created_at),
        updated_at: change.now,
        draft,
    };
    let origin = origin_of(command);
    if let (BookingOrigin::Local, Some(fault)) =
        (origin, too_many_units(before.as_ref(), &booking, &resource))
    {
        return Err(PutError::Invalid(vec![fault]).into());
    }
    let was_conflict = events::is_conflict(tx, before.as_ref()).await?;
    write_rows(tx, &booking).await?;
    let allocated =
        match allocate_anew(tx, before.as_ref(), &booking, (&resource, origin), change.now).await? {
            Ok(allocated) => allocated,
            Err(in_the_way) => {
                let obstacles = obstacles(tx, change.business, &in_the_way).await?;
                return Err(PutFailure::Full { obstacles, draft: Box::new(booking.draft), interval, zone });
            }
        };
    let rounds = rounds::begin(tx, (before.as_ref(), &booking), business.zone).await?;
    let mut jobs =
        entries::target(tx, &booking, business.mark_cancelled, TargetScope::Everywhere, change.now).await?;
    jobs.extend(rounds.enqueue(tx, change.now).await?);
    jobs.extend(invitations::enqueue(tx, before.as_ref(), &booking, &business, change.now).await?);
    jobs.extend(reminders::follow(tx, before.as_ref(), &booking, change.now).await?);
    append_history(tx, change, before.as_ref(), &booking).await?;
    let overtakes = Some(overtakes(before.as_ref(), &booking));
    let event = Event::booking(before.as_ref(), &booking);
    let events = Some(BookingEvents { event, was_conflict, resolved: allocated.others });
    let created = before.is_none();
    Ok(WrittenBooking { booking, created, allocated: allocated.all, jobs, overtakes, events })
}

/// What is newly typed can be an address. What was taken before stays, so that its booking can be changed and called off.
fn check_new_address(command: BookingCommand<'_>, before: Option<&Booking>) -> Result<(), PutError> {
    let BookingCommand::Put(draft) = command else { return Ok(()) };
    let email = draft.customer.email.as_str();
    let is_new = !email.trim().is_empty() && before.is_none_or(|before| before.draft.customer.email != email);
    match MailAddress::parse(email) {
        Err(error @ MailAddressError::Invalid) if is_new => {
            Err(PutError::Invalid(vec![FieldError::new("customer.email", error.to_string())]))
        }
        _ => Ok(()),
    }
}

fn origin_of(command: BookingCommand<'_>) -> BookingOrigin {
    match command {
        BookingCommand::Import(..) => BookingOrigin::Channel,
        BookingCommand::Put(_) | BookingCommand::Cancel => BookingOrigin::Local,
    }
}

fn draft_of(command: BookingCommand<'_>, before: Option<&Booking>) -> Result<BookingDraft> {
    match (command, before) {
        (BookingCommand::Put(draft) | BookingCommand::Import(draft, _), _) => Ok(draft.clone().normalised()),
        (BookingCommand::Cancel, Some(before)) => {
            Ok(BookingDraft { status: BookingStatus::Cancelled, ..before.draft.clone() })
        }
        (BookingCommand::Cancel, None) => Err(StorageError::NotFound),
    }
}

/// The time that a valid draft takes. What a platform has sold may be longer than what is made here.
fn check_interval(
    command: BookingCommand<'_>,
    before: Option<&Booking>,
    draft: &BookingDraft,
    zone: Tz,
) -> Result<Interval, PutError> {
    let is_as_long = |before: &Booking| before.interval.length() >= draft_duration(draft, zone);
    let interval = match command {
        BookingCommand::Import(..) => draft.check_imported(zone),
        // What came so long may be renamed, called off and made shorter here.
        _ if before.is_some_and(|before| before.channel.is_some() && is_as_long(before)) => {
            draft.check_imported(zone)
        }
        BookingCommand::Put(_) | BookingCommand::Cancel => draft.check(zone),
    };
    interval.map_err(PutError::Invalid)
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
pub async fn retarget(
    tx: &mut Tx,
    business: BusinessId,
    reference: &str,
    scope: TargetScope,
    now: DateTime<Utc>,
) -> Result<Vec<JobRef>> {
    let Some(booking) = find_in(tx, business, reference).await? else { return Ok(vec![]) };
    let business = business_booking_settings(tx, business).await?;
    entries::target(tx, &booking, business.mark_cancelled, scope, now).await
}

/// Locks everything whose occupancy changes, resources before staff and each in the order of ids, so that two changes
/// never wait for one another in a circle. The locks count the revisions that feeds are rendered by.
pub(super) async fn lock_subjects(
    tx: &mut Tx,
    business: BusinessId,
    before: Option<&Booking>,
    draft: &BookingDraft,
    command: BookingCommand<'_>,
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
    let is_fact = matches!(command, BookingCommand::Import(..));
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
async fn lock_staff(tx: &mut Tx, business: BusinessId, id: StaffId, newly_asked: bool) -> Result<bool> {
    match people::lock(tx, business, id).await {
        Ok(member) => Ok(member.archived_at.is_none() || !newly_asked),
        Err(StorageError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}
