//! Channels by which a provider tells of changes: opened, renewed, closed; and what they tell.

use chrono::Duration;
use concord_domain::{
    connection::{ConnectionState, Coverage, Direction, ProviderKind},
    ids::ConnectionId,
    push::PushState,
};
use concord_jobs::accounts::push::{NotificationHandler, NotificationOutcome, ensure};
use concord_providers::{PushNotification, PushNotificationKind};
use concord_services::connections as manage;
use concord_storage::{
    calendars, on_both_databases,
    push_subscriptions::{self, PushSubscription},
    testing::TestDb,
};
use serde_json::json;

use crate::{
    connection_choices,
    fixture::{ANA, SyncFixture},
    shared::DrainJobs,
};

impl SyncFixture<'_> {
    /// The channels of a connection that are not over.
    async fn channels(&self, id: ConnectionId) -> Vec<PushSubscription> {
        push_subscriptions::of_connection(self.db, self.business.id, id).await.unwrap()
    }

    async fn only_channel(&self, id: ConnectionId) -> PushSubscription {
        let mut channels = self.channels(id).await;
        assert_eq!(channels.len(), 1, "{channels:#?}");
        channels.remove(0)
    }

    /// What Google says on that channel, truly.
    fn notice(&self, channel: &PushSubscription, number: i64) -> PushNotification {
        PushNotification {
            provider: ProviderKind::Google,
            subscription: channel.id,
            secret: self.outside.word_of(&channel.id.to_string()).into(),
            remote_id: None,
            resource_id: channel.resource_id.clone(),
            number: Some(number),
            kind: PushNotificationKind::Changed,
        }
    }

    async fn person_is_busy(&self, hours: i64) {
        let start = self.clock.now() + Duration::hours(hours);
        self.outside.person_adds(ANA, (start, start + Duration::hours(1)), json!({})).await;
    }

    async fn busy_times(&self, id: ConnectionId) -> usize {
        let mut known = 0;
        for calendar in self.calendars(id).await {
            known += self.known(calendar.id).await.len();
        }
        known
    }

    /// The ids of the channels that live at the provider.
    async fn at_provider(&self) -> Vec<String> {
        self.outside.channels().await.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }
}

async fn whoever_connects_is_told_of_changes(db: &TestDb) {
    let fixture = SyncFixture::told(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let channel = fixture.only_channel(id).await;
    assert_eq!(
        (channel.state, channel.address.as_str()),
        (PushState::Open, "http://127.0.0.1:9/hooks/google")
    );
    assert!(channel.due_at.unwrap() < channel.expires_at.unwrap());
    assert_eq!(fixture.at_provider().await, [channel.id.to_string()]);

    fixture.person_is_busy(20).await;
    let listener = NotificationHandler::new(fixture.context.clone());
    assert_eq!(listener.hear(&fixture.notice(&channel, 2)).await.unwrap(), NotificationOutcome::Enqueued);
    assert_eq!(listener.hear(&fixture.notice(&channel, 3)).await.unwrap(), NotificationOutcome::Covered);
    fixture.settle().await;
    assert_eq!(fixture.busy_times(id).await, 1);
    // The import has begun, so what is told now may be news.
    fixture.person_is_busy(22).await;
    assert_eq!(listener.hear(&fixture.notice(&channel, 4)).await.unwrap(), NotificationOutcome::Enqueued);
    fixture.settle().await;
    assert_eq!(fixture.busy_times(id).await, 2);
    assert_eq!(fixture.only_channel(id).await.heard, 2);
}

async fn what_is_forged_or_replayed_changes_nothing(db: &TestDb) {
    let fixture = SyncFixture::told(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let channel = fixture.only_channel(id).await;
    let listener = NotificationHandler::new(fixture.context.clone());
    let due = async || push_subscriptions::listen(db, channel.id).await.unwrap().unwrap().import_due_at;
    let before = due().await;
    let truth = fixture.notice(&channel, 5);
    for forged in [
        PushNotification { secret: "guessed".into(), ..truth.clone() },
        PushNotification {
            subscription: concord_domain::ids::PushSubscriptionId::new(fixture.clock.now()),
            ..truth.clone()
        },
        PushNotification { resource_id: Some("another".to_owned()), ..truth.clone() },
        PushNotification { kind: PushNotificationKind::Missed, secret: "".into(), ..truth.clone() },
    ] {
        assert!(
            matches!(listener.hear(&forged).await.unwrap(), NotificationOutcome::Refused(_)),
            "{forged:?}"
        );
    }
    assert_eq!(due().await, before);
    assert_eq!(listener.hear(&truth).await.unwrap(), NotificationOutcome::Enqueued);
    fixture.settle().await;
    let before = due().await;
    assert_eq!(listener.hear(&truth).await.unwrap(), NotificationOutcome::Nothing, "replayed");
    assert_eq!(due().await, before);
    assert_eq!(fixture.only_channel(id).await.heard, 1);
}

async fn the_new_one_stands_before_the_old_one_goes(db: &TestDb) {
    let fixture = SyncFixture::told(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let old = fixture.only_channel(id).await;
    fixture.outside.forget_calls().await;
    fixture.clock.advance(old.due_at.unwrap() - fixture.clock.now());
    fixture.settle().await;
    let new = fixture.only_channel(id).await;
    assert_ne!(new.id, old.id);
    assert_eq!(fixture.at_provider().await, [new.id.to_string()]);
    let paths: Vec<String> = fixture
        .outside
        .exchanges()
        .await
        .iter()
        .filter_map(|one| one["url"].as_str().or(one["path"].as_str()).map(str::to_owned))
        .filter(|path| path.contains("/watch") || path.contains("/stop"))
        .collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert!(paths[0].contains("/watch") && paths[1].contains("/stop"), "{paths:?}");
}

async fn what_nobody_wants_to_know_is_not_told(db: &TestDb) {
    let fixture = SyncFixture::told(db).await;
    let id = fixture.connected(&fixture.ana).await;
    manage::pause(&fixture.context, &fixture.change(), id).await.unwrap();
    fixture.settle().await;
    assert_eq!((fixture.channels(id).await.len(), fixture.at_provider().await.len()), (0, 0), "paused");
    manage::resume(&fixture.context, &fixture.change(), id).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.at_provider().await, [fixture.only_channel(id).await.id.to_string()]);
    fixture.set(id, Direction::Out, Coverage::Assigned).await;
    fixture.settle().await;
    assert_eq!((fixture.channels(id).await.len(), fixture.at_provider().await.len()), (0, 0), "only out");
    fixture.set(id, Direction::Both, Coverage::Assigned).await;
    fixture.settle().await;
    let calendar = fixture.calendar(id, ANA).await;
    connection_choices::set_reads(&fixture.context, &fixture.change(), id, calendar.id, false).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.at_provider().await.len(), 0, "not read");
    connection_choices::set_reads(&fixture.context, &fixture.change(), id, calendar.id, true).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.at_provider().await.len(), 1);
    manage::disconnect(&fixture.context, &fixture.change(), id, false).await.unwrap();
    fixture.settle().await;
    assert_eq!((fixture.channels(id).await.len(), fixture.at_provider().await.len()), (0, 0), "disconnected");
    assert_eq!(fixture.state(id).await, ConnectionState::Disconnected);
}

async fn a_refusal_is_said_once_and_tried_again_later(db: &TestDb) {
    let fixture = SyncFixture::told(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let calendars = fixture.calendars(id).await;
    let holidays = calendars.iter().find(|one| one.external_id.contains("holiday")).unwrap();
    connection_choices::set_reads(&fixture.context, &fixture.change(), id, holidays.id, true).await.unwrap();
    fixture.settle().await;
    let refused = async || {
        let channels = fixture.channels(id).await;
        channels.into_iter().find(|one| one.calendar_id == holidays.id).unwrap()
    };
    let first = refused().await;
    assert_eq!((first.state, first.refusals), (PushState::Refused, 1));
    assert!(
        first.last_error.as_deref().unwrap().contains("does not support change notifications"),
        "{first:?}"
    );
    fixture.clock.advance(first.due_at.unwrap() - fixture.clock.now());
    fixture.settle().await;
    let second = refused().await;
    assert_eq!((second.state, second.refusals), (PushState::Refused, 2));
    assert!(second.due_at.unwrap() - fixture.clock.now() > Duration::minutes(29));
    let said = fixture.log().await.into_iter().filter(|line| line.starts_with("push")).count();
    assert_eq!(said, 1);
    assert!(fixture.failed().await.is_empty(), "nobody is bothered with it");
}

async fn a_new_consent_brings_a_new_channel(db: &TestDb) {
    let fixture = SyncFixture::told(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let old = fixture.only_channel(id).await;
    fixture.clock.advance(Duration::minutes(1));
    assert_eq!(fixture.connected(&fixture.ana).await, id);
    let new = fixture.only_channel(id).await;
    assert_ne!(new.id, old.id);
    assert_eq!(fixture.at_provider().await, [new.id.to_string()]);
}

async fn what_is_configured_otherwise_has_its_consequences(db: &TestDb) {
    let fixture = SyncFixture::told(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let settings = concord_jobs::SyncSettings { push: None, ..(*fixture.context.settings).clone() };
    let off = concord_jobs::Context { settings: settings.into(), ..fixture.context.clone() };
    ensure(&off).await.unwrap();
    concord_jobs::dispatch::JobRunner::new(off.clone(), "second").drain().await.unwrap();
    assert_eq!((fixture.channels(id).await.len(), fixture.at_provider().await.len()), (0, 0), "turned off");
    ensure(&fixture.context).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.at_provider().await.len(), 1, "turned on");
}

async fn a_channel_that_is_lost_is_replaced_and_everything_read_again(db: &TestDb) {
    let fixture = SyncFixture::told(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let old = fixture.only_channel(id).await;
    let listener = NotificationHandler::new(fixture.context.clone());
    let ended =
        PushNotification { kind: PushNotificationKind::Ended, number: None, ..fixture.notice(&old, 0) };
    fixture.person_is_busy(20).await;
    assert_eq!(listener.hear(&ended).await.unwrap(), NotificationOutcome::Enqueued);
    fixture.settle().await;
    let new = fixture.only_channel(id).await;
    assert_ne!(new.id, old.id);
    assert_eq!(fixture.busy_times(id).await, 1);
    assert_eq!(listener.hear(&ended).await.unwrap(), NotificationOutcome::Nothing, "it is over");

    let missed =
        PushNotification { kind: PushNotificationKind::Missed, number: None, ..fixture.notice(&new, 0) };
    assert_eq!(listener.hear(&missed).await.unwrap(), NotificationOutcome::Enqueued);
    let calendar = fixture.calendar(id, ANA).await;
    let progress = calendars::progress(db, fixture.business.id, calendar.id).await.unwrap();
    assert_eq!(progress.cursor, None, "the next read is a full one");
    fixture.settle().await;
    assert_eq!(fixture.busy_times(id).await, 1);
}

on_both_databases!(
    whoever_connects_is_told_of_changes,
    what_is_forged_or_replayed_changes_nothing,
    the_new_one_stands_before_the_old_one_goes,
    what_nobody_wants_to_know_is_not_told,
    a_refusal_is_said_once_and_tried_again_later,
    a_new_consent_brings_a_new_channel,
    what_is_configured_otherwise_has_its_consequences,
    a_channel_that_is_lost_is_replaced_and_everything_read_again,
);
