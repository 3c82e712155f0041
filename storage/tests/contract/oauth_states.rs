use concord_domain::{connection::ProviderKind, ids::BusinessId, people::Craft};
use concord_storage::{
    Db, StorageError,
    oauth_states::{self, NewOAuthState, OAuthState, Taken},
    people::Staff,
    testing::{self, TestDb, at, begin, commit, monday},
};

use crate::{at_once, is_not_found};

fn asked(business: BusinessId, staff: &Staff) -> NewOAuthState {
    NewOAuthState {
        nonce_digest: "nonce".to_owned(),
        business,
        staff: staff.id,
        session_hash: Some("session".to_owned()),
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

async fn take(db: &Db, nonce: &str, minute: i64) -> Taken {
    let mut tx = begin(db).await;
    let taken = oauth_states::take(&mut tx, nonce, at(minute)).await.unwrap();
    commit(tx).await;
    taken
}

async fn a_state_is_taken_once(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await;
    assert_eq!(ana.craft, Craft::General);
    ask(db, &asked(business.id, &ana)).await.unwrap();
    assert_eq!(take(db, "another", 1).await, Taken::Unknown);
    let expected = OAuthState {
        business_id: business.id,
        staff_id: ana.id,
        session_hash: Some("session".to_owned()),
        provider: ProviderKind::Google,
        sealed_verifier: "s1.sealed".to_owned(),
        return_to: "/calendars".to_owned(),
    };
    assert_eq!(take(db, "nonce", 9).await, Taken::State(expected));
    assert_eq!(take(db, "nonce", 9).await, Taken::Used);
    assert_eq!(take(db, "nonce", 11).await, Taken::Used);

    let by_api_key =
        NewOAuthState { nonce_digest: "late".to_owned(), session_hash: None, ..asked(business.id, &ana) };
    ask(db, &by_api_key).await.unwrap();
    assert_eq!(take(db, "late", 10).await, Taken::Expired);
    assert!(matches!(take(db, "late", 9).await, Taken::State(state) if state.session_hash.is_none()));
}

async fn of_many_answers_at_once_one_goes_on(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await;
    ask(db, &asked(business.id, &ana)).await.unwrap();
    let taken = at_once(db, 12, |db, _| async move { take(&db, "nonce", 1).await }).await;
    assert_eq!(taken.iter().filter(|one| matches!(one, Taken::State(_))).count(), 1, "{taken:?}");
    assert_eq!(taken.iter().filter(|one| **one == Taken::Used).count(), 11, "{taken:?}");
}

async fn nobody_asks_for_the_staff_of_another_business(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let ana = testing::staff(db, &business, "Ana").await;
    is_not_found(ask(db, &asked(other.id, &ana)).await);
    assert_eq!(take(db, "nonce", 1).await, Taken::Unknown);
}

concord_storage::on_both_databases!(
    a_state_is_taken_once,
    of_many_answers_at_once_one_goes_on,
    nobody_asks_for_the_staff_of_another_business,
);
