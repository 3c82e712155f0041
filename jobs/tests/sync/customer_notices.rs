//! What managers are told of what customers do: by whom it was, as long as somebody may be named.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use concord_domain::{
    booking::{Booking, BookingDraft, Customer, Guest},
    customer::CustomerAnswer,
    mail::MailState,
    notice::NoticeKind,
};
use concord_services::{
    answers,
    customers::{self, CustomerVisit},
    personal_data::{self, PersonQuery},
};
use concord_storage::{
    attendees, customer_links,
    notices::{self, Audience},
    notifications, on_both_databases,
    testing::{self, TestDb},
};
use serde_json::json;

use crate::{
    fixture::SyncFixture,
    notices::{BOSS, manager, told},
};

const EMAIL: &str = "ilse@quill.example";

fn named(name: &str) -> Customer {
    Customer {
        name: name.to_owned(),
        email: EMAIL.to_owned(),
        phone: "+351912777333".to_owned(),
        language: None,
    }
}

/// A business with a manager, whose customers may cancel.
async fn with_manager(db: &TestDb) -> SyncFixture<'_> {
    let fixture = SyncFixture::with_mailbox(db).await;
    manager(&fixture, BOSS, None).await;
    fixture.change_business(|settings| settings.customers.cancel_notice_hours = Some(1)).await;
    fixture
}

impl SyncFixture<'_> {
    async fn book(&self, reference: &str, customer: Customer) -> Booking {
        let draft = BookingDraft { customer, ..testing::draft(&self.room, 10_000, 10_060) };
        self.put(reference, &draft).await
    }

    /// The page of whoever comes by that address.
    pub(crate) async fn visit(&self, booking: &Booking, email: &str) -> CustomerVisit {
        customers::page_url(&self.context, booking).await.expect("a page");
        let all = attendees::of_booking(self.db, self.business.id, booking.id).await.unwrap();
        let attendee = all.into_iter().find(|one| one.address == email).expect("they come");
        let mut tx = testing::begin(self.db).await;
        let token = customer_links::token(&mut tx, &self.context.ring, attendee.id).await.unwrap();
        testing::commit(tx).await;
        let digest = concord_storage::secret::digest(&token);
        CustomerVisit::open(&self.context, &digest).await.unwrap().expect("it opens")
    }

    async fn cancels(&self, booking: &Booking) {
        let visit = self.visit(booking, EMAIL).await;
        customers::cancel(&self.context, &visit, booking.version).await.expect("it is cancelled");
    }

    async fn mailbox_refuses(&self) {
        let fault = json!({ "provider": "mailbox", "kind": "rate_limit" });
        self.outside.control(http::Method::POST, "faults", Some(fault)).await;
    }

    async fn mailbox_is_back(&self) {
        self.outside.control(http::Method::DELETE, "faults", None).await;
        self.play_until(self.clock.now() + Duration::hours(2)).await;
    }

    async fn erase_customer(&self) {
        let query = PersonQuery::Email(EMAIL.to_owned());
        personal_data::erase(&self.context, &self.change(), &query, true).await.expect("an erasure");
    }

    /// Where the database names somebody so called, in any spelling.
    async fn traces_of(&self, name: &str) -> BTreeMap<String, BTreeSet<String>> {
        testing::find_texts(self.db, &[name]).await
    }
}

async fn managers_are_told_by_whom_it_was(db: &TestDb) {
    let fixture = with_manager(db).await;
    let guests = vec![Guest { name: "Rui Alves".to_owned(), email: "rui@guest.example".to_owned() }];
    let draft = BookingDraft {
        customer: named("Ilse Quill"),
        guests,
        ..testing::draft(&fixture.room, 10_000, 10_060)
    };
    let booking = fixture.put("B-1", &draft).await;
    let guest = fixture.visit(&booking, "rui@guest.example").await;
    answers::answer(&fixture.context, &guest, CustomerAnswer::Declined, booking.version).await.unwrap();
    fixture.settle().await;
    fixture.cancels(&booking).await;
    fixture.settle().await;
    let mails = fixture.outside.mails().await;
    let subjects: Vec<_> = mails.iter().map(|mail| mail["subject"].as_str().unwrap()).collect();
    assert_eq!(
        subjects,
        ["Rui Alves declined the invitation to booking B-1", "Ilse Quill cancelled booking B-1"]
    );
    for mail in &mails {
        let raw = mail["raw"].as_str().unwrap();
        assert!(mail["to"][0] == BOSS && !raw.contains("quill.example"), "{raw}");
        assert!(!raw.contains("guest.example") && !raw.contains("912777333"), "{raw}");
    }
}

async fn address_or_number_for_a_name_is_not_told(db: &TestDb) {
    let fixture = with_manager(db).await;
    for (reference, name) in [("B-1", "ilse@quill.example"), ("B-2", "+351 912 777 333"), ("B-3", "")] {
        let booking = fixture.book(reference, named(name)).await;
        fixture.cancels(&booking).await;
        fixture.settle().await;
    }
    let expected =
        ["B-1", "B-2", "B-3"].map(|reference| format!("{BOSS}: A customer cancelled booking {reference}"));
    assert_eq!(told(&fixture).await, expected);
}

/// A first name alone is found by no search, and here it need not be.
async fn erased_customer_is_named_by_no_notice_that_waits(db: &TestDb) {
    let fixture = with_manager(db).await;
    let booking = fixture.book("B-1", named("Ilsebill")).await;
    fixture.cancels(&booking).await;
    assert!(fixture.traces_of("ilsebill").await.contains_key("notices.named_headline"));
    fixture.erase_customer().await;
    fixture.settle().await;
    assert_eq!(told(&fixture).await, [format!("{BOSS}: A customer cancelled booking B-1")]);
    assert_eq!(fixture.traces_of("ilsebill").await, BTreeMap::new());
}

async fn mail_that_waits_is_written_anew_without_the_erased(db: &TestDb) {
    let fixture = with_manager(db).await;
    fixture.mailbox_refuses().await;
    let booking = fixture.book("B-1", named("Ilsebill")).await;
    fixture.raise(Audience::Managers, NoticeKind::Answer, "other").await;
    fixture.cancels(&booking).await;
    fixture.settle().await;
    let states: Vec<MailState> = fixture.mails().await.iter().map(|mail| mail.state).collect();
    assert_eq!(states, [MailState::Waiting]);
    assert!(fixture.traces_of("ilsebill").await.contains_key("mails.body_text"));
    fixture.erase_customer().await;
    fixture.settle().await;
    assert_eq!(fixture.traces_of("ilsebill").await, BTreeMap::new());
    fixture.mailbox_is_back().await;
    let mails = fixture.outside.mails().await;
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let text = mails[0]["text"].as_str().unwrap();
    assert!(text.contains("A customer cancelled booking B-1") && text.contains("Notice other"), "{text}");
    assert_eq!(notices::count_unsent(db, fixture.business.id).await.unwrap(), 0);
}

async fn mail_that_was_sent_keeps_only_when(db: &TestDb) {
    let fixture = with_manager(db).await;
    let booking = fixture.book("B-1", named("Ilsebill")).await;
    fixture.cancels(&booking).await;
    fixture.settle().await;
    assert_eq!(told(&fixture).await, [format!("{BOSS}: Ilsebill cancelled booking B-1")]);
    fixture.erase_customer().await;
    fixture.settle().await;
    let mail = fixture.mails().await.remove(0);
    assert_eq!((mail.state, mail.subject.as_str(), mail.body_text.as_str()), (MailState::Sent, "", ""));
    assert_eq!(fixture.traces_of("ilsebill").await, BTreeMap::new());
    assert_eq!(told(&fixture).await.len(), 1, "it is not told again");
}

/// Whoever gathers notices has read them before the erasure, and writes after it.
async fn erased_name_is_not_written_by_who_has_read_it(db: &TestDb) {
    let fixture = with_manager(db).await;
    let booking = fixture.book("B-1", named("Ilsebill")).await;
    fixture.cancels(&booking).await;
    let read = notices::unsettled(db, fixture.business.id, 10).await.unwrap().remove(0);
    assert!(read.is_named && read.headline.contains("Ilsebill"));
    let mut tx = testing::begin(db).await;
    assert!(notices::hold_named(&mut tx, read.id).await.unwrap());
    testing::commit(tx).await;
    fixture.erase_customer().await;
    fixture.drain().await;
    let mut tx = testing::begin(db).await;
    assert!(!notices::hold_named(&mut tx, read.id).await.unwrap());
    drop(tx);
    let left = notices::unsettled(db, fixture.business.id, 10).await.unwrap().remove(0);
    assert!(!left.is_named);
    assert_eq!(left.headline, "A customer cancelled booking B-1");
    assert!(notifications::delivered(db, fixture.business.id).await.unwrap().is_empty());
}

on_both_databases!(
    managers_are_told_by_whom_it_was,
    address_or_number_for_a_name_is_not_told,
    erased_customer_is_named_by_no_notice_that_waits,
    mail_that_waits_is_written_anew_without_the_erased,
    mail_that_was_sent_keeps_only_when,
    erased_name_is_not_written_by_who_has_read_it,
);
