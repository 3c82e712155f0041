//! Reminders for other systems: the event `booking.reminder`, with a clock that is set.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus},
    ids::ReminderId,
    job::JobKind,
    reminder::{ReminderChannel, ReminderRuleSettings, ReminderSkip, ReminderState},
    webhook::{EventType, MAX_BODY, body},
};
use concord_jobs::worker::JobHandler;
use concord_services::{
    customers::{self, CustomerVisit},
    personal_data::{self, PersonQuery},
    reminders,
};
use concord_storage::{
    attendees, events,
    events::StoredEvent,
    on_both_databases, reminders as store,
    testing::{self, TestDb},
};
use serde_json::{Value, json};

use crate::fixture::{SyncFixture, with_status};

/// Minutes after `monday`, which is 08:00 in Lisbon: ten days later, 18:00.
const START: i64 = 10 * 24 * 60 + 10 * 60;

pub(crate) fn webhook_rule(minutes_before: u32) -> ReminderRuleSettings {
    ReminderRuleSettings { channel: ReminderChannel::Webhook, kind: None, minutes_before }
}

/// A reminder as other systems are told of it.
pub(crate) struct ReminderEvent {
    pub(crate) stored: StoredEvent,
    pub(crate) data: Value,
}

/// All that were published, by their reminder.
pub(crate) async fn reminder_events(fixture: &SyncFixture<'_>) -> BTreeMap<ReminderId, Vec<ReminderEvent>> {
    let (mut all, mut seen) = (BTreeMap::<_, Vec<_>>::new(), None);
    loop {
        let page = events::after(fixture.db, fixture.business.id, seen, 200).await.expect("they can be read");
        for stored in page.items {
            seen = Some(stored.id);
            if stored.kind == EventType::BookingReminder {
                let data: Value = serde_json::from_str(&stored.data).expect("JSON");
                let id = data["reminder"]["id"].as_str().expect("an id").parse().expect("an id");
                all.entry(id).or_default().push(ReminderEvent { stored, data });
            }
        }
        if page.next.is_none() {
            return all;
        }
    }
}

fn text_of(time: DateTime<Utc>) -> Value {
    json!(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

impl SyncFixture<'_> {
    fn at_six(&self) -> BookingDraft {
        testing::draft(&self.room, START, START + 60)
    }

    async fn pass_until(&self, minutes_before: i64) {
        self.play_until(testing::at(START - minutes_before)).await;
    }

    async fn settled(&self, booking: &Booking) -> Vec<(ReminderState, Option<ReminderSkip>)> {
        let all = store::of_booking(self.db, self.business.id, booking.id).await.expect("they can be read");
        all.into_iter().map(|one| (one.reminder.state, one.reminder.skip_reason)).collect()
    }

    /// Those that were published, in their order.
    async fn published(&self) -> Vec<ReminderEvent> {
        let mut all: Vec<_> = reminder_events(self).await.into_values().flatten().collect();
        all.sort_by_key(|event| event.stored.created_at);
        all
    }
}

async fn event_comes_at_its_time_without_a_mail_server(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let rule = fixture.remind(&webhook_rule(60)).await;
    let mut booking = fixture.put("tasting", &fixture.at_six()).await;
    fixture.pass_until(120).await;
    let renamed = BookingDraft { title: "Hot stones".to_owned(), ..booking.draft };
    booking = fixture.put("tasting", &renamed).await;
    fixture.pass_until(61).await;
    assert!(fixture.published().await.is_empty());
    fixture.pass_until(59).await;
    let [event] = <[ReminderEvent; 1]>::try_from(fixture.published().await).ok().expect("one event");
    let due_at = testing::at(START - 60);
    assert!(event.stored.created_at >= due_at);
    assert!(event.stored.created_at < due_at + Duration::seconds(1));
    assert_eq!((event.stored.subject_id, event.stored.subject_version), (booking.id.0, Some(2)));
    assert_eq!((&event.data["title"], &event.data["version"]), (&json!("Hot stones"), &json!(2)));
    assert_eq!(event.data["customer"]["email"], "maria@example.com");
    let told = &event.data["reminder"];
    assert_eq!((&told["rule"], &told["minutes_before"]), (&json!(rule.id), &json!(60)));
    assert_eq!(told["due_at"], text_of(due_at));
    assert_eq!(told["useful_until"], text_of(testing::at(START)));
    assert_eq!(told["turned_off"], false);
    fixture.pass_until(0).await;
    assert_eq!(fixture.published().await.len(), 1);
    assert_eq!(fixture.settled(&booking).await, [(ReminderState::Sent, None)]);
    assert!(fixture.open_jobs().await.is_empty() && fixture.mails().await.is_empty());
}

async fn quiet_hours_are_those_of_people(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    reminders::set_quiet_hours(&fixture.context, &fixture.change(), "16:00-17:30".parse().ok())
        .await
        .unwrap();
    fixture.remind(&webhook_rule(60)).await;
    let booking = fixture.put("tasting", &fixture.at_six()).await;
    fixture.pass_until(59).await;
    assert_eq!(fixture.settled(&booking).await, [(ReminderState::Sent, None)]);
    // Nor is one held back that is late.
    let later = testing::draft(&fixture.room, START + 1440, START + 1500);
    let late = fixture.put("late", &later).await;
    let an_hour_before_it = testing::at(START + 1440 - 55);
    fixture.clock.advance(an_hour_before_it - fixture.clock.now());
    fixture.drain().await;
    assert_eq!(fixture.settled(&late).await, [(ReminderState::Sent, None)]);
}

async fn nothing_is_told_of_what_does_not_take_place_or_is_over(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.remind(&webhook_rule(60)).await;
    let draft = fixture.at_six();
    let off = fixture.put("off", &draft).await;
    let moved = fixture.put("moved", &draft).await;
    let pending = fixture.put("pending", &with_status(&draft, BookingStatus::Pending)).await;
    let block = BookingDraft { kind: BookingKind::Block, ..draft.clone() };
    let block = fixture.put("block", &block).await;
    fixture.cancel("off").await;
    let later = testing::draft(&fixture.room, START + 10_000, START + 10_060);
    fixture.put("moved", &BookingDraft { time: later.time, ..draft.clone() }).await;
    fixture.pass_until(59).await;
    let inside = fixture.put("inside", &draft).await;
    // Nothing runs until it has begun.
    let missed = fixture.put("missed", &testing::draft(&fixture.room, START + 600, START + 660)).await;
    fixture.clock.advance(testing::at(START + 601) - fixture.clock.now());
    fixture.settle().await;
    let skipped = |why| [(ReminderState::Skipped, Some(why))];
    assert_eq!(fixture.settled(&off).await, skipped(ReminderSkip::Cancelled));
    assert_eq!(fixture.settled(&moved).await[1..], skipped(ReminderSkip::Moved));
    assert_eq!(fixture.settled(&pending).await, skipped(ReminderSkip::NotConfirmed));
    assert_eq!(fixture.settled(&inside).await, skipped(ReminderSkip::BookedLate));
    assert_eq!(fixture.settled(&missed).await, skipped(ReminderSkip::TooLate));
    assert_eq!(fixture.settled(&block).await, []);
    assert!(fixture.published().await.is_empty());
}

async fn is_published_once_though_killed_after(fixture: &SyncFixture<'_>, commits: u32) {
    let start = START + i64::from(commits) * 1440;
    let draft = testing::draft(&fixture.room, start, start + 60);
    let booking = fixture.put(&format!("kill-{commits}"), &draft).await;
    fixture.play_until(testing::at(start - 61)).await;
    fixture.clock.advance(testing::at(start - 60) - fixture.clock.now());
    let due = fixture.jobs.due(100).await;
    let job = due.into_iter().find(|job| job.kind == JobKind::Remind).expect("the job is due");
    let runner = fixture.jobs.clone();
    let run = tokio::spawn(async move {
        testing::crash_this_task_after(commits);
        runner.run(job).await
    });
    // A panic in the middle of the work is a failed job; around it, it is the end of the worker.
    let _ = run.await;
    fixture.play_until(testing::at(start - 50)).await;
    assert_eq!(fixture.settled(&booking).await, [(ReminderState::Sent, None); 2], "after commit {commits}");
    let events = reminder_events(fixture).await;
    let of_it = events.values().filter(|events| events[0].stored.subject_id == booking.id.0);
    let counts: Vec<usize> = of_it.map(Vec::len).collect();
    assert_eq!(counts, [1, 1], "killed after commit {commits}");
}

async fn event_is_published_once_wherever_the_work_is_killed(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    for minutes in [60, 61] {
        fixture.remind(&webhook_rule(minutes)).await;
    }
    // It is claimed, it publishes, and it is done.
    for commits in 1..=4 {
        is_published_once_though_killed_after(&fixture, commits).await;
    }
}

async fn event_says_that_the_customer_wants_none(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    for rule in [webhook_rule(60), ReminderRuleSettings::defaults()[0]] {
        fixture.remind(&rule).await;
    }
    let booking = fixture.put("tasting", &fixture.at_six()).await;
    fixture.pass_until(1439).await;
    let mail = fixture.outside.mails().await.remove(0);
    let text = mail["text"].as_str().unwrap();
    let token = text.split("/b/").nth(1).unwrap().split(char::is_whitespace).next().unwrap();
    let visit = CustomerVisit::open(&fixture.context, &customers::digest(token)).await.unwrap().unwrap();
    reminders::turn_off(&fixture.context, &visit).await.unwrap();
    fixture.pass_until(59).await;
    assert_eq!(fixture.published().await[0].data["reminder"]["turned_off"], true);
    // Another customer has said nothing of the kind.
    let mut tx = testing::begin(db).await;
    let mut other = booking;
    assert!(attendees::wants_no_reminders(&mut tx, &other).await.unwrap());
    "silva@example.net".clone_into(&mut other.draft.customer.email);
    assert!(!attendees::wants_no_reminders(&mut tx, &other).await.unwrap());
}

async fn erasure_leaves_times_alone(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.remind(&webhook_rule(60)).await;
    let mut draft = fixture.at_six();
    "Xantippe Quill".clone_into(&mut draft.customer.name);
    "xantippe@quill.example".clone_into(&mut draft.customer.email);
    "For Xantippe".clone_into(&mut draft.notes);
    fixture.put("tasting", &draft).await;
    let next = testing::draft(&fixture.room, START + 600, START + 660);
    fixture.put("next", &BookingDraft { time: next.time, ..draft }).await;
    fixture.pass_until(59).await;
    let before = fixture.published().await.remove(0);
    assert!(before.stored.data.contains("Xantippe"));
    let query = PersonQuery::Email("xantippe@quill.example".to_owned());
    personal_data::erase(&fixture.context, &fixture.change(), &query, true).await.unwrap();
    fixture.settle().await;
    fixture.play_until(testing::at(START + 600)).await;
    let after = fixture.published().await;
    assert_eq!(after.len(), 2);
    assert_eq!(after[0].data["customer"]["name"], "");
    assert_eq!(after[0].data["reminder"], before.data["reminder"]);
    assert_eq!(after[0].data["starts_at"], before.data["starts_at"]);
    let texts = testing::find_texts(db, &["xantippe", "quill"]).await;
    assert_eq!(texts, BTreeMap::new());
}

async fn longest_booking_stays_below_twenty_kilobytes(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.remind(&webhook_rule(60)).await;
    let notes = "\u{1f6f6}".repeat(concord_domain::booking::MAX_NOTES);
    fixture.put("tasting", &BookingDraft { notes, ..fixture.at_six() }).await;
    fixture.pass_until(59).await;
    let event = fixture.published().await.remove(0);
    let StoredEvent { id, kind, schema_version, created_at, data, .. } = event.stored;
    let sent = body(id, (kind, schema_version), created_at, &data);
    assert!((MAX_BODY - 1_000..=MAX_BODY).contains(&sent.len()), "{}", sent.len());
    assert_eq!(
        (&event.data["notes_cut"], &event.data["reminder"]["minutes_before"]),
        (&json!(true), &json!(60))
    );
}

on_both_databases!(
    event_comes_at_its_time_without_a_mail_server,
    quiet_hours_are_those_of_people,
    nothing_is_told_of_what_does_not_take_place_or_is_over,
    event_is_published_once_wherever_the_work_is_killed,
    event_says_that_the_customer_wants_none,
    erasure_leaves_times_alone,
    longest_booking_stays_below_twenty_kilobytes,
);
