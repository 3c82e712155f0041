//! Keys by which programs act for a business: made and revoked.

use concord_domain::ids::{ApiKeyId, BusinessId};
use concord_jobs::Context;
use concord_storage::{
    ChangeContext, Db, StorageError, Tx,
    api_keys::{self, ApiKey},
    secret,
};
use secrecy::SecretString;
use serde_json::json;

use crate::{ServiceError, error::OrNotFound, history};

/// Makes a key, in the transaction of whoever shows its token.
pub async fn create(
    tx: &mut Tx,
    by: &ChangeContext,
    name: &str,
) -> Result<(ApiKey, SecretString), StorageError> {
    let token = secret::new_token("ck_");
    let key = api_keys::create(tx, by.business, name, &token, by.now).await?;
    history::record(tx, by, "created", key.id, &json!({ "name": key.name })).await?;
    Ok((key, token))
}

/// A key that still opens something.
pub async fn find(db: &Db, business: BusinessId, id: ApiKeyId) -> Result<ApiKey, ServiceError> {
    api_keys::find(db, business, id).await?.or_not_found("key")
}

/// Revokes a key: it opens nothing any more, and what it was connecting ends.
pub async fn revoke(context: &Context, by: &ChangeContext, id: ApiKeyId) -> Result<ApiKey, ServiceError> {
    let key = find(&context.db, by.business, id).await?;
    let mut tx = context.db.begin().await?;
    api_keys::revoke(&mut tx, by.business, id, by.now).await?;
    history::record(&mut tx, by, "revoked", key.id, &json!({ "name": key.name })).await?;
    tx.commit().await?;
    Ok(key)
}
