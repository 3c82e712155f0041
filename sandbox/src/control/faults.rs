//! Faults and quotas on demand.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{ControlBody, ControlError, ControlQuery, party};
use crate::app::SandboxApp;
use crate::faults::{ActiveFault, FaultKind, FaultTarget};
use crate::google::GoogleQuotaLimits;
use crate::microsoft::GraphThrottleLimits;
use crate::provider::Provider;

/// The delay of a `latency_ms` that names none, in milliseconds.
const LATENCY_MS: u64 = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFaultBody {
    provider: String,
    kind: FaultKind,
    probability: Option<f64>,
    #[serde(default)]
    count: FaultCount,
    #[serde(default)]
    skip: u64,
    /// Of the booking platforms, a listing.
    account: Option<String>,
    /// Milliseconds of `latency_ms`, by whose name it may go too; the status of `status`.
    #[serde(alias = "latency_ms")]
    value: Option<u64>,
}

/// How many times: a `null` that was written is something else than a member that was not.
#[derive(Default)]
enum FaultCount {
    #[default]
    Unsaid,
    UntilDeleted,
    Times(u64),
}

impl<'de> Deserialize<'de> for FaultCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer)
            .map(|count| count.map_or(FaultCount::UntilDeleted, FaultCount::Times))
    }
}

/// Puts a fault of a provider in force. Without a `count` it stays until it is deleted, but for `revoke_grant`, which hits once:
/// a person takes a consent back once, and the next consent is a new one.
pub(super) async fn add(
    State(app): State<Arc<SandboxApp>>,
    ControlBody(new): ControlBody<NewFaultBody>,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let party = party(&new.provider)?;
    let probability = new.probability.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&probability) {
        return Err(ControlError::bad("probability goes from 0 to 1"));
    }
    if let Some(account) = &new.account
        && !is_known_account(&app, party, account)
    {
        return Err(ControlError::not_found(format!("there is no account {account}")));
    }
    let count = match new.count {
        FaultCount::Times(times) => Some(times),
        FaultCount::Unsaid if new.kind == FaultKind::RevokeGrant => Some(1),
        FaultCount::Unsaid | FaultCount::UntilDeleted => None,
    };
    let fault = app.server.faults.add(ActiveFault {
        probability,
        count,
        skip: new.skip,
        account: new.account,
        value: new.value.or((new.kind == FaultKind::LatencyMs).then_some(LATENCY_MS)),
        ..ActiveFault::of(party, new.kind)
    });
    Ok((StatusCode::CREATED, Json(json!(fault))))
}

/// Whether there is such an account; a mailbox has them all.
fn is_known_account(app: &SandboxApp, party: FaultTarget, account: &str) -> bool {
    match party.provider() {
        Some(provider) => app.store(provider).accounts.contains_key(account),
        None => party != FaultTarget::Ota || app.ota.find(account).is_some(),
    }
}

/// The faults in force and how often they have hit.
pub(super) async fn list(State(app): State<Arc<SandboxApp>>) -> Json<Value> {
    Json(json!(app.server.faults.list()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultsQuery {
    provider: Option<String>,
    account: Option<String>,
}

/// Ends all faults, or those of `provider`, or those that are for `account` alone.
pub(super) async fn clear(
    State(app): State<Arc<SandboxApp>>,
    ControlQuery(of): ControlQuery<FaultsQuery>,
) -> Result<StatusCode, ControlError> {
    app.server.faults.clear(of.provider.as_deref().map(party).transpose()?, of.account.as_deref());
    Ok(StatusCode::NO_CONTENT)
}

/// A provider's limits; what is not named gets the provider's own figure.
#[derive(Deserialize)]
#[serde(tag = "provider", rename_all = "snake_case")]
pub(super) enum QuotasBody {
    Google(GoogleQuotaLimits),
    Microsoft(GraphThrottleLimits),
}

/// Sets quotas. What was spent is forgotten. Answers with the quotas in force.
pub(super) async fn set_quotas(
    State(app): State<Arc<SandboxApp>>,
    ControlBody(new): ControlBody<QuotasBody>,
) -> Json<Value> {
    match new {
        QuotasBody::Google(limits) => app.google.limits().set(limits),
        QuotasBody::Microsoft(limits) => app.microsoft.limits().set(limits),
    }
    Json(json!({
        Provider::Google.as_str(): app.google.limits().limits(),
        Provider::Microsoft.as_str(): app.microsoft.limits().limits(),
    }))
}
