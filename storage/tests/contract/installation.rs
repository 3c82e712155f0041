//! What is the same for the whole installation.

use concord_storage::{installation, on_both_databases, testing::TestDb};

async fn host_of_the_first_start_is_kept(db: &TestDb) {
    assert_eq!(installation::uid_host(db, "book.example").await.unwrap(), "book.example");
    assert_eq!(installation::uid_host(db, "other.example").await.unwrap(), "book.example");
}

on_both_databases!(host_of_the_first_start_is_kept);
