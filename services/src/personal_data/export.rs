//! All that is kept of a person, as JSON that they can be given.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::{Booking, BookingTime},
    erasure::{ErasureScope, PersonTraces, TraceSearch},
    invitation::AttendeeRole,
    mail::MailAddress,
};
use concord_storage::{
    ChangeContext, Db, Page, StorageError, erasures,
    history::{self, HistoryEntry},
    reminders, remote_changes,
};
use serde_json::{Value, json};

use super::{BookingOfPerson, Person, PersonQuery, find};
use crate::{ServiceError, history as own_history};

/// All that is kept of somebody.
#[derive(Clone, Debug)]
pub struct Export {
    pub exported_at: DateTime<Utc>,
    /// `None`: they were found by a reference.
    pub email: Option<String>,
    /// One object a booking.
    pub bookings: Vec<Value>,
}

impl Export {
    /// The file that somebody is handed.
    pub fn to_json(&self) -> Value {
        json!({ "exported_at": self.exported_at, "email": self.email, "bookings": self.bookings })
    }
}

/// Gathers what is kept of somebody, and notes in the history that it was handed out. `NotFound`: nothing is.
pub async fn export(db: &Db, by: &ChangeContext, query: &PersonQuery) -> Result<Export, ServiceError> {
    let person = find(db, by.business, query).await?;
    let mut bookings = Vec::with_capacity(person.bookings.len());
    for one in &person.bookings {
        bookings.push(match one.scope {
            ErasureScope::Booking => as_customer(db, &person, one).await?,
            ErasureScope::Person => as_guest(db, &person, one).await?,
        });
    }
    let mut tx = db.begin().await?;
    let detail = json!({ "bookings": bookings.len() });
    // Of a booking: an answer that is kept for whoever repeats the request goes with what it was done to.
    if let Some(first) = person.bookings.first() {
        own_history::record(&mut tx, by, "personal data exported", first.booking.id, &detail).await?;
    }
    tx.commit().await?;
    Ok(Export { exported_at: by.now, email: person.address_key, bookings })
}

/// What says nothing of the people in it.
fn facts(booking: &Booking, role: &str) -> Value {
    let mut facts = json!({
        "id": booking.id,
        "reference": booking.reference,
        "role": role,
        "status": booking.draft.status,
        "kind": booking.draft.kind,
        "resource": booking.draft.resource,
        "starts_at": booking.interval.start,
        "ends_at": booking.interval.end,
        "created_at": booking.created_at,
        "updated_at": booking.updated_at,
    });
    if let BookingTime::Stay { check_in, check_out } = booking.draft.time {
        facts["check_in"] = json!(check_in);
        facts["check_out"] = json!(check_out);
    }
    facts
}

async fn as_customer(db: &Db, person: &Person, one: &BookingOfPerson) -> Result<Value, StorageError> {
    let booking = &one.booking;
    let (business, id, draft) = (booking.business, booking.id, &booking.draft);
    let mut value = facts(booking, "customer");
    value["title"] = json!(draft.title);
    value["customer"] = json!(draft.customer);
    value["guests"] = json!(draft.guests);
    value["party_size"] = json!(draft.party_size);
    value["location"] = json!(draft.location);
    value["notes"] = json!(draft.notes);
    value["meeting_url"] = json!(draft.meeting_url);
    value["source"] = json!(draft.source);
    // Whoever was the customer, or a guest, before them is somebody else.
    let own_key = person.address_key.clone().unwrap_or_else(|| MailAddress::key_of(&draft.customer.email));
    let attendees = erasures::attendees_of_booking(db, business, id).await?;
    let comes = |one: &&erasures::ExportedAttendee| one.removed_at.is_none() || one.address_key == own_key;
    let coming: Vec<&erasures::ExportedAttendee> = attendees.iter().filter(comes).collect();
    let mails = erasures::mails_of_booking(db, business, id).await?;
    let is_to_them = |one: &&erasures::ExportedMail| {
        let key = MailAddress::key_of(&one.to_address);
        key == own_key || coming.iter().any(|attendee| attendee.address_key == key)
    };
    value["mails"] = mails.iter().filter(is_to_them).map(mail).collect();
    value["attendees"] = coming.iter().map(|one| attendee(one)).collect();
    let reminders = reminders::of_booking(db, business, id).await?;
    let reminder = |listed: &reminders::ListedReminder| {
        let row = &listed.reminder;
        json!({ "due_at": row.due_at, "state": row.state, "channel": listed.rule.channel, "changed_at": row.changed_at })
    };
    value["reminders"] = reminders.iter().map(reminder).collect();
    let lines =
        Page::collect_all(|page| async move { history::list_for_subject(db, business, id.0, &page).await });
    value["history"] = lines.await?.iter().map(line).collect();
    let changes = remote_changes::of_booking(db, business, id).await?;
    let change = |change: &remote_changes::RemoteChange| json!({ "kind": change.edit.kind, "state": change.state, "seen_at": change.seen_at, "edit": change.edit });
    value["calendar_changes"] = changes.iter().map(change).collect();
    Ok(value)
}

/// Of a booking of somebody else only what concerns them.
async fn as_guest(db: &Db, person: &Person, one: &BookingOfPerson) -> Result<Value, StorageError> {
    let booking = &one.booking;
    let is_theirs =
        |email: &str| person.address_key.as_ref().is_some_and(|key| MailAddress::key_of(email) == *key);
    let guest = booking.draft.guests.iter().find(|guest| is_theirs(&guest.email));
    let mut value = facts(booking, if guest.is_some() { "guest" } else { "former" });
    value["guest"] = json!(guest);
    let attendees = erasures::attendees_of_booking(db, booking.business, booking.id).await?;
    let own = attendees.iter().filter(|one| Some(&one.address_key) == person.address_key.as_ref());
    let was_customer = own.clone().any(|one| one.role == AttendeeRole::Customer);
    value["attendees"] = own.map(attendee).collect();
    if was_customer {
        value["history"] = history_of_former_customer(db, person, booking).await?;
    }
    let mails = erasures::mails_of_booking(db, booking.business, booking.id).await?;
    value["mails"] = mails.iter().filter(|one| is_theirs(&one.to_address)).map(mail).collect();
    Ok(value)
}

/// What was written of the booking while it was theirs: up to the last line that names them.
async fn history_of_former_customer(
    db: &Db,
    person: &Person,
    booking: &Booking,
) -> Result<Value, StorageError> {
    let traces = PersonTraces { address_key: person.address_key.clone(), ..PersonTraces::default() };
    let search = TraceSearch::new(&traces);
    let lines = Page::collect_all(|page| async move {
        history::list_for_subject(db, booking.business, booking.id.0, &page).await
    });
    let lines = lines.await?;
    let names_them = |one: &&HistoryEntry| search.finds_in_line(&one.actor, &one.detail);
    let last = lines.iter().filter(names_them).map(|one| one.id).max();
    Ok(lines.iter().filter(|one| Some(one.id) <= last).map(line).collect())
}

fn attendee(one: &erasures::ExportedAttendee) -> Value {
    json!({
        "role": one.role,
        "name": one.name,
        "address": one.address,
        "last_invitation": one.sent.as_ref().map(|sent| &sent.0),
        "answer": one.answer,
        "answered_at": one.answered_at,
        "reminders_off": one.reminders_off,
        "has_page": one.has_page,
        "removed_at": one.removed_at,
        "created_at": one.created_at,
    })
}

fn mail(one: &erasures::ExportedMail) -> Value {
    json!({
        "kind": one.kind,
        "to": one.to_address,
        "subject": one.subject,
        "state": one.state,
        "created_at": one.created_at,
        "sent_at": one.sent_at,
    })
}

/// Of what changed only which fields: what was there before may be another person's.
fn line(line: &HistoryEntry) -> Value {
    let mut detail = line.detail.clone();
    if let Some(changes) = detail.get_mut("changes") {
        let fields: Vec<String> =
            changes.as_object().into_iter().flatten().map(|(field, _)| field.clone()).collect();
        *changes = json!(fields);
    }
    json!({ "at": line.at, "action": line.action, "detail": detail })
}
