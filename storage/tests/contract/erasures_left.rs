//! What is easily left of somebody: what others were sent, keys of an earlier version, an address that many share, and a search
//! that was cut off.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::{BookingDraft, Customer},
    erasure::{ErasureScope, ErasureTarget, PersonTraces, SweepCursor, SweptTable},
    ids::MailId,
    invitation::{InvitationContent, SentInvitation},
    mail::{MailAddress, MailState},
};
use concord_storage::{
    Db, attendees, bookings, erasures,
    mails::{self, StoredMail},
    testing::{self, TestDb, at, begin, commit},
};
use uuid::Uuid;

use crate::{
    attendees::message,
    erasures::{EMAIL, create, erase, mail_to, whole, with_person, written},
    first, precise,
};

async fn what_was_written_of_a_former_customer_goes_with_them(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 9).await;
    let of_quill = with_person(&testing::draft(&room, 60, 120));
    testing::booking(db, &business, "stay", &of_quill).await;
    // What names nobody, and is told of them all the same.
    let noted = BookingDraft { notes: "Allergic to almonds".to_owned(), ..of_quill };
    testing::booking(db, &business, "stay", &noted).await;
    let customer =
        Customer { name: "Eva Sol".to_owned(), email: "eva@sol.example".to_owned(), ..Customer::default() };
    let of_eva = BookingDraft {
        customer,
        title: String::new(),
        notes: String::new(),
        location: String::new(),
        ..noted
    };
    testing::booking(db, &business, "stay", &of_eva).await;
    let noted = BookingDraft { notes: "Wants a cot".to_owned(), ..of_eva };
    let booking = testing::booking(db, &business, "stay", &noted).await;
    let mut traces = PersonTraces { address_key: Some(EMAIL.to_owned()), ..PersonTraces::default() };
    traces.add("Xantippe Quill");
    // The scope that they had when it was asked for is not the present one.
    erase(db, &booking, &whole(&booking), &traces).await;
    let texts = ["xantippe", "quill", "almonds"];
    assert_eq!(testing::find_texts(db, &texts).await, std::collections::BTreeMap::default());
    let left = bookings::by_id(db, business.id, booking.id).await.unwrap().unwrap();
    assert_eq!(left.draft, booking.draft);
    assert!(!testing::find_texts(db, &["cot"]).await.is_empty(), "what is the present customer's stays");
}

async fn sweep_cursor_is_kept(db: &TestDb) {
    let ring = testing::keyring();
    let (_, booking) = written(db).await;
    let id = create(db, &ring, &booking, &[whole(&booking)]).await;
    assert_eq!(erasures::sweep::find_cursor(db, id).await.unwrap(), None);
    for cursor in [
        SweepCursor { table: SweptTable::Mails, after: Uuid::from_u128(5) },
        SweepCursor { table: SweptTable::Alerts, after: Uuid::nil() },
    ] {
        let mut tx = begin(db).await;
        erasures::sweep::record_cursor(&mut tx, id, cursor).await.unwrap();
        commit(tx).await;
        assert_eq!(erasures::sweep::find_cursor(db, id).await.unwrap(), Some(cursor));
    }
}

/// The customer was invited by a title that names the guest, who is then erased.
async fn others_are_not_left_with_name_of_guest(db: &TestDb) {
    let ring = testing::keyring();
    let (business, booking) = written(db).await;
    mail_to(db, &ring, &booking, "invitation", true).await;
    let mail = mails::list(db, business.id, None, &first(5)).await.unwrap().items.remove(0);
    let content = InvitationContent { title: "Stay with RUI alves".to_owned(), ..message(0).content };
    let told = SentInvitation { content, ..message(0) };
    let mut tx = begin(db).await;
    let sent = StoredMail { invitation: Some(told.clone()), ..mail.clone() };
    mails::record_sent(&mut tx, &sent, precise(2)).await.unwrap();
    commit(tx).await;
    testing::raw(db, "UPDATE mails SET subject = 'Stay with Rui Alves'").await;

    let key = Some("rui@example.com".to_owned());
    let mut traces = PersonTraces { address_key: key, ..PersonTraces::default() };
    traces.add_booking(&booking.draft, ErasureScope::Person);
    let target = ErasureTarget { scope: ErasureScope::Person, ..whole(&booking) };
    erase(db, &booking, &target, &traces).await;
    // Not his first name alone: sealed texts may happen to hold it.
    let left = testing::find_texts(db, &["rui alves", "rui@example"]).await;
    assert_eq!(left, std::collections::BTreeMap::default());
    let left = attendees::of_booking(db, business.id, booking.id).await.unwrap().remove(0);
    let left = left.sent.expect("what else they were told is known");
    assert_eq!(left.content, InvitationContent { title: String::new(), ..told.content });
    let mail = mails::find(db, business.id, MailId(mail.id.0)).await.unwrap().unwrap();
    assert_eq!((mail.state, mail.subject.as_str(), mail.body_text.as_str()), (MailState::Sent, "", ""));
}

async fn what_names_nobody_else_is_left_to_others(db: &TestDb) {
    let ring = testing::keyring();
    let (business, booking) = written(db).await;
    mail_to(db, &ring, &booking, "invitation", true).await;
    let mail = mails::list(db, business.id, None, &first(5)).await.unwrap().items.remove(0);
    let mut tx = begin(db).await;
    mails::record_sent(&mut tx, &mail, precise(2)).await.unwrap();
    commit(tx).await;
    let before = attendees::of_booking(db, business.id, booking.id).await.unwrap().remove(0);
    let key = Some("rui@example.com".to_owned());
    let traces = PersonTraces { address_key: key, ..PersonTraces::default() };
    let target = ErasureTarget { scope: ErasureScope::Person, ..whole(&booking) };
    erase(db, &booking, &target, &traces).await;
    let after = attendees::of_booking(db, business.id, booking.id).await.unwrap().remove(0);
    assert_eq!((after.sent, &before.address), (before.sent, &EMAIL.to_owned()));
    let left = mails::find(db, business.id, mail.id).await.unwrap().unwrap();
    assert_eq!((left.subject, left.body_text), (mail.subject, mail.body_text));
}

async fn expired(db: &Db, before: DateTime<Utc>) -> usize {
    erasures::expired_bookings(db, before, 10).await.unwrap().len()
}

/// The end of a booking is that of each address which it names or has named.
async fn moved_booking_keeps_all_who_were_named(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 9).await;
    let day = 24 * 60;
    let draft = with_person(&testing::draft(&room, -9 * day, -8 * day));
    testing::booking(db, &business, "old", &draft).await;
    testing::booking(db, &business, "moved", &draft).await;
    assert_eq!(expired(db, at(-7 * day)).await, 2);
    // Somebody else comes now, and it has taken place later.
    let customer =
        Customer { name: "Eve".to_owned(), email: "eve@example.com".to_owned(), ..Customer::default() };
    let later = testing::draft(&room, -3 * day, -2 * day);
    testing::booking(db, &business, "moved", &BookingDraft { customer, ..later }).await;
    assert_eq!(expired(db, at(-7 * day)).await, 0, "the former customer was named by one that ended lately");
    assert_eq!(expired(db, at(-day)).await, 2);
}

async fn former_keys_become_those_that_are_looked_up(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 9).await;
    for (number, email) in
        ["ana@m\u{fc}ller.example", "\u{c1}na@example.com", "eve@example.com"].iter().enumerate()
    {
        let customer = Customer { email: (*email).to_owned(), ..Customer::default() };
        let draft = BookingDraft { customer, ..testing::draft(&room, 0, 60) };
        testing::booking(db, &business, &format!("stay-{number}"), &draft).await;
    }
    // As 0014 has made them.
    for former in [
        "UPDATE booking_addresses SET address_key = 'ana@m\u{dc}ller.example', has_former_key = TRUE
         WHERE address_key = 'ana@xn--mller-kva.example'",
        "UPDATE booking_addresses SET address_key = '\u{c1}na@example.com', has_former_key = TRUE
         WHERE address_key = '\u{e1}na@example.com'",
    ] {
        assert_eq!(testing::raw(db, former).await, 1);
    }
    let found = async |email: &str| {
        erasures::bookings_of_address(db, business.id, &MailAddress::key_of(email)).await.unwrap().len()
    };
    assert_eq!(found("Ana@M\u{dc}LLER.example").await, 0);
    let repair = async || {
        let mut tx = begin(db).await;
        let repaired = erasures::repair_address_keys(&mut tx, 10).await.unwrap();
        commit(tx).await;
        repaired
    };
    assert_eq!(repair().await, 2);
    assert_eq!(repair().await, 0);
    for email in
        ["Ana@M\u{dc}LLER.example", "ana@xn--mller-kva.example", "\u{c1}NA@example.com", "eve@example.com"]
    {
        assert_eq!(found(email).await, 1, "{email}");
    }
}

concord_storage::on_both_databases!(
    what_was_written_of_a_former_customer_goes_with_them,
    sweep_cursor_is_kept,
    others_are_not_left_with_name_of_guest,
    what_names_nobody_else_is_left_to_others,
    moved_booking_keeps_all_who_were_named,
    former_keys_become_those_that_are_looked_up,
);
