use chrono::Duration;
use concord_domain::{
    audit::HistorySubject,
    booking::BookingStatus,
    ids::{BookingId, BusinessId, NoticeId},
    job::JobKind,
    mail::MailKind,
    notice::NoticeKind,
    people::Actor,
};
use concord_storage::{
    ChangeContext, Db, PageRequest,
    bookings::{self, LinkedWrite, PutError},
    erasures, jobs,
    mails::{self, NewMail},
    notices::{self, Audience, NewNotice},
    notifications,
    retention::RetentionPeriods,
    testing::{self, TestDb, at, begin, commit},
};
use uuid::Uuid;

use crate::{entries::fixture, retention::deleted};

const KEY: &str = "reconnect:1";

fn notice(business: BusinessId, audience: Audience, key: &str) -> NewNotice<'_> {
    NewNotice {
        business,
        kind: NoticeKind::Reconnect,
        audience,
        subject: (HistorySubject::Connection, Uuid::nil()),
        headline: "Ana's Google calendar needs to be reconnected",
        named_headline: None,
        detail: "Nothing is lost.",
        link: "/calendars/1",
        dedupe_key: key,
        wait: Duration::minutes(2),
        alert: None,
    }
}

/// Whether it was raised.
async fn raise(db: &Db, new: &NewNotice<'_>, minute: i64) -> bool {
    let mut tx = begin(db).await;
    let job = notices::raise(&mut tx, new, at(minute)).await.unwrap();
    commit(tx).await;
    job.is_some()
}

async fn close(db: &Db, business: BusinessId, key: &str, minute: i64) -> u64 {
    let mut tx = begin(db).await;
    let closed = notices::close(&mut tx, business, key, at(minute)).await.unwrap();
    commit(tx).await;
    closed
}

async fn a_notice_is_raised_once_for_each_who_is_told_while_it_lasts(db: &TestDb) {
    let business = testing::business(db).await;
    let other = testing::business(db).await.id;
    let [ana, rui] =
        [testing::staff(db, &business, "Ana").await.id, testing::staff(db, &business, "Rui").await.id];
    let business = business.id;
    let audiences = [Audience::Staff(ana), Audience::Staff(rui), Audience::Managers];
    for audience in audiences {
        assert!(raise(db, &notice(business, audience, KEY), 0).await);
        assert!(!raise(db, &notice(business, audience, KEY), 1).await);
        assert!(raise(db, &notice(business, audience, "another"), 1).await);
    }
    assert!(raise(db, &notice(other, Audience::Managers, KEY), 0).await);
    // One job for each business, due when the first of its notices is.
    assert_eq!(jobs::due(db, at(1), 10).await.unwrap().len(), 0);
    let due = jobs::due(db, at(2), 10).await.unwrap();
    assert_eq!(due.iter().map(|job| job.kind).collect::<Vec<_>>(), [JobKind::Notify; 2]);

    assert_eq!(close(db, business, KEY, 3).await, 3);
    assert_eq!(close(db, business, KEY, 3).await, 0);
    assert!(raise(db, &notice(business, Audience::Managers, KEY), 4).await, "it happened again");
    assert!(!raise(db, &notice(other, Audience::Managers, KEY), 4).await, "there it still lasts");
}

async fn each_is_told_of_what_is_open_and_theirs_once(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await.id;
    let business = business.id;
    raise(db, &notice(business, Audience::Staff(ana), "a"), 0).await;
    raise(db, &notice(business, Audience::Managers, "a"), 0).await;
    raise(db, &notice(business, Audience::Managers, "b"), 1).await;
    raise(db, &notice(business, Audience::Managers, "c"), 2).await;
    close(db, business, "b", 3).await;
    assert_eq!(notices::count_unsent(db, business).await.unwrap(), 3);
    let untold = async |audience| notices::unsent(db, business, audience, 10).await.unwrap();
    let to_managers = untold(Audience::Managers).await;
    let keys: Vec<_> = to_managers.iter().map(|one| one.dedupe_key.as_str()).collect();
    assert_eq!(keys, ["a", "c"]);
    assert_eq!(notices::unsent(db, business, Audience::Managers, 1).await.unwrap().len(), 1);
    let one = &to_managers[0];
    assert_eq!((one.kind, one.link.as_str()), (NoticeKind::Reconnect, "/calendars/1"));
    assert_eq!(one.headline, "Ana's Google calendar needs to be reconnected");
    assert_eq!((one.detail.as_str(), one.created_at), ("Nothing is lost.", at(0)));
    let all = notices::unsettled(db, business, 10).await.unwrap();
    let of_staff = all.iter().filter(|one| one.staff_id == Some(ana)).count();
    assert_eq!((all.len(), of_staff), (3, 1));

    let mut tx = begin(db).await;
    notices::settle(&mut tx, business, one.id, at(4)).await.unwrap();
    commit(tx).await;
    assert_eq!(untold(Audience::Managers).await.len(), 1);
    assert_eq!(untold(Audience::Staff(ana)).await.len(), 1);
    assert!(!raise(db, &notice(business, Audience::Managers, "a"), 5).await, "told, and still so");
}

async fn booking_that_is_decided_waits_no_longer(db: &TestDb) {
    let fixture = fixture(db).await;
    let business = fixture.business.id;
    let booking = fixture.put(db, &[&fixture.ana], "Massage").await;
    let new = NewNotice {
        kind: NoticeKind::PendingBooking,
        subject: (HistorySubject::Booking, booking.booking.id.0),
        ..notice(business, Audience::Managers, "pending")
    };
    raise(db, &new, 0).await;
    let close = async |minute| {
        let mut tx = begin(db).await;
        let closed = notices::close_decided_bookings(&mut tx, business, at(minute)).await.unwrap();
        commit(tx).await;
        closed
    };
    testing::raw(db, "UPDATE bookings SET status = 'pending'").await;
    assert_eq!(close(0).await, 0);
    testing::raw(db, "UPDATE bookings SET status = 'confirmed'").await;
    assert_eq!(close(0).await, 1);
    testing::raw(db, "UPDATE bookings SET status = 'pending'").await;
    raise(db, &new, 1).await;
    assert_eq!(close(7 * 24 * 60).await, 1, "it is over, whatever was decided");
}

/// The mail of that key, in which somebody is sent these.
async fn mail(db: &Db, business: BusinessId, key: &str, told: &[NoticeId]) {
    let recipient = Uuid::from_u128(1);
    let new = NewMail {
        business,
        kind: MailKind::Digest,
        to_address: "ana@example.com",
        to_name: "Ana",
        subject: "Maria cancelled",
        text: "Maria cancelled",
        html: "",
        from_domain: "book.example",
        dedupe_key: key,
        sender: None,
        invitation: None,
        reminder: None,
        useful_until: None,
    };
    let mut tx = begin(db).await;
    for id in told {
        let what = (*id, recipient);
        assert!(notifications::record_delivery(&mut tx, business, what, Some(key), at(2)).await.unwrap());
        notices::settle(&mut tx, business, *id, at(2)).await.unwrap();
    }
    mails::create(&mut tx, &new, at(2)).await.unwrap();
    commit(tx).await;
}

async fn erased_name_leaves_notices_and_their_mails(db: &TestDb) {
    let business = testing::business(db).await.id;
    let [ours, others] = [1, 2].map(|number| BookingId(Uuid::from_u128(number)));
    let raise_named = async |booking: BookingId, key: &str| {
        let new = NewNotice {
            kind: NoticeKind::Customer,
            subject: (HistorySubject::Booking, booking.0),
            headline: "A customer cancelled",
            named_headline: Some("Maria cancelled"),
            ..notice(business, Audience::Managers, key)
        };
        assert!(raise(db, &new, 0).await);
        let all = notices::unsettled(db, business, 10).await.unwrap();
        let raised = all.into_iter().find(|one| one.dedupe_key == key).unwrap();
        assert_eq!((raised.headline.as_str(), raised.is_named), ("Maria cancelled", true));
        raised.id
    };
    let (sent, waiting) = (raise_named(ours, "sent").await, raise_named(ours, "waiting").await);
    let other = raise_named(others, "other").await;
    mail(db, business, "first", &[sent]).await;
    let first = mails::list(db, business, None, &PageRequest::default()).await.unwrap().items.remove(0);
    let mut tx = begin(db).await;
    assert!(mails::begin_sending(&mut tx, first.id, at(3)).await.unwrap());
    mails::record_sent(&mut tx, &first, at(3)).await.unwrap();
    commit(tx).await;
    mail(db, business, "second", &[waiting, other]).await;
    assert_eq!(notices::count_unsent(db, business).await.unwrap(), 0);

    let mut tx = begin(db).await;
    assert!(notices::hold_named(&mut tx, waiting).await.unwrap());
    erasures::scrub_notices(&mut tx, ours, at(4)).await.unwrap();
    assert!(!notices::hold_named(&mut tx, waiting).await.unwrap());
    assert!(notices::hold_named(&mut tx, other).await.unwrap(), "of another booking");
    commit(tx).await;
    let left = mails::list(db, business, None, &PageRequest::default()).await.unwrap().items;
    let left: Vec<_> = left.iter().map(|mail| (mail.id, mail.subject.as_str(), mail.sent_at)).collect();
    assert_eq!(left, [(first.id, "", Some(at(3)))], "what had not left is taken back");
    let told_again = notices::unsettled(db, business, 10).await.unwrap();
    let mut told_again: Vec<_> =
        told_again.iter().map(|one| (one.dedupe_key.as_str(), one.headline.as_str())).collect();
    told_again.sort_unstable();
    assert_eq!(told_again, [("other", "Maria cancelled"), ("waiting", "A customer cancelled")]);
    assert!(notifications::delivered(db, business).await.unwrap().is_empty());
    let due = jobs::next_due_at(db, business, JobKind::Notify, business.0).await.unwrap();
    assert!(due.is_some_and(|due| due <= at(4)), "{due:?}");
}

async fn what_is_raised_with_a_cancellation_stands_or_falls_with_it(db: &TestDb) {
    let fixture = fixture(db).await;
    let business = fixture.business.id;
    let booking = fixture.put(db, &[&fixture.ana], "Massage").await.booking;
    let notices = [notice(business, Audience::Managers, "customer:1")];
    let cancel = async |expected| {
        let by = ChangeContext { business, actor: Actor::System, now: at(0) };
        let linked = LinkedWrite::Notices(&notices);
        bookings::cancel_linked(db, &by, &booking.reference, expected, linked).await
    };
    let raised = async || notices::unsettled(db, business, 10).await.unwrap().len();
    let stale = cancel(booking.version + 1).await;
    assert!(matches!(stale, Err(PutError::Stale { .. })), "{stale:?}");
    assert_eq!(raised().await, 0);
    assert_eq!(cancel(booking.version).await.unwrap().booking.draft.status, BookingStatus::Cancelled);
    assert_eq!(raised().await, 1);
}

async fn conflict_is_over_when_its_booking_has_room(db: &TestDb) {
    let fixture = fixture(db).await;
    let business = fixture.business.id;
    let booking = fixture.put(db, &[&fixture.ana], "Massage").await;
    let new = NewNotice {
        kind: NoticeKind::Conflict,
        subject: (HistorySubject::Booking, booking.booking.id.0),
        ..notice(business, Audience::Managers, "conflict")
    };
    raise(db, &new, 0).await;
    raise(db, &notice(business, Audience::Managers, KEY), 0).await;
    let close = async || {
        let mut tx = begin(db).await;
        let closed = notices::close_past_conflicts(&mut tx, business, at(0)).await.unwrap();
        commit(tx).await;
        closed
    };
    testing::raw(db, "UPDATE occupancy SET unit = NULL").await;
    assert_eq!(close().await, 0);
    testing::raw(db, "UPDATE occupancy SET unit = 1").await;
    assert_eq!(close().await, 1);
    assert_eq!(notices::count_unsent(db, business).await.unwrap(), 1, "others are not conflicts");
}

async fn old_notices_go_but_those_that_last(db: &TestDb) {
    let business = testing::business(db).await.id;
    raise(db, &notice(business, Audience::Managers, "a"), 0).await;
    raise(db, &notice(business, Audience::Managers, "b"), 0).await;
    close(db, business, "a", 1).await;
    let days = Duration::days(30);
    let keep =
        RetentionPeriods { sync_log: days, mails: days, done_jobs: days, history: days, customers: None };
    assert_eq!(deleted(db, keep, at(1) + days, "notices").await, 1);
    assert_eq!(notices::count_unsent(db, business).await.unwrap(), 1);
    // Nobody closes what somebody did in their calendar once: when it has been told, it is over.
    let once = NewNotice { kind: NoticeKind::RemoteChange, ..notice(business, Audience::Managers, "c") };
    raise(db, &once, 0).await;
    assert_eq!(deleted(db, keep, at(1) + days, "notices").await, 0);
    let untold = notices::unsent(db, business, Audience::Managers, 10).await.unwrap();
    let mut tx = begin(db).await;
    for told in untold {
        notices::settle(&mut tx, business, told.id, at(1)).await.unwrap();
    }
    commit(tx).await;
    assert_eq!(deleted(db, keep, at(1) + days, "notices").await, 1);
}

concord_storage::on_both_databases!(
    a_notice_is_raised_once_for_each_who_is_told_while_it_lasts,
    each_is_told_of_what_is_open_and_theirs_once,
    booking_that_is_decided_waits_no_longer,
    erased_name_leaves_notices_and_their_mails,
    what_is_raised_with_a_cancellation_stands_or_falls_with_it,
    conflict_is_over_when_its_booking_has_room,
    old_notices_go_but_those_that_last,
);
