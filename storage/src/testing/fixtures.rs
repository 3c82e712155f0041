//! What most tests begin with: a business, its people and things, and a booking.

use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime, Customer},
    connection::ProviderKind,
    customer::CustomerRules,
    ids::{CalendarId, ConnectionId},
    invitation::{InvitationMode, InvitationSettings},
    people::{Actor, Trade},
    privacy::EntryPrivacy,
    sync::remote_change::RemoteChangeRules,
};
use secrecy::SecretString;

use super::{at, begin, commit, database::random_name, monday};
use crate::{
    ChangeContext, Db, bookings,
    businesses::{self, Business, BusinessSettings},
    calendars::{self, ListedCalendar},
    connections::{self, ConnectionTokens, NewConnection},
    people::{self, Staff, StaffSettings},
    resources::{self, Resource, ResourceSettings},
    seal::{Keyring, MasterKey},
};

/// A business in Lisbon with a slug of its own.
///
/// # Panics
/// If it cannot be written.
pub async fn business(db: &Db) -> Business {
    let slug = format!("harbour-{}", random_name());
    let settings = BusinessSettings {
        name: "Harbour House".to_owned(),
        zone: chrono_tz::Europe::Lisbon,
        entry_privacy: EntryPrivacy::Minimal,
        mark_cancelled: false,
        outside: RemoteChangeRules::default(),
        invitations: testing_invitations(),
        customers: CustomerRules::default(),
    };
    let mut tx = begin(db).await;
    let made = businesses::create(&mut tx, &slug, &settings, monday()).await.expect("a business is made");
    commit(tx).await;
    made
}

/// Customers are invited where a test asks for it: most tests count jobs.
fn testing_invitations() -> InvitationSettings {
    InvitationSettings { mode: InvitationMode::Off, ..InvitationSettings::default() }
}

/// A resource "Sea View" of the business, without buffers.
///
/// # Panics
/// If it cannot be written.
pub async fn resource(db: &Db, business: &Business, capacity: u32) -> Resource {
    let settings = ResourceSettings {
        name: "Sea View".to_owned(),
        zone: None,
        capacity,
        buffer_before_minutes: 0,
        buffer_after_minutes: 0,
    };
    let mut tx = begin(db).await;
    let made = resources::create(&mut tx, business.id, &settings, monday()).await;
    commit(tx).await;
    made.expect("a resource is made")
}

/// A staff member of the business who serves customers.
///
/// # Panics
/// If they cannot be written.
pub async fn staff(db: &Db, business: &Business, name: &str) -> Staff {
    let settings = StaffSettings {
        name: name.to_owned(),
        email: format!("{}@harbour.example", name.to_lowercase()),
        trade: Trade::General,
    };
    let mut tx = begin(db).await;
    let made = people::create_staff(&mut tx, business.id, &settings, monday()).await;
    commit(tx).await;
    made.expect("a staff member is entered")
}

/// What a new account brings: tokens that hold for an hour from `monday` on.
pub fn tokens(access: &str, refresh: Option<&str>) -> ConnectionTokens {
    ConnectionTokens {
        access: access.into(),
        access_expires_at: at(60),
        refresh: refresh.map(SecretString::from),
    }
}

/// A keyring with one new key.
pub fn keyring() -> Keyring {
    Keyring::new(MasterKey::generate(), vec![])
}

/// A connected Google account of the staff member, named after them.
///
/// # Panics
/// If it cannot be written.
pub async fn connection(db: &Db, ring: &Keyring, staff: &Staff) -> ConnectionId {
    let new = NewConnection {
        business: staff.business_id,
        staff: staff.id,
        provider: ProviderKind::Google,
        account_subject: format!("google-{}", staff.name),
        account_email: staff.email.clone(),
        tokens: tokens("access", Some("refresh")),
    };
    let mut tx = begin(db).await;
    let made = connections::adopt(&mut tx, ring, &new, monday()).await;
    commit(tx).await;
    made.expect("a connection is made")
}

/// The main calendar of the connection, both read and written.
///
/// # Panics
/// If it cannot be written.
pub async fn calendar(db: &Db, staff: &Staff, connection: ConnectionId) -> CalendarId {
    let listed = ListedCalendar {
        external_id: staff.email.clone(),
        name: staff.name.clone(),
        colour: Some("#9fe1e7".to_owned()),
        zone: Some("Europe/Lisbon".to_owned()),
        owner: None,
        writable: true,
        is_primary: true,
    };
    let mut tx = begin(db).await;
    let taken = calendars::take_over(&mut tx, staff.business_id, connection, &[listed], monday()).await;
    commit(tx).await;
    taken.expect("a calendar is taken over");
    let calendars = calendars::of_connection(db, staff.business_id, connection).await;
    calendars.expect("calendars are listed").first().expect("the calendar is among them").id
}

/// A confirmed booking of one unit, from and to minutes after `monday`.
pub fn draft(resource: &Resource, from: i64, to: i64) -> BookingDraft {
    BookingDraft {
        resource: resource.id,
        kind: BookingKind::Booking,
        status: BookingStatus::Confirmed,
        time: BookingTime::Timed { starts_at: at(from), ends_at: at(to) },
        title: "Massage".to_owned(),
        customer: Customer {
            name: "Maria Silva".to_owned(),
            email: "maria@example.com".to_owned(),
            phone: "+351 900 000 000".to_owned(),
            language: None,
        },
        party_size: Some(2),
        quantity: 1,
        staff: vec![],
        location: String::new(),
        notes: String::new(),
        source: "api".to_owned(),
        meeting_url: String::new(),
        guests: Vec::new(),
    }
}

/// Writes a booking.
///
/// # Panics
/// If there is no room, or anything else.
pub async fn booking(db: &Db, business: &Business, reference: &str, draft: &BookingDraft) -> Booking {
    let change = ChangeContext { business: business.id, actor: Actor::System, now: monday() };
    bookings::put(db, &change, reference, draft, None).await.expect("a booking is written").booking
}
