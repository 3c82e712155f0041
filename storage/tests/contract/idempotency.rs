use chrono::{DateTime, Duration, Utc};
use concord_domain::{audit::HistorySubject, ids::BusinessId, people::Actor};
use concord_storage::{
    Db, StorageError, history,
    idempotency::{
        self, ABANDON_TIMEOUT, CompletedRequest, IdempotentWork, KEPT_FOR, KeyClaim, KeyedRequest,
    },
    seal::{Keyring, MasterKey},
    testing::{self, TestDb, begin, commit},
};
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::{at_once, is_not_found, precise};

fn request(business: BusinessId, hash: &'static str, began_at: DateTime<Utc>) -> KeyedRequest {
    KeyedRequest { business, key: "order-17".into(), request_hash: hash.into(), began_at }
}

async fn start(db: &Db, request: &KeyedRequest) -> KeyClaim {
    let mut tx = begin(db).await;
    let begun = idempotency::begin(&mut tx, request).await.unwrap();
    commit(tx).await;
    begun
}

fn under_way(seconds: i64) -> KeyClaim {
    KeyClaim::UnderWay { ask_again: Duration::seconds(seconds) }
}

fn repeat() -> KeyClaim {
    KeyClaim::Repeat { status: 201, response: r#"{"id":1}"#.to_owned(), done: None }
}

async fn end(db: &Db, request: &KeyedRequest) {
    let mut tx = begin(db).await;
    idempotency::finish(&mut tx, request, 201, r#"{"id":1}"#).await.unwrap();
    commit(tx).await;
}

async fn the_first_answer_is_the_answer_to_all(db: &TestDb) {
    let business = testing::business(db).await.id;
    let first = request(business, "put booking", precise(0));
    assert_eq!(start(db, &first).await, KeyClaim::Fresh);
    let second = request(business, "put booking", precise(0) + Duration::seconds(1));
    assert_eq!(start(db, &second).await, under_way(1));
    let later = request(business, "put booking", precise(0) + Duration::seconds(8));
    assert_eq!(start(db, &later).await, under_way(8), "what takes long is asked for again later and later");
    let other = request(business, "put something else", precise(0));
    assert_eq!(start(db, &other).await, KeyClaim::Mismatch);
    end(db, &first).await;
    assert_eq!(start(db, &second).await, repeat());
    assert_eq!(start(db, &other).await, KeyClaim::Mismatch);
    let late = request(business, "put booking", precise(0) + KEPT_FOR - Duration::seconds(1));
    assert_eq!(start(db, &late).await, repeat());
    let too_late = request(business, "put something else", precise(0) + KEPT_FOR);
    assert_eq!(start(db, &too_late).await, KeyClaim::Fresh, "it is no longer kept");
}

async fn an_attempt_that_was_given_up_is_taken_over(db: &TestDb) {
    let business = testing::business(db).await.id;
    let dead = request(business, "put booking", precise(0));
    start(db, &dead).await;
    let patient = request(business, "put booking", precise(0) + ABANDON_TIMEOUT - Duration::microseconds(1));
    assert_eq!(start(db, &patient).await, under_way(1), "it would be taken over");
    let other = request(business, "put something else", precise(0) + ABANDON_TIMEOUT);
    assert_eq!(start(db, &other).await, KeyClaim::Mismatch);
    let heir = request(business, "put booking", precise(0) + ABANDON_TIMEOUT);
    assert_eq!(start(db, &heir).await, KeyClaim::Fresh);
    let mut tx = begin(db).await;
    is_not_found(idempotency::finish(&mut tx, &dead, 500, "it was not dead after all").await);
    drop(tx);
    idempotency::forget(db, &dead).await.unwrap();
    assert_eq!(
        start(db, &request(business, "put booking", heir.began_at + Duration::seconds(9))).await,
        under_way(9)
    );
    end(db, &heir).await;
}

async fn what_failed_may_be_tried_again(db: &TestDb) {
    let business = testing::business(db).await.id;
    let first = request(business, "put booking", precise(0));
    start(db, &first).await;
    idempotency::forget(db, &first).await.unwrap();
    let second = request(business, "put booking", precise(0) + Duration::seconds(1));
    assert_eq!(start(db, &second).await, KeyClaim::Fresh);
    end(db, &second).await;
    idempotency::forget(db, &second).await.unwrap();
    assert!(matches!(start(db, &first).await, KeyClaim::Repeat { .. }), "an answer is not forgotten");
}

async fn of_many_at_once_one_is_fresh(db: &TestDb) {
    let business = testing::business(db).await.id;
    let begun = at_once(db, 16, |db, number| async move {
        let began_at = precise(0) + Duration::microseconds(i64::try_from(number).unwrap());
        start(&db, &request(business, "put booking", began_at)).await
    })
    .await;
    assert_eq!(begun.iter().filter(|one| **one == KeyClaim::Fresh).count(), 1, "{begun:?}");
    assert_eq!(begun.iter().filter(|one| **one == under_way(1)).count(), 15, "{begun:?}");
}

async fn each_business_has_its_own_keys(db: &TestDb) {
    let [business, other] = [testing::business(db).await.id, testing::business(db).await.id];
    let ours = request(business, "put booking", precise(0));
    start(db, &ours).await;
    let theirs = request(other, "put something else", precise(0));
    assert_eq!(start(db, &theirs).await, KeyClaim::Fresh);
    idempotency::forget(db, &theirs).await.unwrap();
    let mut tx = begin(db).await;
    is_not_found(idempotency::finish(&mut tx, &theirs, 200, "").await);
    drop(tx);
    end(db, &ours).await;
}

async fn an_answer_that_nobody_can_read_is_discarded(db: &TestDb) {
    let business = testing::business(db).await.id;
    let first = request(business, "put booking", precise(0));
    start(db, &first).await;
    // Under way, it has no answer yet: whoever works at it is left alone.
    idempotency::discard(db, &first, "").await.unwrap();
    let second = request(business, "put booking", precise(0) + Duration::seconds(1));
    assert_eq!(start(db, &second).await, under_way(1));
    end(db, &first).await;
    idempotency::discard(db, &second, "another answer").await.unwrap();
    idempotency::discard(db, &request(business, "put something else", precise(0)), r#"{"id":1}"#)
        .await
        .unwrap();
    let other = testing::business(db).await.id;
    idempotency::discard(db, &request(other, "put booking", precise(0)), r#"{"id":1}"#).await.unwrap();
    assert_eq!(start(db, &second).await, repeat(), "that was another answer each time");
    idempotency::discard(db, &second, r#"{"id":1}"#).await.unwrap();
    assert_eq!(start(db, &second).await, KeyClaim::Fresh);
    // Two who could not read the same answer: the second one finds a new attempt under way.
    idempotency::discard(db, &first, r#"{"id":1}"#).await.unwrap();
    assert_eq!(start(db, &first).await, under_way(1));
}

async fn answers_are_sealed_again_with_a_new_key(db: &TestDb) {
    let old = MasterKey::generate();
    let kept = MasterKey::from_base64(&old.to_base64()).unwrap();
    let (before, stranger, new) = (Keyring::new(old, vec![]), testing::keyring(), MasterKey::generate());
    let alone = Keyring::new(MasterKey::from_base64(&new.to_base64()).unwrap(), vec![]);
    let after = Keyring::new(new, vec![kept]);
    let [business, other] = [testing::business(db).await.id, testing::business(db).await.id];
    let keys: Vec<String> = (0..103).map(|number| format!("order-{number}")).collect();
    let of = |business, key: &str| KeyedRequest {
        business,
        key: key.into(),
        request_hash: "x".into(),
        began_at: precise(0),
    };
    for (number, key) in keys.iter().enumerate() {
        let owner = if number < 3 { other } else { business };
        start(db, &of(owner, key)).await;
        let sealed = before.seal(&format!("answer {number}").into(), idempotency::place(owner));
        let mut tx = begin(db).await;
        idempotency::finish(&mut tx, &of(owner, key), 201, &sealed).await.unwrap();
        commit(tx).await;
    }
    let lost = stranger.seal(&"lost".into(), idempotency::place(business));
    let (unreadable, pending) = (of(business, "lost"), of(business, "under way"));
    start(db, &unreadable).await;
    let mut tx = begin(db).await;
    idempotency::finish(&mut tx, &unreadable, 201, &lost).await.unwrap();
    commit(tx).await;
    start(db, &pending).await;

    let mut tx = begin(db).await;
    assert_eq!(idempotency::rotate_keys(&mut tx, &after).await.unwrap(), 103);
    assert_eq!(idempotency::rotate_keys(&mut tx, &after).await.unwrap(), 0);
    commit(tx).await;
    for (number, key) in keys.iter().enumerate() {
        let owner = if number < 3 { other } else { business };
        let KeyClaim::Repeat { status: 201, response, .. } = start(db, &of(owner, key)).await else {
            panic!("{key} has lost its answer")
        };
        let opened = alone.open(&response, idempotency::place(owner)).unwrap();
        assert_eq!(opened.expose_secret(), format!("answer {number}"));
    }
    assert_eq!(start(db, &unreadable).await, KeyClaim::Repeat { status: 201, response: lost, done: None });
    assert_eq!(start(db, &pending).await, under_way(1));
}

/// One transaction that notes something in the history.
async fn work(db: &Db, business: BusinessId) -> Result<Uuid, StorageError> {
    let subject = Uuid::new_v4();
    let mut tx = begin(db).await;
    let line = history::NewHistoryEntry {
        business,
        actor: &Actor::System,
        action: "created",
        subject_kind: HistorySubject::Feed,
        subject,
        detail: &serde_json::Value::Null,
    };
    history::append(&mut tx, &line, precise(0)).await.unwrap();
    tx.commit().await.map(|()| subject)
}

async fn lines(db: &Db, business: BusinessId) -> usize {
    history::list(db, business, &crate::first(100)).await.unwrap().items.len()
}

async fn work_and_key_are_one_transaction(db: &TestDb) {
    let business = testing::business(db).await.id;
    let first = request(business, "put booking", precise(0));
    start(db, &first).await;
    let subject = idempotency::during(&first, work(db, business)).await.unwrap();
    let done = CompletedRequest { at: first.began_at, subject: Some((HistorySubject::Feed, subject)) };
    // The process that did it may still be about to answer.
    let soon = request(business, "put booking", precise(0) + Duration::seconds(2));
    assert_eq!(start(db, &soon).await, under_way(2));
    let late = request(business, "put booking", precise(0) + ABANDON_TIMEOUT);
    assert_eq!(start(db, &late).await, KeyClaim::Done(done), "it is never taken over");
    // That there is no answer to be kept changes nothing of it.
    idempotency::forget(db, &first).await.unwrap();
    assert_eq!(start(db, &soon).await, KeyClaim::Done(done));
    end(db, &first).await;
    let kept = KeyClaim::Repeat { status: 201, response: r#"{"id":1}"#.to_owned(), done: Some(done) };
    assert_eq!(start(db, &late).await, kept);
    idempotency::discard(db, &first, r#"{"id":1}"#).await.unwrap();
    assert_eq!(start(db, &late).await, kept, "what was done is not forgotten");
}

async fn what_was_taken_over_does_nothing_any_more(db: &TestDb) {
    let business = testing::business(db).await.id;
    let frozen = request(business, "put booking", precise(0));
    start(db, &frozen).await;
    idempotency::renew(db, &frozen, precise(0) + Duration::seconds(20)).await.unwrap();
    let early = request(business, "put booking", precise(0) + ABANDON_TIMEOUT);
    assert_eq!(start(db, &early).await, under_way(20), "it has shown that it is alive");
    let heir = request(business, "put booking", precise(0) + Duration::seconds(20) + ABANDON_TIMEOUT);
    assert_eq!(start(db, &heir).await, KeyClaim::Fresh);
    let refused = idempotency::during(&frozen, work(db, business)).await;
    assert!(matches!(refused, Err(StorageError::Busy)), "{refused:?}");
    assert_eq!(lines(db, business).await, 0);
    idempotency::during(&heir, work(db, business)).await.unwrap();
    assert_eq!(lines(db, business).await, 1);
}

async fn only_the_first_commit_marks_a_key(db: &TestDb) {
    let business = testing::business(db).await.id;
    let first = request(business, "put booking", precise(0));
    start(db, &first).await;
    let twice = async {
        let subject = work(db, business).await.unwrap();
        work(db, business).await.unwrap();
        subject
    };
    let subject = idempotency::during(&first, twice).await;
    idempotency::forget(db, &first).await.unwrap();
    let done = CompletedRequest { at: first.began_at, subject: Some((HistorySubject::Feed, subject)) };
    assert_eq!(start(db, &first).await, KeyClaim::Done(done));
}

async fn work_in_parts_is_gone_on_with(db: &TestDb) {
    let business = testing::business(db).await.id;
    let first = request(business, "put booking", precise(0));
    start(db, &first).await;
    let parts = idempotency::in_parts(async {
        work(db, business).await.unwrap();
        IdempotentWork::current().go_on(work(db, business)).await.unwrap();
    });
    Box::pin(idempotency::during(&first, parts)).await;
    idempotency::forget(db, &first).await.unwrap();
    assert_eq!(start(db, &first).await, KeyClaim::Fresh);
}

async fn the_only_process_takes_over_at_once(db: &TestDb) {
    let business = testing::business(db).await.id;
    let killed = request(business, "put booking", precise(0));
    start(db, &killed).await;
    let mut tx = begin(db).await;
    assert_eq!(idempotency::release_former(&mut tx).await.unwrap(), 1);
    commit(tx).await;
    let again = request(business, "put booking", precise(0) + Duration::seconds(1));
    assert_eq!(start(db, &again).await, KeyClaim::Fresh);
    end(db, &again).await;
    let mut tx = begin(db).await;
    assert_eq!(idempotency::release_former(&mut tx).await.unwrap(), 0);
    commit(tx).await;
}

concord_storage::on_both_databases!(
    answers_are_sealed_again_with_a_new_key,
    the_first_answer_is_the_answer_to_all,
    an_attempt_that_was_given_up_is_taken_over,
    what_failed_may_be_tried_again,
    of_many_at_once_one_is_fresh,
    each_business_has_its_own_keys,
    an_answer_that_nobody_can_read_is_discarded,
    work_and_key_are_one_transaction,
    what_was_taken_over_does_nothing_any_more,
    only_the_first_commit_marks_a_key,
    work_in_parts_is_gone_on_with,
    the_only_process_takes_over_at_once,
);
