//! The tenants.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    ids::BusinessId,
    privacy::EntryPrivacy,
    sync::remote_change::{RemoteChangePolicy, RemoteChangeRules},
};

use crate::{Db, Open, StorageError, Tx, connections, entries, on_db};

/// A tenant and its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Business {
    /// Which.
    pub id: BusinessId,
    /// For people.
    pub name: String,
    /// In public addresses; unique in the installation.
    pub slug: String,
    /// In which its times are shown, and its stays begin and end, unless a resource has its own.
    pub zone: Tz,
    /// What entries in connected calendars tell.
    pub entry_privacy: EntryPrivacy,
    /// Whether the entry of a cancelled booking stays, marked as cancelled, instead of going.
    pub mark_cancelled: bool,
    /// What becomes of what people do to its entries in their calendars, unless a connection has its own rules.
    pub outside: RemoteChangeRules,
    /// Counts the changes of its settings.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What a business may change of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessSettings {
    /// For people.
    pub name: String,
    /// See `Business::zone`.
    pub zone: Tz,
    /// See `Business::entry_privacy`.
    pub entry_privacy: EntryPrivacy,
    /// See `Business::mark_cancelled`.
    pub mark_cancelled: bool,
    /// See `Business::outside`.
    pub outside: RemoteChangeRules,
}

impl Business {
    /// What of it can be changed, as it is.
    pub fn settings(&self) -> BusinessSettings {
        BusinessSettings {
            name: self.name.clone(),
            zone: self.zone,
            entry_privacy: self.entry_privacy,
            mark_cancelled: self.mark_cancelled,
            outside: self.outside,
        }
    }
}

#[derive(sqlx::FromRow)]
struct BusinessRow {
    id: BusinessId,
    name: String,
    slug: String,
    zone: String,
    entry_privacy: EntryPrivacy,
    mark_cancelled: bool,
    remote_moves: RemoteChangePolicy,
    remote_deletions: RemoteChangePolicy,
    revision: i64,
    created_at: DateTime<Utc>,
}

impl TryFrom<BusinessRow> for Business {
    type Error = StorageError;

    fn try_from(row: BusinessRow) -> Result<Self, StorageError> {
        Ok(Self {
            id: row.id,
            name: row.name,
            slug: row.slug,
            zone: zone_named(&row.zone)?,
            entry_privacy: row.entry_privacy,
            mark_cancelled: row.mark_cancelled,
            outside: RemoteChangeRules { moves: row.remote_moves, deletions: row.remote_deletions },
            revision: row.revision,
            created_at: row.created_at,
        })
    }
}

/// The zone that a column names.
pub(crate) fn zone_named(name: &str) -> Result<Tz, StorageError> {
    Tz::from_str(name).map_err(|_| StorageError::Inconsistent { what: "time zone" })
}

macro_rules! columns {
    () => {
        "id, name, slug, zone, entry_privacy, mark_cancelled, remote_moves, remote_deletions, revision, created_at"
    };
}

const CREATE: &str = concat!(
    "INSERT INTO businesses (id, name, slug, zone, entry_privacy, mark_cancelled, revision, created_at, remote_moves,
        remote_deletions)
     VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9) RETURNING ",
    columns!()
);

/// Makes a business. `Exists`: another one has the slug.
pub async fn create(
    tx: &mut Tx,
    slug: &str,
    settings: &BusinessSettings,
    now: DateTime<Utc>,
) -> Result<Business, StorageError> {
    let row: BusinessRow = on_db!(tx, c => sqlx::query_as(CREATE)
        .bind(BusinessId::new(now))
        .bind(&settings.name)
        .bind(slug)
        .bind(settings.zone.name())
        .bind(settings.entry_privacy)
        .bind(settings.mark_cancelled)
        .bind(now)
        .bind(settings.outside.moves)
        .bind(settings.outside.deletions)
        .fetch_one(c)
        .await)?;
    row.try_into()
}

const FIND: &str = concat!("SELECT ", columns!(), " FROM businesses WHERE id = $1");

/// One business.
pub async fn find(db: &Db, id: BusinessId) -> Result<Option<Business>, StorageError> {
    let row: Option<BusinessRow> = on_db!(db, c => sqlx::query_as(FIND).bind(id).fetch_optional(c).await)?;
    row.map(Business::try_from).transpose()
}

/// The same for whoever has a transaction in hand; nothing is locked.
pub async fn find_in(tx: &mut Tx, id: BusinessId) -> Result<Option<Business>, StorageError> {
    let row: Option<BusinessRow> = on_db!(tx, c => sqlx::query_as(FIND).bind(id).fetch_optional(c).await)?;
    row.map(Business::try_from).transpose()
}

const BY_SLUG: &str = concat!("SELECT ", columns!(), " FROM businesses WHERE slug = $1");

/// The business that a public address names.
pub async fn find_by_slug(db: &Db, slug: &str) -> Result<Option<Business>, StorageError> {
    let row: Option<BusinessRow> =
        on_db!(db, c => sqlx::query_as(BY_SLUG).bind(slug).fetch_optional(c).await)?;
    row.map(Business::try_from).transpose()
}

const LIST: &str = concat!("SELECT ", columns!(), " FROM businesses ORDER BY name, id");

/// All businesses of the installation, for the command line.
pub async fn list(db: &Db) -> Result<Vec<Business>, StorageError> {
    let rows: Vec<BusinessRow> = on_db!(db, c => sqlx::query_as(LIST).fetch_all(c).await)?;
    rows.into_iter().map(Business::try_from).collect()
}

const UPDATE: &str = concat!(
    "UPDATE businesses SET name = $2, zone = $3, entry_privacy = $4, mark_cancelled = $5, remote_moves = $6,
        remote_deletions = $7, revision = revision + 1
     WHERE id = $1 RETURNING ",
    columns!()
);

/// Whether the zone would become another one while stays are counted in its nights.
const HAS_FUTURE_STAYS_IN_BUSINESS_ZONE: &str = "
    SELECT EXISTS (
        SELECT 1 FROM bookings b
        JOIN resources r ON r.id = b.resource_id AND r.zone IS NULL
        JOIN businesses h ON h.id = b.business_id AND h.zone <> $2
        WHERE b.business_id = $1 AND b.check_in IS NOT NULL AND b.ends_at > $3
          AND b.status NOT IN ('cancelled', 'no_show'))";

/// Another change of the settings waits: each compares with the one before it.
const LOCK: &str = concat!("SELECT ", columns!(), " FROM businesses WHERE id = $1 FOR NO KEY UPDATE");

/// The business, which nobody else changes until this transaction ends.
pub async fn lock(tx: &mut Tx, id: BusinessId) -> Result<Business, StorageError> {
    let row: BusinessRow = match tx.open() {
        Open::Sqlite(c) => sqlx::query_as(FIND).bind(id).fetch_one(c).await?,
        Open::Postgres(c) => sqlx::query_as(LOCK).bind(id).fetch_one(c).await?,
    };
    row.try_into()
}

/// Changes its settings; all its feeds count as changed. What calendars tell by now waits to be written again where it
/// tells more than it may from now on, also of what is over. `StaysAhead`: the zone cannot change while nights are counted
/// in it.
pub async fn update(
    tx: &mut Tx,
    id: BusinessId,
    settings: &BusinessSettings,
    now: DateTime<Utc>,
) -> Result<Business, StorageError> {
    let stays_ahead: bool = on_db!(tx, c => sqlx::query_scalar(HAS_FUTURE_STAYS_IN_BUSINESS_ZONE)
        .bind(id)
        .bind(settings.zone.name())
        .bind(now)
        .fetch_one(c)
        .await)?;
    if stays_ahead {
        return Err(StorageError::StaysAhead);
    }
    if settings.entry_privacy.is_stricter_than(lock(tx, id).await?.entry_privacy) {
        connections::lock_targets_exclusive(tx, id).await?;
        entries::mark_all_pending(tx, id).await?;
    }
    let row: BusinessRow = on_db!(tx, c => sqlx::query_as(UPDATE)
        .bind(id)
        .bind(&settings.name)
        .bind(settings.zone.name())
        .bind(settings.entry_privacy)
        .bind(settings.mark_cancelled)
        .bind(settings.outside.moves)
        .bind(settings.outside.deletions)
        .fetch_one(c)
        .await)?;
    row.try_into()
}

const BUMP_REVISION: &str = "UPDATE businesses SET revision = revision + 1 WHERE id = $1";

/// All its feeds count as changed. Not for bookings: those count on their resource and staff, so that the row of the
/// business is no place where all writers meet.
pub(crate) async fn bump_revision(tx: &mut Tx, id: BusinessId) -> Result<(), StorageError> {
    let changed = on_db!(tx, c => sqlx::query(BUMP_REVISION)
        .bind(id)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if changed == 0 { Err(StorageError::NotFound) } else { Ok(()) }
}
