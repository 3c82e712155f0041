use crate::retention::deleted;
use chrono::Duration;
use concord_domain::{
    connection::{ConnectionState, ProviderKind},
    ids::PushSubscriptionId,
    job::{JobKind, QueueClass},
    push::PushState,
};
use concord_storage::{
    Db,
    calendars::{self, Calendar},
    connections,
    jobs::{self, JobOutcome, JobRef, NewJob},
    people::Staff,
    push_subscriptions::{self, AgreedSubscription, NotificationTarget, PushSubscription},
    retention::RetentionPeriods,
    testing::{self, TestDb, at, begin, commit},
};

const HERE: &str = "https://book.example/hooks/";
const ADDRESS: &str = "https://book.example/hooks/google";

/// A staff member whose calendar is read.
async fn connected(db: &Db) -> (Staff, Calendar) {
    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let connection = testing::connection(db, &testing::keyring(), &ana).await;
    let calendar = testing::calendar(db, &ana, connection).await;
    let calendar = calendars::find(db, business.id, calendar).await.unwrap().unwrap();
    (ana, calendar)
}

async fn asked_for(db: &Db, calendar: &Calendar) -> PushSubscriptionId {
    let mut tx = begin(db).await;
    let asked =
        push_subscriptions::begin(&mut tx, calendar, ProviderKind::Google, (ADDRESS, "digest"), at(0)).await;
    commit(tx).await;
    asked.unwrap()
}

async fn open(db: &Db, calendar: &Calendar) -> PushSubscriptionId {
    let id = asked_for(db, calendar).await;
    let agreed = AgreedSubscription {
        remote_id: "theirs",
        resource_id: Some("r-1"),
        expires_at: at(10_000),
        due_at: at(8_000),
    };
    let mut tx = begin(db).await;
    push_subscriptions::opened(&mut tx, id, &agreed, at(1)).await.unwrap();
    commit(tx).await;
    id
}

async fn of(db: &Db, calendar: &Calendar) -> Vec<PushSubscription> {
    push_subscriptions::of_calendar(db, calendar.business_id, calendar.id).await.unwrap()
}

async fn listening(db: &Db, id: PushSubscriptionId) -> NotificationTarget {
    push_subscriptions::listen(db, id).await.unwrap().unwrap()
}

async fn a_channel_is_asked_for_opened_and_closed(db: &TestDb) {
    let (_, calendar) = connected(db).await;
    let id = asked_for(db, &calendar).await;
    let known = of(db, &calendar).await;
    assert_eq!((known.len(), known[0].id, known[0].state), (1, id, PushState::Opening));
    assert_eq!((known[0].expires_at, known[0].remote_id.as_deref()), (None, None));

    let second = open(db, &calendar).await;
    let all = of(db, &calendar).await;
    let known = all.iter().find(|one| one.id == second).unwrap();
    assert_eq!((known.id, known.state, known.address.as_str()), (second, PushState::Open, ADDRESS));
    assert_eq!((known.remote_id.as_deref(), known.resource_id.as_deref()), (Some("theirs"), Some("r-1")));
    assert_eq!((known.due_at, known.expires_at), (Some(at(8_000)), Some(at(10_000))));
    let counts = push_subscriptions::counts(db).await.unwrap();
    assert!(counts.iter().any(|one| (one.provider, one.state) == (ProviderKind::Google, PushState::Open)
        && one.count >= 1));

    let mut tx = begin(db).await;
    push_subscriptions::closed(&mut tx, id, Some("no answer"), at(2)).await.unwrap();
    push_subscriptions::renew_soon(&mut tx, second, at(3)).await.unwrap();
    commit(tx).await;
    let known =
        push_subscriptions::of_connection(db, calendar.business_id, calendar.connection_id).await.unwrap();
    assert_eq!((known.len(), known[0].id, known[0].due_at), (1, second, Some(at(3))));
    assert_eq!(listening(db, id).await.subscription.state, PushState::Closed);

    let mut tx = begin(db).await;
    push_subscriptions::closed(&mut tx, second, None, at(4)).await.unwrap();
    // An answer that comes after the end does not bring it back.
    let agreed =
        AgreedSubscription { remote_id: "late", resource_id: None, expires_at: at(20), due_at: at(10) };
    push_subscriptions::opened(&mut tx, second, &agreed, at(5)).await.unwrap();
    commit(tx).await;
    assert!(of(db, &calendar).await.is_empty());
}

async fn a_refusal_says_why_and_when_it_is_tried_again(db: &TestDb) {
    let (_, calendar) = connected(db).await;
    let id = asked_for(db, &calendar).await;
    let mut tx = begin(db).await;
    push_subscriptions::refused(&mut tx, id, (3, "not here"), at(60), at(1)).await.unwrap();
    commit(tx).await;
    let known = of(db, &calendar).await.remove(0);
    assert_eq!((known.state, known.refusals, known.due_at), (PushState::Refused, 3, Some(at(60))));
    assert_eq!(known.last_error.as_deref(), Some("not here"));
    let mut tx = begin(db).await;
    push_subscriptions::renew_all(&mut tx, calendar.business_id, calendar.connection_id, at(5))
        .await
        .unwrap();
    commit(tx).await;
    assert_eq!(of(db, &calendar).await[0].due_at, Some(at(5)));
}

async fn whoever_listens_knows_how_the_import_stands(db: &TestDb) {
    let (ana, calendar) = connected(db).await;
    let id = open(db, &calendar).await;
    let before = listening(db, id).await;
    assert_eq!((before.secret_digest.as_str(), before.last_message_number), ("digest", None));
    assert_eq!((before.import_due_at, before.import_in_hand, before.import_failed), (None, false, false));
    let mut tx = begin(db).await;
    let import = NewJob {
        business: Some(ana.business_id),
        kind: JobKind::ImportAvailability,
        subject: calendar.id.0,
        queue: QueueClass::Poll,
        due_at: at(7),
    };
    let job = jobs::enqueue(&mut tx, import, at(7)).await.unwrap();
    push_subscriptions::heard(&mut tx, id, Some(12), at(7)).await.unwrap();
    push_subscriptions::heard(&mut tx, id, Some(5), at(7)).await.unwrap();
    push_subscriptions::heard(&mut tx, id, None, at(8)).await.unwrap();
    commit(tx).await;
    let enqueued = listening(db, id).await;
    assert_eq!((enqueued.import_due_at, enqueued.import_in_hand), (Some(at(7)), false));
    assert_eq!((enqueued.last_message_number, enqueued.subscription.heard), (Some(12), 3));
    assert_eq!(enqueued.subscription.last_notified_at, Some(at(8)));

    let claimed = jobs::claim(db, job, "worker#1", at(9), at(8)).await.unwrap().unwrap();
    let running = listening(db, id).await;
    assert_eq!((running.import_in_hand, running.import_began_at), (true, Some(at(8))));
    assert!(!running.import_enqueued_again);
    let mut tx = begin(db).await;
    let outcome = JobOutcome::Retry { at: at(10), reason: "no answer".to_owned() };
    jobs::finish(&mut tx, &claimed, &outcome, at(9)).await.unwrap();
    commit(tx).await;
    let failed = listening(db, id).await;
    assert_eq!(
        (failed.import_in_hand, failed.import_failed, failed.import_due_at),
        (false, true, Some(at(10)))
    );
    let again = JobRef { version: job.version, ..job };
    jobs::claim(db, again, "worker#2", at(12), at(11)).await.unwrap().unwrap();
    let mut tx = begin(db).await;
    jobs::enqueue(&mut tx, NewJob { due_at: at(13), ..import }, at(12)).await.unwrap();
    commit(tx).await;
    let enqueued = listening(db, id).await;
    assert_eq!((enqueued.import_in_hand, enqueued.import_enqueued_again), (true, true));
    assert_eq!(enqueued.import_due_at, Some(at(13)), "its old time is used up");
    assert!(push_subscriptions::listen(db, PushSubscriptionId::new(at(0))).await.unwrap().is_none());
}

async fn calendars_that_nobody_tells_of_are_found(db: &TestDb) {
    let (ana, calendar) = connected(db).await;
    let is_astray = async |base: Option<&str>| {
        let all = push_subscriptions::astray(db, base).await.unwrap();
        all.contains(&(ana.business_id, calendar.id))
    };
    assert!(is_astray(Some(HERE)).await, "there is no channel yet");
    assert!(!is_astray(None).await, "and none that must go");
    let id = open(db, &calendar).await;
    assert!(!is_astray(Some(HERE)).await);
    assert!(is_astray(None).await, "push was turned off");
    assert!(is_astray(Some("https://elsewhere.example/hooks/")).await, "the address has changed");
    let mut tx = begin(db).await;
    push_subscriptions::closed(&mut tx, id, None, at(2)).await.unwrap();
    let state = ConnectionState::Paused;
    connections::set_state(&mut tx, ana.business_id, calendar.connection_id, state, None, at(2))
        .await
        .unwrap();
    commit(tx).await;
    assert!(!is_astray(Some(HERE)).await, "nobody wants to be told");
}

async fn what_is_over_goes_after_a_month(db: &TestDb) {
    let (_, calendar) = connected(db).await;
    let (id, kept) = (open(db, &calendar).await, open(db, &calendar).await);
    let mut tx = begin(db).await;
    push_subscriptions::closed(&mut tx, id, None, at(0)).await.unwrap();
    commit(tx).await;
    let keep = RetentionPeriods {
        sync_log: Duration::days(90),
        mails: Duration::days(90),
        done_jobs: Duration::days(7),
        history: Duration::days(730),
        customers: None,
    };
    let month = at(0) + Duration::days(30);
    assert_eq!(deleted(db, keep, month - Duration::minutes(1), "push_subscriptions").await, 0);
    assert_eq!(deleted(db, keep, month, "push_subscriptions").await, 1);
    assert!(push_subscriptions::listen(db, id).await.unwrap().is_none());
    assert_eq!(of(db, &calendar).await[0].id, kept);
}

async fn another_business_finds_no_channel(db: &TestDb) {
    let (_, calendar) = connected(db).await;
    open(db, &calendar).await;
    let other = testing::business(db).await.id;
    assert!(push_subscriptions::of_calendar(db, other, calendar.id).await.unwrap().is_empty());
    assert!(push_subscriptions::of_connection(db, other, calendar.connection_id).await.unwrap().is_empty());
}

concord_storage::on_both_databases!(
    a_channel_is_asked_for_opened_and_closed,
    a_refusal_says_why_and_when_it_is_tried_again,
    whoever_listens_knows_how_the_import_stands,
    calendars_that_nobody_tells_of_are_found,
    what_is_over_goes_after_a_month,
    another_business_finds_no_channel,
);
