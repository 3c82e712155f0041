//! Sessions as their owner sees and ends them.

use concord_domain::ids::SessionId;
use concord_storage::{
    Db,
    people::User,
    sign_in,
    testing::{self, TestDb, at, begin, commit, monday},
};

use crate::{is_not_found, people::user, sign_in::session};

/// The digests of a person's sessions, as they are listed.
async fn listed(db: &Db, user: &User, minute: i64) -> Vec<String> {
    let sessions = sign_in::list_sessions(db, user.business_id, user.id, at(minute)).await.unwrap();
    sessions.into_iter().map(|session| session.token_hash).collect()
}

async fn sessions_are_listed_as_they_were_seen(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let ana = user(db, &business, "ana@harbour.example", None).await;
    let elsewhere = user(db, &other, "ana@harbour.example", None).await;
    for digest in ["first", "second"] {
        session(db, &business, &ana, digest).await;
    }
    let theirs = session(db, &other, &elsewhere, "theirs").await;
    let first = sign_in::find_session(db, "first", at(1)).await.unwrap().unwrap().0;
    assert_ne!(first.id, theirs.id);
    let lasts = std::time::Duration::from_hours(10);
    assert!(sign_in::touch_session(db, &first, lasts, at(5)).await.unwrap());
    assert_eq!(listed(db, &ana, 6).await, ["first", "second"]);
    assert_eq!(listed(db, &ana, 602).await, ["first"], "the other one is over");
    assert_eq!(listed(db, &elsewhere, 6).await, ["theirs"]);
    assert!(sign_in::list_sessions(db, other.id, ana.id, at(6)).await.unwrap().is_empty());
}

async fn session_is_ended_by_its_owner_alone(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let ana = user(db, &business, "ana@harbour.example", None).await;
    let rui = user(db, &business, "rui@harbour.example", None).await;
    let made = session(db, &business, &ana, "first").await;
    session(db, &business, &ana, "second").await;
    let mut tx = begin(db).await;
    is_not_found(sign_in::end_session_of_user(&mut tx, business.id, rui.id, made.id).await);
    is_not_found(sign_in::end_session_of_user(&mut tx, other.id, ana.id, made.id).await);
    is_not_found(sign_in::end_session_of_user(&mut tx, business.id, ana.id, SessionId::new(monday())).await);
    sign_in::end_session_of_user(&mut tx, business.id, ana.id, made.id).await.unwrap();
    is_not_found(sign_in::end_session_of_user(&mut tx, business.id, ana.id, made.id).await);
    commit(tx).await;
    assert_eq!(listed(db, &ana, 1).await, ["second"]);
}

async fn other_sessions_end_and_this_one_stays(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = user(db, &business, "ana@harbour.example", None).await;
    let rui = user(db, &business, "rui@harbour.example", None).await;
    for digest in ["first", "second", "third"] {
        session(db, &business, &ana, digest).await;
    }
    session(db, &business, &rui, "his").await;
    let mut tx = begin(db).await;
    let end = sign_in::end_other_sessions(&mut tx, business.id, ana.id, "second").await;
    assert_eq!(end.unwrap(), 2);
    let again = sign_in::end_other_sessions(&mut tx, business.id, ana.id, "second").await;
    assert_eq!(again.unwrap(), 0);
    commit(tx).await;
    assert_eq!(listed(db, &ana, 1).await, ["second"]);
    assert_eq!(listed(db, &rui, 1).await, ["his"]);
}

concord_storage::on_both_databases!(
    sessions_are_listed_as_they_were_seen,
    session_is_ended_by_its_owner_alone,
    other_sessions_end_and_this_one_stays,
);
