//! Delivers events to the webhook endpoints of businesses, signed by Standard Webhooks 1.0.0.
//!
//! One job an endpoint, one run at a time, so that a slow or dead endpoint is in nobody else's way: it gives up its worker's
//! place for as long as it waits for answers. What goes next, what follows an answer and when an endpoint is given up is decided
//! in `concord_domain::webhook`.

mod record;
mod sign;

use std::time::Duration as StdDuration;

use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ids::WebhookEndpointId,
    webhook::{Answer, EndpointState, WAVE, body, wave},
};
use concord_providers::{NoWebhookAnswer, WebhookAnswer};
use concord_storage::{
    jobs::{ClaimedJob, JobOutcome},
    webhook_deliveries::{self, ReadyDelivery},
    webhook_endpoints::{self, WebhookEndpoint},
};
use futures::future::join_all;
use secrecy::SecretString;
use tokio::time::Instant;
use url::Url;

use self::sign::signed_headers;
use crate::{
    Context,
    job::{JobError, renew_lease_for, require_business},
    worker::without_slot,
};

pub use self::record::close_notice;

/// Of these a wave is chosen: some may be about the same.
#[expect(clippy::cast_possible_truncation, reason = "sixteen")]
const CANDIDATES: u32 = 2 * WAVE as u32;

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let place = (require_business(job)?, WebhookEndpointId(job.subject_id));
    let began = Instant::now();
    loop {
        let endpoint = webhook_endpoints::find(&context.db, place.0, place.1).await?;
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.state == EndpointState::Active) else {
            return Ok(JobOutcome::Done);
        };
        let now = context.clock.now();
        if let Some(until) = endpoint.health.hold_until.filter(|until| *until > now) {
            return Ok(JobOutcome::Again(until));
        }
        let mut ready = webhook_deliveries::ready(&context.db, place, now, CANDIDATES).await?;
        let waiting: Vec<_> = ready.iter().map(ReadyDelivery::waiting).collect();
        let mut chosen = wave(&waiting, &endpoint.health, now);
        if chosen.is_empty() {
            let next = webhook_deliveries::next(&context.db, place, now).await?;
            return Ok(next.map_or(JobOutcome::Done, JobOutcome::Again));
        }
        // The later ones first, so that the places of the others stay.
        chosen.sort_unstable_by(|one, other| other.cmp(one));
        let mut sent: Vec<_> = chosen.into_iter().map(|place| ready.swap_remove(place)).collect();
        sent.sort_by_key(|delivery| delivery.position);
        let takes = Duration::from_std(context.webhooks.patience()).unwrap_or(Duration::zero());
        renew_lease_for(context, job, takes).await?;
        let attempts = send_all(context, job, &endpoint, sent).await?;
        let is_active = record::record(context, &endpoint, attempts).await?;
        if !is_active {
            return Ok(JobOutcome::Done);
        }
        if began.elapsed() >= context.settings.slice {
            return Ok(JobOutcome::Again(context.clock.now()));
        }
    }
}

/// An attempt that has ended.
struct Attempt {
    delivery: ReadyDelivery,
    began_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    took: StdDuration,
    answer: Result<WebhookAnswer, NoWebhookAnswer>,
}

impl Attempt {
    /// What is decided by.
    fn outcome(&self) -> (Answer, Option<Duration>) {
        match &self.answer {
            Ok(answer) => {
                let wait = answer.retry_after.and_then(|wait| Duration::from_std(wait).ok());
                (Answer::Status(answer.status.as_u16()), wait)
            }
            Err(_) => (Answer::None, None),
        }
    }
}

/// Sends these at once, in the order in which their answers came.
async fn send_all(
    context: &Context,
    job: &ClaimedJob,
    endpoint: &WebhookEndpoint,
    deliveries: Vec<ReadyDelivery>,
) -> Result<Vec<Attempt>, JobError> {
    let place = (endpoint.business_id, endpoint.id);
    let secrets = webhook_endpoints::secrets(&context.db, &context.ring, place, context.clock.now()).await?;
    // What the configuration no longer allows is not called: the attempt fails with the reason.
    let url =
        context.webhooks.address(&endpoint.url).map_err(|error| NoWebhookAnswer(format!("the URL {error}")));
    let (url, secrets) = (&url, secrets.as_slice());
    let calls = join_all(deliveries.into_iter().map(|delivery| send(context, url, secrets, delivery)));
    let mut attempts = without_slot(job.queue, calls).await;
    attempts.sort_by_key(|attempt| attempt.ended_at);
    Ok(attempts)
}

async fn send(
    context: &Context,
    url: &Result<Url, NoWebhookAnswer>,
    secrets: &[SecretString],
    delivery: ReadyDelivery,
) -> Attempt {
    let (began_at, began) = (context.clock.now(), Instant::now());
    let about = (delivery.kind, delivery.schema_version);
    let body = body(delivery.event_id, about, delivery.happened_at, &delivery.data);
    let headers = signed_headers(delivery.event_id, began_at, body.as_bytes(), secrets);
    let answer = match url {
        Ok(url) => context.webhooks.send(url, headers, Bytes::from(body), began_at).await,
        Err(refused) => Err(refused.clone()),
    };
    Attempt { delivery, began_at, ended_at: context.clock.now(), took: began.elapsed(), answer }
}
