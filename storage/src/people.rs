//! Staff, who do the work and may connect calendars, and users, who sign in. A user may stand for a staff member.

use chrono::{DateTime, Utc};
pub use concord_domain::settings::StaffSettings;
use concord_domain::{
    ids::{BusinessId, StaffId, UserId},
    people::{Role, Trade},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Db, Page, PageRequest, StorageError, Tx, oauth_states, on_db};

/// A person who does the work.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Staff {
    /// Which.
    pub id: StaffId,
    /// The tenant.
    pub business_id: BusinessId,
    /// For people.
    pub name: String,
    /// May be empty.
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
    /// What the history says of it, whoever changed it: by a page as by the API.
    pub fn for_history(&self) -> Value {
        json!({ "name": self.name, "email": self.email, "trade": self.trade })
    }
}

/// A person who signs in.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct User {
    /// Which.
    pub id: UserId,
    /// The tenant.
    pub business_id: BusinessId,
    /// The staff member that they are, if they are one.
    pub staff_id: Option<StaffId>,
    /// For people.
    pub name: String,
    /// In lower case; unique in the business.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// Since when they can no longer sign in.
    pub archived_at: Option<DateTime<Utc>>,
    /// When they were entered.
    pub created_at: DateTime<Utc>,
}

/// A person who shall be able to sign in.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The tenant.
    pub business: BusinessId,
    /// The staff member that they are, if they are one.
    pub staff: Option<StaffId>,
    /// For people.
    pub name: String,
    /// In any case of letters.
    pub email: String,
    /// What they may do.
    pub role: Role,
}

macro_rules! staff_columns {
    () => {
        "id, business_id, name, email, trade, revision, archived_at, created_at"
    };
}

const CREATE_STAFF: &str = concat!(
    "INSERT INTO staff (id, business_id, name, email, trade, revision, created_at)
     VALUES ($1, $2, $3, $4, $5, 1, $6) RETURNING ",
    staff_columns!()
);

/// Enters a staff member.
pub async fn create_staff(
    tx: &mut Tx,
    business: BusinessId,
    settings: &StaffSettings,
    now: DateTime<Utc>,
) -> Result<Staff, StorageError> {
    Ok(on_db!(tx, c => sqlx::query_as(CREATE_STAFF)
        .bind(StaffId::new(now))
        .bind(business)
        .bind(&settings.name)
        .bind(&settings.email)
        .bind(settings.trade)
        .bind(now)
        .fetch_one(c)
        .await)?)
}

const FIND_STAFF: &str =
    concat!("SELECT ", staff_columns!(), " FROM staff WHERE business_id = $1 AND id = $2");

/// One staff member, archived or not.
pub async fn find_staff(db: &Db, business: BusinessId, id: StaffId) -> Result<Option<Staff>, StorageError> {
    Ok(on_db!(db, c => sqlx::query_as(FIND_STAFF).bind(business).bind(id).fetch_optional(c).await)?)
}

const LIST_STAFF: &str = concat!(
    "SELECT ",
    staff_columns!(),
    " FROM staff WHERE business_id = $1 AND archived_at IS NULL AND (name, id) > ($2, $3)
     ORDER BY name, id LIMIT $4"
);

/// Those who work here, by name.
pub async fn list_staff(
    db: &Db,
    business: BusinessId,
    ask: &PageRequest,
) -> Result<Page<Staff>, StorageError> {
    let (name, id) = ask.after_key::<(String, Uuid)>()?.unwrap_or_default();
    let rows = on_db!(db, c => sqlx::query_as(LIST_STAFF)
        .bind(business)
        .bind(name)
        .bind(id)
        .bind(ask.fetch())
        .fetch_all(c)
        .await)?;
    Ok(Page::cut(rows, ask, |last: &Staff| (last.name.clone(), last.id.0)))
}

const LIST_ARCHIVED_STAFF: &str = concat!(
    "SELECT ",
    staff_columns!(),
    " FROM staff WHERE business_id = $1 AND archived_at IS NOT NULL ORDER BY name, id"
);

/// Those who no longer work here, by name.
pub async fn list_archived_staff(db: &Db, business: BusinessId) -> Result<Vec<Staff>, StorageError> {
    Ok(on_db!(db, c => sqlx::query_as(LIST_ARCHIVED_STAFF).bind(business).fetch_all(c).await)?)
}

const UPDATE_STAFF: &str = concat!(
    "UPDATE staff SET name = $3, email = $4, trade = $5, revision = revision + 1
     WHERE business_id = $1 AND id = $2 RETURNING ",
    staff_columns!()
);

/// Changes what is entered of a staff member.
pub async fn update_staff(
    tx: &mut Tx,
    business: BusinessId,
    id: StaffId,
    settings: &StaffSettings,
) -> Result<Staff, StorageError> {
    Ok(on_db!(tx, c => sqlx::query_as(UPDATE_STAFF)
        .bind(business)
        .bind(id)
        .bind(&settings.name)
        .bind(&settings.email)
        .bind(settings.trade)
        .fetch_one(c)
        .await)?)
}

const ARCHIVE_STAFF: &str = "
    UPDATE staff SET archived_at = COALESCE(archived_at, $3), revision = revision + 1
    WHERE business_id = $1 AND id = $2";

/// They no longer work here; what they are assigned to stays.
pub async fn archive_staff(
    tx: &mut Tx,
    business: BusinessId,
    id: StaffId,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let changed = on_db!(tx, c => sqlx::query(ARCHIVE_STAFF)
        .bind(business)
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if changed == 0 { Err(StorageError::NotFound) } else { Ok(()) }
}

const RESTORE_STAFF: &str = "
    UPDATE staff SET archived_at = NULL, revision = revision + 1 WHERE business_id = $1 AND id = $2";

/// They work here again.
pub async fn restore_staff(tx: &mut Tx, business: BusinessId, id: StaffId) -> Result<(), StorageError> {
    let changed = on_db!(tx, c => sqlx::query(RESTORE_STAFF)
        .bind(business)
        .bind(id)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if changed == 0 { Err(StorageError::NotFound) } else { Ok(()) }
}

const LOCK: &str = concat!(
    "UPDATE staff SET revision = revision + 1 WHERE business_id = $1 AND id = $2 RETURNING ",
    staff_columns!()
);

/// Locks the row until the end of the transaction, and counts the change that is about to be made, as
/// `resources::lock` does. Whoever locks several goes in the order of their ids (`bump_revision` does), or two
/// transactions wait for each other.
pub async fn lock(tx: &mut Tx, business: BusinessId, id: StaffId) -> Result<Staff, StorageError> {
    Ok(on_db!(tx, c => sqlx::query_as(LOCK).bind(business).bind(id).fetch_one(c).await)?)
}

/// The feeds of these people count as changed. `NotFound` if one of them is not of the business.
pub async fn bump_revision(tx: &mut Tx, business: BusinessId, staff: &[StaffId]) -> Result<(), StorageError> {
    let mut ordered = staff.to_vec();
    ordered.sort_unstable();
    ordered.dedup();
    for id in ordered {
        lock(tx, business, id).await?;
    }
    Ok(())
}

macro_rules! user_columns {
    () => {
        "id, business_id, staff_id, name, email, role, archived_at, created_at"
    };
}

const CREATE_USER: &str = concat!(
    "INSERT INTO users (id, business_id, staff_id, name, email, role, created_at)
     SELECT $1, $2, $3, $4, $5, $6, $7
     WHERE $3 IS NULL OR EXISTS (SELECT 1 FROM staff WHERE business_id = $2 AND id = $3)
     RETURNING ",
    user_columns!()
);

// The address stays theirs, so that the history knows one person; who comes back is the one who went.
const REVIVE_USER: &str = concat!(
    "UPDATE users SET archived_at = NULL, staff_id = $3, name = $4, role = $5
     WHERE business_id = $1 AND email = $2 AND archived_at IS NOT NULL
       AND ($3 IS NULL OR EXISTS (SELECT 1 FROM staff WHERE business_id = $1 AND id = $3))
     RETURNING ",
    user_columns!()
);
const DELETE_LINKS: &str = "DELETE FROM sign_in_links WHERE user_id = $1";
const DELETE_SESSIONS: &str = "DELETE FROM sessions WHERE business_id = $1 AND user_id = $2";

/// Enters a person who may sign in. Whoever was archived with that address comes back as what is entered now; the links
/// and sessions that they had then stay shut. `Exists`: the business has a user with that address. `NotFound`: the staff
/// member is not of the business.
pub async fn create_user(tx: &mut Tx, new: &NewUser, now: DateTime<Utc>) -> Result<User, StorageError> {
    if let Some(user) = revive_user(tx, new).await? {
        return Ok(user);
    }
    Ok(on_db!(tx, c => sqlx::query_as(CREATE_USER)
        .bind(UserId::new(now))
        .bind(new.business)
        .bind(new.staff)
        .bind(&new.name)
        .bind(normalize_email(&new.email))
        .bind(new.role)
        .bind(now)
        .fetch_one(c)
        .await)?)
}

async fn revive_user(tx: &mut Tx, new: &NewUser) -> Result<Option<User>, StorageError> {
    let revived: Option<User> = on_db!(tx, c => sqlx::query_as(REVIVE_USER)
        .bind(new.business)
        .bind(normalize_email(&new.email))
        .bind(new.staff)
        .bind(&new.name)
        .bind(new.role)
        .fetch_optional(c)
        .await)?;
    if let Some(user) = &revived {
        oauth_states::delete_for_user(tx, user.business_id, user.id).await?;
        on_db!(tx, c => sqlx::query(DELETE_LINKS).bind(user.id).execute(c).await.map(drop))?;
        on_db!(tx, c => sqlx::query(DELETE_SESSIONS)
            .bind(user.business_id)
            .bind(user.id)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(revived)
}

const UPDATE_USER: &str = concat!(
    "UPDATE users SET staff_id = $3, name = $4, role = $5
     WHERE business_id = $1 AND id = $2 AND archived_at IS NULL
       AND ($3 IS NULL OR EXISTS (SELECT 1 FROM staff WHERE business_id = $1 AND id = $3))
     RETURNING ",
    user_columns!()
);

/// What may be changed of a person who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSettings {
    /// The staff member that they are, if they are one.
    pub staff: Option<StaffId>,
    /// For people.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

const HAS_THESE_RIGHTS: &str = "
    SELECT EXISTS (SELECT 1 FROM users
    WHERE business_id = $1 AND id = $2 AND role = $3 AND staff_id IS NOT DISTINCT FROM $4)";

/// Changes what somebody is and may do, from their next request on; where that is something else than before, what they
/// were connecting ends. `NotFound`: there is no such user, or the staff member is not of the business.
pub async fn update_user(
    tx: &mut Tx,
    business: BusinessId,
    id: UserId,
    settings: &UserSettings,
) -> Result<User, StorageError> {
    let keeps_rights: bool = on_db!(tx, c => sqlx::query_scalar(HAS_THESE_RIGHTS)
        .bind(business)
        .bind(id)
        .bind(settings.role)
        .bind(settings.staff)
        .fetch_one(c)
        .await)?;
    if !keeps_rights {
        oauth_states::delete_for_user(tx, business, id).await?;
    }
    Ok(on_db!(tx, c => sqlx::query_as(UPDATE_USER)
        .bind(business)
        .bind(id)
        .bind(settings.staff)
        .bind(&settings.name)
        .bind(settings.role)
        .fetch_one(c)
        .await)?)
}

/// Nobody's provider tells mailboxes apart by the case of letters, and people type it as they like.
fn normalize_email(email: &str) -> String {
    email.trim().to_lowercase()
}

const FIND_USER: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE business_id = $1 AND id = $2");

/// One user, archived or not.
pub async fn find_user(db: &Db, business: BusinessId, id: UserId) -> Result<Option<User>, StorageError> {
    Ok(on_db!(db, c => sqlx::query_as(FIND_USER).bind(business).bind(id).fetch_optional(c).await)?)
}

const USERS_BY_EMAIL: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users WHERE email = $1 AND archived_at IS NULL ORDER BY created_at, id"
);

/// All who may sign in with an address, one a business: for the command line and for sign-in by mail.
pub async fn find_users_by_email(db: &Db, email: &str) -> Result<Vec<User>, StorageError> {
    Ok(on_db!(db, c => sqlx::query_as(USERS_BY_EMAIL).bind(normalize_email(email)).fetch_all(c).await)?)
}

const LIST_USERS: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users WHERE business_id = $1 AND archived_at IS NULL ORDER BY name, id"
);

/// All who may sign in to a business, by name.
pub async fn list_users(db: &Db, business: BusinessId) -> Result<Vec<User>, StorageError> {
    Ok(on_db!(db, c => sqlx::query_as(LIST_USERS).bind(business).fetch_all(c).await)?)
}

const ARCHIVE_USER: &str = "
    UPDATE users SET archived_at = COALESCE(archived_at, $3) WHERE business_id = $1 AND id = $2";

/// They can no longer sign in, their sessions no longer hold, and what they were connecting ends.
pub async fn archive_user(
    tx: &mut Tx,
    business: BusinessId,
    id: UserId,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    oauth_states::delete_for_user(tx, business, id).await?;
    let changed = on_db!(tx, c => sqlx::query(ARCHIVE_USER)
        .bind(business)
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if changed == 0 { Err(StorageError::NotFound) } else { Ok(()) }
}
