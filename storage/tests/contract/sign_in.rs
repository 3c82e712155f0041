use std::time::Duration;

use concord_storage::{
    Db,
    businesses::Business,
    people::{self, User},
    sign_in::{self, NewSession, NewSignInLink, Session, ValidSignInLink},
    testing::{self, TestDb, at, begin, commit, monday},
};

use crate::{at_once, is_not_found, people::user, precise};

/// As long as the sessions of these tests.
const LASTS: Duration = Duration::from_hours(10);

async fn link(db: &Db, user: &User, digest: &str, reusable: bool) {
    let link = NewSignInLink { user: user.id, digest, reusable, browser: None, expires_at: at(15) };
    let mut tx = begin(db).await;
    sign_in::create_link(&mut tx, &link, monday()).await.unwrap();
    commit(tx).await;
}

async fn open(db: &Db, digest: &str, minute: i64) -> Option<User> {
    let mut tx = begin(db).await;
    let user = sign_in::use_link(&mut tx, digest, at(minute)).await.unwrap();
    commit(tx).await;
    user
}

pub(crate) async fn session(db: &Db, business: &Business, user: &User, digest: &str) -> Session {
    let new = NewSession {
        business: business.id,
        user: user.id,
        digest,
        user_agent: "Firefox",
        expires_at: at(600),
    };
    let mut tx = begin(db).await;
    let made = sign_in::create_session(&mut tx, &new, precise(0)).await.unwrap();
    commit(tx).await;
    made
}

async fn a_link_opens_once_and_not_too_late(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = user(db, &business, "ana@harbour.example", None).await;
    link(db, &ana, "once", false).await;
    link(db, &ana, "late", false).await;
    assert_eq!(open(db, "never made", 1).await, None);
    assert_eq!(open(db, "once", 1).await, Some(ana.clone()));
    assert_eq!(open(db, "once", 1).await, None);
    assert_eq!(open(db, "late", 15).await, None);
    assert_eq!(open(db, "late", 14).await, Some(ana));
}

async fn looking_at_a_link_does_not_use_it_up(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = user(db, &business, "ana@harbour.example", None).await;
    link(db, &ana, "once", false).await;
    link(db, &ana, "demo", true).await;
    let look = async |digest, minute| sign_in::find_link(db, digest, at(minute)).await.unwrap();
    let found = |reusable| Some(ValidSignInLink { user: ana.clone(), reusable, browser: None });
    assert_eq!(look("never made", 1).await, None);
    assert_eq!((look("once", 1).await, look("once", 2).await), (found(false), found(false)));
    assert_eq!(open(db, "once", 3).await, Some(ana.clone()));
    assert_eq!(look("once", 3).await, None, "it is used up");
    assert_eq!(open(db, "demo", 3).await, Some(ana.clone()));
    assert_eq!(look("demo", 14).await, found(true));
    assert_eq!(look("demo", 15).await, None);
    let mut tx = begin(db).await;
    people::archive_user(&mut tx, business.id, ana.id, at(4)).await.unwrap();
    commit(tx).await;
    assert_eq!(look("demo", 5).await, None, "nobody is signed in by it any more");
}

async fn a_reusable_link_opens_until_it_expires(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = user(db, &business, "ana@harbour.example", None).await;
    link(db, &ana, "demo", true).await;
    assert_eq!(open(db, "demo", 1).await, Some(ana.clone()));
    assert_eq!(open(db, "demo", 14).await, Some(ana));
    assert_eq!(open(db, "demo", 15).await, None);
}

async fn link_knows_the_browser_that_asked(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = user(db, &business, "ana@harbour.example", None).await;
    let new = NewSignInLink {
        user: ana.id,
        digest: "bound",
        reusable: false,
        browser: Some("browser"),
        expires_at: at(15),
    };
    let mut tx = begin(db).await;
    sign_in::create_link(&mut tx, &new, monday()).await.unwrap();
    commit(tx).await;
    let found = sign_in::find_link(db, "bound", at(1)).await.unwrap().unwrap();
    assert_eq!((found.user, found.browser.as_deref()), (ana, Some("browser")));
}

async fn of_many_who_open_a_link_at_once_one_gets_in(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = user(db, &business, "ana@harbour.example", None).await;
    link(db, &ana, "once", false).await;
    let opened = at_once(db, 12, |db, _| async move { open(&db, "once", 1).await }).await;
    assert_eq!(opened.into_iter().flatten().count(), 1);
}

async fn a_session_holds_until_it_expires_or_ends(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = user(db, &business, "ana@harbour.example", None).await;
    let made = session(db, &business, &ana, "first").await;
    assert_eq!((made.user_agent.as_str(), made.last_seen_at), ("Firefox", precise(0)));
    let found = sign_in::find_session(db, "first", at(599)).await.unwrap();
    assert_eq!(found, Some((made, ana.clone())));
    assert_eq!(sign_in::find_session(db, "first", at(600)).await.unwrap(), None);
    assert_eq!(sign_in::find_session(db, "another", at(1)).await.unwrap(), None);

    for digest in ["second", "third"] {
        session(db, &business, &ana, digest).await;
    }
    let mut tx = begin(db).await;
    sign_in::end_session(&mut tx, "first").await.unwrap();
    sign_in::end_session(&mut tx, "first").await.unwrap();
    commit(tx).await;
    assert_eq!(sign_in::find_session(db, "first", at(1)).await.unwrap(), None);
    assert!(sign_in::find_session(db, "second", at(1)).await.unwrap().is_some());
    let mut tx = begin(db).await;
    assert_eq!(sign_in::end_all_sessions(&mut tx, business.id, ana.id).await.unwrap(), 2);
    commit(tx).await;
    assert_eq!(sign_in::find_session(db, "second", at(1)).await.unwrap(), None);
}

async fn a_session_is_noted_as_seen_once_a_minute(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = user(db, &business, "ana@harbour.example", None).await;
    let made = session(db, &business, &ana, "first").await;
    let touch = async |minute| sign_in::touch_session(db, &made, LASTS, at(minute)).await.unwrap();
    assert!(!touch(1).await, "not a whole minute yet");
    assert!(touch(2).await);
    assert!(!touch(2).await, "another request was faster");
    let (seen, _) = sign_in::find_session(db, "first", at(3)).await.unwrap().unwrap();
    assert_eq!(seen.last_seen_at, at(2));
}

async fn a_session_that_is_used_goes_on_but_not_for_ever(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = user(db, &business, "ana@harbour.example", None).await;
    session(db, &business, &ana, "used").await;
    session(db, &business, &ana, "left").await;
    // Every six hours, where ten are allowed.
    let (mut end, mut visits) = (at(600), 0);
    while let Some((found, _)) = sign_in::find_session(db, "used", at(visits * 360)).await.unwrap() {
        assert!(found.expires_at >= end, "it never ends sooner than it was to");
        end = found.expires_at;
        sign_in::touch_session(db, &found, LASTS, at(visits * 360)).await.unwrap();
        visits += 1;
    }
    assert_eq!((visits, end), (6, precise(0) + sign_in::max_session_age(LASTS)), "thirty hours in all");
    assert_eq!(sign_in::find_session(db, "left", at(601)).await.unwrap(), None);

    let late = session(db, &business, &ana, "late").await;
    assert!(!sign_in::touch_session(db, &late, LASTS, at(600)).await.unwrap(), "it is over by then");
    assert_eq!(sign_in::find_session(db, "late", at(600)).await.unwrap(), None);
}

async fn who_is_archived_gets_in_nowhere(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = user(db, &business, "ana@harbour.example", None).await;
    link(db, &ana, "once", false).await;
    session(db, &business, &ana, "first").await;
    let mut tx = begin(db).await;
    people::archive_user(&mut tx, business.id, ana.id, at(1)).await.unwrap();
    commit(tx).await;
    assert_eq!(open(db, "once", 2).await, None);
    assert_eq!(sign_in::find_session(db, "first", at(2)).await.unwrap(), None);
}

async fn another_business_begins_and_ends_nothing(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let ana = user(db, &business, "ana@harbour.example", None).await;
    session(db, &business, &ana, "first").await;
    let new = NewSession {
        business: other.id,
        user: ana.id,
        digest: "theirs",
        user_agent: "",
        expires_at: at(600),
    };
    let mut tx = begin(db).await;
    is_not_found(sign_in::create_session(&mut tx, &new, monday()).await);
    assert_eq!(sign_in::end_all_sessions(&mut tx, other.id, ana.id).await.unwrap(), 0);
    commit(tx).await;
    assert!(sign_in::find_session(db, "first", at(1)).await.unwrap().is_some());
}

concord_storage::on_both_databases!(
    a_link_opens_once_and_not_too_late,
    looking_at_a_link_does_not_use_it_up,
    a_reusable_link_opens_until_it_expires,
    link_knows_the_browser_that_asked,
    of_many_who_open_a_link_at_once_one_gets_in,
    a_session_holds_until_it_expires_or_ends,
    a_session_is_noted_as_seen_once_a_minute,
    a_session_that_is_used_goes_on_but_not_for_ever,
    who_is_archived_gets_in_nowhere,
    another_business_begins_and_ends_nothing,
);
