use std::sync::LazyLock;

use concord_domain::ids::{BusinessId, RevealId};
use concord_storage::{
    Db,
    reveals::{self, RevealViewer},
    seal::Keyring,
    testing::{self, TestDb, at, begin, commit},
};
use secrecy::ExposeSecret;

static RING: LazyLock<Keyring> = LazyLock::new(testing::keyring);

const TEXT: &str = "cf_opens-the-feed";

fn viewer(business: BusinessId) -> RevealViewer<'static> {
    RevealViewer { business, session: "digest", page: "feeds" }
}

async fn kept(db: &TestDb, business: BusinessId) -> RevealId {
    let mut tx = begin(db).await;
    let id = reveals::keep(&mut tx, &RING, viewer(business), &TEXT.into(), at(0)).await.unwrap();
    commit(tx).await;
    id
}

async fn take(db: &TestDb, viewer: RevealViewer<'_>, id: RevealId, minute: i64) -> Option<String> {
    let taken = reveals::take(db, &RING, viewer, id, at(minute)).await.unwrap();
    taken.map(|text| text.expose_secret().to_owned())
}

async fn a_secret_is_shown_once(db: &TestDb) {
    let business = testing::business(db).await.id;
    let id = kept(db, business).await;
    assert_eq!(take(db, viewer(business), id, 1).await.as_deref(), Some(TEXT));
    assert_eq!(take(db, viewer(business), id, 1).await, None);
}

async fn a_secret_is_shown_to_its_session_only(db: &TestDb) {
    let business = testing::business(db).await.id;
    let other = testing::business(db).await.id;
    let id = kept(db, business).await;
    for stranger in [
        RevealViewer { session: "another", ..viewer(business) },
        RevealViewer { page: "people", ..viewer(business) },
        viewer(other),
    ] {
        assert_eq!(take(db, stranger, id, 1).await, None, "{stranger:?}");
    }
    assert_eq!(take(db, viewer(business), id, 5).await, None, "its time is over");
    assert_eq!(take(db, viewer(business), id, 4).await.as_deref(), Some(TEXT));
}

async fn a_secret_is_sealed_while_it_waits(db: &TestDb) {
    let business = testing::business(db).await.id;
    kept(db, business).await;
    let all = "SELECT sealed FROM reveals";
    let sealed: String = match &**db {
        Db::Sqlite { read, .. } => sqlx::query_scalar(all).fetch_one(read).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(all).fetch_one(pool).await.unwrap(),
    };
    assert!(sealed.starts_with("s1.") && !sealed.contains("opens"), "{sealed}");
}

async fn what_may_be_shown_again_stays_for_its_time(db: &TestDb) {
    let business = testing::business(db).await.id;
    let id = kept(db, business).await;
    let look = async |viewer: RevealViewer<'_>, minute| {
        let found = reveals::look(db, &RING, viewer, id, at(minute)).await.unwrap();
        found.map(|text| text.expose_secret().to_owned())
    };
    assert_eq!(look(viewer(business), 1).await.as_deref(), Some(TEXT));
    assert_eq!(look(viewer(business), 4).await.as_deref(), Some(TEXT));
    assert_eq!(look(RevealViewer { session: "another", ..viewer(business) }, 4).await, None);
    assert_eq!(look(viewer(business), 5).await, None);
}

concord_storage::on_both_databases!(
    what_may_be_shown_again_stays_for_its_time,
    a_secret_is_shown_once,
    a_secret_is_shown_to_its_session_only,
    a_secret_is_sealed_while_it_waits,
);
