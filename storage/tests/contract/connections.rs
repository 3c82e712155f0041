use concord_domain::{
    connection::{ConnectionState, Coverage, Direction, ProviderKind},
    ids::ConnectionId,
    sync::remote_change::{RemoteChangePolicy, RemoteChangeRules},
};
use concord_storage::{
    Db, StorageError,
    connections::{self, Connection, ConnectionSettings, NewConnection},
    people::Staff,
    remote_changes,
    seal::{Keyring, MasterKey},
    testing::{self, TestDb, at, begin, commit, monday},
};
use secrecy::ExposeSecret;

use crate::is_not_found;

pub(crate) async fn adopt(
    db: &Db,
    ring: &Keyring,
    staff: &Staff,
    subject: &str,
    refresh: Option<&str>,
) -> ConnectionId {
    let new = NewConnection {
        business: staff.business_id,
        staff: staff.id,
        provider: ProviderKind::Google,
        account_subject: subject.to_owned(),
        account_email: format!("{subject}@gmail.example"),
        tokens: testing::tokens("ya29.access", refresh),
    };
    let mut tx = begin(db).await;
    let id = connections::adopt(&mut tx, ring, &new, at(1)).await.unwrap();
    commit(tx).await;
    id
}

pub(crate) async fn found(db: &Db, staff: &Staff, id: ConnectionId) -> Connection {
    connections::find(db, staff.business_id, id).await.unwrap().unwrap()
}

pub(crate) async fn set_state(db: &Db, staff: &Staff, id: ConnectionId, state: ConnectionState) -> bool {
    let mut tx = begin(db).await;
    let changed =
        connections::set_state(&mut tx, staff.business_id, id, state, Some("why"), at(2)).await.unwrap();
    commit(tx).await;
    changed
}

pub(crate) async fn ana(db: &Db) -> Staff {
    let business = testing::business(db).await;
    testing::staff(db, &business, "Ana").await
}

async fn the_first_account_of_a_person_is_their_default(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let first = adopt(db, &ring, &ana, "private", Some("1//refresh")).await;
    let second = adopt(db, &ring, &ana, "work", Some("1//refresh")).await;
    let connection = found(db, &ana, first).await;
    assert_eq!((connection.staff_id, connection.provider), (ana.id, ProviderKind::Google));
    assert_eq!(connection.account_email, "private@gmail.example");
    assert_eq!((connection.state, connection.direction), (ConnectionState::Active, Direction::Both));
    assert_eq!((connection.coverage, connection.remove_entries), (Coverage::Assigned, false));
    assert_eq!((connection.created_at, connection.last_sync_at), (at(1), None));
    assert!(connection.is_default);
    assert!(!found(db, &ana, second).await.is_default);

    let mut tx = begin(db).await;
    connections::set_default(&mut tx, ana.business_id, second).await.unwrap();
    commit(tx).await;
    assert!(!found(db, &ana, first).await.is_default);
    assert!(found(db, &ana, second).await.is_default);
    let all = connections::list(db, ana.business_id).await.unwrap();
    let hers = connections::of_staff(db, ana.business_id, ana.id).await.unwrap();
    assert_eq!((all.len(), hers.len()), (2, 2));
}

async fn whose_a_connection_is_is_told_within_the_business(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "work", None).await;
    let other = testing::business(db).await.id;
    let mut tx = begin(db).await;
    let owner = connections::owner(&mut tx, ana.business_id, id).await.unwrap().unwrap();
    assert_eq!((owner.staff_id, owner.staff_name.as_str()), (ana.id, "Ana"));
    assert_eq!(owner.account_email, "work@gmail.example");
    assert_eq!(connections::owner(&mut tx, other, id).await.unwrap(), None);
}

async fn the_same_account_is_adopted_again(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let first = adopt(db, &ring, &ana, "private", Some("1//old")).await;
    assert!(set_state(db, &ana, first, ConnectionState::Disconnected).await);
    let over_since = found(db, &ana, first).await.state_changed_at;
    let mut tx = begin(db).await;
    assert!(!connections::delete_tokens(&mut tx, first, at(7)).await.unwrap(), "another end of it");
    assert!(connections::delete_tokens(&mut tx, first, over_since).await.unwrap());
    connections::set_remove_entries(&mut tx, ana.business_id, first, true).await.unwrap();
    commit(tx).await;
    assert!(!found(db, &ana, first).await.is_default);
    assert_eq!(connections::list(db, ana.business_id).await.unwrap().len(), 0);
    assert_eq!(connections::of_staff(db, ana.business_id, ana.id).await.unwrap().len(), 0);
    let stored = connections::tokens(db, &ring, ana.business_id, first).await.unwrap();
    assert!(stored.access.is_none() && stored.refresh.is_none() && stored.access_expires_at.is_none());

    assert_eq!(adopt(db, &ring, &ana, "private", Some("1//new")).await, first);
    let again = found(db, &ana, first).await;
    assert_eq!((again.state, again.last_error), (ConnectionState::Active, None));
    let mut tx = begin(db).await;
    assert!(
        !connections::delete_tokens(&mut tx, first, again.state_changed_at).await.unwrap(),
        "it is served"
    );
    commit(tx).await;
    assert!(again.is_default && !again.remove_entries);
    assert_eq!(again.created_at, at(1));
}

async fn tokens_are_sealed_and_a_kept_refresh_token_stays(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "private", Some("1//refresh")).await;
    let mut tx = begin(db).await;
    let first = connections::tokens(db, &ring, ana.business_id, id).await.unwrap();
    let second = testing::tokens("ya29.second", None);
    assert!(connections::store_tokens(&mut tx, &ring, (id, "refresher#1"), &first, &second).await.unwrap());
    commit(tx).await;
    let stored = connections::tokens(db, &ring, ana.business_id, id).await.unwrap();
    assert_eq!(stored.access.unwrap().expose_secret(), "ya29.second");
    assert_eq!(stored.access_expires_at, Some(at(60)));
    assert_eq!(stored.refresh.unwrap().expose_secret(), "1//refresh");

    let column = "SELECT access_token || ' ' || refresh_token FROM connections";
    let kept: String = match &**db {
        Db::Sqlite { read, .. } => sqlx::query_scalar(column).fetch_one(read).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(column).fetch_one(pool).await.unwrap(),
    };
    assert!(kept.starts_with("s1.") && !kept.contains("ya29") && !kept.contains("1//"), "{kept}");
    let stranger = testing::keyring();
    let refused = connections::tokens(db, &stranger, ana.business_id, id).await.unwrap_err();
    assert!(matches!(refused, StorageError::Sealed { .. }), "{refused:?}");
}

async fn a_late_refresh_stores_nothing_in_another_grant(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "private", Some("1//first")).await;
    let read = async || connections::tokens(db, &ring, ana.business_id, id).await.unwrap();
    let store = async |of: &connections::StoredTokens| {
        let mut tx = begin(db).await;
        let late = testing::tokens("ya29.late", Some("1//late"));
        let is_kept =
            connections::store_tokens(&mut tx, &ring, (id, "refresher#1"), of, &late).await.unwrap();
        commit(tx).await;
        is_kept
    };
    let first = read().await;
    adopt(db, &ring, &ana, "private", Some("1//second")).await;
    assert!(!store(&first).await, "connected again meanwhile");
    let second = read().await;
    assert_eq!(second.refresh.as_ref().map(ExposeSecret::expose_secret), Some("1//second"));
    assert_eq!(second.access.as_ref().map(ExposeSecret::expose_secret), Some("ya29.access"));

    // A connection that is over needs its grant until its entries are removed.
    assert!(set_state(db, &ana, id, ConnectionState::Disconnected).await);
    assert!(store(&second).await);
    assert_eq!(read().await.refresh.unwrap().expose_secret(), "1//late");
    assert_eq!(read().await.refresh_lease_until, None);
    assert!(connections::acquire_refresh_lease(db, id, "refresher#1", at(9), at(1)).await.unwrap());
    assert_eq!(read().await.refresh_lease_until, Some(at(9)));
    let over_since = found(db, &ana, id).await.state_changed_at;
    let mut tx = begin(db).await;
    assert!(connections::delete_tokens(&mut tx, id, over_since).await.unwrap());
    commit(tx).await;
    assert!(!store(&second).await, "it is forgotten");
    let none = read().await;
    assert!(none.access.is_none() && none.refresh.is_none() && none.access_expires_at.is_none());
    assert!(
        connections::acquire_refresh_lease(db, id, "refresher#1", at(9), at(1)).await.unwrap(),
        "nobody refreshes it"
    );
}

async fn all_is_sealed_again_with_a_new_key(db: &TestDb) {
    let (old, ana) = (MasterKey::generate(), ana(db).await);
    let kept = MasterKey::from_base64(&old.to_base64()).unwrap();
    let before = Keyring::new(old, vec![]);
    let ids = [
        adopt(db, &before, &ana, "private", Some("1//refresh")).await,
        adopt(db, &before, &ana, "work", None).await,
    ];
    let new = MasterKey::generate();
    let alone = Keyring::new(MasterKey::from_base64(&new.to_base64()).unwrap(), vec![]);
    let after = Keyring::new(new, vec![kept]);
    for (ring, unopened) in [(&before, 0), (&alone, 2), (&after, 0)] {
        assert_eq!(connections::unopened(db, ring).await.unwrap(), (unopened, 2));
    }
    let mut tx = begin(db).await;
    assert_eq!(connections::rotate_keys(&mut tx, &after).await.unwrap(), 2);
    assert_eq!(connections::rotate_keys(&mut tx, &after).await.unwrap(), 0);
    commit(tx).await;
    for (id, refresh) in ids.into_iter().zip([Some("1//refresh"), None]) {
        let stored = connections::tokens(db, &alone, ana.business_id, id).await.unwrap();
        assert_eq!(stored.access.unwrap().expose_secret(), "ya29.access");
        assert_eq!(stored.refresh.as_ref().map(ExposeSecret::expose_secret), refresh);
    }
}

async fn settings_and_notes_are_kept(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "private", None).await;
    let settings =
        ConnectionSettings { direction: Some(Direction::Out), coverage: Some(Coverage::Everything) };
    let mut tx = begin(db).await;
    connections::set_settings(&mut tx, ana.business_id, id, settings).await.unwrap();
    connections::note_failure(&mut tx, id, "Google answered 503").await.unwrap();
    commit(tx).await;
    let connection = found(db, &ana, id).await;
    assert_eq!((connection.direction, connection.coverage), (Direction::Out, Coverage::Everything));
    let reads_too = ConnectionSettings { direction: Some(Direction::Both), coverage: None };
    let fewer = ConnectionSettings { direction: None, coverage: Some(Coverage::Assigned) };
    for (settings, expected) in
        [(reads_too, (Direction::Both, Coverage::Everything)), (fewer, (Direction::Both, Coverage::Assigned))]
    {
        let mut tx = begin(db).await;
        let changed = connections::set_settings(&mut tx, ana.business_id, id, settings).await.unwrap();
        commit(tx).await;
        assert_eq!((changed.direction, changed.coverage), expected, "what is not said stays");
    }
    assert_eq!(connection.last_error.as_deref(), Some("Google answered 503"));
    let mut tx = begin(db).await;
    connections::note_synced(&mut tx, id, at(5)).await.unwrap();
    assert!(connections::note_success(&mut tx, id, at(6)).await.unwrap(), "it has failed before");
    assert!(!connections::note_success(&mut tx, id, at(7)).await.unwrap());
    commit(tx).await;
    let connection = found(db, &ana, id).await;
    assert_eq!((connection.last_error, connection.last_sync_at), (None, Some(at(7))));
    let mut tx = begin(db).await;
    connections::note_synced(&mut tx, id, at(8)).await.unwrap();
    commit(tx).await;
    assert_eq!(found(db, &ana, id).await.last_sync_at, Some(at(8)));
}

async fn a_password_is_kept_with_its_server_and_does_not_expire(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "https://dav.example.com/ana/", None).await;
    let before = connections::tokens(db, &ring, ana.business_id, id).await.unwrap();
    assert!(before.server_url.is_none() && before.username.is_none());
    let mut tx = begin(db).await;
    connections::set_server(&mut tx, id, "https://dav.example.com/ana/calendars/", "ana").await.unwrap();
    commit(tx).await;
    let stored = connections::tokens(db, &ring, ana.business_id, id).await.unwrap();
    assert_eq!(stored.server_url.as_deref(), Some("https://dav.example.com/ana/calendars/"));
    assert_eq!((stored.username.as_deref(), stored.access_expires_at), (Some("ana"), None));
    assert!(stored.access.is_some() && stored.refresh.is_none());

    // A new password for the same account: the refusal of the old one ends nothing.
    adopt(db, &ring, &ana, "https://dav.example.com/ana/", None).await;
    let mut tx = begin(db).await;
    let whose = (ana.business_id, id);
    assert!(!connections::grant_died(&mut tx, whose, &stored, "why", at(2)).await.unwrap());
    commit(tx).await;
}

async fn a_refusal_ends_only_the_grant_that_was_refused(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "private", Some("first")).await;
    let whose = (ana.business_id, id);
    let died = async |tokens: &connections::StoredTokens| {
        let mut tx = begin(db).await;
        let died = connections::grant_died(&mut tx, whose, tokens, "why", at(2)).await.unwrap();
        commit(tx).await;
        died
    };
    let first = connections::tokens(db, &ring, ana.business_id, id).await.unwrap();
    adopt(db, &ring, &ana, "private", Some("second")).await;
    assert!(!died(&first).await, "connected again meanwhile");
    assert_eq!(found(db, &ana, id).await.state, ConnectionState::Active);
    let second = connections::tokens(db, &ring, ana.business_id, id).await.unwrap();
    assert_eq!(second.state, ConnectionState::Active);
    assert!(died(&second).await);
    assert!(!died(&second).await, "it is known by now");
    let connection = found(db, &ana, id).await;
    assert_eq!(
        (connection.state, connection.last_error.as_deref()),
        (ConnectionState::NeedsReconnect, Some("why"))
    );
    assert!(set_state(db, &ana, id, ConnectionState::Disconnected).await);
    assert!(!died(&second).await);
    // One without a refresh token dies too.
    let over_since = found(db, &ana, id).await.state_changed_at;
    let mut tx = begin(db).await;
    assert!(connections::delete_tokens(&mut tx, id, over_since).await.unwrap());
    commit(tx).await;
    assert!(set_state(db, &ana, id, ConnectionState::Active).await);
    assert!(!died(&second).await);
    let none = connections::tokens(db, &ring, ana.business_id, id).await.unwrap();
    assert!(died(&none).await);
}

async fn another_business_finds_no_connection(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "private", None).await;
    let other = testing::business(db).await.id;
    assert!(connections::find(db, other, id).await.unwrap().is_none());
    assert!(connections::list(db, other).await.unwrap().is_empty());
    assert!(connections::of_staff(db, other, ana.id).await.unwrap().is_empty());
    is_not_found(connections::tokens(db, &ring, other, id).await);
    let settings =
        ConnectionSettings { direction: Some(Direction::Out), coverage: Some(Coverage::Everything) };
    let mut tx = begin(db).await;
    is_not_found(connections::set_settings(&mut tx, other, id, settings).await);
    is_not_found(connections::set_default(&mut tx, other, id).await);
    is_not_found(connections::set_remove_entries(&mut tx, other, id, true).await);
    let changed =
        connections::set_state(&mut tx, other, id, ConnectionState::Paused, None, monday()).await.unwrap();
    commit(tx).await;
    assert!(!changed);
    let connection = found(db, &ana, id).await;
    assert_eq!((connection.state, connection.direction), (ConnectionState::Active, Direction::Both));
    assert!(connection.is_default && !connection.remove_entries);
}

async fn a_connection_has_rules_of_its_own_or_those_of_the_business(db: &TestDb) {
    let (ring, ana, other) = (testing::keyring(), ana(db).await, ana(db).await);
    let id = adopt(db, &ring, &ana, "private", None).await;
    let rules = async || remote_changes::rules(db, ana.business_id, id).await.unwrap();
    assert_eq!(rules().await, RemoteChangeRules::default());
    let mut tx = begin(db).await;
    let own = (Some(RemoteChangePolicy::Revert), None);
    connections::set_remote_change_rules(&mut tx, ana.business_id, id, own).await.unwrap();
    commit(tx).await;
    assert_eq!(
        rules().await,
        RemoteChangeRules { moves: RemoteChangePolicy::Revert, deletions: RemoteChangePolicy::Ask }
    );
    let connection = found(db, &ana, id).await;
    assert_eq!((connection.remote_moves, connection.remote_deletions), own);
    let mut tx = begin(db).await;
    is_not_found(connections::set_remote_change_rules(&mut tx, other.business_id, id, own).await);
    is_not_found(remote_changes::rules(db, other.business_id, id).await);
}

concord_storage::on_both_databases!(
    whose_a_connection_is_is_told_within_the_business,
    the_first_account_of_a_person_is_their_default,
    the_same_account_is_adopted_again,
    tokens_are_sealed_and_a_kept_refresh_token_stays,
    a_late_refresh_stores_nothing_in_another_grant,
    all_is_sealed_again_with_a_new_key,
    settings_and_notes_are_kept,
    a_password_is_kept_with_its_server_and_does_not_expire,
    a_refusal_ends_only_the_grant_that_was_refused,
    another_business_finds_no_connection,
    a_connection_has_rules_of_its_own_or_those_of_the_business,
);
