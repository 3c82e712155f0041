//! A business's own words and logo in mails to its customers.

use concord_domain::{
    language::Language,
    mail::MailKind,
    mail_text::{LogoFormat, MailTexts},
};
use concord_storage::{
    mail_design::{self, MailDesign},
    testing::{self, TestDb, begin, commit},
};

use crate::precise;

async fn words_are_of_a_kind_and_a_language(db: &TestDb) {
    let business = testing::business(db).await.id;
    assert_eq!(mail_design::find(db, business).await.unwrap(), MailDesign::default());
    let texts = MailTexts { intro: "Hi {name}".into(), ..MailTexts::default() };
    let later = MailTexts { subject: "Bis gleich".into(), ..MailTexts::default() };
    let mut tx = begin(db).await;
    for (kind, language, texts) in [
        (MailKind::Reminder, Language::De, &texts),
        (MailKind::Reminder, Language::De, &later),
        (MailKind::Invitation, Language::En, &texts),
    ] {
        mail_design::put_texts(&mut tx, business, (kind, language), texts, precise(0)).await.unwrap();
    }
    commit(tx).await;
    let design = mail_design::find(db, business).await.unwrap();
    assert_eq!(mail_design::find_in(&mut begin(db).await, business).await.unwrap(), design);
    assert_eq!(design.texts.len(), 2);
    assert_eq!(design.texts(MailKind::Reminder, Language::De), Some(&later));
    assert_eq!(design.texts(MailKind::Invitation, Language::En), Some(&texts));
    assert_eq!(design.texts(MailKind::Reminder, Language::En), None);
    let other = testing::business(db).await.id;
    assert_eq!(mail_design::find(db, other).await.unwrap().texts, []);
}

async fn logo_is_found_by_what_it_is(db: &TestDb) {
    let business = testing::business(db).await.id;
    let other = testing::business(db).await.id;
    let mut tx = begin(db).await;
    let put = (LogoFormat::Png, [1, 2, 3].as_slice());
    let first = mail_design::put_logo(&mut tx, business, put, precise(0)).await.unwrap();
    let put = (LogoFormat::Jpeg, [4].as_slice());
    let second = mail_design::put_logo(&mut tx, business, put, precise(1)).await.unwrap();
    commit(tx).await;
    let logo = mail_design::find(db, business).await.unwrap().logo.unwrap();
    assert_eq!((logo.digest.as_str(), logo.media_type), (second.as_str(), LogoFormat::Jpeg));
    let found = mail_design::find_logo(db, business, &second).await.unwrap();
    assert_eq!(found, Some((LogoFormat::Jpeg, vec![4])));
    assert_eq!(mail_design::find_logo(db, business, &first).await.unwrap(), None);
    assert_eq!(mail_design::find_logo(db, other, &second).await.unwrap(), None);
    let mut tx = begin(db).await;
    assert!(mail_design::remove_logo(&mut tx, business).await.unwrap());
    assert!(!mail_design::remove_logo(&mut tx, business).await.unwrap());
    commit(tx).await;
    assert_eq!(mail_design::find(db, business).await.unwrap(), MailDesign::default());
}

concord_storage::on_both_databases!(words_are_of_a_kind_and_a_language, logo_is_found_by_what_it_is);
