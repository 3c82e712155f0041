//! Webhook endpoints: made, changed, given a new secret, tested, and sent again what they missed. A secret is shown once:
//! whoever makes one gives it to the caller, in whose transaction it is made, so that a page can keep it for the next page.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::FieldError,
    ids::{EventId, WebhookEndpointId},
    settings::FieldErrors,
    webhook::{DisabledReason, EndpointSettings, EndpointState, Event, EventType, MAX_ENDPOINTS, host_of},
};
use concord_jobs::{Context, webhooks::close_notice};
use concord_storage::{
    ChangeContext, StorageError, Tx, events, secret, webhook_deliveries,
    webhook_endpoints::{self as store, WebhookEndpoint},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{ServiceError, error::OrNotFound, history};

/// For so long messages are signed with the secret before, too.
pub const ROTATION: Duration = Duration::hours(24);
/// For so long events are kept, and can be sent again.
pub const KEPT_FOR: Duration = Duration::days(30);

/// What is not found.
const WHAT: &str = "webhook endpoint";

/// Why nothing was done about an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// What is wrong with what was entered.
    #[error("{}", .0.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<StorageError> for EndpointError {
    fn from(error: StorageError) -> Self {
        Self::Service(error.into())
    }
}

/// What a business enters of an endpoint.
#[derive(Clone, Debug)]
pub struct EndpointDraft {
    pub url: String,
    pub settings: EndpointSettings,
}

/// The same as it is stored.
fn check(context: &Context, mut draft: EndpointDraft) -> Result<(String, EndpointSettings), EndpointError> {
    let mut faults = FieldErrors::default();
    draft.settings.check(&mut faults);
    let url = context.webhooks.address(&draft.url).map_err(|error| faults.add("url", error.to_string()));
    faults.into_result().map_err(EndpointError::Invalid)?;
    Ok((url.map_or(draft.url, String::from), draft.settings))
}

/// What the history says of an endpoint: an address may hold a secret behind its host.
fn for_history(endpoint: &WebhookEndpoint) -> Value {
    json!({ "host": host_of(&endpoint.url), "description": endpoint.settings.description })
}

/// Adds an endpoint, which hears of what happens from now on.
pub async fn create(
    tx: &mut Tx,
    context: &Context,
    by: &ChangeContext,
    draft: EndpointDraft,
) -> Result<(WebhookEndpoint, SecretString), EndpointError> {
    let (url, settings) = check(context, draft)?;
    if store::count(tx, by.business).await? >= i64::try_from(MAX_ENDPOINTS).unwrap_or(i64::MAX) {
        let reason = format!("a business can have at most {MAX_ENDPOINTS} webhook endpoints");
        return Err(ServiceError::NotPossible(reason).into());
    }
    let secret = secret::new_signing_secret();
    let endpoint = store::create(tx, &context.ring, by.business, (&url, &settings), &secret, by.now).await?;
    history::record(tx, by, "created", endpoint.id, &for_history(&endpoint)).await?;
    Ok((endpoint, secret))
}

async fn lock(
    tx: &mut Tx,
    by: &ChangeContext,
    id: WebhookEndpointId,
) -> Result<WebhookEndpoint, ServiceError> {
    store::lock(tx, by.business, id).await?.or_not_found(WHAT)
}

/// An endpoint of the business.
pub async fn find(
    context: &Context,
    by: &ChangeContext,
    id: WebhookEndpointId,
) -> Result<WebhookEndpoint, ServiceError> {
    store::find(&context.db, by.business, id).await?.or_not_found(WHAT)
}

/// What changes of an endpoint; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct EndpointChange {
    pub url: Option<String>,
    pub description: Option<String>,
    /// Empty: the endpoint hears of all.
    pub event_types: Option<Vec<EventType>>,
}

/// Changes where an endpoint is and what it hears of. What waits goes to the new address.
pub async fn change(
    context: &Context,
    by: &ChangeContext,
    id: WebhookEndpointId,
    change: EndpointChange,
) -> Result<WebhookEndpoint, EndpointError> {
    let mut tx = context.db.begin().await?;
    let before = lock(&mut tx, by, id).await?;
    // An address that stays is not judged anew: who allows it less today may still change the rest.
    let has_new_url = change.url.as_ref().is_some_and(|url| *url != before.url);
    let settings = EndpointSettings {
        description: change.description.unwrap_or_else(|| before.settings.description.clone()),
        event_types: change.event_types.unwrap_or_else(|| before.settings.event_types.clone()),
    };
    let draft = EndpointDraft { url: change.url.unwrap_or_else(|| before.url.clone()), settings };
    let (url, settings) = if has_new_url {
        check(context, draft)?
    } else {
        let (mut settings, mut faults) = (draft.settings, FieldErrors::default());
        settings.check(&mut faults);
        faults.into_result().map_err(EndpointError::Invalid)?;
        (before.url.clone(), settings)
    };
    if (&url, &settings) == (&before.url, &before.settings) {
        return Ok(before);
    }
    store::update(&mut tx, (by.business, id), &url, &settings).await?;
    let after = WebhookEndpoint { url, settings, ..before };
    history::record(&mut tx, by, "changed", id, &for_history(&after)).await?;
    tx.commit().await?;
    Ok(after)
}

/// Delivers nothing any more, and forgets what waits.
pub async fn disable(
    context: &Context,
    by: &ChangeContext,
    id: WebhookEndpointId,
) -> Result<WebhookEndpoint, ServiceError> {
    let mut tx = context.db.begin().await?;
    let before = lock(&mut tx, by, id).await?;
    let place = (by.business, id);
    if store::disable(&mut tx, place, DisabledReason::ByHand, by.now).await? {
        webhook_deliveries::fail_waiting(&mut tx, place, "the endpoint was disabled").await?;
        // What is not delivered to any more does not fail.
        close_notice(&mut tx, context, place).await?;
        history::record(&mut tx, by, "disabled", id, &for_history(&before)).await?;
        tx.commit().await?;
    } else {
        drop(tx);
    }
    find(context, by, id).await
}

/// Delivers what happens from now on; what was missed can be sent again.
pub async fn enable(
    context: &Context,
    by: &ChangeContext,
    id: WebhookEndpointId,
) -> Result<WebhookEndpoint, ServiceError> {
    let mut tx = context.db.begin().await?;
    let before = lock(&mut tx, by, id).await?;
    if store::enable(&mut tx, by.business, id).await? {
        close_notice(&mut tx, context, (by.business, id)).await?;
        history::record(&mut tx, by, "enabled", id, &for_history(&before)).await?;
        tx.commit().await?;
    } else {
        drop(tx);
    }
    find(context, by, id).await
}

/// Forgets an endpoint and what was delivered to it.
pub async fn delete(
    context: &Context,
    by: &ChangeContext,
    id: WebhookEndpointId,
) -> Result<(), ServiceError> {
    let mut tx = context.db.begin().await?;
    let before = lock(&mut tx, by, id).await?;
    store::delete(&mut tx, by.business, id).await?;
    close_notice(&mut tx, context, (by.business, id)).await?;
    history::record(&mut tx, by, "deleted", id, &for_history(&before)).await?;
    Ok(tx.commit().await?)
}

/// Makes a new secret; for [`ROTATION`] messages are signed with the one before, too.
pub async fn rotate(
    tx: &mut Tx,
    context: &Context,
    by: &ChangeContext,
    id: WebhookEndpointId,
) -> Result<(WebhookEndpoint, SecretString), ServiceError> {
    let before = lock(tx, by, id).await?;
    let (secret, until) = (secret::new_signing_secret(), by.now + ROTATION);
    store::rotate(tx, &context.ring, (by.business, id), &secret, until).await?;
    history::record(tx, by, "rotated", id, &for_history(&before)).await?;
    Ok((WebhookEndpoint { former_secret_until: Some(until), ..before }, secret))
}

fn require_active(endpoint: &WebhookEndpoint) -> Result<(), ServiceError> {
    match endpoint.state {
        EndpointState::Active => Ok(()),
        EndpointState::Disabled => {
            Err(ServiceError::NotPossible("the endpoint is disabled; enable it first".into()))
        }
    }
}

/// Sends a test to an endpoint, whatever it hears of. Returns the event's id.
pub async fn test(
    context: &Context,
    by: &ChangeContext,
    id: WebhookEndpointId,
) -> Result<EventId, ServiceError> {
    let mut tx = context.db.begin().await?;
    let endpoint = lock(&mut tx, by, id).await?;
    require_active(&endpoint)?;
    history::record(&mut tx, by, "tested", id, &for_history(&endpoint)).await?;
    let place = (by.business, id);
    let (event, job) = events::publish_to(&mut tx, place, &Event::test(id), by.now).await?;
    context.commit(tx, &[job]).await?;
    Ok(event)
}

/// Sends one event to an endpoint once more, whatever came of it.
pub async fn resend(
    context: &Context,
    by: &ChangeContext,
    id: WebhookEndpointId,
    event: EventId,
) -> Result<(), ServiceError> {
    let mut tx = context.db.begin().await?;
    let endpoint = lock(&mut tx, by, id).await?;
    require_active(&endpoint)?;
    let place = (by.business, id);
    let job = webhook_deliveries::resend(&mut tx, place, event, by.now).await.or_not_found("delivery")?;
    history::record(&mut tx, by, "resent", id, &json!({ "event": event })).await?;
    Ok(context.commit(tx, &[job]).await?)
}

/// Sends all events since that instant once more that an endpoint hears of: those that it has not taken, or `all` of them.
/// Returns how many.
pub async fn resend_since(
    context: &Context,
    by: &ChangeContext,
    id: WebhookEndpointId,
    (since, all): (DateTime<Utc>, bool),
) -> Result<u64, EndpointError> {
    if since > by.now {
        return Err(EndpointError::Invalid(vec![FieldError::new("since", "is in the future")]));
    }
    if since < by.now - KEPT_FOR {
        let message = format!("is too long ago: events are kept for {} days", KEPT_FOR.num_days());
        return Err(EndpointError::Invalid(vec![FieldError::new("since", message)]));
    }
    let mut tx = context.db.begin().await?;
    let endpoint = lock(&mut tx, by, id).await?;
    require_active(&endpoint)?;
    let place = (by.business, id);
    let (sent, job) = webhook_deliveries::resend_since(&mut tx, place, (since, all), by.now).await?;
    history::record(&mut tx, by, "resent", id, &json!({ "since": since, "all": all })).await?;
    context.commit(tx, &[job]).await?;
    Ok(sent)
}
