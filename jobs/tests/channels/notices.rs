//! What managers are told of a channel, and when it is over.

use concord_domain::channel::ChannelState;
use concord_services::channels::{self as manage, ChannelUpdate, import};
use concord_storage::testing::TestDb;
use concord_testing::logs;

use crate::{
    feed_server::{nights, reserved},
    fixture::ChannelFixture,
    imports::file,
    shared::DrainJobs,
};

fn in_state(state: ChannelState) -> ChannelUpdate {
    ChannelUpdate { state: Some(state), ..ChannelUpdate::default() }
}

async fn notice_of_conflict_closes_with_conflict(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    assert!(fixture.book("ours", 3, 6).await);
    fixture.site.events(&[reserved("a", 4, 7)]);
    fixture.on("airbnb").await;
    fixture.later(1).await;
    assert_eq!(fixture.notices().await.len(), 1, "it lasts");
    fixture.cancel("ours").await;
    fixture.later(1).await;
    assert_eq!(fixture.notices().await, Vec::<String>::new());
}

async fn notice_of_unreadable_feed_closes_when_paused(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.answers(404, "text/plain", "no");
    let airbnb = fixture.on("airbnb").await;
    assert_eq!(fixture.notices().await.len(), 1);
    manage::update(&fixture.context, &fixture.change(), airbnb, &in_state(ChannelState::Paused))
        .await
        .unwrap();
    assert_eq!(fixture.notices().await, Vec::<String>::new());
    manage::update(&fixture.context, &fixture.change(), airbnb, &in_state(ChannelState::Active))
        .await
        .unwrap();
    fixture.jobs.drain().await.unwrap();
    assert_eq!(fixture.notices().await.len(), 1);
    let unlink = ChannelUpdate { import_url: Some(None), ..ChannelUpdate::default() };
    manage::update(&fixture.context, &fixture.change(), airbnb, &unlink).await.unwrap();
    assert_eq!(fixture.notices().await, Vec::<String>::new());
}

async fn notice_of_manual_import_closes_when_removed(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let vrbo = fixture.on("vrbo").await;
    let request = fixture.wish("vrbo", file(&[nights("u1", "Reserved - Maria", 4, 6)]));
    import::import(&fixture.context, &request).await.unwrap();
    fixture.later(2).await;
    assert_eq!(fixture.notices().await.len(), 1);
    manage::remove(&fixture.context, &fixture.change(), vrbo).await.unwrap();
    assert_eq!(fixture.notices().await, Vec::<String>::new());
}

async fn log_line_of_job_names_it(db: &TestDb) {
    logs::collect();
    let fixture = ChannelFixture::new(db).await;
    fixture.site.answers(404, "text/plain", "no");
    fixture.on("airbnb").await;
    let written = logs::written();
    let line = written.lines().find(|line| line.contains("a feed was not read")).unwrap_or_default();
    assert!(line.contains("job{id=") && line.contains("kind=poll_channel attempt=1"), "{line}");
}

concord_storage::on_both_databases!(
    notice_of_conflict_closes_with_conflict,
    notice_of_unreadable_feed_closes_when_paused,
    notice_of_manual_import_closes_when_removed,
    log_line_of_job_names_it,
);
