//! Agreements with providers to be told of a calendar's changes.
//!
//! The word that a notification proves itself with is stored as its digest. A notification comes without a login and
//! names a channel, so that is looked up by its id alone; what it may change is what that row says.

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::ProviderKind,
    ids::{BusinessId, CalendarId, ConnectionId, PushSubscriptionId},
    push::PushState,
};

use crate::{Db, Result, Tx, calendars::Calendar};

/// A provider's subscription to the changes of a calendar.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct PushSubscription {
    /// Which; providers are told this id.
    pub id: PushSubscriptionId,
    pub business_id: BusinessId,
    /// Of whose changes it tells.
    pub calendar_id: CalendarId,
    pub connection_id: ConnectionId,
    pub provider: ProviderKind,
    /// Where the provider was asked to send notifications.
    pub address: String,
    pub state: PushState,
    /// The provider's name for it, once it has answered.
    pub remote_id: Option<String>,
    /// The provider's name for what it watches, where it has one.
    pub resource_id: Option<String>,
    /// When it is renewed, or asked for again if it was refused.
    pub due_at: Option<DateTime<Utc>>,
    /// When the provider ends it.
    pub expires_at: Option<DateTime<Utc>>,
    /// How often it was refused in a row.
    pub refusals: i64,
    /// Why it was refused or is over, for people.
    pub last_error: Option<String>,
    /// Notifications that enqueued an import.
    pub heard: i64,
    /// When the last of them came.
    pub last_notified_at: Option<DateTime<Utc>>,
}

macro_rules! columns {
    () => {
        "id, business_id, calendar_id, connection_id, provider, address, state, remote_id, resource_id,
    due_at, expires_at, refusals, last_error, heard, last_notified_at"
    };
}

const BEGIN: &str = "
    INSERT INTO push_subscriptions (id, business_id, calendar_id, connection_id, provider, address, secret_digest, state,
        refusals, heard, changed_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 'opening', 0, 0, $8, $8)";

/// Writes down that a channel is about to be asked for: notifications may come before the answer does.
pub async fn begin(
    tx: &mut Tx,
    calendar: &Calendar,
    provider: ProviderKind,
    (address, secret_digest): (&str, &str),
    now: DateTime<Utc>,
) -> Result<PushSubscriptionId> {
    let id = PushSubscriptionId::new(now);
    exec!(tx, BEGIN;
        id, calendar.business_id, calendar.id, calendar.connection_id, provider, address, secret_digest,
        now
    )?;
    Ok(id)
}

/// What a provider has agreed to.
#[derive(Clone, Copy, Debug)]
pub struct AgreedSubscription<'a> {
    /// The provider's name for the channel.
    pub remote_id: &'a str,
    /// The provider's name for what it watches, where it has one.
    pub resource_id: Option<&'a str>,
    pub expires_at: DateTime<Utc>,
    /// When it is renewed.
    pub due_at: DateTime<Utc>,
}

const RECORD_OPENED: &str = "
    UPDATE push_subscriptions SET state = 'open', remote_id = $2, resource_id = $3, expires_at = $4, due_at = $5,
        refusals = 0, last_error = NULL, changed_at = $6
    WHERE id = $1 AND state IN ('opening', 'open')";

/// The provider has opened it, or given it a later end.
pub async fn opened(
    tx: &mut Tx,
    id: PushSubscriptionId,
    agreed: &AgreedSubscription<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, RECORD_OPENED, id, agreed.remote_id, agreed.resource_id, agreed.expires_at, agreed.due_at, now)
}

const RECORD_REFUSED: &str = "
    UPDATE push_subscriptions SET state = 'refused', refusals = $2, last_error = $3, due_at = $4, changed_at = $5
    WHERE id = $1";

/// The provider does not want to, the `refusals`-th time in a row; it is asked again at `due_at`.
pub async fn refused(
    tx: &mut Tx,
    id: PushSubscriptionId,
    (refusals, reason): (i64, &str),
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, RECORD_REFUSED, id, refusals, reason, due_at, now)
}

const RECORD_CLOSED: &str = "
    UPDATE push_subscriptions SET state = 'closed', last_error = $2, changed_at = $3 WHERE id = $1 AND state <> 'closed'";

/// It is over; `why` if that was nobody's wish.
pub async fn closed(
    tx: &mut Tx,
    id: PushSubscriptionId,
    why: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, RECORD_CLOSED, id, why, now)
}

const RENEW_SOON: &str = "UPDATE push_subscriptions SET due_at = $2 WHERE id = $1 AND state = 'open'";

/// It must be renewed at once.
pub async fn renew_soon(tx: &mut Tx, id: PushSubscriptionId, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, RENEW_SOON, id, now)
}

const RENEW_ALL: &str = "
    UPDATE push_subscriptions SET due_at = $3
    WHERE business_id = $1 AND connection_id = $2 AND state IN ('open', 'refused')";

/// All of a connection must be renewed or asked for again: they stood on a consent that another has taken the place of.
pub async fn renew_all(
    tx: &mut Tx,
    business: BusinessId,
    connection: ConnectionId,
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, RENEW_ALL, business, connection, now)
}

const OF_CALENDAR: &str = select!(
    "FROM push_subscriptions WHERE business_id = $1 AND calendar_id = $2 AND state <> 'closed' ORDER BY id"
);

/// The channels of a calendar that are not over.
pub async fn of_calendar(
    db: &Db,
    business: BusinessId,
    calendar: CalendarId,
) -> Result<Vec<PushSubscription>> {
    all!(db, OF_CALENDAR, business, calendar)
}

const OF_CONNECTION: &str = select!(
    "FROM push_subscriptions WHERE business_id = $1 AND connection_id = $2 AND state <> 'closed' ORDER BY id"
);

/// The channels of a connection that are not over.
pub async fn of_connection(
    db: &Db,
    business: BusinessId,
    connection: ConnectionId,
) -> Result<Vec<PushSubscription>> {
    all!(db, OF_CONNECTION, business, connection)
}

/// What is needed to judge a notification, and whether what follows from it is going to happen anyhow.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct NotificationTarget {
    #[sqlx(flatten)]
    pub subscription: PushSubscription,
    /// SHA-256 of the secret that it must bring.
    pub secret_digest: String,
    /// The highest number that enqueued an import.
    pub last_message_number: Option<i64>,
    /// When the calendar's import is due; `None`: not until it is enqueued.
    pub import_due_at: Option<DateTime<Utc>>,
    /// When it last began.
    pub import_began_at: Option<DateTime<Utc>>,
    /// Whether somebody has it in hand.
    pub import_in_hand: bool,
    /// Whether it was enqueued since, so that it begins once more.
    pub import_enqueued_again: bool,
    /// Whether it failed and is to be tried again.
    pub import_failed: bool,
}

const FIND_TARGET: &str = "
    SELECT p.id, p.business_id, p.calendar_id, p.connection_id, p.provider, p.address, p.state, p.remote_id,
        p.resource_id, p.due_at, p.expires_at, p.refusals, p.last_error, p.heard, p.last_notified_at, p.secret_digest,
        p.last_message_number, d.due_at AS import_due_at, d.started_at AS import_began_at,
        COALESCE(d.leased_by, '') <> '' AS import_in_hand,
        d.leased_by IS NOT NULL AND d.attempts = 0 AS import_enqueued_again, d.last_error IS NOT NULL AS import_failed
    FROM push_subscriptions p LEFT JOIN jobs d ON d.kind = 'import_availability' AND d.subject_id = p.calendar_id
    WHERE p.id = $1";

/// A channel that a notification names, with how its calendar's import stands.
pub async fn listen(db: &Db, id: PushSubscriptionId) -> Result<Option<NotificationTarget>> {
    optional!(db, FIND_TARGET, id)
}

const RECORD_NOTIFICATION: &str = "
    UPDATE push_subscriptions SET heard = heard + 1, last_notified_at = $3,
        last_message_number = CASE WHEN last_message_number > $2 THEN last_message_number ELSE COALESCE($2, last_message_number) END
    WHERE id = $1";

/// A notification has enqueued an import.
pub async fn heard(
    tx: &mut Tx,
    id: PushSubscriptionId,
    number: Option<i64>,
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, RECORD_NOTIFICATION, id, number, now)
}

const LIST_UNSUBSCRIBED: &str = "
    SELECT k.business_id, k.id FROM calendars k JOIN connections c ON c.id = k.connection_id
    WHERE (c.state = 'active' AND c.direction <> 'out' AND k.reads AND k.missing_since IS NULL AND $1 <> ''
        AND NOT EXISTS (SELECT 1 FROM push_subscriptions p
                        WHERE p.calendar_id = k.id AND p.state IN ('open', 'refused') AND p.address LIKE $1 || '%'))
      OR EXISTS (SELECT 1 FROM push_subscriptions p
                 WHERE p.calendar_id = k.id AND p.state = 'open' AND ($1 = '' OR p.address NOT LIKE $1 || '%'))
    ORDER BY k.id";

/// The calendars of whose changes nobody tells, or not to an address below `base`; without a base, those of whose changes
/// somebody tells all the same.
pub async fn astray(db: &Db, base: Option<&str>) -> Result<Vec<(BusinessId, CalendarId)>> {
    let base = base.unwrap_or_default();
    all!(db, LIST_UNSUBSCRIBED, base)
}

/// How many channels there are at a provider in a state.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct PushSubscriptionCount {
    pub provider: ProviderKind,
    pub state: PushState,
    pub count: i64,
}

const COUNTS: &str = "
    SELECT provider, state, COUNT(*) AS count FROM push_subscriptions WHERE state <> 'closed' GROUP BY provider, state";

/// How many there are of each provider and state that are not over, for the metrics.
pub async fn counts(db: &Db) -> Result<Vec<PushSubscriptionCount>> {
    all!(db, COUNTS)
}
