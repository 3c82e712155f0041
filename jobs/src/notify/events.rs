//! What other systems are told of a connected account, beside what people are.

use concord_domain::webhook::{ConnectionPayload, Event, EventType};
use concord_storage::{
    StorageError, Tx,
    connections::{self, ConnectionOwner},
    events,
    jobs::JobRef,
};

use crate::{Context, job::ConnectionAccount};

/// Writes the event, last in the transaction of what it tells of; the caller pushes what this returns after the commit.
pub(super) async fn connection(
    tx: &mut Tx,
    context: &Context,
    (account, owner): (ConnectionAccount, &ConnectionOwner),
    kind: EventType,
    reason: Option<&str>,
) -> Result<Vec<JobRef>, StorageError> {
    let payload = ConnectionPayload {
        connection: account.connection,
        provider: account.provider,
        staff: owner.staff_id,
        account: owner.account_email.clone(),
        reason: reason.map(str::to_owned),
    };
    events::publish(tx, account.business, &Event::connection(kind, &payload), context.clock.now()).await
}

/// The same where nothing is wrong.
pub(super) async fn of(
    tx: &mut Tx,
    context: &Context,
    account: ConnectionAccount,
    kind: EventType,
) -> Result<Vec<JobRef>, StorageError> {
    match connections::owner(tx, account.business, account.connection).await? {
        Some(owner) => connection(tx, context, (account, &owner), kind, None).await,
        None => Ok(Vec::new()),
    }
}
