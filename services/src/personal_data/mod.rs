//! What is kept of a person who books: handing it out, and erasing it.

mod export;
mod replay;

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    erasure::{ErasureReason, ErasureScope, ErasureTarget, PersonTraces, is_in_force, scope_of},
    ids::{AttendeeId, BusinessId},
    invitation::{AttendeeRole, InvitationMethod},
    mail::MailAddress,
};
use concord_jobs::Context;
use concord_storage::{
    ChangeContext, Db, Page, StorageError,
    attendees::{self, Attendee},
    bookings,
    erasures::{self, Erasure, NewErasure},
    jobs::JobRef,
    people,
    seal::Keyring,
};
use serde_json::json;

pub use self::{
    export::{Export, export},
    replay::replay,
};
use crate::{ServiceError, error::OrNotFound, history};

/// What is not found.
const WHAT: &str = "customer";

/// By what somebody is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonQuery {
    /// As a customer or a guest, now or before.
    Email(String),
    /// The customer of one booking, such as one without an address.
    Reference(String),
}

/// A booking that names somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingOfPerson {
    pub booking: Booking,
    /// What would be erased of it.
    pub scope: ErasureScope,
    /// Their row, if they have one.
    pub attendee: Option<AttendeeId>,
}

/// Somebody, with all bookings that name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// `None`: they were found by a reference.
    pub address_key: Option<String>,
    /// The first to begin first.
    pub bookings: Vec<BookingOfPerson>,
}

impl Person {
    /// The references of the bookings that they are the customer of and that are not over.
    pub fn upcoming(&self, now: DateTime<Utc>) -> Vec<&str> {
        let upcoming =
            |one: &&BookingOfPerson| one.scope == ErasureScope::Booking && is_in_force(&one.booking, now);
        self.bookings.iter().filter(upcoming).map(|one| one.booking.reference.as_str()).collect()
    }

    async fn traces(&self, db: &Db, business: BusinessId) -> Result<PersonTraces, StorageError> {
        let mut traces = PersonTraces { address_key: self.address_key.clone(), ..PersonTraces::default() };
        for one in &self.bookings {
            traces.add_booking(&one.booking.draft, one.scope);
            if one.scope == ErasureScope::Person {
                // Whom the booking names no more, their row still does.
                let people = erasures::attendees_of_booking(db, one.booking.business, one.booking.id).await?;
                for other in
                    people.iter().filter(|other| Some(&other.address_key) == self.address_key.as_ref())
                {
                    traces.add(&other.name);
                }
            }
        }
        for (name, email) in own_people(db, business).await? {
            traces.leave_out(&name);
            traces.leave_out(&email);
        }
        Ok(traces)
    }

    /// The references of bookings that were cancelled, and of which the customer does not know yet.
    async fn untold_cancellations(&self, db: &Db, now: DateTime<Utc>) -> Result<Vec<&str>, StorageError> {
        let mut untold = Vec::new();
        for BookingOfPerson { booking, scope, .. } in &self.bookings {
            if *scope != ErasureScope::Booking
                || booking.draft.status.occupies()
                || booking.interval.end <= now
            {
                continue;
            }
            let people = attendees::of_booking(db, booking.business, booking.id).await?;
            let is_invited = |one: &Attendee| {
                one.sent.as_ref().is_some_and(|sent| sent.method == InvitationMethod::Request)
            };
            if people.iter().any(|one| one.role == AttendeeRole::Customer && is_invited(one)) {
                untold.push(booking.reference.as_str());
            }
        }
        Ok(untold)
    }
}

/// Names and addresses of those who work for a business.
async fn own_people(db: &Db, business: BusinessId) -> Result<Vec<(String, String)>, StorageError> {
    let staff =
        Page::collect_all(|page| async move { people::list_staff(db, business, &page).await }).await?;
    let users = people::list_users(db, business).await?;
    let staff = staff.into_iter().map(|member| (member.name, member.email));
    Ok(staff.chain(users.into_iter().map(|user| (user.name, user.email))).collect())
}

/// All that names somebody in a business. `NotFound`: nothing does.
pub async fn find(db: &Db, business: BusinessId, query: &PersonQuery) -> Result<Person, ServiceError> {
    let person = match query {
        PersonQuery::Email(email) => of_address(db, business, &MailAddress::key_of(email)).await?,
        PersonQuery::Reference(reference) => {
            let booking = bookings::find(db, business, reference.trim()).await?.or_not_found("booking")?;
            let only = BookingOfPerson { booking, scope: ErasureScope::Booking, attendee: None };
            Person { address_key: None, bookings: vec![only] }
        }
    };
    if person.bookings.is_empty() { Err(ServiceError::NotFound(WHAT)) } else { Ok(person) }
}

async fn of_address(db: &Db, business: BusinessId, address_key: &str) -> Result<Person, StorageError> {
    let named = erasures::bookings_of_address(db, business, address_key).await?;
    let ids: Vec<_> = named.iter().map(|one| one.booking_id).collect();
    let mut found = bookings::find_by_ids(db, business, &ids).await?;
    let of_person = named.into_iter().filter_map(|one| {
        let booking = found.remove(&one.booking_id)?;
        let scope = scope_of(&booking.draft, address_key);
        Some(BookingOfPerson { booking, scope, attendee: one.attendee_id })
    });
    let mut bookings: Vec<BookingOfPerson> = of_person.collect();
    bookings.sort_by_key(|one| (one.booking.interval.start, one.booking.id));
    Ok(Person { address_key: Some(address_key.to_owned()), bookings })
}

/// So many references are named to whoever must decide about them.
const NAMED: usize = 10;

async fn refuse_upcoming(db: &Db, person: &Person, now: DateTime<Utc>) -> Result<(), ServiceError> {
    let upcoming = person.upcoming(now);
    if !upcoming.is_empty() {
        let more = upcoming.len().saturating_sub(NAMED);
        let named = upcoming[..upcoming.len() - more].join(", ");
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        return Err(ServiceError::NotPossible(format!(
            "there are upcoming bookings of this customer: {named}{more}. Cancel them first, or ask to keep them \
             (keep_upcoming, in the command --keep-upcoming): they stay in the calendar without the customer, who is sent nothing"
        )));
    }
    let untold = person.untold_cancellations(db, now).await?;
    if !untold.is_empty() {
        return Err(ServiceError::NotPossible(format!(
            "the customer was not sent the cancellation of {} yet. Wait until it is sent, or ask to keep upcoming bookings: \
             then it is not sent",
            untold.join(", ")
        )));
    }
    Ok(())
}

/// Begins the erasure of a person, which a job then does. `keep_upcoming`: bookings that are not over stay in force, without
/// the person. `NotPossible`: there are such, and that was not said.
pub async fn request(
    (db, ring): (&Db, &Keyring),
    by: &ChangeContext,
    query: &PersonQuery,
    keep_upcoming: bool,
) -> Result<(Erasure, JobRef), ServiceError> {
    let person = find(db, by.business, query).await?;
    if !keep_upcoming {
        refuse_upcoming(db, &person, by.now).await?;
    }
    let traces = person.traces(db, by.business).await?;
    let targets: Vec<ErasureTarget> = person.bookings.iter().map(|one| target_of(&person, one)).collect();
    let new = NewErasure {
        business: by.business,
        reason: ErasureReason::Request,
        targets: &targets,
        traces: &traces,
    };
    let mut tx = db.begin().await?;
    let (id, job) = erasures::create(&mut tx, ring, &new, by.now).await?;
    let of_customer = || {
        let newest = person.bookings.last()?;
        Some(MailAddress::key_of(&newest.booking.draft.customer.email))
    };
    let address_key = person.address_key.clone().or_else(of_customer);
    if let Some(address_key) = address_key.filter(|key| !key.is_empty()) {
        erasures::revoke_portals(&mut tx, by.business, &address_key).await?;
        // From now on they are sent nothing, however long the rest takes.
        erasures::withdraw_mails(&mut tx, by.business, &address_key, by.now).await?;
    }
    let detail = json!({ "bookings": targets.len(), "erasure": id });
    history::record(&mut tx, by, "personal data erased", by.business, &detail).await?;
    tx.commit().await?;
    let erasure = erasures::find(db, by.business, id).await?.or_not_found("erasure")?;
    Ok((erasure, job))
}

fn target_of(person: &Person, one: &BookingOfPerson) -> ErasureTarget {
    let attendee = one.attendee.filter(|_| person.address_key.is_some() && one.scope == ErasureScope::Person);
    ErasureTarget { booking: one.booking.id, scope: one.scope, attendee }
}

/// The same, and tells the workers.
pub async fn erase(
    context: &Context,
    by: &ChangeContext,
    query: &PersonQuery,
    keep_upcoming: bool,
) -> Result<Erasure, ServiceError> {
    let (erasure, job) = request((&context.db, &context.ring), by, query, keep_upcoming).await?;
    context.push(&[job]).await;
    Ok(erasure)
}
