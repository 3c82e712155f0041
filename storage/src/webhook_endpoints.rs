//! Webhook endpoints: addresses of other systems to which events are delivered.

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{BusinessId, WebhookEndpointId},
    webhook::{DisabledReason, EndpointHealth, EndpointSettings, EndpointState, EventType},
};
use secrecy::SecretString;

use crate::{
    Db, Result, Tx,
    seal::{AssociatedData, Keyring},
};

/// An endpoint, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEndpoint {
    pub id: WebhookEndpointId,
    pub business_id: BusinessId,
    pub url: String,
    pub settings: EndpointSettings,
    pub state: EndpointState,
    /// `None` while it is active.
    pub disabled_reason: Option<DisabledReason>,
    pub disabled_at: Option<DateTime<Utc>>,
    /// Until when messages are signed with the secret before, too.
    pub former_secret_until: Option<DateTime<Utc>>,
    /// How it has answered lately.
    pub health: EndpointHealth,
    pub last_success_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

#[derive(sqlx_macros::FromRow)]
struct EndpointRow {
    id: WebhookEndpointId,
    business_id: BusinessId,
    url: String,
    description: String,
    event_types: String,
    state: EndpointState,
    disabled_reason: Option<DisabledReason>,
    disabled_at: Option<DateTime<Utc>>,
    former_secret_until: Option<DateTime<Utc>>,
    failures: i64,
    failing_since: Option<DateTime<Utc>>,
    last_failure_at: Option<DateTime<Utc>>,
    hold_until: Option<DateTime<Utc>>,
    last_success_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<EndpointRow> for WebhookEndpoint {
    fn from(row: EndpointRow) -> Self {
        // A type that a later version knew is passed over.
        let known = |name: &str| name.parse::<EventType>().ok();
        let event_types = row.event_types.split_ascii_whitespace().filter_map(known).collect();
        Self {
            id: row.id,
            business_id: row.business_id,
            url: row.url,
            settings: EndpointSettings { description: row.description, event_types },
            state: row.state,
            disabled_reason: row.disabled_reason,
            disabled_at: row.disabled_at,
            former_secret_until: row.former_secret_until,
            health: EndpointHealth {
                failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
                failing_since: row.failing_since,
                last_failure_at: row.last_failure_at,
                hold_until: row.hold_until,
            },
            last_success_at: row.last_success_at,
            created_at: row.created_at,
        }
    }
}

fn event_types(settings: &EndpointSettings) -> String {
    let names: Vec<&str> = settings.event_types.iter().map(|kind| kind.as_str()).collect();
    names.join(" ")
}

fn place(id: WebhookEndpointId) -> AssociatedData {
    AssociatedData { column: "webhook_endpoints.secret", row: id.0 }
}

macro_rules! columns {
    () => {
        "id, business_id, url, description, event_types, state, disabled_reason, disabled_at, former_secret_until, failures,
         failing_since, last_failure_at, hold_until, last_success_at, created_at"
    };
}

const CREATE: &str = returning!(
    "INSERT INTO webhook_endpoints (id, business_id, url, description, event_types, state, secret, created_at)
     VALUES ($1, $2, $3, $4, $5, 'active', $6, $7)"
);

/// Adds an endpoint. The secret comes from `secret::new_signing_secret` and is shown once.
pub async fn create(
    tx: &mut Tx,
    ring: &Keyring,
    business: BusinessId,
    (url, settings): (&str, &EndpointSettings),
    secret: &SecretString,
    now: DateTime<Utc>,
) -> Result<WebhookEndpoint> {
    let id = WebhookEndpointId::new(now);
    let row: EndpointRow = one!(tx, CREATE;
        id, business, url, &settings.description, event_types(settings), ring.seal(secret, place(id)), now
    )?;
    Ok(row.into())
}

const LIST: &str = select!("FROM webhook_endpoints WHERE business_id = $1 ORDER BY created_at, id");

/// All endpoints of a business, the oldest first.
pub async fn list(db: &Db, business: BusinessId) -> Result<Vec<WebhookEndpoint>> {
    let rows: Vec<EndpointRow> = all!(db, LIST, business)?;
    Ok(rows.into_iter().map(WebhookEndpoint::from).collect())
}

const FIND: &str = select!("FROM webhook_endpoints WHERE business_id = $1 AND id = $2");
const FIND_LOCKED: &str =
    select!("FROM webhook_endpoints WHERE business_id = $1 AND id = $2 FOR NO KEY UPDATE");

/// One endpoint of a business.
pub async fn find(db: &Db, business: BusinessId, id: WebhookEndpointId) -> Result<Option<WebhookEndpoint>> {
    let row: Option<EndpointRow> = optional!(db, FIND, business, id)?;
    Ok(row.map(WebhookEndpoint::from))
}

/// The same, locked until the end of the transaction.
pub async fn lock(
    tx: &mut Tx,
    business: BusinessId,
    id: WebhookEndpointId,
) -> Result<Option<WebhookEndpoint>> {
    let row: Option<EndpointRow> = optional!(tx, either(FIND, FIND_LOCKED), business, id)?;
    Ok(row.map(WebhookEndpoint::from))
}

const COUNT: &str = "SELECT COUNT(*) FROM webhook_endpoints WHERE business_id = $1";

/// How many a business has.
pub async fn count(tx: &mut Tx, business: BusinessId) -> Result<i64> {
    scalar!(tx, COUNT, business)
}

const UPDATE: &str = "
    UPDATE webhook_endpoints SET url = $3, description = $4, event_types = $5 WHERE business_id = $1 AND id = $2";

/// Changes where it is, and what it hears of.
pub async fn update(
    tx: &mut Tx,
    (business, id): (BusinessId, WebhookEndpointId),
    url: &str,
    settings: &EndpointSettings,
) -> Result<()> {
    must_change!(tx, UPDATE, business, id, url, &settings.description, event_types(settings))
}

const DISABLE: &str = "
    UPDATE webhook_endpoints SET state = 'disabled', disabled_reason = $3, disabled_at = $4
    WHERE business_id = $1 AND id = $2 AND state = 'active'";

/// Nothing is delivered to it any more. `false`: it is disabled already, or not there.
pub async fn disable(
    tx: &mut Tx,
    (business, id): (BusinessId, WebhookEndpointId),
    reason: DisabledReason,
    now: DateTime<Utc>,
) -> Result<bool> {
    Ok(changed!(tx, DISABLE, business, id, reason, now)? == 1)
}

const ENABLE: &str = "
    UPDATE webhook_endpoints SET state = 'active', disabled_reason = NULL, disabled_at = NULL, failures = 0,
        failing_since = NULL, last_failure_at = NULL, hold_until = NULL
    WHERE business_id = $1 AND id = $2 AND state = 'disabled'";

/// What happens from now on is delivered to it again, as if it had never failed. `false`: it is active already, or not there.
pub async fn enable(tx: &mut Tx, business: BusinessId, id: WebhookEndpointId) -> Result<bool> {
    Ok(changed!(tx, ENABLE, business, id)? == 1)
}

const DELETE: &str = "DELETE FROM webhook_endpoints WHERE business_id = $1 AND id = $2";

/// Forgets it, and what was delivered to it.
pub async fn delete(tx: &mut Tx, business: BusinessId, id: WebhookEndpointId) -> Result<()> {
    must_change!(tx, DELETE, business, id)
}

const ROTATE: &str = "
    UPDATE webhook_endpoints SET former_secret = secret, former_secret_until = $4, secret = $3
    WHERE business_id = $1 AND id = $2";

/// Signs with `secret` from now on, and until then with the one before, too.
pub async fn rotate(
    tx: &mut Tx,
    ring: &Keyring,
    (business, id): (BusinessId, WebhookEndpointId),
    secret: &SecretString,
    former_until: DateTime<Utc>,
) -> Result<()> {
    must_change!(tx, ROTATE, business, id, ring.seal(secret, place(id)), former_until)
}

const SECRETS: &str = "
    SELECT secret, CASE WHEN former_secret_until > $3 THEN former_secret END
    FROM webhook_endpoints WHERE business_id = $1 AND id = $2";

/// The secrets to sign with now, the current one first. `NotFound`: there is no such endpoint.
pub async fn secrets(
    db: &Db,
    ring: &Keyring,
    (business, id): (BusinessId, WebhookEndpointId),
    now: DateTime<Utc>,
) -> Result<Vec<SecretString>> {
    let (current, former): (String, Option<String>) = one!(db, SECRETS, business, id, now)?;
    std::iter::once(current).chain(former).map(|sealed| ring.open(&sealed, place(id))).collect()
}

const RECORD_HEALTH: &str = "
    UPDATE webhook_endpoints SET failures = $3, failing_since = $4, last_failure_at = $5, hold_until = $6,
        last_success_at = COALESCE($7, last_success_at)
    WHERE business_id = $1 AND id = $2 AND state = 'active'";

/// Notes how it has answered; `success_at`: when it took something, if it did.
pub async fn record_health(
    tx: &mut Tx,
    (business, id): (BusinessId, WebhookEndpointId),
    health: &EndpointHealth,
    success_at: Option<DateTime<Utc>>,
) -> Result<()> {
    exec!(tx, RECORD_HEALTH;
        business, id, i64::from(health.failures), health.failing_since, health.last_failure_at,
        health.hold_until, success_at
    )
}

const SEALED: &str = "SELECT id, secret, former_secret FROM webhook_endpoints";
const SEAL_SECRET: &str = "UPDATE webhook_endpoints SET secret = $3 WHERE id = $1 AND secret = $2";
const SEAL_FORMER: &str =
    "UPDATE webhook_endpoints SET former_secret = $3 WHERE id = $1 AND former_secret = $2";

/// Seals again, with the current key, what another one has sealed. Returns how many secrets those were.
pub async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<u64> {
    let rows: Vec<(WebhookEndpointId, String, Option<String>)> = all!(tx, SEALED)?;
    let mut sealed = 0;
    for (id, secret, former) in rows {
        for (old, text) in [(Some(secret), SEAL_SECRET), (former, SEAL_FORMER)] {
            let Some(old) = old else { continue };
            let Some(new) = ring.reseal(&old, place(id))? else { continue };
            exec!(tx, dynamic(text), id, &old, &new)?;
            sealed += 1;
        }
    }
    Ok(sealed)
}
