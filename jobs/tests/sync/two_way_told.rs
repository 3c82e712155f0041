//! What people are told of what was done in calendars.

use chrono::Duration;
use concord_jobs::remote_change::Answer;
use concord_storage::{on_both_databases, remote_changes, testing::TestDb};

use crate::{
    notices::{BOSS, manager, told},
    world::{ANA, World, titled},
};

/// What happened waits an hour for more of it.
async fn with_patient_mailbox(db: &TestDb) -> World<'_> {
    let mut world = World::with_mailbox(db).await;
    world.change_mail(|mail| mail.digest = Duration::hours(1));
    world
}

/// And is told then.
async fn time_to_tell(world: &World<'_>) {
    world.clock.advance(Duration::minutes(61));
    world.settle().await;
}

async fn people_are_told_what_was_done_and_what_became_of_it(db: &TestDb) {
    let world = with_patient_mailbox(db).await;
    manager(&world, BOSS, None).await;
    let (booking, id) = world.booked().await;
    world.put("A-2", &world.draft(&[&world.ana], 7_000, 7_060)).await;
    world.settle().await;

    world.person_moves(&id, 6_100, 6_160).await;
    world.poll().await;
    time_to_tell(&world).await;
    let moved = "Ana moved the entry of booking A-1 in their Google calendar";
    assert_eq!(told(&world).await, [format!("{ANA}: {moved}"), format!("{BOSS}: {moved}")]);
    let text = world.outside.mails().await[0]["text"].as_str().unwrap().replace('\n', " ");
    for words in ["The booking was changed too.", "From ", "It can be taken back"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(text.contains(&format!("https://book.example/bookings/{}", booking.id)), "{text}");
    assert!(!text.contains("Maria"), "a mail says nothing of customers: {text}");

    // Put back and asked: both in one mail.
    world.person_moves(&id, 7_030, 7_090).await;
    world.poll().await;
    world.outside.person_deletes(ANA, &id).await;
    world.poll().await;
    time_to_tell(&world).await;
    let mails = world.outside.mails().await;
    assert_eq!(mails.len(), 4);
    let is_digest = |mail: &&serde_json::Value| mail["subject"].as_str().unwrap().contains("2 things");
    let digest = mails.iter().find(is_digest).unwrap()["text"].as_str().unwrap().replace('\n', " ");
    for words in [
        "2 changes in calendars",
        "the time is taken (Ana: A-2)",
        "Ana deleted the entry of booking A-1",
        "Cancel the booking, or put the entry back?",
    ] {
        assert!(digest.contains(words), "{words}: {digest}");
    }
}

async fn an_emptied_calendar_is_one_mail(db: &TestDb) {
    let world = with_patient_mailbox(db).await;
    world.connected(&world.ana).await;
    for number in 0..30 {
        let from = 6_000 + number * 100;
        world.put(&format!("A-{number}"), &world.draft(&[&world.ana], from, from + 60)).await;
    }
    world.settle().await;
    world.poll().await;
    for seen in world.outside.seen_by(ANA).await {
        world.outside.person_deletes(ANA, &seen.id).await;
    }
    world.poll().await;
    time_to_tell(&world).await;
    assert_eq!(remote_changes::open(db, world.business.id, None).await.unwrap().len(), 30);
    assert_eq!(told(&world).await, [format!("{ANA}: 30 things at Harbour House need a look")]);
}

async fn a_question_that_is_answered_by_then_is_not_told(db: &TestDb) {
    let world = with_patient_mailbox(db).await;
    manager(&world, BOSS, None).await;
    let (booking, id) = world.booked().await;
    world.outside.person_deletes(ANA, &id).await;
    world.poll().await;
    world.decide(&world.change_of(&booking).await, Answer::Revert).await.unwrap();
    // And one that a change here overtakes.
    world.outside.person_deletes(ANA, &id).await;
    world.poll().await;
    world.put("A-1", &titled(&world.hour(), "Second")).await;
    world.settle().await;
    time_to_tell(&world).await;
    assert_eq!(told(&world).await, [""; 0]);
}

on_both_databases!(
    people_are_told_what_was_done_and_what_became_of_it,
    an_emptied_calendar_is_one_mail,
    a_question_that_is_answered_by_then_is_not_told,
);
