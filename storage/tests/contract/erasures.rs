//! Taking people out of bookings and of all that is kept of them.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    audit::HistorySubject,
    booking::{Booking, BookingDraft, BookingStatus, Customer, Guest},
    erasure::{
        ErasureReason, ErasureScope, ErasureState, ErasureTarget, PersonTraces, SweepCursor, TraceSearch,
    },
    ids::{BookingId, BusinessId, ErasureId},
    mail::MailKind,
    people::Actor,
};
use concord_storage::{
    ChangeContext, Db, attendees, bookings,
    businesses::Business,
    customer_links,
    erasures::{self, ListedErasure, NewErasure},
    events,
    history::{self, NewHistoryEntry},
    idempotency::{self, KeyClaim, KeyedRequest},
    mails::{self, NewInvitation, NewMail},
    notices::{self, Audience, NewNotice},
    seal::Keyring,
    sync_log::{self, NewSyncLogEntry},
    testing::{self, TestDb, at, begin, commit, monday},
};
use serde_json::json;
use uuid::Uuid;

use crate::{first, precise};

pub(crate) const EMAIL: &str = "xantippe@quill.example";
const NAME: &str = "Xantippe Quill";
const TEXTS: [&str; 3] = ["xantippe", "quill", "912777333"];

pub(crate) fn by(business: BusinessId, now: DateTime<Utc>) -> ChangeContext {
    ChangeContext { business, actor: Actor::System, now }
}

pub(crate) fn with_person(draft: &BookingDraft) -> BookingDraft {
    BookingDraft {
        title: format!("Stay of {NAME}"),
        customer: Customer {
            name: NAME.to_owned(),
            email: EMAIL.to_owned(),
            phone: "+351912777333".to_owned(),
            language: None,
        },
        notes: format!("{NAME} comes late"),
        location: "At Quill's".to_owned(),
        guests: vec![Guest { name: "Rui Alves".to_owned(), email: "rui@example.com".to_owned() }],
        ..draft.clone()
    }
}

fn traces(booking: &Booking) -> PersonTraces {
    let mut traces = PersonTraces { address_key: Some(EMAIL.to_owned()), ..PersonTraces::default() };
    traces.add_booking(&booking.draft, ErasureScope::Booking);
    traces
}

pub(crate) fn whole(booking: &Booking) -> ErasureTarget {
    ErasureTarget { booking: booking.id, scope: ErasureScope::Booking, attendee: None }
}

pub(crate) async fn create(
    db: &Db,
    ring: &Keyring,
    booking: &Booking,
    targets: &[ErasureTarget],
) -> ErasureId {
    let traces = traces(booking);
    let new =
        NewErasure { business: booking.business, reason: ErasureReason::Request, targets, traces: &traces };
    let mut tx = begin(db).await;
    let (id, _) = erasures::create(&mut tx, ring, &new, precise(1)).await.unwrap();
    commit(tx).await;
    id
}

pub(crate) async fn erase(db: &Db, booking: &Booking, target: &ErasureTarget, traces: &PersonTraces) {
    let search = TraceSearch::new(traces);
    let mut tx = begin(db).await;
    bookings::erase(&mut tx, &by(booking.business, precise(5)), target, (traces, &search)).await.unwrap();
    commit(tx).await;
}

pub(crate) async fn mail_to(db: &Db, ring: &Keyring, booking: &Booking, key: &str, is_invitation: bool) {
    let mut tx = begin(db).await;
    let all = attendees::reconcile(&mut tx, booking, precise(1)).await.unwrap();
    let message = crate::attendees::message(0);
    let address = booking.draft.customer.email.as_str();
    let customer = all.iter().find(|one| one.address == address).unwrap();
    customer_links::token(&mut tx, ring, customer.id).await.unwrap();
    let new = NewMail {
        business: booking.business,
        kind: MailKind::Invitation,
        to_address: address,
        to_name: NAME,
        subject: "Your stay, Xantippe",
        text: NAME,
        html: "<p>Xantippe&#32;Quill",
        from_domain: "book.example",
        dedupe_key: key,
        sender: None,
        invitation: is_invitation.then_some(NewInvitation {
            attendee: customer.id,
            message: &message,
            calendar: "SUMMARY:Xantippe Quill",
        }),
        reminder: None,
        useful_until: None,
    };
    assert!(mails::create(&mut tx, &new, precise(1)).await.unwrap().is_some());
    commit(tx).await;
}

pub(crate) async fn written(db: &Db) -> (Business, Booking) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 2).await;
    let booking =
        testing::booking(db, &business, "stay", &with_person(&testing::draft(&room, 60, 120))).await;
    (business, booking)
}

async fn erasure_is_written_down_and_forgets_whose_it_was(db: &TestDb) {
    let ring = testing::keyring();
    let (business, booking) = written(db).await;
    let other = testing::business(db).await.id;
    let id = create(db, &ring, &booking, &[whole(&booking)]).await;
    let found = erasures::find(db, business.id, id).await.unwrap().unwrap();
    assert_eq!((found.state, found.bookings, found.erased), (ErasureState::Running, 1, 0));
    assert_eq!(erasures::list(db, business.id, 5).await.unwrap(), [found]);
    assert_eq!(erasures::find(db, other, id).await.unwrap(), None);
    assert_eq!(erasures::list(db, other, 5).await.unwrap(), []);
    assert_eq!(erasures::traces(db, &ring, other, id).await.unwrap(), None);
    assert_eq!(erasures::traces(db, &ring, business.id, id).await.unwrap(), Some(traces(&booking)));
    assert_eq!(erasures::waiting(db, id, 5).await.unwrap(), [whole(&booking)]);
    let held = testing::find_texts(db, &["912777333"]).await;
    assert!(!held.contains_key("erasures.sealed"), "{held:?}");
    let mut tx = begin(db).await;
    assert_eq!(erasures::rotate_keys(&mut tx, &ring).await.unwrap(), 0, "it is sealed with this key");
    erasures::record_erased(&mut tx, id, booking.id, precise(2)).await.unwrap();
    commit(tx).await;
    assert_eq!(erasures::waiting(db, id, 5).await.unwrap(), []);
    let mut tx = begin(db).await;
    erasures::finish(&mut tx, id, precise(3)).await.unwrap();
    erasures::finish(&mut tx, id, precise(4)).await.unwrap();
    commit(tx).await;
    let done = erasures::find(db, business.id, id).await.unwrap().unwrap();
    assert_eq!((done.state, done.erased, done.finished_at), (ErasureState::Done, 1, Some(precise(3))));
    assert_eq!(erasures::traces(db, &ring, business.id, id).await.unwrap(), None);
}

async fn bookings_of_an_address_are_found(db: &TestDb) {
    let (business, booking) = written(db).await;
    let other = testing::business(db).await.id;
    let of = async |key: &str| {
        let found = erasures::bookings_of_address(db, business.id, key).await.unwrap();
        found.into_iter().map(|one| one.booking_id).collect::<Vec<_>>()
    };
    assert_eq!(of(EMAIL).await, [booking.id]);
    assert_eq!(of("rui@example.com").await, [booking.id], "a guest");
    assert_eq!(of("nobody@example.com").await, []);
    assert_eq!(erasures::bookings_of_address(db, other, EMAIL).await.unwrap(), []);
    // Whoever was named before is found too.
    let customer = Customer { email: "eva@example.com".to_owned(), ..Customer::default() };
    let draft = BookingDraft { customer, ..booking.draft.clone() };
    testing::booking(db, &business, "stay", &draft).await;
    assert_eq!(of(EMAIL).await, [booking.id]);
    let row = erasures::bookings_of_address(db, business.id, EMAIL).await.unwrap()[0];
    assert!(row.attendee_id.is_some());
    let mut tx = begin(db).await;
    erasures::withdraw_mails(&mut tx, business.id, EMAIL, precise(2)).await.unwrap();
    let until = precise(100);
    customer_links::create_portal(&mut tx, (business.id, EMAIL), (1, precise(0)), (precise(1), until))
        .await
        .unwrap()
        .unwrap();
    erasures::revoke_portals(&mut tx, business.id, EMAIL).await.unwrap();
    let again =
        customer_links::create_portal(&mut tx, (business.id, EMAIL), (1, precise(0)), (precise(1), until));
    assert!(again.await.unwrap().is_some(), "the first is gone");
    commit(tx).await;
}

/// Lines that name the person and no booking.
async fn unlinked(db: &Db, business: &Business) {
    let mut tx = begin(db).await;
    let detail = json!({ "note": NAME, "version": 3 });
    let line = NewHistoryEntry {
        business: business.id,
        actor: &Actor::System,
        action: "changed",
        subject_kind: HistorySubject::Business,
        subject: business.id.0,
        detail: &detail,
    };
    history::append(&mut tx, &line, precise(1)).await.unwrap();
    let log = NewSyncLogEntry {
        business: business.id,
        connection: None,
        booking: None,
        channel: None,
        operation: "read",
        outcome: concord_domain::audit::SyncOutcome::Failed,
        detail: "XANTIPPE%40quill.example was refused",
        duration_ms: 1,
        at: precise(1),
    };
    sync_log::append(&mut tx, &log).await.unwrap();
    let notice = NewNotice {
        business: business.id,
        kind: concord_domain::notice::NoticeKind::Customer,
        audience: Audience::Managers,
        subject: (HistorySubject::Business, business.id.0),
        headline: NAME,
        named_headline: None,
        detail: "",
        link: "/",
        dedupe_key: "a",
        wait: Duration::zero(),
        alert: None,
    };
    notices::raise(&mut tx, &notice, precise(1)).await.unwrap();
    commit(tx).await;
}

async fn sweep(db: &Db, business: BusinessId, traces: &PersonTraces) {
    let search = TraceSearch::new(traces);
    let mut next = Some(SweepCursor::first());
    while let Some(cursor) = next {
        next = cursor
            .next(erasures::sweep::sweep_slice(db, business, cursor, &search, precise(6)).await.unwrap());
    }
}

async fn nothing_is_left_of_who_was_erased(db: &TestDb) {
    let (business, booking) = written(db).await;
    let ring = testing::keyring();
    mail_to(db, &ring, &booking, "linked", true).await;
    mail_to(db, &ring, &booking, "unlinked", false).await;
    unlinked(db, &business).await;
    let before: BTreeSet<String> = testing::find_texts(db, &TEXTS).await.into_keys().collect();
    for place in [
        "attendees.address",
        "bookings.customer_name",
        "bookings.search_text",
        "booking_addresses.address_key",
        "events.data",
        "history.detail",
        "mails.calendar",
        "mails.body_html",
        "notices.headline",
        "sync_log.detail",
    ] {
        assert!(before.contains(place), "{place} is not among {before:?}");
    }
    let traces = traces(&booking);
    erase(db, &booking, &whole(&booking), &traces).await;
    sweep(db, business.id, &traces).await;
    assert_eq!(testing::find_texts(db, &TEXTS).await, std::collections::BTreeMap::default());

    let after = bookings::by_id(db, business.id, booking.id).await.unwrap().unwrap();
    assert_eq!((after.version, after.interval), (booking.version + 1, booking.interval));
    assert_eq!((after.draft.status, after.reference.as_str()), (BookingStatus::Confirmed, "stay"));
    assert!(after.draft.guests.is_empty());
    let lines = history::list_for_subject(db, business.id, booking.id.0, &first(5)).await.unwrap().items;
    assert_eq!(lines[0].action, "personal data erased");
    assert_eq!(lines[0].detail, json!({ "reference": "stay" }));
    let events = events::after(db, business.id, None, 50).await.unwrap().items;
    assert_eq!(events.len(), 2, "what has changed is told, without them");
    assert_eq!(mails::list(db, business.id, None, &first(5)).await.unwrap().items, [], "none is sent");

    // Once more changes nothing.
    erase(db, &booking, &whole(&booking), &traces).await;
    let again = bookings::by_id(db, business.id, booking.id).await.unwrap().unwrap();
    assert_eq!(again.version, after.version);
    let gone = ErasureTarget { booking: BookingId(Uuid::nil()), ..whole(&booking) };
    erase(db, &booking, &gone, &traces).await;
}

async fn namesake_keeps_their_own(db: &TestDb) {
    let (business, booking) = written(db).await;
    let ring = testing::keyring();
    let customer = Customer { email: "namesake@example.com".to_owned(), ..booking.draft.customer.clone() };
    let draft = BookingDraft { customer, ..booking.draft.clone() };
    let other = testing::booking(db, &business, "other", &draft).await;
    mail_to(db, &ring, &other, "other", true).await;
    let waiting = mails::list(db, business.id, None, &first(5)).await.unwrap().items;
    let lines = history::list_for_subject(db, business.id, other.id.0, &first(5)).await.unwrap().items;
    let traces = traces(&booking);
    erase(db, &booking, &whole(&booking), &traces).await;
    sweep(db, business.id, &traces).await;
    assert_eq!(mails::list(db, business.id, None, &first(5)).await.unwrap().items, waiting);
    let after = history::list_for_subject(db, business.id, other.id.0, &first(5)).await.unwrap().items;
    assert_eq!(after, lines);
    assert_eq!(bookings::by_id(db, business.id, other.id).await.unwrap(), Some(other));
}

async fn guest_is_erased_alone(db: &TestDb) {
    let (business, booking) = written(db).await;
    let key = "rui@example.com".to_owned();
    let mut traces = PersonTraces { address_key: Some(key), ..PersonTraces::default() };
    traces.add_booking(&booking.draft, ErasureScope::Person);
    let target = ErasureTarget { scope: ErasureScope::Person, ..whole(&booking) };
    erase(db, &booking, &target, &traces).await;
    assert_eq!(testing::find_texts(db, &["rui"]).await, std::collections::BTreeMap::default());
    let after = bookings::by_id(db, business.id, booking.id).await.unwrap().unwrap();
    assert_eq!(after.draft.customer, booking.draft.customer);
    assert_eq!(after.draft.notes, booking.draft.notes);
    let mut tx = begin(db).await;
    assert!(bookings::lock_by_id(&mut tx, business.id, booking.id).await.unwrap().is_some());
    let search = TraceSearch::new(&traces);
    erasures::scrub_booking(&mut tx, &target, (&traces, &search), precise(9)).await.unwrap();
    commit(tx).await;
}

async fn kept_answers_go_with_their_booking(db: &TestDb) {
    let (business, booking) = written(db).await;
    let request = KeyedRequest {
        business: business.id,
        key: "k".to_owned(),
        request_hash: "h".to_owned(),
        began_at: precise(0),
    };
    let mut tx = begin(db).await;
    assert_eq!(idempotency::begin(&mut tx, &request).await.unwrap(), KeyClaim::Fresh);
    commit(tx).await;
    let claimed = "UPDATE idempotency_keys SET done_at = created_at, status = 201, response = 'sealed', subject_kind = 'booking',
        subject_id = (SELECT id FROM bookings)";
    testing::raw(db, claimed).await;
    let mut tx = begin(db).await;
    erasures::scrub_answers(&mut tx, business.id, booking.id).await.unwrap();
    commit(tx).await;
    let held = testing::find_texts(db, &["sealed"]).await;
    assert!(!held.contains_key("idempotency_keys.response"), "{held:?}");
}

async fn export_has_who_comes_and_their_mails(db: &TestDb) {
    let (business, booking) = written(db).await;
    mail_to(db, &testing::keyring(), &booking, "linked", true).await;
    let people = erasures::attendees_of_booking(db, business.id, booking.id).await.unwrap();
    assert_eq!(people.iter().map(|one| one.address.as_str()).collect::<Vec<_>>(), [EMAIL, "rui@example.com"]);
    assert!(people[0].has_page && !people[1].has_page);
    let mails = erasures::mails_of_booking(db, business.id, booking.id).await.unwrap();
    assert_eq!((mails.len(), mails[0].to_address.as_str()), (1, EMAIL));
    let other = testing::business(db).await.id;
    assert_eq!(erasures::mails_of_booking(db, other, booking.id).await.unwrap(), []);
}

async fn list_is_gone_through_again(db: &TestDb) {
    let ring = testing::keyring();
    let (business, booking) = written(db).await;
    assert!(!erasures::concern(db, booking.id).await.unwrap());
    create(db, &ring, &booking, &[whole(&booking)]).await;
    assert!(erasures::concern(db, booking.id).await.unwrap());
    let listed = erasures::list_all(db).await.unwrap();
    assert_eq!((listed.len(), listed[0].booking, listed[0].scope), (1, booking.id, ErasureScope::Booking));
    let is_known = async |one: &ListedErasure| {
        let mut tx = begin(db).await;
        erasures::is_known(&mut tx, one).await.unwrap()
    };
    assert!(is_known(&listed[0]).await);
    let later = ListedErasure { asked_at: precise(2), ..listed[0].clone() };
    assert!(!is_known(&later).await, "it was asked for again");
    let mut tx = begin(db).await;
    assert_eq!(erasures::address_of_listed(&mut tx, &listed[0]).await.unwrap(), None, "nobody in particular");
    commit(tx).await;
    mail_to(db, &ring, &booking, "linked", true).await;
    let row = erasures::bookings_of_address(db, business.id, EMAIL).await.unwrap()[0];
    let of_one = ListedErasure { attendee: row.attendee_id, ..listed[0].clone() };
    let mut tx = begin(db).await;
    assert_eq!(erasures::address_of_listed(&mut tx, &of_one).await.unwrap().as_deref(), Some(EMAIL));
    commit(tx).await;
    // As a backup has it that was made before.
    testing::raw(db, "DELETE FROM erased_bookings").await;
    assert!(!is_known(&listed[0]).await);
}

async fn customers_expire_with_their_last_booking(db: &TestDb) {
    let ring = testing::keyring();
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 9).await;
    let day = 24 * 60;
    let draft = with_person(&testing::draft(&room, -9 * day, -8 * day));
    let old = testing::booking(db, &business, "old", &draft).await;
    let expired = async |days: i64| {
        let found = erasures::expired_bookings(db, at(-days * day), 10).await.unwrap();
        found.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(expired(7).await, [old.id]);
    assert_eq!(expired(9).await, [], "it had not ended by then");
    let nobody = BookingDraft { customer: Customer::default(), ..testing::draft(&room, -9 * day, -8 * day) };
    testing::booking(db, &business, "block", &nobody).await;
    assert_eq!(expired(7).await, [old.id], "nobody is named");
    // They came again.
    testing::booking(db, &business, "again", &with_person(&testing::draft(&room, -3 * day, -2 * day))).await;
    assert_eq!(expired(7).await, []);
    assert_eq!(expired(1).await.len(), 2);
    create(db, &ring, &old, &[whole(&old)]).await;
    assert_eq!(expired(1).await.len(), 1, "the other is under way");
    assert!(monday() > at(-1));
}

concord_storage::on_both_databases!(
    erasure_is_written_down_and_forgets_whose_it_was,
    bookings_of_an_address_are_found,
    nothing_is_left_of_who_was_erased,
    namesake_keeps_their_own,
    guest_is_erased_alone,
    kept_answers_go_with_their_booking,
    export_has_who_comes_and_their_mails,
    list_is_gone_through_again,
    customers_expire_with_their_last_booking,
);
