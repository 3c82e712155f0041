//! Published feeds: made, changed, given a new address, ended. An address is shown once: whoever makes one gives its token
//! to the caller, in whose transaction it is made, so that a page can keep it for the next page.

use concord_domain::{ids::FeedId, privacy::FeedPrivacy};
use concord_jobs::Context;
use concord_storage::{
    ChangeContext, StorageError, Tx,
    feeds::{self, Feed, NewFeed},
    secret,
};
use secrecy::SecretString;

use crate::{ServiceError, error::OrNotFound, history};

/// What is not found; a revoked one is found, but no longer changes.
const WHAT: &str = "published feed";

/// The address opens the feed to whoever has it, so it is as long as a key.
pub(crate) fn new_token() -> SecretString {
    secret::new_token(feeds::TOKEN_PREFIX)
}

/// Publishes a feed. `NotFound`: its subject is not of the business.
pub async fn create(
    tx: &mut Tx,
    by: &ChangeContext,
    new: &NewFeed,
) -> Result<(Feed, SecretString), StorageError> {
    let token = new_token();
    let feed = feeds::create(tx, new, &token, by.now).await?;
    history::record(tx, by, "created", feed.id, &feed.for_history()).await?;
    Ok((feed, token))
}

/// Publishes a feed under a new address; the old one opens nothing any more.
pub async fn rotate(
    tx: &mut Tx,
    context: &Context,
    by: &ChangeContext,
    id: FeedId,
) -> Result<(Feed, SecretString), ServiceError> {
    let token = new_token();
    let feed =
        feeds::rotate(tx, &context.ring, (by.business, id), &token, by.now).await.or_not_found(WHAT)?;
    history::record(tx, by, "rotated", feed.id, &feed.for_history()).await?;
    Ok((feed, token))
}

/// Gives a feed the name and privacy that `apply` makes of it as it is; where they are the same, nothing is written.
pub async fn change<E: From<ServiceError> + From<StorageError>>(
    context: &Context,
    by: &ChangeContext,
    id: FeedId,
    apply: impl FnOnce(&Feed) -> Result<(String, FeedPrivacy), E> + Send,
) -> Result<Feed, E> {
    let mut tx = context.db.begin().await?;
    let before = feeds::lock(&mut tx, by.business, id).await.or_not_found(WHAT)?;
    let (name, privacy) = apply(&before)?;
    if (&name, privacy) == (&before.name, before.privacy) {
        return Ok(before);
    }
    let feed = feeds::update(&mut tx, by.business, id, &name, privacy, by.now).await?;
    history::record(&mut tx, by, "changed", feed.id, &feed.for_history()).await?;
    tx.commit().await?;
    Ok(feed)
}

/// Ends the publication of a feed for good. Does nothing if it has ended.
pub async fn revoke(context: &Context, by: &ChangeContext, id: FeedId) -> Result<Feed, ServiceError> {
    let mut tx = context.db.begin().await?;
    match feeds::lock(&mut tx, by.business, id).await {
        Ok(before) => {
            feeds::revoke(&mut tx, by.business, id, by.now).await?;
            history::record(&mut tx, by, "revoked", before.id, &before.for_history()).await?;
            tx.commit().await?;
        }
        Err(StorageError::NotFound) => drop(tx),
        Err(error) => return Err(error.into()),
    }
    feeds::find(&context.db, by.business, id).await?.or_not_found("feed")
}
