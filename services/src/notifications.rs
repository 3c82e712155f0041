//! What people choose to be told of by mail: each for themselves, managers for whoever has chosen nothing.

use concord_domain::{audit::HistorySubject, ids::UserId, notification::NotificationChoices, people::Actor};
use concord_jobs::Context;
use concord_storage::{
    ChangeContext, StorageError,
    businesses::{self, Business},
    notifications::{self, DigestLink},
    people, secret,
};
use serde_json::json;
use uuid::Uuid;

use crate::{ServiceError, error::OrNotFound, history, history::HistoryKey};

/// Keeps what a user has chosen, in place of all that they had. `NotFound`: the business has no such user.
pub async fn set_of_user(
    context: &Context,
    by: &ChangeContext,
    user: UserId,
    choices: &NotificationChoices,
) -> Result<(), ServiceError> {
    let found = people::find_user(&context.db, by.business, user).await?;
    found.filter(|user| user.archived_at.is_none()).or_not_found("user")?;
    Ok(set(context, by, (HistorySubject::User, user.0), choices).await?)
}

/// Keeps what holds for whoever has chosen nothing.
pub async fn set_defaults(
    context: &Context,
    by: &ChangeContext,
    choices: &NotificationChoices,
) -> Result<(), ServiceError> {
    Ok(set(context, by, (HistorySubject::Business, by.business.0), choices).await?)
}

/// Where they are the same, nothing is written.
async fn set(
    context: &Context,
    by: &ChangeContext,
    (kind, owner): (HistorySubject, Uuid),
    choices: &NotificationChoices,
) -> Result<(), StorageError> {
    let mut tx = context.db.begin().await?;
    businesses::lock(&mut tx, by.business).await?;
    if notifications::choices_of(&mut tx, by.business, owner).await? == *choices {
        return Ok(());
    }
    let enqueued = notifications::set_choices(&mut tx, by.business, owner, choices, by.now).await?;
    let detail = json!({ "notifications": choices });
    history::record(&mut tx, by, "changed", HistoryKey(kind, owner), &detail).await?;
    context.commit(tx, &[enqueued]).await
}

/// Somebody who has opened the link of a digest.
#[derive(Clone, Debug)]
pub struct DigestVisit {
    pub business: Business,
    link: DigestLink,
    /// Whether they get no digests.
    pub is_off: bool,
}

/// The digest of a link's token, by which it is looked up.
pub fn digest_of_token(token: &str) -> String {
    secret::digest(&token.to_owned().into())
}

/// Whoever has the link with this token's digest; `None`: it is nobody's, or too old.
pub async fn open_digest_link(
    context: &Context,
    token_hash: &str,
) -> Result<Option<DigestVisit>, StorageError> {
    let Some(link) = notifications::find_digest_link(&context.db, token_hash).await? else { return Ok(None) };
    let business = businesses::find(&context.db, link.business_id).await?.ok_or(StorageError::NotFound)?;
    let choices = notifications::choices(&context.db, link.business_id).await?;
    let is_off = choices.get(&link.recipient_id).is_some_and(|choices| choices.digest_off);
    Ok(Some(DigestVisit { business, link, is_off }))
}

/// Turns the digests of whoever has the link off, or on again.
pub async fn set_digests_off(
    context: &Context,
    visit: &DigestVisit,
    digest_off: bool,
) -> Result<(), StorageError> {
    let DigestLink { business_id: business, recipient_id: recipient } = visit.link;
    let user = people::find_user(&context.db, business, UserId(recipient)).await?;
    // A staff member who signs in nowhere is no actor of the history.
    let (actor, kind) = match user {
        Some(user) => (Actor::User { id: user.id, name: user.name }, HistorySubject::User),
        None => (Actor::System, HistorySubject::Staff),
    };
    let by = ChangeContext { business, actor, now: context.clock.now() };
    let mut tx = context.db.begin().await?;
    businesses::lock(&mut tx, business).await?;
    let before = notifications::choices_of(&mut tx, business, recipient).await?;
    if before.digest_off == digest_off {
        return Ok(());
    }
    let choices = NotificationChoices { digest_off, ..before };
    let enqueued = notifications::set_choices(&mut tx, business, recipient, &choices, by.now).await?;
    let detail = json!({ "digest_off": digest_off });
    history::record(&mut tx, &by, "changed", HistoryKey(kind, recipient), &detail).await?;
    context.commit(tx, &[enqueued]).await
}
