//! What came of attempts is written down: of the deliveries, of their endpoint, and for people where it is given up.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    audit::HistorySubject,
    ids::{BusinessId, WebhookEndpointId},
    notice::NoticeKind,
    people::Actor,
    webhook::{
        DeliveryState, DisabledReason, EndpointState, EndpointUpdate, Event, NextStep,
        WebhookEndpointPayload, after_attempt, host_of,
    },
};
use concord_storage::{
    StorageError, Tx,
    alerts::{self, NewFailure},
    events, history,
    jobs::JobRef,
    notices,
    webhook_deliveries::{self, RecordedAttempt},
    webhook_endpoints::{self, WebhookEndpoint},
};
use serde_json::json;

use super::Attempt;
use crate::{
    Context,
    job::{JobError, jitter_of},
    language::{NOTICE_LANGUAGE, TextKey, text},
    notify::{
        NoticeContent,
        alerts::{end, webhook_of},
    },
};

/// Writes down what came of these attempts. Returns whether the endpoint is still active.
pub(super) async fn record(
    context: &Context,
    endpoint: &WebhookEndpoint,
    attempts: Vec<Attempt>,
) -> Result<bool, JobError> {
    let (place, now) = ((endpoint.business_id, endpoint.id), context.clock.now());
    let mut update = EndpointUpdate { health: endpoint.health, has_recovered: false, disable: None };
    let mut success_at = None;
    let mut recorded = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        let outcome = attempt.outcome();
        if outcome.0.is_success() {
            success_at = Some(attempt.ended_at);
        }
        let next = update.health.after(outcome, attempt.ended_at);
        update = EndpointUpdate {
            health: next.health,
            has_recovered: update.has_recovered || next.has_recovered,
            disable: update.disable.or(next.disable),
        };
        recorded.push(recorded_attempt(attempt));
    }
    // What was taken, and is forgotten with the machine, is sent again under the same id. That an endpoint is given up people are
    // told of.
    let mut tx = match update.disable {
        None => context.db.begin_async_commit().await?,
        Some(_) => context.db.begin().await?,
    };
    // The endpoint before its deliveries, as whoever has them sent again does: neither waits for the other.
    let present = webhook_endpoints::lock(&mut tx, place.0, place.1).await?;
    for attempt in &recorded {
        webhook_deliveries::record(&mut tx, place, attempt, now).await?;
    }
    // It was deleted or disabled while this was on its way: nothing fails any more.
    if present.is_none_or(|present| present.state != EndpointState::Active) {
        tx.commit().await?;
        return Ok(false);
    }
    // An endpoint that is well and stays so is not written each time.
    let is_noted = endpoint.last_success_at.is_some_and(|last| now - last <= SEEN_INTERVAL);
    let is_news = update.health != endpoint.health || !is_noted;
    if is_news {
        webhook_endpoints::record_health(&mut tx, place, &update.health, success_at).await?;
    }
    if is_news {
        let reason = recorded.last().map(reason).unwrap_or_default();
        note_health(&mut tx, context, endpoint, &update, &reason).await?;
    }
    if update.has_recovered {
        webhook_deliveries::reschedule_waiting(&mut tx, place, now).await?;
    }
    let enqueued = match update.disable {
        Some(reason) => disable(&mut tx, context, endpoint, reason, now).await?,
        None => Vec::new(),
    };
    context.commit(tx, &enqueued).await?;
    Ok(update.disable.is_none())
}

fn disabled_key(endpoint: WebhookEndpointId) -> String {
    format!("webhook_disabled:{endpoint}")
}

/// An endpoint is active again, or is no more: nobody need be told that it was disabled.
pub async fn close_notice(
    tx: &mut Tx,
    context: &Context,
    (business, endpoint): (BusinessId, WebhookEndpointId),
) -> Result<(), StorageError> {
    let now = context.clock.now();
    notices::close(tx, business, &disabled_key(endpoint), now).await?;
    end(tx, webhook_of(business, endpoint), now).await
}

fn host(endpoint: &WebhookEndpoint) -> String {
    host_of(&endpoint.url).unwrap_or_default()
}

/// What an attempt came to, in a few words.
fn reason(attempt: &RecordedAttempt) -> String {
    match (&attempt.error, attempt.status) {
        (Some(error), _) => error.clone(),
        (None, Some(status)) => format!("the endpoint answered {status}"),
        (None, None) => String::new(),
    }
}

/// What people hear of an endpoint that goes on failing, or works again. `reason`: what the last attempt came to.
async fn note_health(
    tx: &mut Tx,
    context: &Context,
    endpoint: &WebhookEndpoint,
    update: &EndpointUpdate,
    reason: &str,
) -> Result<(), StorageError> {
    let (subject, now) = (webhook_of(endpoint.business_id, endpoint.id), context.clock.now());
    if update.health.failing_since.is_none() {
        return alerts::note_healthy(tx, subject, now).await.map(drop);
    }
    let failure = NewFailure {
        subject,
        staff: None,
        headline: &text(NOTICE_LANGUAGE, TextKey::WebhookFailsHeadline, [("host", host(endpoint).into())]),
        cause: &text(NOTICE_LANGUAGE, TextKey::WebhookFailsDetail, [("reason", reason.into())]),
        link: &format!("/settings/webhooks/{}", endpoint.id),
    };
    alerts::note_failure(tx, &failure, now).await.map(drop)
}

/// So often it is noted that an endpoint that is well has taken something.
const SEEN_INTERVAL: Duration = Duration::minutes(1);

fn recorded_attempt(attempt: Attempt) -> RecordedAttempt {
    let number = u32::try_from(attempt.delivery.attempts).unwrap_or(u32::MAX).saturating_add(1);
    let jitter = jitter_of(attempt.delivery.event_id.0, number);
    let (state, due_at) = match after_attempt(number, attempt.outcome(), attempt.ended_at, jitter) {
        NextStep::Delivered => (DeliveryState::Delivered, None),
        NextStep::RetryAt(at) => (DeliveryState::Waiting, Some(at)),
        NextStep::GiveUp => (DeliveryState::Failed, None),
    };
    let (status, answer, error) = match attempt.answer {
        Ok(answer) => (Some(i64::from(answer.status.as_u16())), Some(answer.excerpt), None),
        Err(none) => (None, None, Some(none.0)),
    };
    RecordedAttempt {
        event: attempt.delivery.event_id,
        state,
        due_at,
        began_at: attempt.began_at,
        status,
        answer,
        error,
        duration_ms: i64::try_from(attempt.took.as_millis()).unwrap_or(i64::MAX),
    }
}

/// Gives an endpoint up: nothing waits for it any more, the managers are told, and so are the other endpoints.
async fn disable(
    tx: &mut Tx,
    context: &Context,
    endpoint: &WebhookEndpoint,
    reason: DisabledReason,
    now: DateTime<Utc>,
) -> Result<Vec<JobRef>, StorageError> {
    let place = (endpoint.business_id, endpoint.id);
    if !webhook_endpoints::disable(tx, place, reason, now).await? {
        return Ok(Vec::new());
    }
    webhook_deliveries::fail_waiting(tx, place, "the endpoint was disabled").await?;
    tracing::warn!(endpoint = %endpoint.id, %reason, "a webhook endpoint was disabled");
    let line = history::NewHistoryEntry {
        business: endpoint.business_id,
        actor: &Actor::System,
        action: "disabled",
        subject_kind: HistorySubject::WebhookEndpoint,
        subject: endpoint.id.0,
        detail: &json!({ "reason": reason }),
    };
    history::append(tx, &line, now).await?;
    let key = match reason {
        DisabledReason::Gone => TextKey::WebhookGoneDetail,
        DisabledReason::Failing | DisabledReason::ByHand => TextKey::WebhookFailingDetail,
    };
    let content = NoticeContent {
        kind: NoticeKind::WebhookDisabled,
        subject: (HistorySubject::WebhookEndpoint, endpoint.id.0),
        headline: text(NOTICE_LANGUAGE, TextKey::WebhookDisabledHeadline, [("host", host(endpoint).into())]),
        detail: text(NOTICE_LANGUAGE, key, []),
        link: format!("/settings/webhooks/{}", endpoint.id),
        dedupe_key: disabled_key(endpoint.id),
        alert: None,
    };
    content.raise_to_managers(tx, context, endpoint.business_id).await?;
    // What is not delivered to any more does not fail.
    end(tx, webhook_of(endpoint.business_id, endpoint.id), now).await?;
    let payload = WebhookEndpointPayload {
        endpoint: endpoint.id,
        // The whole address may be a secret between us and whoever set it up.
        host: host(endpoint),
        reason: reason.label().to_owned(),
    };
    events::publish(tx, endpoint.business_id, &Event::endpoint_disabled(&payload), now).await
}
