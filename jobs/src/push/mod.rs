//! Being told of changes at once: `keep` sees to it that providers tell, `listen` judges what they tell.
//!
//! It only makes imports come sooner. Whatever is lost here, the poll brings.

mod notifications;
mod upkeep;

use concord_domain::{
    connection::ProviderKind,
    ids::{BusinessId, CalendarId},
    job::{JobKind, QueueClass},
};
use concord_storage::{
    StorageError, Tx,
    calendars::Calendar,
    jobs::{self, JobRef, NewJob},
    push_subscriptions,
};
use url::Url;

pub use self::notifications::{NotificationHandler, NotificationOutcome};
pub(crate) use self::upkeep::{close_all, run};
use crate::Context;

/// The path below which providers send notifications.
pub const WEBHOOK_PATH: &str = "/hooks/";

/// Where a provider sends its notifications; `None`: nowhere on this installation.
fn address(context: &Context, provider: ProviderKind) -> Option<Url> {
    context.settings.push.as_ref()?.join(&format!("{WEBHOOK_PATH}{provider}")).ok()
}

/// Enqueues the care for one calendar's channels, due now. `None`: there are none on this installation.
pub async fn enqueue(
    tx: &mut Tx,
    context: &Context,
    calendar: &Calendar,
) -> Result<Option<JobRef>, StorageError> {
    if context.settings.push.is_none() {
        return Ok(None);
    }
    enqueue_of(tx, context, calendar.business_id, calendar.id).await.map(Some)
}

async fn enqueue_of(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
    calendar: CalendarId,
) -> Result<JobRef, StorageError> {
    let now = context.clock.now();
    let job = NewJob {
        business: Some(business),
        kind: JobKind::RenewPush,
        subject: calendar.0,
        queue: QueueClass::Poll,
        due_at: now,
    };
    jobs::enqueue(tx, job, now).await
}

/// Sees to it that what was configured since the last start has its consequences; called when a process starts. The
/// sweep finds what is enqueued.
pub async fn ensure(context: &Context) -> Result<(), StorageError> {
    let base = context.settings.push.as_ref().and_then(|url| url.join(WEBHOOK_PATH).ok());
    for (business, calendar) in
        push_subscriptions::astray(&context.db, base.as_ref().map(Url::as_str)).await?
    {
        let mut tx = context.db.begin().await?;
        enqueue_of(&mut tx, context, business, calendar).await?;
        tx.commit().await?;
    }
    Ok(())
}
