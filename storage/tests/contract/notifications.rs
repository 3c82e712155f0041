use chrono::Duration;
use concord_domain::{
    audit::HistorySubject,
    mail::MailKind,
    notice::NoticeKind,
    notification::{NoticeDelivery, NotificationChoices},
};
use concord_storage::{
    PageRequest, jobs,
    mails::{self, NewMail},
    notices::{self, Audience, NewNotice},
    notifications,
    retention::RetentionPeriods,
    testing::{self, TestDb, at, begin, commit},
};
use uuid::Uuid;

use crate::retention::deleted;

async fn choices_are_kept_for_each_person_of_a_business(db: &TestDb) {
    let business = testing::business(db).await.id;
    let other = testing::business(db).await.id;
    let (ana, rui) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let digest = NotificationChoices {
        deliveries: [(NoticeKind::Conflict, NoticeDelivery::Digest)].into(),
        ..NotificationChoices::default()
    };
    let off = NotificationChoices { digest_off: true, ..NotificationChoices::default() };
    let mut tx = begin(db).await;
    notifications::set_choices(&mut tx, business, ana, &digest, at(0)).await.unwrap();
    notifications::set_choices(&mut tx, business, ana, &off, at(1)).await.unwrap();
    notifications::set_choices(&mut tx, business, rui, &digest, at(1)).await.unwrap();
    notifications::set_choices(&mut tx, other, rui, &off, at(1)).await.unwrap();
    assert_eq!(notifications::choices_of(&mut tx, business, ana).await.unwrap(), off);
    let nobody = notifications::choices_of(&mut tx, business, Uuid::from_u128(3)).await.unwrap();
    assert_eq!(nobody, NotificationChoices::default());
    commit(tx).await;
    let all = notifications::choices(db, business).await.unwrap();
    assert_eq!(all, [(ana, off), (rui, digest)].into());
    assert_eq!(jobs::due(db, at(1), 10).await.unwrap().len(), 2, "what they are sent is planned anew");
}

async fn each_is_sent_a_notice_once(db: &TestDb) {
    let business = testing::business(db).await.id;
    let new = NewNotice {
        business,
        kind: NoticeKind::Conflict,
        audience: Audience::Managers,
        subject: (HistorySubject::Booking, Uuid::nil()),
        headline: "Sea View is double-booked",
        named_headline: None,
        detail: "",
        link: "/bookings/1",
        dedupe_key: "conflict",
        wait: Duration::zero(),
        alert: None,
    };
    let mut tx = begin(db).await;
    notices::raise(&mut tx, &new, at(0)).await.unwrap();
    commit(tx).await;
    let id = notices::unsettled(db, business, 10).await.unwrap()[0].id;
    let (ana, rui) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let deliver = async |recipient| {
        let mut tx = begin(db).await;
        let is_new =
            notifications::record_delivery(&mut tx, business, (id, recipient), None, at(1)).await.unwrap();
        commit(tx).await;
        is_new
    };
    assert!(deliver(ana).await);
    assert!(!deliver(ana).await);
    assert_eq!(notifications::delivered(db, business).await.unwrap(), [(id, ana)].into());
    let mut tx = begin(db).await;
    notices::close(&mut tx, business, "conflict", at(2)).await.unwrap();
    commit(tx).await;
    assert!(!deliver(rui).await, "it is over");
    assert_eq!(notifications::delivered(db, business).await.unwrap(), [].into());
}

async fn digest_is_noted_with_the_link_that_turns_them_off(db: &TestDb) {
    let business = testing::business(db).await.id;
    let ana = Uuid::from_u128(1);
    for (hash, minute) in [("first", 0), ("second", 5)] {
        let mut tx = begin(db).await;
        notifications::record_digest(&mut tx, business, ana, hash, at(minute)).await.unwrap();
        commit(tx).await;
    }
    assert_eq!(notifications::last_digests(db, business).await.unwrap(), [(ana, at(5))].into());
    for hash in ["first", "second"] {
        let link = notifications::find_digest_link(db, hash).await.unwrap().unwrap();
        assert_eq!((link.business_id, link.recipient_id), (business, ana));
    }
    assert_eq!(notifications::find_digest_link(db, "third").await.unwrap(), None);
    let days = Duration::days(30);
    let keep =
        RetentionPeriods { sync_log: days, mails: days, done_jobs: days, history: days, customers: None };
    let later = at(1) + Duration::days(180);
    assert_eq!(deleted(db, keep, later, "digest_links").await, 1);
}

async fn digest_mail_says_where_digests_are_turned_off(db: &TestDb) {
    let business = testing::business(db).await.id;
    let new = NewMail {
        business,
        kind: MailKind::Digest,
        to_address: "ana@example.com",
        to_name: "Ana",
        subject: "2 items",
        text: "",
        html: "",
        from_domain: "book.example",
        dedupe_key: "digest",
        sender: None,
        invitation: None,
        reminder: None,
        useful_until: None,
    };
    let url = "https://book.example/digests/off/ud_1";
    let mut tx = begin(db).await;
    assert!(mails::create_digest(&mut tx, &new, url, at(0)).await.unwrap().is_some());
    assert!(mails::create_digest(&mut tx, &new, url, at(0)).await.unwrap().is_none(), "once");
    commit(tx).await;
    let mail = mails::list(db, business, None, &PageRequest::default()).await.unwrap().items.remove(0);
    assert_eq!(mail.unsubscribe_url.as_deref(), Some(url));
}

concord_storage::on_both_databases!(
    choices_are_kept_for_each_person_of_a_business,
    each_is_sent_a_notice_once,
    digest_is_noted_with_the_link_that_turns_them_off,
    digest_mail_says_where_digests_are_turned_off,
);
