//! Staff members' accounts at calendar providers. Their sealed tokens are in `tokens`, the right to write and to refresh
//! in `leases`, their readings are counted in `readings`; where their owners live in `home`, where their calendars are in `server`, how far what stands in their calendars is from what should in `drift`.

mod drift;
mod home_zone;
mod leases;
mod read_number;
mod server;
mod target_lock;
mod tokens;

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::{ConnectionState, Coverage, Direction, ProviderKind},
    ids::{BusinessId, ConnectionId, StaffId},
    sync::remote_change::RemoteChangePolicy,
};
use secrecy::SecretString;

pub(crate) use self::target_lock::{covers, lock_targets_exclusive, lock_targets_shared};
pub use self::{
    drift::{DriftFigures, DriftTotal, drift_totals, list_never_compared, record_drift},
    home_zone::home_zone,
    leases::{
        acquire_refresh_lease, release_all_refresh_leases, release_refresh_lease,
        release_refresh_leases_of_process,
    },
    read_number::begin_reading,
    server::{CalendarServer, find_server, set_server},
    tokens::{StoredTokens, delete_tokens, grant_died, rotate_keys, store_tokens, tokens, unopened},
};
use crate::{Db, Result, Tx, seal::Keyring};

/// A connection, without its tokens.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct Connection {
    pub id: ConnectionId,
    pub business_id: BusinessId,
    pub staff_id: StaffId,
    pub provider: ProviderKind,
    /// The provider's id of the account.
    pub account_subject: String,
    pub account_email: String,
    /// Whether it is served.
    pub state: ConnectionState,
    /// Which way facts flow.
    pub direction: Direction,
    /// Which bookings it gets.
    pub coverage: Coverage,
    /// Whether new bookings of its staff member go here.
    pub is_default: bool,
    /// Whether its entries go when it is disconnected.
    pub remove_entries: bool,
    /// What becomes of entries that are moved, resized or renamed remote_change; `None`: as the business has it.
    pub remote_moves: Option<RemoteChangePolicy>,
    /// What becomes of entries that are deleted or brought back remote_change; `None`: as the business has it.
    pub remote_deletions: Option<RemoteChangePolicy>,
    /// What the last full compare of its calendars found.
    #[sqlx(flatten)]
    pub drift: DriftFigures,
    /// The last success of any kind.
    pub last_sync_at: Option<DateTime<Utc>>,
    /// The last failure since, for people.
    pub last_error: Option<String>,
    /// When `state` last changed.
    pub state_changed_at: DateTime<Utc>,
    /// When it was first connected.
    pub created_at: DateTime<Utc>,
}

/// What a consent brought.
#[derive(Debug)]
pub struct ConnectionTokens {
    pub access: SecretString,
    pub access_expires_at: DateTime<Utc>,
    /// For new access tokens; providers leave it out when the old one still holds.
    pub refresh: Option<SecretString>,
}

/// A consent that was given.
#[derive(Debug)]
pub struct NewConnection {
    pub business: BusinessId,
    pub staff: StaffId,
    pub provider: ProviderKind,
    /// The provider's id of the account.
    pub account_subject: String,
    pub account_email: String,
    /// What the consent brought.
    pub tokens: ConnectionTokens,
}

macro_rules! columns {
    () => {
        "id, business_id, staff_id, provider, account_subject, account_email, state, direction, coverage,
         is_default, remove_entries, remote_moves, remote_deletions, drift_checked_at, drift_matching, drift_missing,
         drift_extra, drift_different, drift_quarantined_since, last_sync_at, last_error, state_changed_at, created_at"
    };
}

const UPSERT: &str = "
    INSERT INTO connections (id, business_id, staff_id, provider, account_subject, account_email, state, direction,
        coverage, is_default, remove_entries, grant_number, state_changed_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, 'active', 'both', 'assigned',
        NOT EXISTS (SELECT 1 FROM connections WHERE staff_id = $3 AND is_default AND state <> 'disconnected'),
        FALSE, 1, $7, $7)
    ON CONFLICT (business_id, staff_id, provider, account_subject) DO UPDATE SET
        account_email = excluded.account_email,
        state = 'active',
        is_default = connections.is_default OR excluded.is_default,
        remove_entries = FALSE,
        grant_number = connections.grant_number + 1,
        last_error = NULL,
        state_changed_at = excluded.state_changed_at
    RETURNING id";

/// Stores a consent. The same account of the same person is adopted with its calendars and entries, so that nothing is
/// written twice. The first connection of a person becomes their default.
pub async fn adopt(
    tx: &mut Tx,
    ring: &Keyring,
    new: &NewConnection,
    now: DateTime<Utc>,
) -> Result<ConnectionId> {
    lock_targets_exclusive(tx, new.business).await?;
    let id: ConnectionId = scalar!(tx, UPSERT;
        ConnectionId::new(now), new.business, new.staff, new.provider, &new.account_subject,
        &new.account_email, now
    )?;
    tokens::store_grant(tx, ring, id, &new.tokens).await?;
    Ok(id)
}

const IS_ACCOUNT_SHARED: &str = "
    SELECT EXISTS (
        SELECT 1 FROM connections mine JOIN connections other
            ON other.provider = mine.provider AND other.account_subject = mine.account_subject
        WHERE mine.business_id = $1 AND mine.id = $2 AND other.id <> mine.id AND other.state <> 'disconnected')";

/// Whether the same account is connected a second time, by whomever: then its grant must not be ended at the provider,
/// because that ends all that the installation may do with the account.
pub async fn is_account_shared(db: &Db, business: BusinessId, id: ConnectionId) -> Result<bool> {
    scalar!(db, IS_ACCOUNT_SHARED, business, id)
}

const FIND: &str = select!("FROM connections WHERE business_id = $1 AND id = $2");

/// One connection of the business.
pub async fn find(db: &Db, business: BusinessId, id: ConnectionId) -> Result<Option<Connection>> {
    optional!(db, FIND, business, id)
}

/// The same for whoever has a transaction in hand; nothing is locked.
pub async fn find_in(tx: &mut Tx, business: BusinessId, id: ConnectionId) -> Result<Option<Connection>> {
    optional!(tx, FIND, business, id)
}

const LIST: &str =
    select!("FROM connections WHERE business_id = $1 AND state <> 'disconnected' ORDER BY created_at, id");
const LIST_OF_STAFF: &str = select!(
    "FROM connections WHERE business_id = $1 AND staff_id = $2 AND state <> 'disconnected' ORDER BY created_at, id"
);

/// The connections of a business that are not over.
pub async fn list(db: &Db, business: BusinessId) -> Result<Vec<Connection>> {
    all!(db, LIST, business)
}

/// The connections of one staff member that are not over.
pub async fn of_staff(db: &Db, business: BusinessId, staff: StaffId) -> Result<Vec<Connection>> {
    all!(db, LIST_OF_STAFF, business, staff)
}

const ACTIVE: &str =
    "SELECT id FROM connections WHERE business_id = $1 AND state = 'active' ORDER BY created_at, id";

/// The connections of a business that are served, for whoever changes what is written to all of them: until the end of
/// the transaction none comes or goes.
pub async fn active(tx: &mut Tx, business: BusinessId) -> Result<Vec<ConnectionId>> {
    lock_targets_shared(tx, business).await?;
    scalars!(tx, ACTIVE, business)
}

const ACTIVE_OF_STAFF: &str = "
    SELECT id FROM connections WHERE business_id = $1 AND staff_id = $2 AND state = 'active' ORDER BY created_at, id";

/// The same of one person, for whoever changes which bookings suit them: until the end of the transaction no booking is
/// targeted.
pub async fn list_active_of_staff(
    tx: &mut Tx,
    business: BusinessId,
    staff: StaffId,
) -> Result<Vec<ConnectionId>> {
    lock_targets_exclusive(tx, business).await?;
    scalars!(tx, ACTIVE_OF_STAFF, business, staff)
}

/// Whose a connection is, in words.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct ConnectionOwner {
    pub staff_id: StaffId,
    pub staff_name: String,
    /// The account's address at the provider.
    pub account_email: String,
}

const OWNER: &str = "
    SELECT c.staff_id, s.name AS staff_name, c.account_email
    FROM connections c JOIN staff s ON s.id = c.staff_id WHERE c.business_id = $1 AND c.id = $2";

/// Whose connection it is.
pub async fn owner(tx: &mut Tx, business: BusinessId, id: ConnectionId) -> Result<Option<ConnectionOwner>> {
    optional!(tx, OWNER, business, id)
}

/// What a person changes of a connection. What is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectionSettings {
    /// Which way facts flow.
    pub direction: Option<Direction>,
    /// Which bookings it gets.
    pub coverage: Option<Coverage>,
}

const SET_SETTINGS: &str = returning!(
    "
    UPDATE connections SET direction = COALESCE($3, direction), coverage = COALESCE($4, coverage)
    WHERE business_id = $1 AND id = $2 AND state <> 'disconnected'"
);

/// Changes direction and coverage. Returns the connection as it is then. `NotFound`: it is over, too.
pub async fn set_settings(
    tx: &mut Tx,
    business: BusinessId,
    id: ConnectionId,
    settings: ConnectionSettings,
) -> Result<Connection> {
    lock_targets_exclusive(tx, business).await?;
    one!(tx, SET_SETTINGS, business, id, settings.direction, settings.coverage)
}

const SET_REMOTE_CHANGE_RULES: &str = "
    UPDATE connections SET remote_moves = $3, remote_deletions = $4
    WHERE business_id = $1 AND id = $2 AND state <> 'disconnected'";

/// What becomes of what its person does to entries of ours: moves, and deletions; `None`: as the business has it.
pub async fn set_remote_change_rules(
    tx: &mut Tx,
    business: BusinessId,
    id: ConnectionId,
    (moves, deletions): (Option<RemoteChangePolicy>, Option<RemoteChangePolicy>),
) -> Result<()> {
    must_change!(tx, SET_REMOTE_CHANGE_RULES, business, id, moves, deletions)
}

const CLEAR_DEFAULT: &str = "
    UPDATE connections SET is_default = FALSE
    WHERE business_id = $1 AND staff_id = (SELECT staff_id FROM connections WHERE business_id = $1 AND id = $2)";
const SET_DEFAULT: &str = "
    UPDATE connections SET is_default = TRUE
    WHERE business_id = $1 AND id = $2 AND state <> 'disconnected'";

/// Makes it the one to which its staff member's new bookings go; those that exist stay where they are.
pub async fn set_default(tx: &mut Tx, business: BusinessId, id: ConnectionId) -> Result<()> {
    lock_targets_exclusive(tx, business).await?;
    exec!(tx, CLEAR_DEFAULT, business, id)?;
    must_change!(tx, SET_DEFAULT, business, id)
}

const NEXT_DEFAULT: &str = "
    UPDATE connections SET is_default = TRUE
    WHERE business_id = $1 AND id = (
        SELECT c.id FROM connections c
        WHERE c.business_id = $1 AND c.staff_id = $2 AND c.state <> 'disconnected'
          AND NOT EXISTS (SELECT 1 FROM connections d
                          WHERE d.staff_id = $2 AND d.is_default AND d.state <> 'disconnected')
        ORDER BY c.created_at, c.id LIMIT 1)";

/// Gives a staff member who has no default connection, but another one, a default: the oldest that they have.
pub async fn ensure_default(tx: &mut Tx, business: BusinessId, staff: StaffId) -> Result<()> {
    lock_targets_exclusive(tx, business).await?;
    exec!(tx, NEXT_DEFAULT, business, staff)
}

const SET_STATE: &str = "
    UPDATE connections SET state = $3, last_error = $4, state_changed_at = $5,
        is_default = is_default AND $3 <> 'disconnected'
    WHERE business_id = $1 AND id = $2 AND state <> $3 AND NOT ($3 = 'needs_reconnect' AND state = 'disconnected')";

/// Changes the state. `false`: it was in that state already, so whoever is told of the change is told once. What a
/// person has disconnected cannot come to need a reconnection.
pub async fn set_state(
    tx: &mut Tx,
    business: BusinessId,
    id: ConnectionId,
    state: ConnectionState,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool> {
    lock_targets_exclusive(tx, business).await?;
    Ok(changed!(tx, SET_STATE, business, id, state, reason, now)? == 1)
}

const TRANSITION_STATE: &str = "
    UPDATE connections SET state = $4, last_error = NULL, state_changed_at = $5
    WHERE business_id = $1 AND id = $2 AND state = $3
    RETURNING direction";

/// Changes the state, if it is what the person thought. Returns which way facts flow; `None`: it is another by now.
pub async fn move_state(
    tx: &mut Tx,
    (business, id): (BusinessId, ConnectionId),
    (from, to): (ConnectionState, ConnectionState),
    now: DateTime<Utc>,
) -> Result<Option<Direction>> {
    optional_scalar!(tx, TRANSITION_STATE, business, id, from, to, now)
}

const SET_REMOVE_ENTRIES: &str =
    "UPDATE connections SET remove_entries = $3 WHERE business_id = $1 AND id = $2";

/// Whether the entries go when it is disconnected.
pub async fn set_remove_entries(
    tx: &mut Tx,
    business: BusinessId,
    id: ConnectionId,
    remove: bool,
) -> Result<()> {
    must_change!(tx, SET_REMOVE_ENTRIES, business, id, remove)
}

const NOTE_SUCCESS: &str = "UPDATE connections SET last_sync_at = $2 WHERE id = $1 AND last_error IS NULL";
const NOTE_RECOVERY: &str = "
    UPDATE connections SET last_sync_at = $2, last_error = NULL WHERE id = $1 AND last_error IS NOT NULL";
const NOTE_FAILURE: &str = "UPDATE connections SET last_error = $2 WHERE id = $1";

/// Notes a success. `true`: the first one after failures.
pub async fn note_success(tx: &mut Tx, id: ConnectionId, now: DateTime<Utc>) -> Result<bool> {
    Ok(!note_synced(tx, id, now).await? && record_sync(tx, NOTE_RECOVERY, id, now).await?)
}

/// Notes that it was synced. `false`: the last that was tried has failed, and nothing is noted.
pub async fn note_synced(tx: &mut Tx, id: ConnectionId, now: DateTime<Utc>) -> Result<bool> {
    record_sync(tx, NOTE_SUCCESS, id, now).await
}

async fn record_sync(tx: &mut Tx, text: &'static str, id: ConnectionId, now: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, dynamic(text), id, now)? == 1)
}

/// Notes a failure, in words for people.
pub async fn note_failure(tx: &mut Tx, id: ConnectionId, reason: &str) -> Result<()> {
    exec!(tx, NOTE_FAILURE, id, reason)
}
