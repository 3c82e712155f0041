//! The line that a use case leaves in the history.

use concord_domain::{
    audit::HistorySubject,
    ids::{
        ApiKeyId, BookingId, BusinessId, ChannelId, ConnectionId, FeedId, ReminderRuleId, ResourceId,
        StaffId, UserId, WebhookEndpointId,
    },
};
use concord_storage::{
    ChangeContext, StorageError, Tx,
    history::{self, NewHistoryEntry},
};
use serde_json::Value;
use uuid::Uuid;

/// Which thing a line is about: most ids say it themselves.
pub(crate) struct HistoryKey(pub HistorySubject, pub Uuid);

macro_rules! history_keys {
    ($($id:ident: $subject:ident),+ $(,)?) => {$(
        impl From<$id> for HistoryKey {
            fn from(id: $id) -> Self {
                Self(HistorySubject::$subject, id.0)
            }
        }
    )+};
}

history_keys! {
    ApiKeyId: ApiKey,
    BookingId: Booking,
    BusinessId: Business,
    ChannelId: Channel,
    ConnectionId: Connection,
    FeedId: Feed,
    ReminderRuleId: ReminderRule,
    ResourceId: Resource,
    StaffId: Staff,
    UserId: User,
    WebhookEndpointId: WebhookEndpoint,
}

/// Writes down who did what to which thing, in the transaction of what they did.
pub(crate) async fn record(
    tx: &mut Tx,
    by: &ChangeContext,
    action: &str,
    subject: impl Into<HistoryKey>,
    detail: &Value,
) -> Result<(), StorageError> {
    let HistoryKey(subject_kind, subject) = subject.into();
    let (business, actor) = (by.business, &by.actor);
    let line = NewHistoryEntry { business, actor, action, subject_kind, subject, detail };
    history::append(tx, &line, by.now).await
}
