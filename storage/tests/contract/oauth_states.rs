use concord_domain::{
    connection::ProviderKind,
    ids::{ApiKeyId, BusinessId, UserId},
    people::{Role, Trade},
};
use concord_storage::{
    Db, StorageError, api_keys,
    oauth_states::{self, CallbackRights, ConsumedState, NewOAuthState, OAuthState},
    people::{self, NewUser, Staff, UserSettings},
    secret,
    sign_in::{self, NewSession},
    testing::{self, TestDb, at, begin, commit, monday},
};

use crate::{at_once, is_not_found};

fn asked(business: BusinessId, staff: &Staff) -> NewOAuthState {
    NewOAuthState {
        nonce_digest: "nonce".to_owned(),
        business,
        staff: staff.id,
        session_hash: Some("session".to_owned()),
        api_key: None,
        provider: ProviderKind::Google,
        sealed_verifier: "s1.sealed".to_owned(),
        return_to: "/calendars".to_owned(),
        expires_at: at(10),
    }
}

async fn ask(db: &Db, new: &NewOAuthState) -> Result<(), StorageError> {
    let mut tx = begin(db).await;
    oauth_states::create(&mut tx, new, monday()).await?;
    tx.commit().await
}

async fn take(db: &Db, nonce: &str, minute: i64) -> ConsumedState {
    let mut tx = begin(db).await;
    let taken = oauth_states::take(&mut tx, nonce, at(minute)).await.unwrap();
    commit(tx).await;
    taken
}

async fn a_state_is_taken_once(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await;
    assert_eq!(ana.trade, Trade::General);
    ask(db, &asked(business.id, &ana)).await.unwrap();
    assert_eq!(take(db, "another", 1).await, ConsumedState::Unknown);
    assert!(!oauth_states::is_there(db, "another").await.unwrap());
    assert!(oauth_states::is_there(db, "nonce").await.unwrap());
    let expected = OAuthState {
        business_id: business.id,
        staff_id: ana.id,
        session_hash: Some("session".to_owned()),
        api_key_id: None,
        provider: ProviderKind::Google,
        sealed_verifier: "s1.sealed".to_owned(),
        return_to: "/calendars".to_owned(),
    };
    let mut tx = begin(db).await;
    let seen = oauth_states::find(&mut tx, "nonce", at(9)).await.unwrap();
    assert_eq!(seen.as_ref(), Some(&expected), "a look takes nothing");
    assert_eq!(oauth_states::find(&mut tx, "nonce", at(10)).await.unwrap(), None);
    commit(tx).await;
    assert_eq!(take(db, "nonce", 9).await, ConsumedState::State(expected));
    assert_eq!(take(db, "nonce", 9).await, ConsumedState::Used);
    assert_eq!(take(db, "nonce", 11).await, ConsumedState::Used);

    let by_api_key =
        NewOAuthState { nonce_digest: "late".to_owned(), session_hash: None, ..asked(business.id, &ana) };
    ask(db, &by_api_key).await.unwrap();
    assert_eq!(take(db, "late", 10).await, ConsumedState::Expired);
    assert!(matches!(take(db, "late", 9).await, ConsumedState::State(state) if state.session_hash.is_none()));
}

async fn of_many_answers_at_once_one_goes_on(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await;
    ask(db, &asked(business.id, &ana)).await.unwrap();
    let taken = at_once(db, 12, |db, _| async move { take(&db, "nonce", 1).await }).await;
    assert_eq!(taken.iter().filter(|one| matches!(one, ConsumedState::State(_))).count(), 1, "{taken:?}");
    assert_eq!(taken.iter().filter(|one| **one == ConsumedState::Used).count(), 11, "{taken:?}");
}

async fn nobody_asks_for_the_staff_of_another_business(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let ana = testing::staff(db, &business, "Ana").await;
    is_not_found(ask(db, &asked(other.id, &ana)).await);
    assert_eq!(take(db, "nonce", 1).await, ConsumedState::Unknown);
}

async fn key(db: &Db, business: BusinessId) -> ApiKeyId {
    let mut tx = begin(db).await;
    let made =
        api_keys::create(&mut tx, business, "Test", &secret::new_token("ck_"), monday()).await.unwrap();
    commit(tx).await;
    made.id
}

/// Somebody who signs in, in a session of this digest.
async fn signed_in(
    db: &Db,
    business: BusinessId,
    (role, staff): (Role, Option<&Staff>),
    digest: &str,
) -> UserId {
    let mut tx = begin(db).await;
    let new = NewUser {
        business,
        staff: staff.map(|staff| staff.id),
        name: "Nina".to_owned(),
        email: format!("{digest}@harbour.example"),
        role,
    };
    let user = people::create_user(&mut tx, &new, monday()).await.unwrap().id;
    let session = NewSession { business, user, digest, user_agent: "", expires_at: at(60) };
    sign_in::create_session(&mut tx, &session, monday()).await.unwrap();
    commit(tx).await;
    user
}

async fn rights_follow_session_role_and_key(db: &TestDb) {
    let [business, other] = [testing::business(db).await.id, testing::business(db).await.id];
    let own = testing::business(db).await;
    let [ana, ben] = [testing::staff(db, &own, "Ana").await, testing::staff(db, &own, "Ben").await];
    let key = key(db, own.id).await;
    let asked = NewOAuthState { session_hash: None, api_key: Some(key), ..asked(own.id, &ana) };
    ask(db, &asked).await.unwrap();
    let ConsumedState::State(state) = take(db, "nonce", 1).await else { panic!("it is there") };
    let rights = async |session: Option<&str>, minute: i64| {
        let mut tx = begin(db).await;
        let rights = oauth_states::rights(&mut tx, &state, session, at(minute)).await.unwrap();
        commit(tx).await;
        rights
    };
    let nobody = CallbackRights { is_signed_in: false, may_connect: false, signs_in: false, key_holds: true };
    assert_eq!(rights(None, 1).await, nobody);
    signed_in(db, own.id, (Role::Staff, Some(&ben)), "ben").await;
    signed_in(db, business, (Role::Manager, None), "elsewhere").await;
    signed_in(db, other, (Role::Manager, None), "elsewhere too").await;
    let somebody = CallbackRights { is_signed_in: true, ..nobody };
    for session in ["ben", "elsewhere", "elsewhere too"] {
        assert_eq!(rights(Some(session), 1).await, somebody, "{session}");
    }
    let manager = signed_in(db, own.id, (Role::Manager, None), "manager").await;
    let allowed = CallbackRights { may_connect: true, ..somebody };
    assert_eq!(rights(Some("manager"), 59).await, allowed);
    assert_eq!(rights(Some("manager"), 60).await, nobody, "the session is over");
    signed_in(db, own.id, (Role::Staff, Some(&ana)), "ana").await;
    assert_eq!(rights(Some("ana"), 1).await, CallbackRights { signs_in: true, ..allowed });
    let mut tx = begin(db).await;
    people::archive_user(&mut tx, own.id, manager, at(1)).await.unwrap();
    api_keys::revoke(&mut tx, own.id, key, at(1)).await.unwrap();
    commit(tx).await;
    let over = CallbackRights { signs_in: true, key_holds: false, ..nobody };
    assert_eq!(rights(Some("manager"), 1).await, over);
}

/// What becomes of a consent that a manager in the session `session` and a key ask for.
async fn after(db: &Db, ending: impl AsyncFnOnce(&Db, BusinessId, UserId, ApiKeyId)) -> [bool; 2] {
    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let session = format!("session of {}", business.id);
    let user = signed_in(db, business.id, (Role::Manager, None), &session).await;
    let key = key(db, business.id).await;
    let by_session = NewOAuthState {
        nonce_digest: format!("by session {}", business.id),
        session_hash: Some(session),
        ..asked(business.id, &ana)
    };
    let by_key = NewOAuthState {
        nonce_digest: format!("by key {}", business.id),
        session_hash: None,
        api_key: Some(key),
        ..by_session.clone()
    };
    ask(db, &by_session).await.unwrap();
    ask(db, &by_key).await.unwrap();
    ending(db, business.id, user, key).await;
    [
        take(db, &by_session.nonce_digest, 1).await != ConsumedState::Unknown,
        take(db, &by_key.nonce_digest, 1).await != ConsumedState::Unknown,
    ]
}

async fn consents_end_with_what_began_them(db: &TestDb) {
    let settings = |role| UserSettings { staff: None, name: "Nina Reis".to_owned(), role };
    let left = after(db, async |_, _, _, _| ()).await;
    assert_eq!(left, [true, true]);
    let signed_out = after(db, async |db, business, _, _| {
        let mut tx = begin(db).await;
        sign_in::end_session(&mut tx, &format!("session of {business}")).await.unwrap();
        commit(tx).await;
    });
    assert_eq!(signed_out.await, [false, true]);
    let everywhere = after(db, async |db, business, user, _| {
        let mut tx = begin(db).await;
        assert_eq!(sign_in::end_all_sessions(&mut tx, business, user).await.unwrap(), 1);
        commit(tx).await;
    });
    assert_eq!(everywhere.await, [false, true]);
    let archived = after(db, async |db, business, user, _| {
        let mut tx = begin(db).await;
        people::archive_user(&mut tx, business, user, at(1)).await.unwrap();
        commit(tx).await;
    });
    assert_eq!(archived.await, [false, true]);
    for (role, stays) in [(Role::Staff, false), (Role::Manager, true)] {
        let changed = after(db, async |db, business, user, _| {
            let mut tx = begin(db).await;
            people::update_user(&mut tx, business, user, &settings(role)).await.unwrap();
            commit(tx).await;
        });
        assert_eq!(changed.await, [stays, true], "{role}");
    }
    let revoked = after(db, async |db, business, _, key| {
        let mut tx = begin(db).await;
        api_keys::revoke(&mut tx, business, key, at(1)).await.unwrap();
        commit(tx).await;
    });
    assert_eq!(revoked.await, [true, false]);
}

concord_storage::on_both_databases!(
    rights_follow_session_role_and_key,
    consents_end_with_what_began_them,
    a_state_is_taken_once,
    of_many_answers_at_once_one_goes_on,
    nobody_asks_for_the_staff_of_another_business,
);
