use concord_domain::{feed::FeedScope, ids::ResourceId, privacy::FeedPrivacy};
use concord_storage::{
    Db,
    businesses::{self, Business, BusinessSettings},
    feeds::{self, Feed, FeedSubject, NewFeed},
    people,
    resources::{self, ResourceSettings},
    secret,
    testing::{self, TestDb, at, begin, commit, monday},
};
use secrecy::{ExposeSecret, SecretString};

use crate::{is_not_found, precise};

async fn publish(db: &Db, business: &Business, subject: FeedSubject) -> (Feed, SecretString) {
    let token = secret::new_token("");
    let new =
        NewFeed { business: business.id, subject, name: "Airbnb".to_owned(), privacy: FeedPrivacy::Busy };
    let mut tx = begin(db).await;
    let feed = feeds::create(&mut tx, &new, &token, precise(0)).await.unwrap();
    commit(tx).await;
    (feed, token)
}

async fn found_by(db: &Db, token: &SecretString) -> Option<Feed> {
    feeds::find_published(db, &secret::digest(token)).await.unwrap().map(|published| published.feed)
}

async fn a_feed_is_published_under_its_token(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let (whole, whole_token) = publish(db, &business, FeedSubject::Business).await;
    let (of_room, _) = publish(db, &business, FeedSubject::Resource(room.id)).await;
    let (of_ana, ana_token) = publish(db, &business, FeedSubject::Staff(ana.id)).await;
    assert_eq!((whole.scope, whole.subject_id), (FeedScope::Business, None));
    assert_eq!((of_room.scope, of_room.subject_id), (FeedScope::Resource, Some(room.id.0)));
    assert_eq!((of_ana.scope, of_ana.subject_id), (FeedScope::Staff, Some(ana.id.0)));
    assert_eq!(
        (whole.privacy, whole.created_at, whole.changed_at),
        (FeedPrivacy::Busy, precise(0), precise(0))
    );
    assert!(whole_token.expose_secret().starts_with(&whole.token_prefix));
    assert_eq!(found_by(db, &whole_token).await, Some(whole.clone()));
    assert_eq!(found_by(db, &ana_token).await, Some(of_ana.clone()));
    assert_eq!(feeds::find(db, business.id, of_room.id).await.unwrap(), Some(of_room.clone()));
    assert_eq!(feeds::list(db, business.id).await.unwrap().len(), 3);
}

async fn a_rotated_token_opens_nothing_more(db: &TestDb) {
    let business = testing::business(db).await;
    let (feed, old) = publish(db, &business, FeedSubject::Business).await;
    let new = secret::new_token("");
    let mut tx = begin(db).await;
    let place = (business.id, feed.id);
    let rotated = feeds::rotate(&mut tx, &testing::keyring(), place, &new, at(2)).await.unwrap();
    commit(tx).await;
    assert_eq!((rotated.revision, rotated.changed_at), (feed.revision + 1, at(2)));
    let kept = feeds::remembered(db, &testing::keyring(), business.id, feed.id).await.unwrap();
    assert!(kept.is_none(), "a token that was not kept is not kept from now on");
    assert!(new.expose_secret().starts_with(&rotated.token_prefix));
    assert_eq!((found_by(db, &old).await, found_by(db, &new).await), (None, Some(rotated)));
}

async fn a_revoked_feed_stays_revoked(db: &TestDb) {
    let business = testing::business(db).await;
    let (feed, token) = publish(db, &business, FeedSubject::Business).await;
    let mut tx = begin(db).await;
    let locked = feeds::lock(&mut tx, business.id, feed.id).await.unwrap();
    assert_eq!((locked.name, locked.privacy), (feed.name.clone(), feed.privacy));
    let changed =
        feeds::update(&mut tx, business.id, feed.id, "Vrbo", FeedPrivacy::Full, at(1)).await.unwrap();
    feeds::revoke(&mut tx, business.id, feed.id, at(2)).await.unwrap();
    commit(tx).await;
    assert_eq!((changed.name.as_str(), changed.privacy), ("Vrbo", FeedPrivacy::Full));
    assert_eq!((changed.revision, changed.changed_at), (feed.revision + 2, at(1)));
    assert_eq!(found_by(db, &token).await, None);
    assert_eq!(feeds::list(db, business.id).await.unwrap(), []);
    let revoked = feeds::find(db, business.id, feed.id).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(at(2)));
    let mut tx = begin(db).await;
    is_not_found(feeds::lock(&mut tx, business.id, feed.id).await);
    let (ring, new) = (testing::keyring(), secret::new_token(""));
    is_not_found(feeds::rotate(&mut tx, &ring, (business.id, feed.id), &new, at(3)).await);
    is_not_found(feeds::update(&mut tx, business.id, feed.id, "Vrbo", FeedPrivacy::Busy, at(3)).await);
    is_not_found(feeds::revoke(&mut tx, business.id, feed.id, at(3)).await);
}

async fn a_token_is_kept_where_people_come_back_for_it(db: &TestDb) {
    let (business, ring) = (testing::business(db).await, testing::keyring());
    let (feed, token) = publish(db, &business, FeedSubject::Business).await;
    assert!(feeds::remembered(db, &ring, business.id, feed.id).await.unwrap().is_none());
    assert_eq!(feeds::find_business_feed(db, business.id).await.unwrap(), None);
    let mut tx = begin(db).await;
    feeds::remember(&mut tx, &ring, &feed, &token).await.unwrap();
    assert_eq!(feeds::rotate_keys(&mut tx, &ring).await.unwrap(), 0, "sealed with the current key");
    commit(tx).await;
    let kept = feeds::remembered(db, &ring, business.id, feed.id).await.unwrap().unwrap();
    assert_eq!(kept.expose_secret(), token.expose_secret());
    assert_eq!(feeds::find_business_feed(db, business.id).await.unwrap().unwrap().id, feed.id);
    assert!(!db.rows_as_text().await.contains(token.expose_secret()));
    let other = testing::business(db).await;
    assert!(feeds::remembered(db, &ring, other.id, feed.id).await.unwrap().is_none());
    assert_eq!(feeds::find_business_feed(db, other.id).await.unwrap(), None);
    let mut tx = begin(db).await;
    let next = secret::new_token("");
    feeds::rotate(&mut tx, &ring, (business.id, feed.id), &next, at(1)).await.unwrap();
    commit(tx).await;
    let kept = feeds::remembered(db, &ring, business.id, feed.id).await.unwrap().unwrap();
    assert_eq!(kept.expose_secret(), next.expose_secret());
    let mut tx = begin(db).await;
    feeds::revoke(&mut tx, business.id, feed.id, at(2)).await.unwrap();
    commit(tx).await;
    assert!(feeds::remembered(db, &ring, business.id, feed.id).await.unwrap().is_none());
    assert_eq!(feeds::find_business_feed(db, business.id).await.unwrap(), None);
}

/// Which of the three feeds count as changed by something that happens.
async fn moved_by(db: &Db, feeds: [(&Feed, &SecretString); 3], happening: impl AsyncFnOnce()) -> [bool; 3] {
    let revisions = async || {
        let mut revisions = [0; 3];
        for (place, feed) in revisions.iter_mut().zip(feeds) {
            *place = feeds::revision_of(db, feed.0).await.unwrap();
            let published = feeds::find_published(db, &secret::digest(feed.1)).await.unwrap().unwrap();
            assert_eq!(published.contents, *place, "as its readers find it");
        }
        revisions
    };
    let before = revisions().await;
    happening().await;
    let after = revisions().await;
    std::array::from_fn(|number| {
        assert!(after[number] >= before[number], "{before:?} {after:?}");
        after[number] > before[number]
    })
}

async fn the_revision_moves_with_all_that_a_reader_can_see(db: &TestDb) {
    let business = testing::business(db).await;
    let rooms = [testing::resource(db, &business, 1).await, testing::resource(db, &business, 1).await];
    let [ana, rui] = [testing::staff(db, &business, "Ana").await, testing::staff(db, &business, "Rui").await];
    let whole = publish(db, &business, FeedSubject::Business).await;
    let of_room = publish(db, &business, FeedSubject::Resource(rooms[0].id)).await;
    let of_ana = publish(db, &business, FeedSubject::Staff(ana.id)).await;
    let three = [&whole, &of_room, &of_ana].map(|(feed, token)| (feed, token));
    let of_ana = &of_ana.0;
    let lock = async |room: ResourceId| {
        let mut tx = begin(db).await;
        resources::lock(&mut tx, business.id, room).await.unwrap();
        commit(tx).await;
    };
    let count = async |staff| {
        let mut tx = begin(db).await;
        people::bump_revision(&mut tx, business.id, &[staff]).await.unwrap();
        commit(tx).await;
    };
    assert_eq!(moved_by(db, three, async || {}).await, [false, false, false]);
    assert_eq!(moved_by(db, three, async || lock(rooms[0].id).await).await, [true, true, false]);
    assert_eq!(moved_by(db, three, async || lock(rooms[1].id).await).await, [true, false, false]);
    assert_eq!(moved_by(db, three, async || count(ana.id).await).await, [true, false, true]);
    assert_eq!(moved_by(db, three, async || count(rui.id).await).await, [true, false, false]);
    let changed = async || {
        let mut tx = begin(db).await;
        feeds::update(&mut tx, business.id, of_ana.id, "Mine", FeedPrivacy::Full, at(1)).await.unwrap();
        commit(tx).await;
    };
    assert_eq!(moved_by(db, three, changed).await, [false, false, true]);
    let renamed = async || {
        let settings = BusinessSettings { name: "Quinta".to_owned(), ..business.settings() };
        let mut tx = begin(db).await;
        businesses::update(&mut tx, business.id, &settings, monday()).await.unwrap();
        commit(tx).await;
    };
    assert_eq!(moved_by(db, three, renamed).await, [true, true, true]);
    let room_renamed = async || {
        let settings = ResourceSettings {
            name: "Garden View".to_owned(),
            zone: None,
            capacity: 1,
            buffer_before_minutes: 0,
            buffer_after_minutes: 0,
        };
        let mut tx = begin(db).await;
        resources::update(&mut tx, business.id, rooms[0].id, &settings, monday()).await.unwrap();
        commit(tx).await;
    };
    assert_eq!(
        moved_by(db, three, room_renamed).await,
        [true, true, true],
        "the feed of a person tells rooms"
    );
}

async fn another_business_finds_no_feed(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let room = testing::resource(db, &business, 1).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let (feed, token) = publish(db, &business, FeedSubject::Business).await;
    let mut tx = begin(db).await;
    for subject in [
        FeedSubject::Resource(room.id),
        FeedSubject::Staff(ana.id),
        FeedSubject::Resource(ResourceId(ana.id.0)),
    ] {
        let new =
            NewFeed { business: other.id, subject, name: "Theirs".to_owned(), privacy: FeedPrivacy::Full };
        is_not_found(feeds::create(&mut tx, &new, &secret::new_token(""), monday()).await);
    }
    let (ring, new) = (testing::keyring(), secret::new_token(""));
    is_not_found(feeds::rotate(&mut tx, &ring, (other.id, feed.id), &new, at(1)).await);
    is_not_found(feeds::update(&mut tx, other.id, feed.id, "Theirs", FeedPrivacy::Full, at(1)).await);
    is_not_found(feeds::revoke(&mut tx, other.id, feed.id, at(1)).await);
    commit(tx).await;
    assert_eq!(feeds::list(db, other.id).await.unwrap(), []);
    assert_eq!(feeds::find(db, other.id, feed.id).await.unwrap(), None);
    let theirs = Feed { business_id: other.id, ..feed.clone() };
    is_not_found(feeds::revision_of(db, &theirs).await);
    assert_eq!(found_by(db, &token).await, Some(feed));
}

async fn contents_are_as_old_as_they_are(db: &TestDb) {
    let business = testing::business(db).await;
    let (feed, _) = publish(db, &business, FeedSubject::Business).await;
    let since = async |form: &str, digest: &str, minute: i64| {
        let place = (business.id, feed.id);
        feeds::contents_since(db, place, (form, digest), at(minute)).await.unwrap()
    };
    assert_eq!(since("calendar", "a", 1).await, at(1));
    assert_eq!(since("calendar", "a", 5).await, at(1), "rendered again");
    assert_eq!(since("guests", "a", 6).await, at(6));
    assert_eq!(since("calendar", "b", 7).await, at(7));
    assert_eq!(since("calendar", "a", 8).await, at(8), "what is so again is new");
}

concord_storage::on_both_databases!(
    contents_are_as_old_as_they_are,
    a_feed_is_published_under_its_token,
    a_rotated_token_opens_nothing_more,
    a_revoked_feed_stays_revoked,
    a_token_is_kept_where_people_come_back_for_it,
    the_revision_moves_with_all_that_a_reader_can_see,
    another_business_finds_no_feed,
);
