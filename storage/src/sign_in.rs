//! Links that sign a person in, and the sessions that they begin. Both are stored as digests of their tokens.

use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use concord_domain::ids::{BusinessId, SessionId, UserId};

use crate::{
    Db, Result, Tx, oauth_states,
    people::{self, User},
};

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Session {
    /// By which forms name it.
    pub id: SessionId,
    /// The digest of its token.
    pub token_hash: String,
    pub business_id: BusinessId,
    pub user_id: UserId,
    /// What the browser called itself.
    pub user_agent: String,
    /// When it signed in.
    pub created_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A link to be sent or printed.
#[derive(Clone, Copy, Debug)]
pub struct NewSignInLink<'a> {
    /// Whom it signs in.
    pub user: UserId,
    /// The digest of its token.
    pub digest: &'a str,
    /// Whether it works until it expires, instead of once.
    pub reusable: bool,
    /// A digest of what the cookie of the browser holds that asked for it; `None`: nobody's browser did.
    pub browser: Option<&'a str>,
    pub expires_at: DateTime<Utc>,
}

const CREATE_LINK: &str = "
    INSERT INTO sign_in_links (token_hash, user_id, reusable, browser_hash, expires_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)";

/// Stores a link that signs a user in.
pub async fn create_link(tx: &mut Tx, link: &NewSignInLink<'_>, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, CREATE_LINK, link.digest, link.user, link.reusable, link.browser, link.expires_at, now)
}

// The condition and the mark are one statement: of two who open a link at once, one gets in.
const USE_LINK: &str = "
    UPDATE sign_in_links SET used_at = $2
    WHERE token_hash = $1 AND expires_at > $2 AND (reusable OR used_at IS NULL)
    RETURNING user_id";
const LINK_USER: &str = "
    SELECT id, business_id, staff_id, name, email, role, archived_at, created_at FROM users
    WHERE id = $1 AND archived_at IS NULL";

/// A link that still works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidSignInLink {
    /// Whom it signs in.
    pub user: User,
    /// Whether it works until it expires, instead of once.
    pub reusable: bool,
    /// A digest of what the cookie of the browser holds that asked for it; `None`: nobody's browser did.
    pub browser: Option<String>,
}

const OPEN_LINK: &str = "
    SELECT user_id, reusable, browser_hash FROM sign_in_links
    WHERE token_hash = $1 AND expires_at > $2 AND (reusable OR used_at IS NULL)";

/// What `use_link` would find, without using it up.
pub async fn find_link(db: &Db, digest: &str, now: DateTime<Utc>) -> Result<Option<ValidSignInLink>> {
    let link: Option<(UserId, bool, Option<String>)> = optional!(db, OPEN_LINK, digest, now)?;
    let Some((user, reusable, browser)) = link else { return Ok(None) };
    let user: Option<User> = optional!(db, LINK_USER, user)?;
    Ok(user.map(|user| ValidSignInLink { user, reusable, browser }))
}

/// Whom a link signs in. `None`: there is no such link, it has expired or was used, or its user may no longer sign in.
pub async fn use_link(tx: &mut Tx, digest: &str, now: DateTime<Utc>) -> Result<Option<User>> {
    let user: Option<UserId> = optional_scalar!(tx, USE_LINK, digest, now)?;
    let Some(user) = user else { return Ok(None) };
    optional!(tx, LINK_USER, user)
}

/// A session about to begin.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    pub business: BusinessId,
    pub user: UserId,
    /// The digest of its token.
    pub digest: &'a str,
    /// What the browser calls itself.
    pub user_agent: &'a str,
    pub expires_at: DateTime<Utc>,
}

macro_rules! columns {
    () => {
        "id, token_hash, business_id, user_id, user_agent, created_at, last_seen_at, expires_at"
    };
}

const CREATE_SESSION: &str = returning!(
    "INSERT INTO sessions (token_hash, id, business_id, user_id, user_agent, created_at, last_seen_at, expires_at)
     SELECT $1, $7, business_id, id, $4, $5, $5, $6 FROM users WHERE business_id = $2 AND id = $3"
);

/// Begins a session. `NotFound`: the user is not of the business.
pub async fn create_session(tx: &mut Tx, new: &NewSession<'_>, now: DateTime<Utc>) -> Result<Session> {
    one!(tx, CREATE_SESSION;
        new.digest, new.business, new.user, new.user_agent, now, new.expires_at, SessionId::new(now)
    )
}

const FIND_SESSION: &str = select!("FROM sessions WHERE token_hash = $1 AND expires_at > $2");

/// The session of a token and who it is. `None`: there is none, it is over, or its user may no longer sign in.
pub async fn find_session(db: &Db, digest: &str, now: DateTime<Utc>) -> Result<Option<(Session, User)>> {
    let session: Option<Session> = optional!(db, FIND_SESSION, digest, now)?;
    let Some(session) = session else { return Ok(None) };
    let user = people::find_user(db, session.business_id, session.user_id).await?;
    Ok(user.filter(|user| user.archived_at.is_none()).map(|user| (session, user)))
}

/// How fine "last seen", "last used" and "last read" are: a write at each request would make readers into writers.
pub(crate) const SEEN_INTERVAL: Duration = Duration::minutes(1);

/// The longest that a session holds, however often its person comes back: then they prove anew who they are. `lasts`: how
/// long it holds when they do not.
pub fn max_session_age(lasts: StdDuration) -> StdDuration {
    lasts * 3
}

// One that is over stays over, however late its last request is noted.
const TOUCH_SESSION: &str = "
    UPDATE sessions SET last_seen_at = $2, expires_at = $3
    WHERE token_hash = $1 AND last_seen_at < $2 AND expires_at > $2";

/// Notes that a session was seen, at most once a minute: from then on it holds for as long as it `lasts`, but no longer
/// than `max_session_age`. Returns whether it was noted.
pub async fn touch_session(
    db: &Db,
    session: &Session,
    lasts: StdDuration,
    now: DateTime<Utc>,
) -> Result<bool> {
    if now - session.last_seen_at < SEEN_INTERVAL {
        return Ok(false);
    }
    let mut tx = db.begin().await?;
    let noted = changed!(tx, TOUCH_SESSION;
        &session.token_hash, now, (now + lasts).min(session.created_at + max_session_age(lasts))
    )?;
    tx.commit().await?;
    Ok(noted == 1)
}

const END_SESSION: &str = "DELETE FROM sessions WHERE token_hash = $1";

/// Signs a browser out, and ends what it was connecting. One that is signed out already stays so.
pub async fn end_session(tx: &mut Tx, digest: &str) -> Result<()> {
    oauth_states::delete_for_session(tx, digest).await?;
    exec!(tx, END_SESSION, digest)
}

const LIST_SESSIONS: &str = select!(
    "FROM sessions WHERE business_id = $1 AND user_id = $2 AND expires_at > $3 ORDER BY last_seen_at DESC, id"
);

/// Where a person is signed in, the one that was seen last first.
pub async fn list_sessions(
    db: &Db,
    business: BusinessId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<Session>> {
    all!(db, LIST_SESSIONS, business, user, now)
}

const END_SESSION_OF_USER: &str =
    "DELETE FROM sessions WHERE business_id = $1 AND user_id = $2 AND id = $3 RETURNING token_hash";

/// Signs one browser of a person out, and ends what it was connecting. `NotFound`: they are not signed in there.
pub async fn end_session_of_user(
    tx: &mut Tx,
    business: BusinessId,
    user: UserId,
    id: SessionId,
) -> Result<()> {
    let digest: String = scalar!(tx, END_SESSION_OF_USER, business, user, id)?;
    oauth_states::delete_for_session(tx, &digest).await
}

const END_OTHER_SESSIONS: &str = "
    DELETE FROM sessions WHERE business_id = $1 AND user_id = $2 AND token_hash <> $3 RETURNING token_hash";

/// Signs a person out everywhere but in the session with this digest. Returns how many sessions ended.
pub async fn end_other_sessions(
    tx: &mut Tx,
    business: BusinessId,
    user: UserId,
    kept: &str,
) -> Result<usize> {
    let ended: Vec<String> = scalars!(tx, END_OTHER_SESSIONS, business, user, kept)?;
    for digest in &ended {
        oauth_states::delete_for_session(tx, digest).await?;
    }
    Ok(ended.len())
}

const END_ALL_SESSIONS: &str = "DELETE FROM sessions WHERE business_id = $1 AND user_id = $2";

/// Signs a person out everywhere, and ends what they were connecting. Returns how many sessions ended.
pub async fn end_all_sessions(tx: &mut Tx, business: BusinessId, user: UserId) -> Result<u64> {
    oauth_states::delete_for_user(tx, business, user).await?;
    changed!(tx, END_ALL_SESSIONS, business, user)
}
