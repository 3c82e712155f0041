use concord_storage::{
    Db, api_keys,
    businesses::Business,
    secret,
    testing::{self, TestDb, at, begin, commit, monday},
};
use secrecy::{ExposeSecret, SecretString};

use crate::{is_not_found, precise};

async fn key(db: &Db, business: &Business) -> (api_keys::ApiKey, SecretString) {
    let token = secret::new_token("ck_");
    let mut tx = begin(db).await;
    let key = api_keys::create(&mut tx, business.id, "Web shop", &token, precise(0)).await.unwrap();
    commit(tx).await;
    (key, token)
}

async fn a_key_opens_until_it_is_revoked(db: &TestDb) {
    let business = testing::business(db).await;
    let (made, token) = key(db, &business).await;
    assert_eq!((made.name.as_str(), made.created_at), ("Web shop", precise(0)));
    assert!(token.expose_secret().starts_with(&made.prefix) && made.prefix.len() == 10, "{}", made.prefix);
    let digest = secret::digest(&token);
    assert_eq!(api_keys::find_by_digest(db, &digest).await.unwrap(), Some(made.clone()));
    assert_eq!(api_keys::find_by_digest(db, token.expose_secret()).await.unwrap(), None);
    assert_eq!(api_keys::list(db, business.id).await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(api_keys::find(db, business.id, made.id).await.unwrap(), Some(made.clone()));

    for minute in [4, 8] {
        let mut tx = begin(db).await;
        api_keys::revoke(&mut tx, business.id, made.id, at(minute)).await.unwrap();
        commit(tx).await;
    }
    assert_eq!(api_keys::find_by_digest(db, &digest).await.unwrap(), None);
    assert_eq!(api_keys::list(db, business.id).await.unwrap()[0].revoked_at, Some(at(4)));
    assert_eq!(api_keys::find(db, business.id, made.id).await.unwrap(), None);
}

async fn a_key_is_noted_as_used_once_a_minute(db: &TestDb) {
    let business = testing::business(db).await;
    let (made, token) = key(db, &business).await;
    let digest = secret::digest(&token);
    assert!(api_keys::touch(db, &made, at(1)).await.unwrap());
    let used = api_keys::find_by_digest(db, &digest).await.unwrap().unwrap();
    assert_eq!(used.last_used_at, Some(at(1)));
    assert!(!api_keys::touch(db, &used, at(1)).await.unwrap());
    assert!(api_keys::touch(db, &used, at(2)).await.unwrap());
    assert!(!api_keys::touch(db, &used, at(2)).await.unwrap(), "another request was faster");
}

async fn another_business_finds_no_key(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let (made, token) = key(db, &business).await;
    assert_eq!(api_keys::list(db, other.id).await.unwrap(), []);
    assert_eq!(api_keys::find(db, other.id, made.id).await.unwrap(), None);
    let mut tx = begin(db).await;
    is_not_found(api_keys::revoke(&mut tx, other.id, made.id, monday()).await);
    commit(tx).await;
    let theirs = api_keys::ApiKey { business_id: other.id, ..made };
    assert!(!api_keys::touch(db, &theirs, at(1)).await.unwrap());
    assert!(api_keys::find_by_digest(db, &secret::digest(&token)).await.unwrap().is_some());
}

concord_storage::on_both_databases!(
    a_key_opens_until_it_is_revoked,
    a_key_is_noted_as_used_once_a_minute,
    another_business_finds_no_key,
);
