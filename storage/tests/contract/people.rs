use chrono::Duration;
use concord_domain::{
    ids::StaffId,
    people::{Role, Trade},
};
use concord_storage::{
    Db, StorageError,
    businesses::Business,
    people::{self, NewUser, StaffSettings, User, UserSettings},
    sign_in::{self, NewSignInLink},
    testing::{self, TestDb, at, begin, commit, monday},
};

use crate::{at_once, first, following, is_not_found, precise};

fn driver(name: &str) -> StaffSettings {
    StaffSettings { name: name.to_owned(), email: "rui@harbour.example".to_owned(), trade: Trade::Driver }
}

pub(crate) async fn user(db: &Db, business: &Business, email: &str, staff: Option<StaffId>) -> User {
    let new = NewUser {
        business: business.id,
        staff,
        name: "Ana".to_owned(),
        email: email.to_owned(),
        role: Role::Manager,
    };
    let mut tx = begin(db).await;
    let made = people::create_user(&mut tx, &new, precise(1)).await.unwrap();
    commit(tx).await;
    made
}

async fn staff_are_entered_changed_and_archived(db: &TestDb) {
    let business = testing::business(db).await;
    let mut tx = begin(db).await;
    let made = people::create_staff(&mut tx, business.id, &driver("Rui"), precise(0)).await.unwrap();
    commit(tx).await;
    assert_eq!((made.name.as_str(), made.trade, made.revision), ("Rui", Trade::Driver, 1));
    assert_eq!((made.created_at, made.archived_at), (precise(0), None));
    assert_eq!(people::find_staff(db, business.id, made.id).await.unwrap(), Some(made.clone()));

    let technician =
        StaffSettings { name: "Rui Costa".to_owned(), email: String::new(), trade: Trade::Technician };
    let mut tx = begin(db).await;
    let changed = people::update_staff(&mut tx, business.id, made.id, &technician).await.unwrap();
    commit(tx).await;
    assert_eq!((changed.name.as_str(), changed.email.as_str()), ("Rui Costa", ""));
    assert_eq!((changed.trade, changed.revision), (Trade::Technician, 2));

    for minute in [5, 9] {
        let mut tx = begin(db).await;
        people::set_staff_archived(&mut tx, business.id, made.id, Some(at(minute))).await.unwrap();
        commit(tx).await;
    }
    let archived = people::find_staff(db, business.id, made.id).await.unwrap().unwrap();
    assert_eq!(archived.archived_at, Some(at(5)), "the first time counts");
    assert_eq!(people::list_staff(db, business.id, &first(10)).await.unwrap().items, []);
    assert_eq!(people::list_archived_staff(db, business.id).await.unwrap(), std::slice::from_ref(&archived));

    let mut tx = begin(db).await;
    people::set_staff_archived(&mut tx, business.id, made.id, None).await.unwrap();
    commit(tx).await;
    let restored = people::list_staff(db, business.id, &first(10)).await.unwrap().items;
    assert_eq!(restored, [people::Staff { archived_at: None, revision: archived.revision + 1, ..archived }]);
    assert_eq!(people::list_archived_staff(db, business.id).await.unwrap(), []);
}

async fn staff_are_listed_by_name_a_page_at_a_time(db: &TestDb) {
    let business = testing::business(db).await;
    for name in ["Eva", "Ana", "Carla", "Ana", "Bruno"] {
        testing::staff(db, &business, name).await;
    }
    let page = people::list_staff(db, business.id, &first(2)).await.unwrap();
    let mut names: Vec<String> = page.items.iter().map(|one| one.name.clone()).collect();
    let page = people::list_staff(db, business.id, &following(2, page.next)).await.unwrap();
    names.extend(page.items.iter().map(|one| one.name.clone()));
    let page = people::list_staff(db, business.id, &following(2, page.next)).await.unwrap();
    names.extend(page.items.iter().map(|one| one.name.clone()));
    assert_eq!((names.join(" ").as_str(), page.next), ("Ana Ana Bruno Carla Eva", None));
    let forged = following(2, Some("bm90IGEgY3Vyc29y".to_owned()));
    let refused = people::list_staff(db, business.id, &forged).await;
    assert!(matches!(refused, Err(StorageError::BadCursor)), "{refused:?}");
}

async fn revisions_count_each_person_once_in_any_order(db: &TestDb) {
    let business = testing::business(db).await;
    let (ana, rui) =
        (testing::staff(db, &business, "Ana").await.id, testing::staff(db, &business, "Rui").await.id);
    let results = at_once(db, 16, |db, number| async move {
        let both = if number % 2 == 0 { [ana, rui, ana] } else { [rui, ana, rui] };
        let mut tx = begin(&db).await;
        people::bump_revision(&mut tx, business.id, &both).await?;
        tx.commit().await
    })
    .await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    for id in [ana, rui] {
        let revision = people::find_staff(db, business.id, id).await.unwrap().unwrap().revision;
        assert_eq!(revision, 17);
    }
    let mut tx = begin(db).await;
    assert_eq!(people::lock(&mut tx, business.id, ana).await.unwrap().revision, 18);
}

async fn users_are_known_by_their_address_in_any_case(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let ana = testing::staff(db, &business, "Ana").await;
    let made = user(db, &business, " Ana@Harbour.example ", Some(ana.id)).await;
    let elsewhere = user(db, &other, "ana@harbour.example", None).await;
    assert_eq!((made.email.as_str(), made.staff_id), ("ana@harbour.example", Some(ana.id)));
    assert_eq!((made.role, made.created_at), (Role::Manager, precise(1)));
    assert_eq!(people::find_user(db, business.id, made.id).await.unwrap(), Some(made.clone()));
    assert_eq!(people::list_users(db, business.id).await.unwrap(), std::slice::from_ref(&made));
    let mut found = people::find_users_by_email(db, "ANA@harbour.example").await.unwrap();
    found.sort_by_key(|user| user.business_id != business.id);
    assert_eq!(found, [made.clone(), elsewhere.clone()]);

    let twice = NewUser {
        business: business.id,
        staff: None,
        name: "Ana".to_owned(),
        email: "ANA@harbour.example".to_owned(),
        role: Role::Staff,
    };
    let mut tx = begin(db).await;
    let refused = people::create_user(&mut tx, &twice, monday()).await;
    assert!(matches!(refused, Err(StorageError::Exists)), "{refused:?}");
    drop(tx);

    let mut tx = begin(db).await;
    people::archive_user(&mut tx, business.id, made.id, at(3)).await.unwrap();
    commit(tx).await;
    assert_eq!(people::list_users(db, business.id).await.unwrap(), []);
    assert_eq!(people::find_users_by_email(db, "ana@harbour.example").await.unwrap(), [elsewhere]);
    let archived = people::find_user(db, business.id, made.id).await.unwrap().unwrap();
    assert_eq!(archived.archived_at, Some(at(3)));
}

async fn who_was_archived_can_come_back_as_something_else(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let before = user(db, &business, "ana@harbour.example", None).await;
    let mut tx = begin(db).await;
    let link = NewSignInLink {
        user: before.id,
        digest: "old",
        reusable: false,
        browser: None,
        expires_at: monday() + Duration::days(1),
    };
    sign_in::create_link(&mut tx, &link, monday()).await.unwrap();
    people::archive_user(&mut tx, business.id, before.id, at(3)).await.unwrap();
    commit(tx).await;

    let mut again = NewUser {
        business: business.id,
        staff: Some(StaffId::new(monday())),
        name: "Ana Costa".to_owned(),
        email: "Ana@harbour.example".to_owned(),
        role: Role::Staff,
    };
    let mut tx = begin(db).await;
    // The address is taken, by somebody who is gone: nothing comes of it either way.
    people::create_user(&mut tx, &again, at(4)).await.unwrap_err();
    drop(tx);
    let stays = people::find_user(db, business.id, before.id).await.unwrap().unwrap();
    assert_eq!(stays.archived_at, Some(at(3)));

    again.staff = Some(ana.id);
    let mut tx = begin(db).await;
    let back = people::create_user(&mut tx, &again, at(5)).await.unwrap();
    assert_eq!((back.id, back.archived_at, back.role), (before.id, None, Role::Staff));
    assert_eq!((back.name.as_str(), back.staff_id), ("Ana Costa", Some(ana.id)));
    assert_eq!(sign_in::use_link(&mut tx, "old", at(6)).await.unwrap(), None, "an old link opens nothing");
    let twice = people::create_user(&mut tx, &again, at(7)).await;
    assert!(matches!(twice, Err(StorageError::Exists)), "{twice:?}");
    drop(tx);
}

async fn what_a_user_is_and_may_do_can_change(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let ana = testing::staff(db, &business, "Ana").await;
    let theirs = testing::staff(db, &other, "Rui").await;
    let made = user(db, &business, "ana@harbour.example", None).await;
    let settings = UserSettings { staff: Some(ana.id), name: "Ana Costa".to_owned(), role: Role::Staff };
    let mut tx = begin(db).await;
    let changed = people::update_user(&mut tx, business.id, made.id, &settings).await.unwrap();
    commit(tx).await;
    assert_eq!((changed.staff_id, changed.role), (Some(ana.id), Role::Staff));
    assert_eq!((changed.name.as_str(), changed.email.as_str()), ("Ana Costa", "ana@harbour.example"));
    let mut tx = begin(db).await;
    is_not_found(people::update_user(&mut tx, other.id, made.id, &settings).await);
    let foreign = UserSettings { staff: Some(theirs.id), ..settings.clone() };
    is_not_found(people::update_user(&mut tx, business.id, made.id, &foreign).await);
    people::archive_user(&mut tx, business.id, made.id, at(3)).await.unwrap();
    is_not_found(people::update_user(&mut tx, business.id, made.id, &settings).await);
    drop(tx);
}

async fn another_business_finds_nobody(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let ana = testing::staff(db, &business, "Ana").await;
    let login = user(db, &business, "ana@harbour.example", None).await;
    assert_eq!(people::find_staff(db, other.id, ana.id).await.unwrap(), None);
    assert_eq!(people::list_staff(db, other.id, &first(10)).await.unwrap().items, []);
    assert_eq!(people::find_user(db, other.id, login.id).await.unwrap(), None);
    assert_eq!(people::list_users(db, other.id).await.unwrap(), []);
    let mut tx = begin(db).await;
    is_not_found(people::update_staff(&mut tx, other.id, ana.id, &driver("Rui")).await);
    is_not_found(people::set_staff_archived(&mut tx, other.id, ana.id, Some(monday())).await);
    is_not_found(people::set_staff_archived(&mut tx, other.id, ana.id, None).await);
    is_not_found(people::lock(&mut tx, other.id, ana.id).await);
    is_not_found(people::bump_revision(&mut tx, other.id, &[ana.id]).await);
    is_not_found(people::archive_user(&mut tx, other.id, login.id, monday()).await);
    let theirs = NewUser {
        business: other.id,
        staff: Some(ana.id),
        name: "Ana".to_owned(),
        email: "ana@elsewhere.example".to_owned(),
        role: Role::Staff,
    };
    is_not_found(people::create_user(&mut tx, &theirs, monday()).await);
    commit(tx).await;
    assert_eq!(people::find_staff(db, business.id, ana.id).await.unwrap(), Some(ana));
}

async fn only_who_can_sign_in_counts_as_a_manager(db: &TestDb) {
    let business = testing::business(db).await;
    let mut tx = begin(db).await;
    assert!(!people::has_manager(&mut tx, business.id).await.unwrap());
    commit(tx).await;
    let ana = user(db, &business, "ana@harbour.example", None).await;
    let rui = user(db, &business, "rui@harbour.example", None).await;
    let as_staff = UserSettings { staff: None, name: rui.name.clone(), role: Role::Staff };
    let mut tx = begin(db).await;
    people::update_user(&mut tx, business.id, rui.id, &as_staff).await.unwrap();
    assert!(people::has_manager(&mut tx, business.id).await.unwrap());
    people::archive_user(&mut tx, business.id, ana.id, at(1)).await.unwrap();
    assert!(!people::has_manager(&mut tx, business.id).await.unwrap());
    commit(tx).await;
}

concord_storage::on_both_databases!(
    staff_are_entered_changed_and_archived,
    staff_are_listed_by_name_a_page_at_a_time,
    revisions_count_each_person_once_in_any_order,
    users_are_known_by_their_address_in_any_case,
    who_was_archived_can_come_back_as_something_else,
    what_a_user_is_and_may_do_can_change,
    only_who_can_sign_in_counts_as_a_manager,
    another_business_finds_nobody,
);
