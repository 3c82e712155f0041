//! The addresses of customers' own pages.

use chrono::Duration;
use concord_domain::{
    booking::{Booking, BookingDraft, Customer},
    customer::CustomerAnswer,
    people::Actor,
};
use concord_storage::{
    ChangeContext, Db, StorageError, answers,
    attendees::{self, Attendee},
    bookings, customer_links,
    seal::{Keyring, MasterKey},
    secret,
    testing::{self, TestDb, at, begin, commit},
};
use secrecy::{ExposeSecret, SecretString};

use crate::precise;

/// A booking, and its customer.
pub(crate) async fn booking(db: &Db) -> (Booking, Attendee) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 9).await;
    let booking = testing::booking(db, &business, "tasting", &testing::draft(&room, 60, 120)).await;
    let customer = attendees::of_booking(db, business.id, booking.id).await.unwrap().remove(0);
    (booking, customer)
}

async fn token(db: &Db, ring: &Keyring, attendee: &Attendee) -> SecretString {
    let mut tx = begin(db).await;
    let token = customer_links::token(&mut tx, ring, attendee.id).await.unwrap();
    commit(tx).await;
    token
}

async fn page_has_one_address_until_it_is_revoked(db: &TestDb) {
    let (booking, customer) = booking(db).await;
    let ring = testing::keyring();
    let first = token(db, &ring, &customer).await;
    assert!(first.expose_secret().starts_with("cb_"));
    assert_eq!(token(db, &ring, &customer).await.expose_secret(), first.expose_secret());
    let read = customer_links::find_tokens(db, &ring, &[customer.id]).await.unwrap();
    assert_eq!((read.len(), read[&customer.id].expose_secret()), (1, first.expose_secret()));
    let found = async |token: &SecretString| {
        attendees::find_by_token(db, &secret::digest(token)).await.unwrap().map(|attendee| attendee.id)
    };
    assert_eq!(found(&first).await, Some(customer.id));
    assert_eq!(found(&SecretString::from("cb_other")).await, None);

    let other = testing::business(db).await;
    let mut tx = begin(db).await;
    assert_eq!(customer_links::revoke(&mut tx, other.id, booking.id).await.unwrap(), 0);
    assert_eq!(customer_links::revoke(&mut tx, booking.business, booking.id).await.unwrap(), 1);
    commit(tx).await;
    assert_eq!(found(&first).await, None);
    assert_ne!(token(db, &ring, &customer).await.expose_secret(), first.expose_secret());
}

async fn page_of_a_former_customer_is_nobodys(db: &TestDb) {
    let (booking, customer) = booking(db).await;
    let token = token(db, &testing::keyring(), &customer).await;
    let business = concord_storage::businesses::find(db, booking.business).await.unwrap().unwrap();
    let email = "other@example.org".to_owned();
    let draft = BookingDraft { customer: Customer { email, ..Customer::default() }, ..booking.draft };
    testing::booking(db, &business, "tasting", &draft).await;
    assert_eq!(attendees::find_by_token(db, &secret::digest(&token)).await.unwrap(), None);
}

async fn answer_is_kept(db: &TestDb) {
    let (booking, customer) = booking(db).await;
    let mut tx = begin(db).await;
    answers::set(&mut tx, customer.id, CustomerAnswer::Declined, precise(3)).await.unwrap();
    commit(tx).await;
    let all = attendees::of_booking(db, booking.business, booking.id).await.unwrap();
    assert_eq!((all[0].answer, all[0].answered_at), (Some(CustomerAnswer::Declined), Some(precise(3))));
}

async fn reminders_are_turned_off_and_stay_so(db: &TestDb) {
    let (booking, customer) = booking(db).await;
    assert!(!customer.reminders_off);
    let mut tx = begin(db).await;
    assert!(!attendees::wants_no_reminders(&mut tx, &booking).await.unwrap());
    customer_links::set_reminders_off(&mut tx, customer.id, true).await.unwrap();
    let all = attendees::reconcile(&mut tx, &booking, precise(4)).await.unwrap();
    assert!(attendees::wants_no_reminders(&mut tx, &booking).await.unwrap());
    commit(tx).await;
    assert!(all[0].reminders_off);
}

async fn addresses_are_sealed_again_with_a_new_key(db: &TestDb) {
    let (_, customer) = booking(db).await;
    let key = MasterKey::generate();
    let same = MasterKey::from_base64(&key.to_base64()).unwrap();
    let (old, next) = (Keyring::new(key, vec![]), Keyring::new(MasterKey::generate(), vec![same]));
    let mut tx = begin(db).await;
    let first = customer_links::token(&mut tx, &old, customer.id).await.unwrap();
    assert_eq!(customer_links::rotate_keys(&mut tx, &next).await.unwrap(), 1);
    assert_eq!(customer_links::rotate_keys(&mut tx, &next).await.unwrap(), 0);
    let again = customer_links::token(&mut tx, &next, customer.id).await.unwrap();
    assert_eq!(again.expose_secret(), first.expose_secret());
    let former = customer_links::token(&mut tx, &old, customer.id).await;
    assert!(matches!(former, Err(StorageError::Sealed { .. })), "{former:?}");
    commit(tx).await;
}

async fn link_to_all_bookings_is_of_one_address_and_ends(db: &TestDb) {
    let (booking, customer) = booking(db).await;
    let key = customer.address_key.as_str();
    let create = async |minute: i64| {
        let mut tx = begin(db).await;
        let times = (at(minute), at(minute) + Duration::days(7));
        let since = at(minute) - Duration::hours(1);
        let made =
            customer_links::create_portal(&mut tx, (booking.business, key), (2, since), times).await.unwrap();
        commit(tx).await;
        made
    };
    let first = create(0).await.unwrap();
    assert!(create(1).await.is_some());
    assert!(create(2).await.is_none(), "two within an hour are enough");
    assert!(create(62).await.is_some());
    let digest = secret::digest(&first);
    let found = customer_links::find_portal(db, &digest, at(5)).await.unwrap();
    assert_eq!(found, Some((booking.business, key.to_owned())));
    assert_eq!(customer_links::find_portal(db, &digest, at(0) + Duration::days(7)).await.unwrap(), None);

    let of_address = attendees::of_address(db, booking.business, key).await.unwrap();
    let ids: Vec<_> = of_address.iter().map(|one| (one.id, one.booking_id)).collect();
    assert_eq!(ids, [(customer.id, booking.id)]);
    let other = testing::business(db).await;
    assert_eq!(attendees::of_address(db, other.id, key).await.unwrap(), []);
}

async fn customer_is_offered_other_times(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    let booking = testing::booking(db, &business, "tasting", &testing::draft(&room, 600, 660)).await;
    testing::booking(db, &business, "next", &testing::draft(&room, 660, 720)).await;
    let by = ChangeContext { business: business.id, actor: Actor::System, now: at(0) };
    let found = bookings::alternatives_of(db, &by, &booking, business.zone).await.unwrap();
    assert!(!found.is_empty() && !found.contains(&booking.draft.time));
    assert!(!found.contains(&testing::draft(&room, 660, 720).time), "another has it");
}

concord_storage::on_both_databases!(
    customer_is_offered_other_times,
    page_has_one_address_until_it_is_revoked,
    page_of_a_former_customer_is_nobodys,
    answer_is_kept,
    reminders_are_turned_off_and_stay_so,
    addresses_are_sealed_again_with_a_new_key,
    link_to_all_bookings_is_of_one_address_and_ends,
);
