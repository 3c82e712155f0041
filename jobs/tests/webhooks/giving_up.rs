//! When an endpoint is given up, and who hears of it.

use chrono::Duration;
use concord_domain::{
    notice::NoticeKind,
    webhook::{DeliveryState, DisabledReason, EndpointState},
};
use concord_services::webhooks;
use concord_storage::{
    notices::{self, Audience},
    testing::TestDb,
};

use crate::{
    fixture::WebhookFixture,
    receiver::ScriptedAnswer::{Redirect, Status},
};

/// What managers hear of endpoints that were given up. That one fails for a while is an alert of its own.
async fn told(fixture: &WebhookFixture<'_>) -> Vec<(NoticeKind, String)> {
    let unsent = notices::unsent(fixture.db, fixture.business.id, Audience::Managers, 10).await.unwrap();
    let given_up = unsent.into_iter().filter(|notice| notice.kind != NoticeKind::WebhookFailing);
    given_up.map(|notice| (notice.kind, notice.headline)).collect()
}

async fn gone_is_believed_at_once(db: &TestDb) {
    let fixture = WebhookFixture::new(db).await;
    let [gone, well] = [fixture.endpoint(&[]).await, fixture.endpoint(&[]).await];
    gone.receiver.always(Status(410));
    fixture.put("B-1", "One").await;
    fixture.put("B-2", "Two").await;
    fixture.drain().await;
    let endpoint = fixture.found(&gone).await;
    assert_eq!(
        (endpoint.state, endpoint.disabled_reason),
        (EndpointState::Disabled, Some(DisabledReason::Gone))
    );
    assert!(fixture.log(&gone).await.iter().all(|one| one.state == DeliveryState::Failed));
    let notices = told(&fixture).await;
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0], (NoticeKind::WebhookDisabled, "Webhooks to 127.0.0.1 were disabled".to_owned()));
    let came = well.receiver.take();
    let disabled = came.iter().find(|one| one.kind() == "webhook_endpoint.disabled").unwrap();
    assert_eq!(disabled.message["data"]["endpoint"], gone.id.to_string());
    gone.receiver.take();
    fixture.put("B-3", "Three").await;
    fixture.later(Duration::days(1)).await;
    assert!(gone.receiver.take().is_empty());
    webhooks::enable(&fixture.context, &fixture.change(), gone.id).await.unwrap();
    assert!(told(&fixture).await.is_empty(), "it is over");
}

async fn five_days_of_failures_alone_are_enough(db: &TestDb) {
    let fixture = WebhookFixture::new(db).await;
    let shop = fixture.endpoint(&[]).await;
    shop.receiver.always(Redirect("https://elsewhere.example/"));
    for day in 0..5 {
        fixture.put("B-1", &format!("Day {day}")).await;
        for _ in 0..24 {
            fixture.later(Duration::hours(1)).await;
        }
        let expected = if day < 4 { EndpointState::Active } else { EndpointState::Disabled };
        if day < 4 {
            assert_eq!(fixture.found(&shop).await.state, expected, "day {day}");
        }
    }
    fixture.put("B-1", "The last").await;
    for _ in 0..3 {
        fixture.later(Duration::hours(1)).await;
    }
    let endpoint = fixture.found(&shop).await;
    assert_eq!(
        (endpoint.state, endpoint.disabled_reason),
        (EndpointState::Disabled, Some(DisabledReason::Failing))
    );
    assert_eq!(told(&fixture).await.len(), 1);
    // The first event was given up by itself after its ten attempts, and nothing waits any more.
    assert!(fixture.log(&shop).await.iter().all(|one| one.state == DeliveryState::Failed));
}

async fn one_success_begins_the_five_days_anew(db: &TestDb) {
    let fixture = WebhookFixture::new(db).await;
    let shop = fixture.endpoint(&[]).await;
    shop.receiver.always(Status(500));
    fixture.put("B-1", "One").await;
    for _ in 0..4 * 24 {
        fixture.later(Duration::hours(1)).await;
    }
    shop.receiver.always(None);
    fixture.put("B-1", "Two").await;
    for _ in 0..30 {
        fixture.later(Duration::hours(1)).await;
    }
    let endpoint = fixture.found(&shop).await;
    assert_eq!((endpoint.state, endpoint.health.failing_since), (EndpointState::Active, None));
    shop.receiver.always(Status(500));
    fixture.put("B-1", "Three").await;
    for _ in 0..2 * 24 {
        fixture.later(Duration::hours(1)).await;
    }
    assert_eq!(fixture.found(&shop).await.state, EndpointState::Active);
}

async fn an_address_that_is_private_by_now_is_not_called(db: &TestDb) {
    let mut fixture = WebhookFixture::new(db).await;
    let shop = fixture.endpoint(&[]).await;
    let strict = concord_providers::SsrfGuard::of("channels.allowed_hosts");
    fixture.context.webhooks =
        concord_providers::WebhookSender::new(concord_providers::WebhookLimits::default(), strict).unwrap();
    fixture.jobs = concord_jobs::dispatch::JobRunner::new(fixture.context.clone(), "second");
    fixture.put("B-1", "One").await;
    fixture.drain().await;
    assert!(shop.receiver.take().is_empty());
    let log = fixture.log(&shop).await;
    let reason = log[0].last_error.as_deref().unwrap();
    assert!(reason.contains("private address") && !reason.contains("key=private"), "{reason}");
}

concord_storage::on_both_databases!(
    gone_is_believed_at_once,
    five_days_of_failures_alone_are_enough,
    one_success_begins_the_five_days_anew,
    an_address_that_is_private_by_now_is_not_called,
);
