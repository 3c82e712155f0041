use concord_domain::channel::{BlockRule, Preference};
use concord_storage::{
    platform_settings::{self, PlatformSettings},
    testing::{self, TestDb, begin, commit},
};

async fn what_is_said_of_a_platform_holds(db: &TestDb) {
    let business = testing::business(db).await;
    let unsaid = platform_settings::find(db, business.id, "vrbo").await.unwrap();
    assert_eq!(unsaid, PlatformSettings::unsaid("vrbo"));
    let said = PlatformSettings {
        interval_minutes: Some(90),
        preference: Preference::Yield,
        blocks: BlockRule::Ignore,
        ..unsaid
    };
    let mut tx = begin(db).await;
    platform_settings::save(&mut tx, business.id, &PlatformSettings::unsaid("vrbo")).await.unwrap();
    platform_settings::save(&mut tx, business.id, &said).await.unwrap();
    commit(tx).await;
    assert_eq!(platform_settings::find(db, business.id, "vrbo").await.unwrap(), said);
    assert_eq!(platform_settings::of_business(db, business.id).await.unwrap(), [said]);
    let other = testing::business(db).await;
    assert_eq!(platform_settings::of_business(db, other.id).await.unwrap(), []);
}

concord_storage::on_both_databases!(what_is_said_of_a_platform_holds);
