//! Customers' invitations: from a booking to the mailbox, with a mail server that fails, and by every order of changes.

use std::collections::BTreeMap;

use chrono::Duration;
use concord_domain::{
    booking::{Booking, BookingDraft, BookingStatus, Customer, Guest},
    invitation::{InvitationMode, InvitationSettings, InvitationState},
    language::Language,
    mail::MailState,
};
use concord_services::{ServiceError, invitations};
use concord_storage::{
    bookings, on_both_databases,
    testing::{self, TestDb},
};
use serde_json::{Value, json};

use crate::fixture::SyncFixture;

const MARIA: &str = "maria@example.org";

/// A business that invites, with a mailbox.
async fn inviting(db: &TestDb) -> SyncFixture<'_> {
    let fixture = SyncFixture::with_mailbox(db).await;
    fixture.choose(|settings| settings.mode = InvitationMode::Confirmed).await;
    fixture
}

impl SyncFixture<'_> {
    async fn choose(&self, change: impl FnOnce(&mut InvitationSettings)) {
        self.change_business(|settings| change(&mut settings.invitations)).await;
    }

    /// For Maria, from ten days after `monday`.
    fn for_maria(&self) -> BookingDraft {
        let from = 10 * 24 * 60;
        let customer =
            Customer { name: "Maria Silva".to_owned(), email: MARIA.to_owned(), ..Customer::default() };
        BookingDraft { customer, ..testing::draft(&self.room, from, from + 60) }
    }

    /// The invitations that have come, oldest first: whom to, METHOD, SEQUENCE.
    async fn invited(&self) -> Vec<(String, String, u32)> {
        let mails = self.outside.mails().await;
        mails
            .iter()
            .filter(|mail| mail["raw"].as_str().unwrap().contains("text/calendar"))
            .map(shown)
            .collect()
    }

    async fn states(&self, booking: &Booking) -> Vec<(String, InvitationState)> {
        let booking = bookings::by_id(self.db, booking.business, booking.id).await.unwrap().unwrap();
        let all = invitations::list(&self.context, &booking).await.unwrap();
        all.into_iter().map(|one| (one.address, one.state)).collect()
    }
}

fn calendar(mail: &Value) -> BTreeMap<String, String> {
    let text = mail["calendar"].as_str().unwrap().replace("\r\n ", "");
    text.lines()
        .filter_map(|line| line.split_once([':', ';']))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn shown(mail: &Value) -> (String, String, u32) {
    let calendar = calendar(mail);
    let to = mail["to"][0].as_str().unwrap().to_owned();
    (to, calendar["METHOD"].clone(), calendar["SEQUENCE"].parse().unwrap())
}

fn sent(to: &str, method: &str, sequence: u32) -> (String, String, u32) {
    (to.to_owned(), method.to_owned(), sequence)
}

async fn customer_is_invited_told_of_changes_and_of_the_end(db: &TestDb) {
    let fixture = inviting(db).await;
    let draft = fixture.for_maria();
    let booking = fixture.put("tasting", &draft).await;
    assert_eq!(fixture.states(&booking).await, [(MARIA.to_owned(), InvitationState::Waiting)], "in a minute");
    fixture.settle().await;
    assert_eq!(fixture.invited().await, [sent(MARIA, "REQUEST", 0)]);
    assert_eq!(fixture.states(&booking).await, [(MARIA.to_owned(), InvitationState::Sent)]);
    let first = fixture.outside.mails().await.remove(0);
    assert_eq!(first["subject"], "Massage – Harbour House");
    assert_eq!(first["header_from"], "Harbour House <concord@book.example>");

    let later = fixture.draft(&[], 11 * 24 * 60, 11 * 24 * 60 + 60);
    let moved = BookingDraft { time: later.time, ..draft.clone() };
    fixture.put("tasting", &moved).await;
    fixture.settle().await;
    fixture.put("tasting", &BookingDraft { title: "Hot stones".to_owned(), ..moved.clone() }).await;
    fixture.settle().await;
    // What the customer is not told of sends nothing.
    fixture
        .put("tasting", &BookingDraft { title: "Hot stones".to_owned(), notes: "VIP".to_owned(), ..moved })
        .await;
    fixture.settle().await;
    fixture.cancel("tasting").await;
    fixture.settle().await;
    let all = ["REQUEST", "REQUEST", "REQUEST", "CANCEL"].into_iter().zip([0, 1, 1, 2]);
    let all: Vec<_> = all.map(|(method, sequence)| sent(MARIA, method, sequence)).collect();
    assert_eq!(fixture.invited().await, all);
    assert_eq!(fixture.states(&booking).await, [(MARIA.to_owned(), InvitationState::Cancelled)]);

    fixture.put("tasting", &draft).await;
    fixture.settle().await;
    assert_eq!(fixture.invited().await.pop(), Some(sent(MARIA, "REQUEST", 3)), "it takes place after all");
    let uids: Vec<String> =
        fixture.outside.mails().await.iter().map(|mail| calendar(mail)["UID"].clone()).collect();
    assert!(uids.iter().all(|uid| *uid == format!("booking-{}@book.example", booking.id)), "{uids:?}");
}

async fn changes_within_the_delay_are_one_mail(db: &TestDb) {
    let fixture = inviting(db).await;
    fixture.choose(|settings| settings.delay_minutes = 2).await;
    let draft = fixture.for_maria();
    fixture.put("tasting", &draft).await;
    fixture.drain().await;
    for minute in 0..3 {
        fixture.clock.advance(Duration::seconds(30));
        fixture.put("tasting", &BookingDraft { title: format!("Title {minute}"), ..draft.clone() }).await;
        fixture.drain().await;
    }
    assert_eq!(fixture.invited().await, []);
    fixture.settle().await;
    assert_eq!(fixture.invited().await, [sent(MARIA, "REQUEST", 0)]);
    assert_eq!(fixture.outside.mails().await[0]["subject"], "Title 2 – Harbour House");
}

async fn booking_that_is_undone_in_time_sends_nothing(db: &TestDb) {
    let fixture = inviting(db).await;
    let draft = fixture.for_maria();
    fixture.put("tasting", &draft).await;
    fixture.cancel("tasting").await;
    fixture.settle().await;
    assert_eq!(fixture.outside.mails().await, Vec::<Value>::new());

    // Nor does one that is undone while the mail server takes nothing.
    let fault = json!({ "provider": "mailbox", "kind": "rate_limit", "count": 1_000 });
    fixture.outside.control(http::Method::POST, "faults", Some(fault)).await;
    let booking = fixture.put("dinner", &draft).await;
    fixture.clock.advance(Duration::minutes(2));
    fixture.drain().await;
    assert_eq!(fixture.states(&booking).await, [(MARIA.to_owned(), InvitationState::Waiting)]);
    fixture.cancel("dinner").await;
    fixture.clock.advance(Duration::minutes(2));
    fixture.drain().await;
    assert_eq!(fixture.mails().await, []);
    fixture.outside.control(http::Method::DELETE, "faults", None).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.mails().await, Vec::<Value>::new());
    assert_eq!(fixture.states(&booking).await, [(MARIA.to_owned(), InvitationState::NotSent)]);
}

async fn invitation_that_may_have_left_is_followed_by_its_cancellation(db: &TestDb) {
    let fixture = inviting(db).await;
    let fault = json!({ "provider": "mailbox", "kind": "apply_then_drop", "count": 1 });
    fixture.outside.control(http::Method::POST, "faults", Some(fault)).await;
    fixture.put("tasting", &fixture.for_maria()).await;
    fixture.clock.advance(Duration::minutes(1));
    fixture.drain().await;
    let states: Vec<MailState> = fixture.mails().await.iter().map(|mail| mail.state).collect();
    assert_eq!(states, [MailState::Sending]);
    fixture.cancel("tasting").await;
    fixture.settle().await;
    let all = fixture.invited().await;
    // The same invitation twice, by one Message-ID, and then the cancellation, in this order.
    assert_eq!(all, [sent(MARIA, "REQUEST", 0), sent(MARIA, "REQUEST", 0), sent(MARIA, "CANCEL", 1)]);
}

async fn changed_address_cancels_with_the_old_one_and_invites_the_new(db: &TestDb) {
    let fixture = inviting(db).await;
    let draft = fixture.for_maria();
    fixture.put("tasting", &draft).await;
    fixture.settle().await;
    let mut moved = draft.clone();
    "silva@example.net".clone_into(&mut moved.customer.email);
    fixture.put("tasting", &moved).await;
    fixture.settle().await;
    let mut all = fixture.invited().await;
    all.sort();
    assert_eq!(
        all,
        [sent(MARIA, "CANCEL", 1), sent(MARIA, "REQUEST", 0), sent("silva@example.net", "REQUEST", 0)]
    );
    let mails = fixture.outside.mails().await;
    let removal = mails.iter().find(|mail| calendar(mail)["METHOD"] == "CANCEL").unwrap();
    assert!(!calendar(removal).contains_key("STATUS"), "the booking itself stands");

    // Another spelling is no other address.
    "Silva@EXAMPLE.net".clone_into(&mut moved.customer.email);
    fixture.put("tasting", &moved).await;
    fixture.settle().await;
    assert_eq!(fixture.invited().await.len(), 3);
}

async fn guests_get_their_own_mail_and_sender_is_frozen(db: &TestDb) {
    let fixture = inviting(db).await;
    fixture
        .choose(|settings| {
            "book@quinta.example".clone_into(&mut settings.sender_address);
            "Quinta, \"Lda\"".clone_into(&mut settings.sender_name);
            "ana@quinta.example".clone_into(&mut settings.reply_address);
            settings.language = Language::De;
        })
        .await;
    let guest = |name: &str, email: &str| Guest { name: name.to_owned(), email: email.to_owned() };
    let draft = BookingDraft {
        guests: vec![guest("Rui", "rui@b\u{fc}cher.example"), guest("", "zoe@example.org")],
        meeting_url: "https://meet.example/1".to_owned(),
        ..fixture.for_maria()
    };
    fixture.put("tasting", &draft).await;
    fixture.settle().await;
    let mut to: Vec<String> = fixture.invited().await.into_iter().map(|(to, ..)| to).collect();
    to.sort();
    assert_eq!(to, [MARIA, "rui@xn--bcher-kva.example", "zoe@example.org"]);
    for mail in fixture.outside.mails().await {
        assert_eq!(mail["to"].as_array().unwrap().len(), 1);
        let raw = mail["raw"].as_str().unwrap();
        assert!(raw.contains("Reply-To: ana@quinta.example\r\n"), "{raw}");
        assert!(calendar(&mail)["ORGANIZER"].ends_with("mailto:book@quinta.example"), "{mail}");
        assert!(mail["text"].as_str().unwrap().contains("Ihre Buchung ist bestätigt"), "{mail}");
        assert!(calendar(&mail)["CONFERENCE"].ends_with("https://meet.example/1"));
    }

    // Calendars take updates from the first sender alone; the customer's language wins.
    fixture.choose(|settings| "new@quinta.example".clone_into(&mut settings.sender_address)).await;
    let customer = Customer { language: Some(Language::En), ..draft.customer.clone() };
    fixture.put("tasting", &BookingDraft { location: "Garden".to_owned(), customer, ..draft }).await;
    fixture.settle().await;
    let mails = fixture.outside.mails().await;
    assert_eq!(mails.len(), 6);
    for mail in mails.iter().filter(|mail| shown(mail).2 == 1) {
        assert!(mail["header_from"].as_str().unwrap().contains("<book@quinta.example>"), "{mail}");
        assert!(mail["text"].as_str().unwrap().contains("Your booking was changed"), "{mail}");
    }
}

async fn rule_of_the_business_decides_what_is_sent(db: &TestDb) {
    let fixture = inviting(db).await;
    let pending = BookingDraft { status: BookingStatus::Pending, ..fixture.for_maria() };
    fixture.put("asked", &pending).await;
    fixture.settle().await;
    assert_eq!(fixture.invited().await, []);
    fixture.put("asked", &fixture.for_maria()).await;
    fixture.settle().await;
    assert_eq!(fixture.invited().await.len(), 1);

    fixture.choose(|settings| settings.mode = InvitationMode::Pending).await;
    fixture.put("tentative", &pending).await;
    fixture.settle().await;
    let mail = fixture.outside.mails().await.pop().unwrap();
    assert_eq!(calendar(&mail)["STATUS"], "TENTATIVE");
    assert!(mail["text"].as_str().unwrap().contains("We have received your request"));

    fixture.choose(|settings| settings.mode = InvitationMode::Off).await;
    let silent = fixture.put("silent", &fixture.for_maria()).await;
    fixture.cancel("tentative").await;
    fixture.settle().await;
    let all = fixture.invited().await;
    assert_eq!((all.len(), all.last()), (3, Some(&sent(MARIA, "CANCEL", 1))), "who was invited is told");
    // By hand it goes all the same, and again as often as it is wanted.
    for _ in 0..2 {
        invitations::send(&fixture.context, &fixture.change(), &silent).await.unwrap();
        fixture.settle().await;
    }
    let all = fixture.invited().await;
    assert_eq!(all[3..], [sent(MARIA, "REQUEST", 0), sent(MARIA, "REQUEST", 0)]);
    let mails = fixture.outside.mails().await;
    assert!(calendar(&mails[4])["DTSTAMP"] > calendar(&mails[3])["DTSTAMP"]);
}

async fn invitation_by_hand_outlives_a_change_while_it_waits(db: &TestDb) {
    let fixture = inviting(db).await;
    fixture.choose(|settings| settings.mode = InvitationMode::Off).await;
    let booking = fixture.put("tasting", &fixture.for_maria()).await;
    let fault = json!({ "provider": "mailbox", "kind": "rate_limit", "count": 1_000 });
    fixture.outside.control(http::Method::POST, "faults", Some(fault)).await;
    invitations::send(&fixture.context, &fixture.change(), &booking).await.unwrap();
    fixture.drain().await;
    assert_eq!(fixture.states(&booking).await, [(MARIA.to_owned(), InvitationState::Waiting)]);
    let booking =
        fixture.put("tasting", &BookingDraft { notes: "By the sea".to_owned(), ..fixture.for_maria() }).await;
    fixture.clock.advance(Duration::minutes(2));
    fixture.drain().await;
    assert_eq!(fixture.states(&booking).await, [(MARIA.to_owned(), InvitationState::Waiting)]);
    fixture.put("tasting", &BookingDraft { title: "By the sea".to_owned(), ..fixture.for_maria() }).await;
    fixture.clock.advance(Duration::minutes(2));
    fixture.drain().await;
    fixture.outside.control(http::Method::DELETE, "faults", None).await;
    fixture.settle().await;
    assert_eq!(fixture.invited().await, [sent(MARIA, "REQUEST", 0)]);
    assert_eq!(fixture.outside.mails().await[0]["subject"], "By the sea – Harbour House");
}

async fn booking_that_was_moved_into_the_past_is_told(db: &TestDb) {
    let fixture = inviting(db).await;
    fixture.put("tasting", &fixture.for_maria()).await;
    fixture.settle().await;
    let past = BookingDraft { time: fixture.draft(&[], -120, -60).time, ..fixture.for_maria() };
    fixture.put("tasting", &past).await;
    fixture.settle().await;
    assert_eq!(fixture.invited().await, [sent(MARIA, "REQUEST", 0), sent(MARIA, "REQUEST", 1)]);
}

async fn invitation_that_cannot_be_sent_says_why(db: &TestDb) {
    let fixture = inviting(db).await;
    let refusal =
        async |booking: &Booking| match invitations::send(&fixture.context, &fixture.change(), booking).await
        {
            Err(ServiceError::NotPossible(why)) => why,
            other => panic!("{other:?}"),
        };
    let nobody = BookingDraft { customer: Customer::default(), ..fixture.for_maria() };
    let nobody = fixture.put("nobody", &nobody).await;
    assert_eq!(refusal(&nobody).await, "the booking has no email address");
    let over = BookingDraft { time: fixture.draft(&[], -120, -60).time, ..fixture.for_maria() };
    let over = fixture.put("over", &over).await;
    assert_eq!(refusal(&over).await, "the booking is over");
    fixture.put("tasting", &fixture.for_maria()).await;
    let cancelled = fixture.cancel("tasting").await;
    assert_eq!(refusal(&cancelled).await, "the booking is cancelled");
    let mut odd = fixture.for_maria();
    "j\u{f6}rg@example.org".clone_into(&mut odd.customer.email);
    let odd = fixture.put("odd", &odd).await;
    fixture.settle().await;
    let listed = invitations::list(&fixture.context, &odd).await.unwrap();
    assert_eq!(listed[0].problem.as_deref(), Some("j\u{f6}rg@example.org cannot be sent emails"));
    assert_eq!(fixture.outside.mails().await, Vec::<Value>::new());
}

async fn invitation_is_not_sent_when_the_booking_is_over(db: &TestDb) {
    let fixture = inviting(db).await;
    let fault = json!({ "provider": "mailbox", "kind": "rate_limit", "count": 1_000 });
    fixture.outside.control(http::Method::POST, "faults", Some(fault)).await;
    let soon = BookingDraft { time: fixture.draft(&[], 60, 120).time, ..fixture.for_maria() };
    fixture.put("soon", &soon).await;
    fixture.clock.advance(Duration::minutes(1));
    fixture.drain().await;
    fixture.outside.control(http::Method::DELETE, "faults", None).await;
    fixture.clock.advance(Duration::hours(3));
    fixture.drain().await;
    let mails = fixture.mails().await;
    assert_eq!(mails[0].state, MailState::Failed);
    assert_eq!(mails[0].last_error.as_deref(), Some("not sent, because it would have arrived too late"));
    assert_eq!(fixture.outside.mails().await, Vec::<Value>::new());
}

on_both_databases!(
    customer_is_invited_told_of_changes_and_of_the_end,
    changes_within_the_delay_are_one_mail,
    booking_that_is_undone_in_time_sends_nothing,
    invitation_that_may_have_left_is_followed_by_its_cancellation,
    changed_address_cancels_with_the_old_one_and_invites_the_new,
    guests_get_their_own_mail_and_sender_is_frozen,
    rule_of_the_business_decides_what_is_sent,
    invitation_by_hand_outlives_a_change_while_it_waits,
    booking_that_was_moved_into_the_past_is_told,
    invitation_that_cannot_be_sent_says_why,
    invitation_is_not_sent_when_the_booking_is_over,
);
