//! Erasing again what a database that was restored from a backup has back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    erasure::{ErasureReason, ErasureScope, PersonTraces},
    ids::ErasureId,
    mail::MailAddress,
};
use concord_storage::{
    Db, StorageError, bookings,
    erasures::{self, ListedErasure, NewErasure},
    seal::Keyring,
};

use super::own_people;

/// Writes those of a list of erasures down again that this database does not know of: each as one, so that a person is searched
/// for once. Returns how many bookings those are.
pub async fn replay(
    (db, ring): (&Db, &Keyring),
    listed: &[ListedErasure],
    now: DateTime<Utc>,
) -> Result<usize, StorageError> {
    let mut erasures: BTreeMap<ErasureId, Vec<&ListedErasure>> = BTreeMap::new();
    for one in listed {
        erasures.entry(one.erasure).or_default().push(one);
    }
    let mut added = 0;
    for listed in erasures.values() {
        added += replay_one((db, ring), listed, now).await?;
    }
    Ok(added)
}

async fn replay_one(
    (db, ring): (&Db, &Keyring),
    listed: &[&ListedErasure],
    now: DateTime<Utc>,
) -> Result<usize, StorageError> {
    let Some(business) = listed.first().map(|one| one.business) else { return Ok(0) };
    let ids: Vec<_> = listed.iter().map(|one| one.booking).collect();
    let found = bookings::find_by_ids(db, business, &ids).await?;
    let own_people = own_people(db, business).await?;
    let mut tx = db.begin().await?;
    let (mut unknown, mut address_key) = (Vec::new(), None);
    for one in listed {
        let Some(booking) = found.get(&one.booking) else { continue };
        if !erasures::is_known(&mut tx, one).await? {
            address_key = address_key.or(erasures::address_of_listed(&mut tx, one).await?);
            unknown.push((*one, booking));
        }
    }
    if unknown.is_empty() {
        return Ok(0);
    }
    let address_key = address_key.or_else(|| shared_address(&unknown));
    let mut traces = PersonTraces { address_key, ..PersonTraces::default() };
    for (one, booking) in &unknown {
        traces.add_booking(&booking.draft, one.scope);
    }
    for (name, email) in own_people {
        traces.leave_out(&name);
        traces.leave_out(&email);
    }
    let targets: Vec<_> = unknown.iter().map(|(one, _)| one.target()).collect();
    let new = NewErasure { business, reason: ErasureReason::Restore, targets: &targets, traces: &traces };
    erasures::create(&mut tx, ring, &new, now).await?;
    tx.commit().await?;
    Ok(targets.len())
}

/// The address of the customer of several bookings, all of which were erased as theirs. Of one booking it is not known whether
/// its customer was meant or the booking, and of many of several customers nobody in particular was: whoever they name goes.
fn shared_address(unknown: &[(&ListedErasure, &Booking)]) -> Option<String> {
    let (_, first) = unknown.first()?;
    let key = MailAddress::key_of(&first.draft.customer.email);
    let is_theirs = |(one, booking): &(&ListedErasure, &Booking)| {
        one.scope == ErasureScope::Booking && MailAddress::key_of(&booking.draft.customer.email) == key
    };
    (unknown.len() > 1 && !key.is_empty() && unknown.iter().all(is_theirs)).then_some(key)
}
