//! Those who sign in: let in, given a link, made something else, shut out; and when they come and go.
//!
//! The command line lets people in before anything else runs, so what it calls takes a transaction and no `Context`.

use chrono::{DateTime, Utc};
use concord_domain::ids::{BusinessId, UserId};
use concord_jobs::Context;
use concord_storage::{
    ChangeContext, StorageError, Tx, businesses,
    people::{self, NewUser, User, UserSettings},
    secret,
    sign_in::{self, NewSession, NewSignInLink},
};
use secrecy::SecretString;
use serde_json::json;

use crate::{ServiceError, error::OrNotFound, history};

/// Lets somebody in. `Exists`: the business has a user with that address. `NotFound`: the staff member is not of the
/// business.
pub async fn create(tx: &mut Tx, by: &ChangeContext, new: &NewUser) -> Result<User, StorageError> {
    let user = people::create_user(tx, new, by.now).await?;
    history::record(tx, by, "created", user.id, &json!({ "name": user.name })).await?;
    Ok(user)
}

/// Makes a link that signs a user of the business in once before `expires_at`, in the transaction of whoever shows its
/// token.
pub async fn create_sign_in_link(
    tx: &mut Tx,
    by: &ChangeContext,
    user: &User,
    expires_at: DateTime<Utc>,
) -> Result<SecretString, StorageError> {
    let token = secret::new_token("cl_");
    let link = NewSignInLink { user: user.id, digest: &secret::digest(&token), reusable: false, expires_at };
    sign_in::create_link(tx, &link, by.now).await?;
    history::record(tx, by, "given a sign-in link", user.id, &json!({ "name": user.name })).await?;
    Ok(token)
}

/// Changes what somebody is and may do, from their next request on. `NotPossible`: nobody would be a manager.
pub async fn change(
    context: &Context,
    by: &ChangeContext,
    id: UserId,
    settings: &UserSettings,
) -> Result<User, ServiceError> {
    let mut tx = context.db.begin().await?;
    businesses::lock(&mut tx, by.business).await?;
    let user = people::update_user(&mut tx, by.business, id, settings).await?;
    ensure_manager(&mut tx, by.business).await?;
    history::record(&mut tx, by, "changed", id, &json!({ "name": user.name })).await?;
    tx.commit().await?;
    Ok(user)
}

/// There is always one who can give a role back. Whoever takes one away has locked the business, so that two managers
/// cannot do it to each other at the same time.
async fn ensure_manager(tx: &mut Tx, business: BusinessId) -> Result<(), ServiceError> {
    if people::has_manager(tx, business).await? {
        return Ok(());
    }
    Err(ServiceError::NotPossible(
        "the last manager cannot be removed; make somebody else a manager first".into(),
    ))
}

/// Shuts somebody out: they can no longer sign in, and are signed out everywhere. `NotPossible`: nobody would be a manager.
pub async fn archive(context: &Context, by: &ChangeContext, id: UserId) -> Result<User, ServiceError> {
    let user = people::find_user(&context.db, by.business, id).await?.or_not_found("person")?;
    let mut tx = context.db.begin().await?;
    businesses::lock(&mut tx, by.business).await?;
    people::archive_user(&mut tx, by.business, id, by.now).await?;
    ensure_manager(&mut tx, by.business).await?;
    sign_in::end_all_sessions(&mut tx, by.business, id).await?;
    history::record(&mut tx, by, "archived", id, &json!({ "name": user.name })).await?;
    tx.commit().await?;
    Ok(user)
}

/// Begins a session of whoever `by` is, in the place of the one with the digest `former`.
pub async fn begin_session(
    context: &Context,
    by: &ChangeContext,
    new: &NewSession<'_>,
    former: Option<&str>,
) -> Result<(), StorageError> {
    let mut tx = context.db.begin().await?;
    if let Some(former) = former {
        sign_in::end_session(&mut tx, former).await?;
    }
    sign_in::create_session(&mut tx, new, by.now).await?;
    history::record(&mut tx, by, "signed in", new.user, &json!({ "name": by.actor.label() })).await?;
    tx.commit().await
}

/// Ends the session of `user`, who `by` is, with this digest.
pub async fn end_session(
    context: &Context,
    by: &ChangeContext,
    user: UserId,
    digest: &str,
) -> Result<(), StorageError> {
    let mut tx = context.db.begin().await?;
    sign_in::end_session(&mut tx, digest).await?;
    history::record(&mut tx, by, "signed out", user, &json!({ "name": by.actor.label() })).await?;
    tx.commit().await
}
