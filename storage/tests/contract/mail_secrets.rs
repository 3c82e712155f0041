use concord_domain::{ids::MailId, mail::MailKind};
use concord_storage::{
    Db, StorageError, mail_secrets,
    mails::{self, NewMail, NewMailSecrets},
    retention::RetentionPeriods,
    seal::{Keyring, MasterKey},
    testing::{self, TestDb, at, begin, commit},
};
use secrecy::{ExposeSecret, SecretString};

use crate::{first, precise, retention::deleted};

/// A mail with two secrets, which are of use for a quarter of an hour.
async fn mail(db: &Db, ring: &Keyring) -> MailId {
    let business = testing::business(db).await.id;
    let new = NewMail {
        business,
        kind: MailKind::SignIn,
        to_address: "ana@harbour.example",
        to_name: "Ana",
        subject: "Sign in",
        text: "[secret-1] at [secret-2]",
        html: "<p>[secret-1] at [secret-2]</p>",
        from_domain: "book.example",
        dedupe_key: "a",
        sender: None,
        invitation: None,
        useful_until: None,
        reminder: None,
    };
    let tokens = ["cl_token", "Harbour \"House\" & Sons"].map(SecretString::from);
    let secrets = NewMailSecrets { secrets: &tokens, expires_at: at(15) };
    let mut tx = begin(db).await;
    assert!(mails::create_with_secrets(&mut tx, ring, &new, secrets, precise(0)).await.unwrap().is_some());
    assert!(mails::create_with_secrets(&mut tx, ring, &new, secrets, precise(0)).await.unwrap().is_none());
    commit(tx).await;
    mails::list(db, business, None, &first(5)).await.unwrap().items[0].id
}

async fn opened(db: &Db, ring: &Keyring, id: MailId, minute: i64) -> Option<Vec<String>> {
    let secrets = mail_secrets::open(db, ring, id, at(minute)).await.unwrap()?;
    Some(secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect())
}

async fn secrets_of_a_mail_are_sealed_until_it_is_sent(db: &TestDb) {
    let ring = testing::keyring();
    let id = mail(db, &ring).await;
    let secrets = vec!["cl_token".to_owned(), "Harbour \"House\" & Sons".to_owned()];
    assert_eq!(opened(db, &ring, id, 14).await, Some(secrets));
    assert_eq!(opened(db, &ring, id, 15).await, None, "its links no longer work");
    let mut tx = begin(db).await;
    mail_secrets::delete(&mut tx, id).await.unwrap();
    commit(tx).await;
    assert_eq!(opened(db, &ring, id, 1).await, None);
}

async fn secrets_of_a_mail_go_with_time_and_with_it(db: &TestDb) {
    let ring = testing::keyring();
    let keep = RetentionPeriods {
        sync_log: chrono::Duration::days(30),
        mails: chrono::Duration::days(20),
        done_jobs: chrono::Duration::days(7),
        history: chrono::Duration::days(400),
        customers: None,
    };
    mail(db, &ring).await;
    assert_eq!(deleted(db, keep, at(14), "mail_secrets").await, 0);
    assert_eq!(deleted(db, keep, at(15), "mail_secrets").await, 1);
    let id = mail(db, &ring).await;
    testing::raw(db, "DELETE FROM mails").await;
    assert_eq!(opened(db, &ring, id, 1).await, None);
}

async fn secrets_of_a_mail_are_sealed_anew(db: &TestDb) {
    let old = MasterKey::generate();
    let kept = MasterKey::from_base64(&old.to_base64()).unwrap();
    let (before, after) = (Keyring::new(old, vec![]), Keyring::new(MasterKey::generate(), vec![kept]));
    let id = mail(db, &before).await;
    let mut tx = begin(db).await;
    assert_eq!(mail_secrets::rotate_keys(&mut tx, &after).await.unwrap(), 1);
    assert_eq!(mail_secrets::rotate_keys(&mut tx, &after).await.unwrap(), 0);
    let stranger = Keyring::new(MasterKey::generate(), vec![]);
    assert_eq!(mail_secrets::rotate_keys(&mut tx, &stranger).await.unwrap(), 0, "what no key opens is left");
    commit(tx).await;
    assert!(opened(db, &after, id, 1).await.is_some());
    let refused = mail_secrets::open(db, &before, id, at(1)).await;
    assert!(matches!(refused, Err(StorageError::Sealed { .. })), "{refused:?}");
}

concord_storage::on_both_databases!(
    secrets_of_a_mail_are_sealed_until_it_is_sent,
    secrets_of_a_mail_go_with_time_and_with_it,
    secrets_of_a_mail_are_sealed_anew,
);
