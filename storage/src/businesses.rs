//! The tenants.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    customer::CustomerRules,
    ids::BusinessId,
    invitation::{InvitationMode, InvitationSettings},
    language::Language,
    privacy::EntryPrivacy,
    sync::remote_change::{RemoteChangePolicy, RemoteChangeRules},
};

use crate::{
    Db, Result, StorageError, Tx,
    column::{ZoneName, sqlx},
    connections, entries,
};

/// A tenant and its settings.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Business {
    pub id: BusinessId,
    pub name: String,
    /// In public addresses; unique in the installation.
    pub slug: String,
    /// In which its times are shown, and its stays begin and end, unless a resource has its own.
    #[sqlx(try_from = "ZoneName")]
    pub zone: Tz,
    /// What entries in connected calendars tell.
    pub entry_privacy: EntryPrivacy,
    /// Whether the entry of a cancelled booking stays, marked as cancelled, instead of going.
    pub mark_cancelled: bool,
    /// What becomes of what people do to its entries in their calendars, unless a connection has its own rules.
    #[sqlx(flatten, try_from = "RemoteChangeColumns")]
    pub outside: RemoteChangeRules,
    /// How its customers are written to.
    #[sqlx(flatten, try_from = "InvitationColumns")]
    pub invitations: InvitationSettings,
    /// What its customers may do by themselves.
    #[sqlx(flatten, try_from = "CustomerColumns")]
    pub customers: CustomerRules,
    /// Counts the changes of its settings.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What a business may change of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessSettings {
    pub name: String,
    pub zone: Tz,
    pub entry_privacy: EntryPrivacy,
    pub mark_cancelled: bool,
    pub outside: RemoteChangeRules,
    pub invitations: InvitationSettings,
    pub customers: CustomerRules,
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
            invitations: self.invitations.clone(),
            customers: self.customers,
        }
    }
}

#[derive(sqlx_macros::FromRow)]
struct RemoteChangeColumns {
    remote_moves: RemoteChangePolicy,
    remote_deletions: RemoteChangePolicy,
}

impl From<RemoteChangeColumns> for RemoteChangeRules {
    fn from(columns: RemoteChangeColumns) -> Self {
        Self { moves: columns.remote_moves, deletions: columns.remote_deletions }
    }
}

#[derive(sqlx_macros::FromRow)]
struct InvitationColumns {
    invitations: InvitationMode,
    invitation_delay_minutes: i64,
    sender_name: String,
    sender_address: String,
    reply_address: String,
    customer_language: Language,
}

impl TryFrom<InvitationColumns> for InvitationSettings {
    type Error = StorageError;

    fn try_from(columns: InvitationColumns) -> Result<Self> {
        Ok(Self {
            mode: columns.invitations,
            delay_minutes: u32::try_from(columns.invitation_delay_minutes)
                .map_err(|_| StorageError::Inconsistent { what: "business" })?,
            sender_name: columns.sender_name,
            sender_address: columns.sender_address,
            reply_address: columns.reply_address,
            language: columns.customer_language,
        })
    }
}

#[derive(sqlx_macros::FromRow)]
struct CustomerColumns {
    move_notice_hours: Option<i64>,
    cancel_notice_hours: Option<i64>,
    decline_cancels: bool,
}

impl TryFrom<CustomerColumns> for CustomerRules {
    type Error = StorageError;

    fn try_from(columns: CustomerColumns) -> Result<Self> {
        let hours = |hours: Option<i64>| {
            let hours = hours.map(u32::try_from).transpose();
            hours.map_err(|_| StorageError::Inconsistent { what: "business" })
        };
        Ok(Self {
            move_notice_hours: hours(columns.move_notice_hours)?,
            cancel_notice_hours: hours(columns.cancel_notice_hours)?,
            decline_cancels: columns.decline_cancels,
        })
    }
}

macro_rules! columns {
    () => {
        "id, name, slug, zone, entry_privacy, mark_cancelled, remote_moves, remote_deletions, revision, created_at,
         invitations, invitation_delay_minutes, sender_name, sender_address, reply_address, customer_language,
         move_notice_hours, cancel_notice_hours, decline_cancels"
    };
}

const CREATE: &str = returning!(
    "INSERT INTO businesses (id, name, slug, zone, entry_privacy, mark_cancelled, revision, created_at, remote_moves,
        remote_deletions, invitations, invitation_delay_minutes, sender_name, sender_address, reply_address,
        customer_language, move_notice_hours, cancel_notice_hours, decline_cancels)
     VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
);

/// Makes a business. `Exists`: another one has the slug.
pub async fn create(
    tx: &mut Tx,
    slug: &str,
    settings: &BusinessSettings,
    now: DateTime<Utc>,
) -> Result<Business> {
    one!(tx, CREATE;
        BusinessId::new(now), &settings.name, slug, settings.zone.name(), settings.entry_privacy,
        settings.mark_cancelled, now, settings.outside.moves, settings.outside.deletions,
        settings.invitations.mode, i64::from(settings.invitations.delay_minutes), &settings.invitations.sender_name,
        &settings.invitations.sender_address, &settings.invitations.reply_address, settings.invitations.language,
        settings.customers.move_notice_hours.map(i64::from), settings.customers.cancel_notice_hours.map(i64::from),
        settings.customers.decline_cancels
    )
}

const FIND: &str = select!("FROM businesses WHERE id = $1");

/// One business; `None` if there is none.
pub async fn find(db: &Db, id: BusinessId) -> Result<Option<Business>> {
    optional!(db, FIND, id)
}

/// The same for whoever has a transaction in hand; nothing is locked.
pub async fn find_in(tx: &mut Tx, id: BusinessId) -> Result<Option<Business>> {
    optional!(tx, FIND, id)
}

const BY_SLUG: &str = select!("FROM businesses WHERE slug = $1");

/// The business that a public address names.
pub async fn find_by_slug(db: &Db, slug: &str) -> Result<Option<Business>> {
    optional!(db, BY_SLUG, slug)
}

const LIST: &str = select!("FROM businesses ORDER BY name, id");

/// All businesses of the installation, for the command line.
pub async fn list(db: &Db) -> Result<Vec<Business>> {
    all!(db, LIST)
}

const UPDATE: &str = returning!(
    "UPDATE businesses SET name = $2, zone = $3, entry_privacy = $4, mark_cancelled = $5, remote_moves = $6,
        remote_deletions = $7, invitations = $8, invitation_delay_minutes = $9, sender_name = $10,
        sender_address = $11, reply_address = $12, customer_language = $13, move_notice_hours = $14, cancel_notice_hours = $15,
        decline_cancels = $16, revision = revision + 1
     WHERE id = $1"
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
const LOCK: &str = select!("FROM businesses WHERE id = $1 FOR NO KEY UPDATE");

/// The business, which nobody else changes until this transaction ends.
pub async fn lock(tx: &mut Tx, id: BusinessId) -> Result<Business> {
    one!(tx, either(FIND, LOCK), id)
}

/// Changes its settings; all its feeds count as changed. What calendars tell by now waits to be written again where it
/// tells more than it may from now on, also of what is over. `StaysAhead`: the zone cannot change while nights are counted
/// in it.
pub async fn update(
    tx: &mut Tx,
    id: BusinessId,
    settings: &BusinessSettings,
    now: DateTime<Utc>,
) -> Result<Business> {
    let stays_ahead: bool = scalar!(tx, HAS_FUTURE_STAYS_IN_BUSINESS_ZONE, id, settings.zone.name(), now)?;
    if stays_ahead {
        return Err(StorageError::StaysAhead);
    }
    if settings.entry_privacy.is_stricter_than(lock(tx, id).await?.entry_privacy) {
        connections::lock_targets_exclusive(tx, id).await?;
        entries::mark_all_pending(tx, id).await?;
    }
    one!(tx, UPDATE;
        id, &settings.name, settings.zone.name(), settings.entry_privacy, settings.mark_cancelled,
        settings.outside.moves, settings.outside.deletions, settings.invitations.mode,
        i64::from(settings.invitations.delay_minutes), &settings.invitations.sender_name,
        &settings.invitations.sender_address, &settings.invitations.reply_address, settings.invitations.language,
        settings.customers.move_notice_hours.map(i64::from), settings.customers.cancel_notice_hours.map(i64::from),
        settings.customers.decline_cancels
    )
}

const BUMP_REVISION: &str = "UPDATE businesses SET revision = revision + 1 WHERE id = $1";

/// All its feeds count as changed. Not for bookings: those count on their resource and staff, so that the row of the
/// business is no place where all writers meet.
pub(crate) async fn bump_revision(tx: &mut Tx, id: BusinessId) -> Result<()> {
    must_change!(tx, BUMP_REVISION, id)
}
