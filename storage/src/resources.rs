//! What can be booked.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
pub use concord_domain::settings::ResourceSettings;
use concord_domain::{
    ids::{BusinessId, ResourceId},
    interval::Interval,
    occupancy::SubjectKind,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Db, Page, PageRequest, Result, StorageError, Tx, businesses,
    column::{ZoneName, sqlx},
    events,
    occupancy::{self, OccupancySubject},
};

/// A room, a machine, a chair.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Resource {
    pub id: ResourceId,
    pub business_id: BusinessId,
    pub name: String,
    /// Where it stands; `None`: in the business's zone.
    #[sqlx(try_from = "ZoneName<Option<Tz>>")]
    pub zone: Option<Tz>,
    /// How many units of it can be booked at one time, 1 to 1000.
    #[sqlx(try_from = "i64")]
    pub capacity: u32,
    /// Minutes that it is taken before a booking.
    #[sqlx(try_from = "i64")]
    pub buffer_before_minutes: u32,
    /// Minutes that it is taken after a booking.
    #[sqlx(try_from = "i64")]
    pub buffer_after_minutes: u32,
    /// Counts the changes of it and of what occupies it.
    pub revision: i64,
    /// Since when it can no longer be booked.
    pub archived_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Resource {
    /// What a business has chosen of it, as it is.
    pub fn settings(&self) -> ResourceSettings {
        ResourceSettings {
            name: self.name.clone(),
            zone: self.zone,
            capacity: self.capacity,
            buffer_before_minutes: self.buffer_before_minutes,
            buffer_after_minutes: self.buffer_after_minutes,
        }
    }

    /// What the history says of it, whoever changed it: by a page as by the API.
    pub fn for_history(&self) -> Value {
        json!({
            "name": self.name,
            "zone": self.zone.map(Tz::name),
            "capacity": self.capacity,
            "buffer_before_minutes": self.buffer_before_minutes,
            "buffer_after_minutes": self.buffer_after_minutes,
        })
    }
}

macro_rules! columns {
    () => {
        "id, business_id, name, zone, capacity, buffer_before_minutes, buffer_after_minutes, revision, archived_at,
         created_at"
    };
}

const CREATE: &str = returning!(
    "INSERT INTO resources (id, business_id, name, zone, capacity, buffer_before_minutes, buffer_after_minutes,
         revision, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8)"
);

/// Adds a resource and its units.
pub async fn create(
    tx: &mut Tx,
    business: BusinessId,
    settings: &ResourceSettings,
    now: DateTime<Utc>,
) -> Result<Resource> {
    one!(tx, CREATE;
        ResourceId::new(now), business, &settings.name, settings.zone.map(Tz::name),
        i64::from(settings.capacity), i64::from(settings.buffer_before_minutes),
        i64::from(settings.buffer_after_minutes), now
    )
}

const FIND: &str = select!("FROM resources WHERE business_id = $1 AND id = $2");

/// One resource, archived or not.
pub async fn find(db: &Db, business: BusinessId, id: ResourceId) -> Result<Option<Resource>> {
    optional!(db, FIND, business, id)
}

/// The same for whoever has a transaction in hand; nothing is locked.
pub async fn find_in(tx: &mut Tx, business: BusinessId, id: ResourceId) -> Result<Option<Resource>> {
    optional!(tx, FIND, business, id)
}

const LIST: &str = select!(
    "FROM resources WHERE business_id = $1 AND archived_at IS NULL AND (name, id) > ($2, $3)
     ORDER BY name, id LIMIT $4"
);

/// Those that can be booked, by name.
pub async fn list(db: &Db, business: BusinessId, ask: &PageRequest) -> Result<Page<Resource>> {
    let (name, id) = ask.after_key::<(String, Uuid)>()?.unwrap_or_default();
    let resources = all!(db, LIST, business, name, id, ask.fetch())?;
    Ok(Page::cut(resources, ask, |last: &Resource| (last.name.clone(), last.id.0)))
}

const LIST_ARCHIVED: &str =
    select!("FROM resources WHERE business_id = $1 AND archived_at IS NOT NULL ORDER BY name, id");

/// Those that can no longer be booked, by name.
pub async fn list_archived(db: &Db, business: BusinessId) -> Result<Vec<Resource>> {
    all!(db, LIST_ARCHIVED, business)
}

const LOCK: &str =
    returning!("UPDATE resources SET revision = revision + 1 WHERE business_id = $1 AND id = $2");

/// Locks the row until the end of the transaction, and counts the change that is about to be made: whoever changes
/// what occupies a resource goes through here, one after the other. `NotFound` without such a resource.
pub async fn lock(tx: &mut Tx, business: BusinessId, id: ResourceId) -> Result<Resource> {
    one!(tx, LOCK, business, id)
}

const CAPACITY: &str = "SELECT capacity FROM resources WHERE business_id = $1 AND id = $2";

/// How many units it has; for whoever knows it as the subject of an occupancy and holds its lock.
pub async fn capacity(tx: &mut Tx, business: BusinessId, id: Uuid) -> Result<u32> {
    let capacity: i64 = scalar!(tx, CAPACITY, business, id)?;
    u32::try_from(capacity).map_err(|_| StorageError::Inconsistent { what: "capacity" })
}

/// The feeds of the resource count as changed.
pub async fn bump_revision(tx: &mut Tx, business: BusinessId, id: ResourceId) -> Result<()> {
    lock(tx, business, id).await.map(drop)
}

/// Facts from outside that found no unit may find one when there are more: those of the last weeks, and all to come.
const WHAT_WAITED: Duration = Duration::days(31);
const WHAT_WAITS: Duration = Duration::days(36_500);

const HAS_FUTURE_STAYS: &str = "
    SELECT EXISTS (SELECT 1 FROM bookings WHERE business_id = $1 AND resource_id = $2 AND check_in IS NOT NULL
                     AND ends_at > $3 AND status NOT IN ('cancelled', 'no_show'))";
const HIGHEST_UNIT: &str = "
    SELECT MAX(unit) FROM occupancy WHERE business_id = $1 AND subject_id = $2 AND unit IS NOT NULL AND ends_at > $3";
const UPDATE: &str = returning!(
    "UPDATE resources SET name = $3, zone = $4, capacity = $5, buffer_before_minutes = $6, buffer_after_minutes = $7
     WHERE business_id = $1 AND id = $2"
);

/// Changes a resource. `UnitsTaken`: what has not ended does not fit on the new number of units. `StaysAhead`: the zone
/// cannot change while nights are counted in it.
/// Buffers count for bookings that are made or moved from now on. With more units, facts that found none are allocated.
pub async fn update(
    tx: &mut Tx,
    business: BusinessId,
    id: ResourceId,
    settings: &ResourceSettings,
    now: DateTime<Utc>,
) -> Result<Resource> {
    let before = lock(tx, business, id).await?;
    if settings.zone != before.zone && scalar!(tx, HAS_FUTURE_STAYS, business, id, now)? {
        return Err(StorageError::StaysAhead);
    }
    let subject = OccupancySubject { kind: SubjectKind::Resource, id: id.0, capacity: settings.capacity };
    if settings.capacity < before.capacity && !occupancy::fit(tx, business, subject, now).await? {
        let highest: Option<i64> = scalar!(tx, HIGHEST_UNIT, business, id, now)?;
        return Err(StorageError::UnitsTaken { highest: highest.unwrap_or_default() });
    }
    if settings.capacity > before.capacity {
        let ahead = Interval { start: now - WHAT_WAITED, end: now + WHAT_WAITS };
        for booking in occupancy::reallocate(tx, business, subject, ahead).await?.bookings {
            // The sweep brings what delivers it.
            events::publish_conflict(tx, (business, booking), false, now).await?;
        }
    }
    if settings.name != before.name || settings.zone != before.zone {
        // The feeds of staff tell them too.
        businesses::bump_revision(tx, business).await?;
    }
    one!(tx, UPDATE;
        business, id, &settings.name, settings.zone.map(Tz::name), i64::from(settings.capacity),
        i64::from(settings.buffer_before_minutes), i64::from(settings.buffer_after_minutes)
    )
}

const SET_ARCHIVED: &str = returning!(
    "UPDATE resources SET archived_at = CASE WHEN $3 IS NOT NULL THEN COALESCE(archived_at, $3) END,
         revision = revision + 1
     WHERE business_id = $1 AND id = $2"
);

/// It can no longer be booked since then, what is booked stays; or it can be booked again (`None`).
pub async fn set_archived(
    tx: &mut Tx,
    business: BusinessId,
    id: ResourceId,
    since: Option<DateTime<Utc>>,
) -> Result<Resource> {
    one!(tx, SET_ARCHIVED, business, id, since)
}
