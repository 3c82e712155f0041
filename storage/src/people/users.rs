//! Users, who sign in.

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{BusinessId, StaffId, UserId},
    people::Role,
};

use crate::{Db, Result, Tx, oauth_states};

/// A person who signs in.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct User {
    pub id: UserId,
    pub business_id: BusinessId,
    /// The staff member that they are, if they are one.
    pub staff_id: Option<StaffId>,
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
    pub business: BusinessId,
    /// The staff member that they are, if they are one.
    pub staff: Option<StaffId>,
    pub name: String,
    /// In any case of letters.
    pub email: String,
    /// What they may do.
    pub role: Role,
}

macro_rules! columns {
    () => {
        "id, business_id, staff_id, name, email, role, archived_at, created_at"
    };
}

const CREATE_USER: &str = returning!(
    "INSERT INTO users (id, business_id, staff_id, name, email, role, created_at)
     SELECT $1, $2, $3, $4, $5, $6, $7
     WHERE $3 IS NULL OR EXISTS (SELECT 1 FROM staff WHERE business_id = $2 AND id = $3)"
);

// The address stays theirs, so that the history knows one person; who comes back is the one who went.
const REVIVE_USER: &str = returning!(
    "UPDATE users SET archived_at = NULL, staff_id = $3, name = $4, role = $5
     WHERE business_id = $1 AND email = $2 AND archived_at IS NOT NULL
       AND ($3 IS NULL OR EXISTS (SELECT 1 FROM staff WHERE business_id = $1 AND id = $3))"
);
const DELETE_LINKS: &str = "DELETE FROM sign_in_links WHERE user_id = $1";
const DELETE_SESSIONS: &str = "DELETE FROM sessions WHERE business_id = $1 AND user_id = $2";

/// Enters a person who may sign in. Whoever was archived with that address comes back as what is entered now; the links
/// and sessions that they had then stay shut. `Exists`: the business has a user with that address. `NotFound`: the staff
/// member is not of the business.
pub async fn create_user(tx: &mut Tx, new: &NewUser, now: DateTime<Utc>) -> Result<User> {
    if let Some(user) = revive_user(tx, new).await? {
        return Ok(user);
    }
    one!(tx, CREATE_USER;
        UserId::new(now), new.business, new.staff, &new.name, normalize_email(&new.email), new.role, now
    )
}

async fn revive_user(tx: &mut Tx, new: &NewUser) -> Result<Option<User>> {
    let revived: Option<User> = optional!(tx, REVIVE_USER;
        new.business, normalize_email(&new.email), new.staff, &new.name, new.role
    )?;
    if let Some(user) = &revived {
        oauth_states::delete_for_user(tx, user.business_id, user.id).await?;
        exec!(tx, DELETE_LINKS, user.id)?;
        exec!(tx, DELETE_SESSIONS, user.business_id, user.id)?;
    }
    Ok(revived)
}

const UPDATE_USER: &str = returning!(
    "UPDATE users SET staff_id = $3, name = $4, role = $5
     WHERE business_id = $1 AND id = $2 AND archived_at IS NULL
       AND ($3 IS NULL OR EXISTS (SELECT 1 FROM staff WHERE business_id = $1 AND id = $3))"
);

/// What may be changed of a person who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSettings {
    /// The staff member that they are, if they are one.
    pub staff: Option<StaffId>,
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
) -> Result<User> {
    let keeps_rights: bool = scalar!(tx, HAS_THESE_RIGHTS, business, id, settings.role, settings.staff)?;
    if !keeps_rights {
        oauth_states::delete_for_user(tx, business, id).await?;
    }
    one!(tx, UPDATE_USER, business, id, settings.staff, &settings.name, settings.role)
}

/// Nobody's provider tells mailboxes apart by the case of letters, and people type it as they like.
pub(crate) fn normalize_email(email: &str) -> String {
    email.trim().to_lowercase()
}

const FIND_USER: &str = select!("FROM users WHERE business_id = $1 AND id = $2");

/// One user, archived or not.
pub async fn find_user(db: &Db, business: BusinessId, id: UserId) -> Result<Option<User>> {
    optional!(db, FIND_USER, business, id)
}

const USERS_BY_EMAIL: &str =
    select!("FROM users WHERE email = $1 AND archived_at IS NULL ORDER BY created_at, id");

/// All who may sign in with an address, one a business: for the command line and for sign-in by mail.
pub async fn find_users_by_email(db: &Db, email: &str) -> Result<Vec<User>> {
    all!(db, USERS_BY_EMAIL, normalize_email(email))
}

const LIST_USERS: &str =
    select!("FROM users WHERE business_id = $1 AND archived_at IS NULL ORDER BY name, id");

/// All who may sign in to a business, by name.
pub async fn list_users(db: &Db, business: BusinessId) -> Result<Vec<User>> {
    all!(db, LIST_USERS, business)
}

const HAS_MANAGER: &str = "
    SELECT EXISTS (SELECT 1 FROM users WHERE business_id = $1 AND role = 'manager' AND archived_at IS NULL)";

/// Whether anybody can sign in to a business as a manager.
pub async fn has_manager(tx: &mut Tx, business: BusinessId) -> Result<bool> {
    scalar!(tx, HAS_MANAGER, business)
}

const ARCHIVE_USER: &str = "
    UPDATE users SET archived_at = COALESCE(archived_at, $3) WHERE business_id = $1 AND id = $2";

/// They can no longer sign in, their sessions no longer hold, and what they were connecting ends.
pub async fn archive_user(tx: &mut Tx, business: BusinessId, id: UserId, now: DateTime<Utc>) -> Result<()> {
    oauth_states::delete_for_user(tx, business, id).await?;
    must_change!(tx, ARCHIVE_USER, business, id, now)
}
