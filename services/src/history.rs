//! The line that a use case leaves in the history.

use concord_domain::audit::HistorySubject;
use concord_storage::{
    ChangeContext, StorageError, Tx,
    history::{self, NewHistoryEntry},
};
use serde_json::Value;
use uuid::Uuid;

/// Writes down who did what to which thing, in the transaction of what they did.
pub(crate) async fn record(
    tx: &mut Tx,
    by: &ChangeContext,
    action: &str,
    (subject_kind, subject): (HistorySubject, Uuid),
    detail: &Value,
) -> Result<(), StorageError> {
    let (business, actor) = (by.business, &by.actor);
    let line = NewHistoryEntry { business, actor, action, subject_kind, subject, detail };
    history::append(tx, &line, by.now).await
}
