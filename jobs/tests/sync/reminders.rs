//! Reminders: from a booking to the mailbox, with a clock that is set.

use std::time::Duration as StdDuration;

use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, Customer},
    language::Language,
    mail::MailState,
    notice::NoticeKind,
    reminder::{ReminderChannel, ReminderRuleSettings, ReminderSkip, ReminderState},
};
use concord_services::{
    ServiceError,
    customers::{self, CustomerVisit},
    reminders, retries,
};
use concord_storage::{
    notices, on_both_databases,
    reminder_rules::{self, ReminderRule},
    reminders as store,
    testing::{self, TestDb},
};
use serde_json::{Value, json};

use crate::fixture::{ANA, SyncFixture, with_status};

/// Minutes after `monday`, which is 08:00 in Lisbon: ten days later, 18:00.
const START: i64 = 10 * 24 * 60 + 10 * 60;

fn customer_rule(minutes_before: u32) -> ReminderRuleSettings {
    ReminderRuleSettings { channel: ReminderChannel::CustomerMail, kind: None, minutes_before }
}

/// A business with a mailbox that reminds customers a day and an hour before.
async fn reminding(db: &TestDb) -> SyncFixture<'_> {
    let fixture = SyncFixture::with_mailbox(db).await;
    for rule in ReminderRuleSettings::defaults() {
        fixture.remind(&rule).await;
    }
    fixture
}

impl SyncFixture<'_> {
    pub(crate) async fn remind(&self, rule: &ReminderRuleSettings) -> ReminderRule {
        let made = reminders::create(&self.context, &self.change(), rule).await.expect("a rule is made");
        self.settle().await;
        made
    }

    fn tasting(&self) -> BookingDraft {
        let mut draft = testing::draft(&self.room, START, START + 60);
        "https://meet.example/tasting".clone_into(&mut draft.meeting_url);
        draft
    }

    /// Lets all be done that is due up to so many minutes before the booking of these tests.
    async fn until(&self, minutes_before: i64) {
        self.play_until(testing::at(START - minutes_before)).await;
    }

    async fn reminders(&self, booking: &Booking) -> Vec<(u32, ReminderState, Option<ReminderSkip>)> {
        let all = store::of_booking(self.db, self.business.id, booking.id).await.expect("they can be read");
        all.into_iter()
            .map(|one| (one.rule.minutes_before, one.reminder.state, one.reminder.skip_reason))
            .collect()
    }

    async fn subjects(&self) -> Vec<String> {
        let mails = self.outside.mails().await;
        mails.iter().map(|mail| mail["subject"].as_str().expect("a subject").to_owned()).collect()
    }
}

async fn customer_is_reminded_a_day_and_an_hour_before(db: &TestDb) {
    let fixture = reminding(db).await;
    let booking = fixture.put("tasting", &fixture.tasting()).await;
    fixture.until(1441).await;
    assert_eq!(fixture.subjects().await, Vec::<String>::new());
    fixture.until(1439).await;
    assert_eq!(fixture.subjects().await, ["Reminder: Massage – Harbour House"]);
    fixture.until(61).await;
    assert_eq!(fixture.outside.mails().await.len(), 1);
    fixture.until(59).await;
    let mails = fixture.outside.mails().await;
    assert_eq!(mails.len(), 2);
    let states = fixture.reminders(&booking).await;
    assert_eq!(states, [(1440, ReminderState::Sent, None), (60, ReminderState::Sent, None)]);
    let mail = &mails[0];
    assert_eq!(mail["to"], json!(["maria@example.com"]));
    assert_eq!(mail["header_from"], "Harbour House <concord@book.example>");
    let text = mail["text"].as_str().unwrap().replace("\r\n", "\n");
    for part in [
        "Your booking is coming up\n",
        "When: Thu 11 Mar 2027, 18:00–19:00 WET\n",
        "Where: Sea View\n",
        "Meeting link: https://meet.example/tasting\n",
        "Times in Europe/Lisbon\n",
        "Change, cancel or answer: https://book.example/b/cb_",
        "Turn off reminders: https://book.example/b/cb_",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let raw = mail["raw"].as_str().unwrap();
    assert!(raw.contains("\r\nList-Unsubscribe: <https://book.example/b/cb_"), "{raw}");
    assert!(raw.contains("/reminders/off>\r\n"), "{raw}");
    assert!(raw.contains("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{raw}");
    assert!(raw.contains("\r\nAuto-Submitted: auto-generated\r\n"), "{raw}");
    assert!(fixture.open_jobs().await.is_empty());
}

async fn staff_are_reminded_each_and_in_german_the_customer(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    let kind = Some(BookingKind::Booking);
    let staff = ReminderRuleSettings { channel: ReminderChannel::StaffMail, kind, minutes_before: 30 };
    fixture.remind(&staff).await;
    fixture.remind(&customer_rule(60)).await;
    let customer = Customer { language: Some(Language::De), ..fixture.tasting().customer };
    let staff = vec![fixture.ana.id, fixture.rui.id];
    let booking = fixture.put("tasting", &BookingDraft { customer, staff, ..fixture.tasting() }).await;
    fixture.until(29).await;
    let mails = fixture.outside.mails().await;
    assert_eq!(mails[0]["subject"], "Erinnerung: Massage – Harbour House");
    let mut to: Vec<&str> = mails[1..].iter().map(|mail| mail["to"][0].as_str().unwrap()).collect();
    to.sort_unstable();
    assert_eq!(to, [ANA, "rui@harbour.example"]);
    let raw = mails[1]["raw"].as_str().unwrap();
    assert!(!raw.contains("List-Unsubscribe") && !raw.contains("/b/cb_"), "{raw}");
    assert!(mails[1]["text"].as_str().unwrap().contains(&format!("/bookings/{}", booking.id)));
    let states = fixture.reminders(&booking).await;
    assert_eq!(states, [(60, ReminderState::Sent, None), (30, ReminderState::Sent, None)]);
}

async fn nobody_is_reminded_of_what_does_not_take_place_or_of_an_old_time(db: &TestDb) {
    let fixture = reminding(db).await;
    let draft = fixture.tasting();
    let off = fixture.put("off", &draft).await;
    let moved = fixture.put("moved", &draft).await;
    let pending = fixture.put("pending", &with_status(&draft, BookingStatus::Pending)).await;
    let mut nameless = draft.clone();
    nameless.customer = Customer::default();
    let nameless = fixture.put("nameless", &nameless).await;
    let maintenance = BookingDraft { kind: BookingKind::Maintenance, ..draft.clone() };
    let maintenance = fixture.put("maintenance", &maintenance).await;
    fixture.cancel("off").await;
    let later = testing::draft(&fixture.room, START + 10_000, START + 10_060);
    fixture.put("moved", &BookingDraft { time: later.time, ..draft }).await;
    fixture.until(0).await;
    assert_eq!(fixture.subjects().await, Vec::<String>::new());
    let skipped = |why| [1440, 60].map(|minutes| (minutes, ReminderState::Skipped, Some(why)));
    assert_eq!(fixture.reminders(&off).await, skipped(ReminderSkip::Cancelled));
    assert_eq!(fixture.reminders(&moved).await[2..], skipped(ReminderSkip::Moved));
    assert_eq!(fixture.reminders(&pending).await, skipped(ReminderSkip::NotConfirmed));
    assert_eq!(fixture.reminders(&nameless).await, skipped(ReminderSkip::NoAddress));
    assert_eq!(fixture.reminders(&maintenance).await, []);
}

async fn waiting_reminder_is_taken_back_or_written_anew(db: &TestDb) {
    let fixture = reminding(db).await;
    let fault = json!({ "provider": "mailbox", "kind": "rate_limit" });
    fixture.outside.control(http::Method::POST, "faults", Some(fault)).await;
    let draft = fixture.tasting();
    let off = fixture.put("off", &draft).await;
    fixture.put("renamed", &draft).await;
    fixture.until(1439).await;
    let states: Vec<MailState> = fixture.mails().await.iter().map(|mail| mail.state).collect();
    assert_eq!(states, [MailState::Waiting; 2]);
    fixture.cancel("off").await;
    let mut renamed = draft;
    "Hot stones".clone_into(&mut renamed.title);
    "silva@example.net".clone_into(&mut renamed.customer.email);
    fixture.put("renamed", &renamed).await;
    fixture.outside.control(http::Method::DELETE, "faults", None).await;
    fixture.until(1400).await;
    let mails = fixture.outside.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["subject"], "Reminder: Hot stones – Harbour House");
    assert_eq!(mails[0]["to"], json!(["silva@example.net"]));
    let skipped = Some(ReminderSkip::Cancelled);
    assert_eq!(fixture.reminders(&off).await[0], (1440, ReminderState::Skipped, skipped));
}

async fn late_reminder_is_sent_while_it_helps_and_else_skipped(db: &TestDb) {
    let fixture = reminding(db).await;
    let booking = fixture.put("tasting", &fixture.tasting()).await;
    // Nothing runs for a day: the day before has passed, and the hour before is late.
    fixture.clock.advance(testing::at(START - 30) - fixture.clock.now());
    fixture.settle().await;
    let states = fixture.reminders(&booking).await;
    let late = (1440, ReminderState::Skipped, Some(ReminderSkip::TooLate));
    assert_eq!(states, [late, (60, ReminderState::Sent, None)]);
    assert_eq!(fixture.outside.mails().await.len(), 1);
}

async fn without_a_mail_server_nothing_is_written(db: &TestDb) {
    let mut fixture = SyncFixture::new(db).await;
    for rule in ReminderRuleSettings::defaults() {
        fixture.remind(&rule).await;
    }
    let booking = fixture.put("tasting", &fixture.tasting()).await;
    fixture.until(90).await;
    assert_eq!(fixture.mails().await, []);
    let none = (1440, ReminderState::Skipped, Some(ReminderSkip::NoMailServer));
    assert_eq!(fixture.reminders(&booking).await[0], none);
    fixture.open_mailbox(StdDuration::from_secs(5));
    fixture.until(59).await;
    assert_eq!(fixture.reminders(&booking).await, [none, (60, ReminderState::Sent, None)]);
}

async fn refused_reminder_has_failed_and_says_why(db: &TestDb) {
    let fixture = reminding(db).await;
    let fault = json!({ "provider": "mailbox", "kind": "server_error", "count": 1 });
    fixture.outside.control(http::Method::POST, "faults", Some(fault)).await;
    let booking = fixture.put("tasting", &fixture.tasting()).await;
    fixture.until(1439).await;
    let all = store::of_booking(db, fixture.business.id, booking.id).await.unwrap();
    assert_eq!(all[0].reminder.state, ReminderState::Failed);
    assert!(all[0].reminder.error.as_ref().unwrap().contains("554"));
}

async fn failed_reminder_follows_its_booking(db: &TestDb) {
    let fixture = reminding(db).await;
    let fault = json!({ "provider": "mailbox", "kind": "server_error", "count": 2 });
    fixture.outside.control(http::Method::POST, "faults", Some(fault)).await;
    let draft = fixture.tasting();
    let corrected = fixture.put("corrected", &draft).await;
    let moved = fixture.put("moved", &draft).await;
    fixture.until(1439).await;
    let failed = (1440, ReminderState::Failed, None);
    assert_eq!(
        (fixture.reminders(&corrected).await[0], fixture.reminders(&moved).await[0]),
        (failed, failed)
    );
    // What the mail server says names the customer, and managers' mails do not.
    let raised = notices::unsettled(db, fixture.business.id, 50).await.unwrap();
    let raised: Vec<_> = raised.iter().filter(|one| one.kind == NoticeKind::ReminderFailed).collect();
    assert_eq!(raised.len(), 2);
    assert!(
        raised.iter().any(|one| one.headline == "A reminder of booking moved could not be sent"),
        "{raised:?}"
    );
    assert!(raised.iter().all(|one| one.detail.contains("(554") && !one.detail.contains('@')), "{raised:?}");

    // Another address is reminded; the same one is not, whatever else changes.
    let mails = fixture.mails().await;
    let mut other = draft.clone();
    "silva@example.net".clone_into(&mut other.customer.email);
    fixture.put("corrected", &other).await;
    let renamed = BookingDraft { title: "Hot stones".to_owned(), ..draft.clone() };
    fixture.put("moved", &renamed).await;
    fixture.until(1400).await;
    let sent = fixture.outside.mails().await;
    assert_eq!(sent.iter().map(|mail| &mail["to"]).collect::<Vec<_>>(), [&json!(["silva@example.net"])]);
    assert_eq!(fixture.reminders(&corrected).await[0], (1440, ReminderState::Sent, None));
    assert_eq!(fixture.reminders(&moved).await[0], failed);

    // Nobody can send what is no longer so.
    let later = testing::draft(&fixture.room, START + 10_000, START + 10_060);
    fixture.put("moved", &BookingDraft { time: later.time, ..renamed }).await;
    for mail in mails {
        let retried = retries::retry_mail(&fixture.context, fixture.business.id, mail.id).await;
        assert!(matches!(retried, Err(ServiceError::NotPossible(_))), "{retried:?}");
    }
    assert_eq!(fixture.outside.mails().await.len(), 1);
}

async fn reminder_that_waits_is_taken_back_when_they_are_turned_off(db: &TestDb) {
    let fixture = reminding(db).await;
    let fault = json!({ "provider": "mailbox", "kind": "rate_limit" });
    fixture.outside.control(http::Method::POST, "faults", Some(fault)).await;
    let booking = fixture.put("tasting", &fixture.tasting()).await;
    fixture.until(1439).await;
    assert_eq!(fixture.reminders(&booking).await[0], (1440, ReminderState::Queued, None));
    let visit = fixture.visit(&booking, "maria@example.com").await;
    reminders::turn_off(&fixture.context, &visit).await.unwrap();
    fixture.outside.control(http::Method::DELETE, "faults", None).await;
    fixture.until(59).await;
    let off = ReminderState::Skipped;
    let why = Some(ReminderSkip::TurnedOff);
    assert_eq!(fixture.reminders(&booking).await, [(1440, off, why), (60, off, why)]);
    assert_eq!(fixture.subjects().await, Vec::<String>::new());
}

async fn reminder_that_went_out_stays_as_it_was(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    let rule = fixture.remind(&customer_rule(1440)).await;
    let booking = fixture.put("tasting", &fixture.tasting()).await;
    fixture.until(1439).await;
    let apply = |_: &ReminderRuleSettings| Ok::<_, ServiceError>(customer_rule(120));
    reminders::change(&fixture.context, &fixture.change(), rule.id, apply).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.reminders(&booking).await, [(1440, ReminderState::Sent, None)]);
}

async fn customer_turns_reminders_off(db: &TestDb) {
    let fixture = reminding(db).await;
    let booking = fixture.put("tasting", &fixture.tasting()).await;
    fixture.until(1439).await;
    let mail = fixture.outside.mails().await.remove(0);
    let text = mail["text"].as_str().unwrap();
    let token = text.split("/b/").nth(1).unwrap().split(char::is_whitespace).next().unwrap();
    let visit = CustomerVisit::open(&fixture.context, &customers::digest(token)).await.unwrap().unwrap();
    reminders::turn_off(&fixture.context, &visit).await.unwrap();
    fixture.until(59).await;
    let off = (60, ReminderState::Skipped, Some(ReminderSkip::TurnedOff));
    assert_eq!(fixture.reminders(&booking).await, [(1440, ReminderState::Sent, None), off]);
    assert_eq!(fixture.outside.mails().await.len(), 1);
}

async fn changed_rules_are_followed(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    let booking = fixture.put("tasting", &fixture.tasting()).await;
    fixture.settle().await;
    let rule = fixture.remind(&customer_rule(60)).await;
    assert_eq!(fixture.reminders(&booking).await, [(60, ReminderState::Planned, None)]);
    let again = reminders::create(&fixture.context, &fixture.change(), &customer_rule(60)).await;
    assert!(matches!(again, Err(ServiceError::NotPossible(_))), "{again:?}");
    let other = fixture.remind(&customer_rule(90)).await;
    let by = fixture.change();
    let apply = |_: &ReminderRuleSettings| Ok::<_, ServiceError>(customer_rule(90));
    let repeated = reminders::change(&fixture.context, &by, rule.id, apply).await;
    assert!(matches!(repeated, Err(ServiceError::NotPossible(_))), "{repeated:?}");
    reminders::remove(&fixture.context, &by, other.id).await.unwrap();
    let hours = Some("16:00-17:30".parse().unwrap());
    reminders::set_quiet_hours(&fixture.context, &by, hours).await.unwrap();
    fixture.settle().await;
    assert_eq!(reminder_rules::list(db, fixture.business.id).await.unwrap(), [rule]);
    fixture.until(31).await;
    assert_eq!(fixture.subjects().await, Vec::<Value>::new());
    fixture.until(29).await;
    let removed = (90, ReminderState::Skipped, Some(ReminderSkip::RuleChanged));
    assert_eq!(fixture.reminders(&booking).await, [removed, (60, ReminderState::Sent, None)]);
}

on_both_databases!(
    customer_is_reminded_a_day_and_an_hour_before,
    staff_are_reminded_each_and_in_german_the_customer,
    nobody_is_reminded_of_what_does_not_take_place_or_of_an_old_time,
    waiting_reminder_is_taken_back_or_written_anew,
    late_reminder_is_sent_while_it_helps_and_else_skipped,
    without_a_mail_server_nothing_is_written,
    refused_reminder_has_failed_and_says_why,
    failed_reminder_follows_its_booking,
    reminder_that_waits_is_taken_back_when_they_are_turned_off,
    reminder_that_went_out_stays_as_it_was,
    customer_turns_reminders_off,
    changed_rules_are_followed,
);
