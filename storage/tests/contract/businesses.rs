use concord_domain::{
    customer::CustomerRules,
    ids::BusinessId,
    invitation::{InvitationMode, InvitationSettings},
    language::Language,
    privacy::EntryPrivacy,
    sync::remote_change::{RemoteChangePolicy, RemoteChangeRules},
};
use concord_storage::{
    StorageError,
    businesses::{self, BusinessSettings},
    testing::{self, TestDb, begin, commit, monday},
};

use crate::{at_once, is_not_found, precise, raw};

fn settings() -> BusinessSettings {
    BusinessSettings {
        name: "Quinta do Lago".to_owned(),
        zone: chrono_tz::Asia::Kathmandu,
        entry_privacy: EntryPrivacy::Full,
        mark_cancelled: true,
        outside: RemoteChangeRules { moves: RemoteChangePolicy::Ask, deletions: RemoteChangePolicy::Revert },
        invitations: InvitationSettings {
            mode: InvitationMode::Pending,
            delay_minutes: 5,
            sender_name: "Quinta".to_owned(),
            sender_address: "book@quinta.example".to_owned(),
            reply_address: "ana@quinta.example".to_owned(),
            language: Language::De,
        },
        customers: CustomerRules {
            move_notice_hours: None,
            cancel_notice_hours: Some(48),
            decline_cancels: true,
        },
    }
}

async fn what_is_written_is_read_back(db: &TestDb) {
    let mut tx = begin(db).await;
    let made = businesses::create(&mut tx, "quinta", &settings(), precise(0)).await.unwrap();
    commit(tx).await;
    assert_eq!(made.zone, chrono_tz::Asia::Kathmandu);
    assert_eq!((made.entry_privacy, made.mark_cancelled, made.revision), (EntryPrivacy::Full, true, 1));
    assert_eq!(made.settings(), settings());
    assert_eq!(made.created_at, precise(0));
    assert_eq!(businesses::find(db, made.id).await.unwrap(), Some(made.clone()));
    assert_eq!(businesses::find_by_slug(db, "quinta").await.unwrap(), Some(made.clone()));
    assert_eq!(businesses::list(db).await.unwrap(), [made]);
    assert_eq!(businesses::find(db, BusinessId::new(monday())).await.unwrap(), None);
    assert_eq!(businesses::find_by_slug(db, "Quinta").await.unwrap(), None);
}

async fn a_slug_is_taken_once(db: &TestDb) {
    let mut tx = begin(db).await;
    businesses::create(&mut tx, "quinta", &settings(), monday()).await.unwrap();
    commit(tx).await;
    let mut tx = begin(db).await;
    let again = businesses::create(&mut tx, "quinta", &settings(), monday()).await;
    assert!(matches!(again, Err(StorageError::Exists)), "{again:?}");
}

async fn a_change_of_settings_counts(db: &TestDb) {
    let [before, other] = [testing::business(db).await, testing::business(db).await];
    let mut tx = begin(db).await;
    let after = businesses::update(&mut tx, before.id, &settings(), monday()).await.unwrap();
    is_not_found(businesses::update(&mut tx, BusinessId::new(monday()), &settings(), monday()).await);
    commit(tx).await;
    assert_eq!((after.name.as_str(), after.zone), ("Quinta do Lago", chrono_tz::Asia::Kathmandu));
    assert_eq!((after.entry_privacy, after.mark_cancelled), (EntryPrivacy::Full, true));
    assert_eq!((after.revision, &after.slug), (before.revision + 1, &before.slug));
    assert_eq!(businesses::find(db, before.id).await.unwrap(), Some(after));
    assert_eq!(businesses::find(db, other.id).await.unwrap(), Some(other));
}

async fn who_locks_a_business_sees_what_the_one_before_left(db: &TestDb) {
    let id = testing::business(db).await.id;
    let bumped = at_once(db, 8, move |db, _| async move {
        let mut tx = begin(&db).await;
        let business = businesses::lock(&mut tx, id).await.unwrap();
        let longer = BusinessSettings { name: format!("{}!", business.name), ..business.settings() };
        let after = businesses::update(&mut tx, business.id, &longer, monday()).await.unwrap();
        commit(tx).await;
        after.revision
    })
    .await;
    let after = businesses::find(db, id).await.unwrap().unwrap();
    assert_eq!(bumped.iter().max(), Some(&after.revision));
    assert!(after.name.ends_with("!!!!!!!!"), "{}", after.name);
    let mut tx = begin(db).await;
    is_not_found(businesses::lock(&mut tx, BusinessId::new(monday())).await);
}

async fn a_zone_that_nobody_knows_is_said_to_be_inconsistent(db: &TestDb) {
    let business = testing::business(db).await;
    raw(db, "UPDATE businesses SET zone = 'Atlantis/Capital'").await;
    let found = businesses::find(db, business.id).await;
    assert!(matches!(found, Err(StorageError::Inconsistent { what: "time zone" })), "{found:?}");
}

concord_storage::on_both_databases!(
    what_is_written_is_read_back,
    a_slug_is_taken_once,
    a_change_of_settings_counts,
    who_locks_a_business_sees_what_the_one_before_left,
    a_zone_that_nobody_knows_is_said_to_be_inconsistent,
);
