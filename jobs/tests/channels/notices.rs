//! What managers are told of a channel, and when it is over.

use chrono::Duration;
use concord_domain::{
    alert::{AlertKind, AlertState, CLOSE_AFTER},
    channel::ChannelState,
    notice::NoticeKind,
    webhook::{EventSubject, EventType},
};
use concord_jobs::dispatch::ensure_scheduled;
use concord_services::channels::{self as manage, ChannelUpdate, import};
use concord_storage::{
    PageRequest, alerts, events,
    notices::{self, Audience},
    testing::TestDb,
};
use concord_testing::logs;
use serde_json::{Value, json};

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

/// Events about the channel, in their order.
async fn told(fixture: &ChannelFixture<'_>) -> Vec<(EventType, Value)> {
    let found = events::after(fixture.db, fixture.business.id, None, 200).await.unwrap().items;
    let about = found.into_iter().filter(|event| event.subject_kind == EventSubject::Channel);
    about.map(|event| (event.kind, serde_json::from_str(&event.data).unwrap())).collect()
}

async fn other_systems_are_told_of_a_feed_that_fails_and_heals(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.answers(404, "text/plain", "no");
    let airbnb = fixture.on("airbnb").await;
    fixture.later(2).await;
    fixture.site.events(&(0..10).map(|day| reserved(&day.to_string(), 1 + day, 2 + day)).collect::<Vec<_>>());
    fixture.later(24).await;
    fixture.site.events(&[]);
    fixture.later(3).await;
    let told = told(&fixture).await;
    let kinds: Vec<_> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [EventType::ChannelFailing, EventType::ChannelRecovered, EventType::ChannelQuarantined]
    );
    let (_, failing) = &told[0];
    assert_eq!((&failing["channel"], &failing["platform"]), (&json!(airbnb), &json!("airbnb")));
    assert_eq!(failing["resource"], json!(fixture.resource.id));
    assert!(failing["reason"].as_str().unwrap().contains("failed to sync"), "{failing}");
    assert_eq!(told[1].1["reason"], Value::Null);
}

async fn stale_feed_is_an_alert_within_half_an_hour_and_heals(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.answers(503, "text/plain", "no");
    let airbnb = fixture.on("airbnb").await;
    let began = fixture.clock.now();
    let listed = async || {
        let ask = PageRequest { limit: 10, after: None };
        alerts::list(db, fixture.business.id, (None, None), &ask).await.unwrap().items
    };
    let minutes = async |count: i64| {
        for _ in 0..count {
            fixture.clock.advance(Duration::minutes(1));
            fixture.jobs.drain().await.unwrap();
        }
    };
    minutes(5).await;
    assert_eq!(listed().await.len(), 0, "not at the first failure");
    minutes(24).await;
    let alert = listed().await.remove(0);
    assert_eq!((alert.kind, alert.subject_id), (AlertKind::ChannelFeed, airbnb.0));
    assert!(alert.opened_at.unwrap() - began < Duration::minutes(30));
    let raised = notices::unsent(db, fixture.business.id, Audience::Managers, 10).await.unwrap();
    assert_eq!(raised.len(), 1);
    assert_eq!((raised[0].kind, raised[0].alert_id), (NoticeKind::FeedUnread, Some(alert.id)));
    assert!(raised[0].detail.starts_with("Since "), "{}", raised[0].detail);

    fixture.site.events(&[reserved("a", 3, 5)]);
    minutes(120).await;
    let alert = listed().await.remove(0);
    assert_eq!(alert.state(), AlertState::Closed);
    assert!(alert.failure.healthy_since.unwrap() + CLOSE_AFTER <= alert.closed_at.unwrap());
}

async fn platform_that_stops_reading_is_an_alert_while_nights_are_exposed(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    ensure_scheduled(&fixture.context).await.unwrap();
    let airbnb = fixture.on("airbnb").await;
    fixture.platform_reads(airbnb).await;
    let listed = async || {
        let ask = PageRequest { limit: 10, after: None };
        alerts::list(db, fixture.business.id, (None, None), &ask).await.unwrap().items
    };
    let minutes = async |count: i64| {
        for _ in 0..count / 5 {
            fixture.clock.advance(Duration::minutes(5));
            fixture.jobs.drain().await.unwrap();
        }
    };
    fixture.later(40).await;
    assert_eq!(listed().await, [], "there is nothing that it does not know");
    assert!(fixture.book("ours", 20, 23).await);
    minutes(30).await;
    let alert = listed().await.remove(0);
    assert_eq!((alert.kind, alert.subject_id), (AlertKind::ChannelExport, airbnb.0));
    assert!(alert.headline.starts_with("Airbnb no longer reads your calendar link"), "{}", alert.headline);
    assert!(alert.cause.contains("3 nights"), "{}", alert.cause);

    fixture.platform_reads(airbnb).await;
    minutes(30).await;
    assert_eq!(listed().await.remove(0).state(), AlertState::Closed);
    // It is in time again: the next booking is nothing to tell of.
    assert!(fixture.book("theirs", 26, 28).await);
    minutes(60).await;
    assert_eq!(listed().await.len(), 1);
    // Late again, and then paused: nobody waits for it any more.
    fixture.later(40).await;
    assert_eq!(listed().await[0].state(), AlertState::Open);
    manage::update(&fixture.context, &fixture.change(), airbnb, &in_state(ChannelState::Paused))
        .await
        .unwrap();
    assert_eq!(listed().await[0].state(), AlertState::Closed);
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
    other_systems_are_told_of_a_feed_that_fails_and_heals,
    stale_feed_is_an_alert_within_half_an_hour_and_heals,
    platform_that_stops_reading_is_an_alert_while_nights_are_exposed,
    log_line_of_job_names_it,
);
