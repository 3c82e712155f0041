//! Staff, who do the work and may connect calendars.

use chrono::{DateTime, Utc};
pub use concord_domain::settings::StaffSettings;
use concord_domain::{
    ids::{BusinessId, StaffId},
    people::Trade,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Db, Page, PageRequest, Result, Tx};

/// A person who does the work.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Staff {
    pub id: StaffId,
    pub business_id: BusinessId,
    pub name: String,
    pub email: String,
    /// Which bookings suit them.
    pub trade: Trade,
    /// Counts the changes of them and of what they do.
    pub revision: i64,
    /// Since when they no longer work here.
    pub archived_at: Option<DateTime<Utc>>,
    /// When they were entered.
    pub created_at: DateTime<Utc>,
}

impl Staff {
    /// What is entered of them, as it is.
    pub fn settings(&self) -> StaffSettings {
        StaffSettings { name: self.name.clone(), email: self.email.clone(), trade: self.trade }
    }

    /// What the history says of it, whoever changed it: by a page as by the API.
    pub fn for_history(&self) -> Value {
        json!({ "name": self.name, "email": self.email, "trade": self.trade })
    }
}

macro_rules! columns {
    () => {
        "id, business_id, name, email, trade, revision, archived_at, created_at"
    };
}

const CREATE_STAFF: &str = returning!(
    "INSERT INTO staff (id, business_id, name, email, trade, revision, created_at)
     VALUES ($1, $2, $3, $4, $5, 1, $6)"
);

/// Enters a staff member.
pub async fn create_staff(
    tx: &mut Tx,
    business: BusinessId,
    settings: &StaffSettings,
    now: DateTime<Utc>,
) -> Result<Staff> {
    one!(tx, CREATE_STAFF, StaffId::new(now), business, &settings.name, &settings.email, settings.trade, now)
}

const FIND_STAFF: &str = select!("FROM staff WHERE business_id = $1 AND id = $2");

/// One staff member, archived or not.
pub async fn find_staff(db: &Db, business: BusinessId, id: StaffId) -> Result<Option<Staff>> {
    optional!(db, FIND_STAFF, business, id)
}

const LIST_STAFF: &str = select!(
    "FROM staff WHERE business_id = $1 AND archived_at IS NULL AND (name, id) > ($2, $3)
     ORDER BY name, id LIMIT $4"
);

/// Those who work here, by name.
pub async fn list_staff(db: &Db, business: BusinessId, ask: &PageRequest) -> Result<Page<Staff>> {
    let (name, id) = ask.after_key::<(String, Uuid)>()?.unwrap_or_default();
    let rows = all!(db, LIST_STAFF, business, name, id, ask.fetch())?;
    Ok(Page::cut(rows, ask, |last: &Staff| (last.name.clone(), last.id.0)))
}

const LIST_ARCHIVED_STAFF: &str =
    select!("FROM staff WHERE business_id = $1 AND archived_at IS NOT NULL ORDER BY name, id");

/// Those who no longer work here, by name.
pub async fn list_archived_staff(db: &Db, business: BusinessId) -> Result<Vec<Staff>> {
    all!(db, LIST_ARCHIVED_STAFF, business)
}

const UPDATE_STAFF: &str = returning!(
    "UPDATE staff SET name = $3, email = $4, trade = $5, revision = revision + 1
     WHERE business_id = $1 AND id = $2"
);

/// Changes what is entered of a staff member.
pub async fn update_staff(
    tx: &mut Tx,
    business: BusinessId,
    id: StaffId,
    settings: &StaffSettings,
) -> Result<Staff> {
    one!(tx, UPDATE_STAFF, business, id, &settings.name, &settings.email, settings.trade)
}

const SET_STAFF_ARCHIVED: &str = returning!(
    "UPDATE staff SET archived_at = CASE WHEN $3 IS NOT NULL THEN COALESCE(archived_at, $3) END,
         revision = revision + 1
     WHERE business_id = $1 AND id = $2"
);

/// They no longer work here since then, what they are assigned to stays; or they work here again (`None`).
pub async fn set_staff_archived(
    tx: &mut Tx,
    business: BusinessId,
    id: StaffId,
    since: Option<DateTime<Utc>>,
) -> Result<Staff> {
    one!(tx, SET_STAFF_ARCHIVED, business, id, since)
}

const LOCK: &str = returning!("UPDATE staff SET revision = revision + 1 WHERE business_id = $1 AND id = $2");

/// Locks the row until the end of the transaction, and counts the change that is about to be made, as
/// `resources::lock` does. Whoever locks several goes in the order of their ids (`bump_revision` does), or two
/// transactions wait for each other.
pub async fn lock(tx: &mut Tx, business: BusinessId, id: StaffId) -> Result<Staff> {
    one!(tx, LOCK, business, id)
}

/// The feeds of these people count as changed. `NotFound` if one of them is not of the business.
pub async fn bump_revision(tx: &mut Tx, business: BusinessId, staff: &[StaffId]) -> Result<()> {
    let mut ordered = staff.to_vec();
    ordered.sort_unstable();
    ordered.dedup();
    for id in ordered {
        lock(tx, business, id).await?;
    }
    Ok(())
}
