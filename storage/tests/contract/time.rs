//! What time the database has.

use concord_storage::{Db, testing::TestDb, time};

async fn only_a_server_has_a_time_of_its_own(db: &TestDb) {
    let first = time::now(db).await.unwrap();
    let second = time::now(db).await.unwrap();
    assert_eq!(first.is_some(), matches!(**db, Db::Postgres(_)));
    assert!(second >= first);
}

concord_storage::on_both_databases!(only_a_server_has_a_time_of_its_own);
