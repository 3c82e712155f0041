//! What people are told of what was done in calendars.

use chrono::Duration;
use concord_services::remote_changes::RemoteChangeAnswer;
use concord_storage::{on_both_databases, remote_changes, testing::TestDb};

use crate::{
    fixture::{ANA, SyncFixture, titled},
    notices::{BOSS, manager, told},
};

/// What happened waits an hour for more of it.
async fn with_patient_mailbox(db: &TestDb) -> SyncFixture<'_> {
    let mut fixture = SyncFixture::with_mailbox(db).await;
    fixture.change_mail(|mail| mail.digest = Duration::hours(1));
    fixture
}

/// And is told then.
async fn time_to_tell(fixture: &SyncFixture<'_>) {
    fixture.clock.advance(Duration::minutes(61));
    fixture.settle().await;
}

async fn people_are_told_what_was_done_and_what_became_of_it(db: &TestDb) {
    let fixture = with_patient_mailbox(db).await;
    manager(&fixture, BOSS, None).await;
    let (booking, id) = fixture.booked().await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 7_000, 7_060)).await;
    fixture.settle().await;

    fixture.person_moves(&id, 6_100, 6_160).await;
    fixture.poll().await;
    time_to_tell(&fixture).await;
    let moved = "Ana moved the entry of booking A-1 in their Google calendar";
    assert_eq!(told(&fixture).await, [format!("{ANA}: {moved}"), format!("{BOSS}: {moved}")]);
    let text = fixture.outside.mails().await[0]["text"].as_str().unwrap().replace('\n', " ");
    for words in ["The booking was changed too.", "From ", "You can undo this"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(text.contains(&format!("https://book.example/bookings/{}", booking.id)), "{text}");
    assert!(!text.contains("Maria"), "a mail says nothing of customers: {text}");

    // Put back and asked: both in one mail.
    fixture.person_moves(&id, 7_030, 7_090).await;
    fixture.poll().await;
    fixture.outside.person_deletes(ANA, &id).await;
    fixture.poll().await;
    time_to_tell(&fixture).await;
    let mails = fixture.outside.mails().await;
    assert_eq!(mails.len(), 4);
    let is_digest = |mail: &&serde_json::Value| mail["subject"].as_str().unwrap().contains("2 items");
    let digest = mails.iter().find(is_digest).unwrap()["text"].as_str().unwrap().replace('\n', " ");
    for words in [
        "2 changes in calendars",
        "the time is taken (Ana: A-2)",
        "Ana deleted the entry of booking A-1",
        "Cancel the booking, or revert the entry?",
    ] {
        assert!(digest.contains(words), "{words}: {digest}");
    }
}

async fn an_emptied_calendar_is_one_mail(db: &TestDb) {
    let fixture = with_patient_mailbox(db).await;
    fixture.connected(&fixture.ana).await;
    for number in 0..30 {
        let from = 6_000 + number * 100;
        fixture.put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], from, from + 60)).await;
    }
    fixture.settle().await;
    fixture.poll().await;
    for seen in fixture.outside.seen_by(ANA).await {
        fixture.outside.person_deletes(ANA, &seen.id).await;
    }
    fixture.poll().await;
    time_to_tell(&fixture).await;
    assert_eq!(remote_changes::open(db, fixture.business.id, None).await.unwrap().len(), 30);
    assert_eq!(told(&fixture).await, [format!("{ANA}: 30 items at Harbour House need attention")]);
}

async fn a_question_that_is_answered_by_then_is_not_told(db: &TestDb) {
    let fixture = with_patient_mailbox(db).await;
    manager(&fixture, BOSS, None).await;
    let (booking, id) = fixture.booked().await;
    fixture.outside.person_deletes(ANA, &id).await;
    fixture.poll().await;
    fixture.decide(&fixture.change_of(&booking).await, RemoteChangeAnswer::Revert).await.unwrap();
    // And one that a change here overtakes.
    fixture.outside.person_deletes(ANA, &id).await;
    fixture.poll().await;
    fixture.put("A-1", &titled(&fixture.hour(), "Second")).await;
    fixture.settle().await;
    time_to_tell(&fixture).await;
    assert_eq!(told(&fixture).await, [""; 0]);
}

on_both_databases!(
    people_are_told_what_was_done_and_what_became_of_it,
    an_emptied_calendar_is_one_mail,
    a_question_that_is_answered_by_then_is_not_told,
);
