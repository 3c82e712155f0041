//! Being told of changes at once: `keep` sees to it that providers tell, `listen` judges what they tell.
//!
//! It only makes imports come sooner. Whatever is lost here, the poll brings.

mod keep;
mod listen;

use concord_domain::{
    connection::ProviderKind,
    duty::{DutyKind, QueueClass},
    ids::{BusinessId, CalendarId},
};
use concord_storage::{
    StorageError, Tx,
    calendars::Calendar,
    duties::{self, DutyRef, NewDuty},
    push_channels,
};
use url::Url;

pub(crate) use self::keep::{close_all, run};
pub use self::listen::{Heard, Listener};
use crate::Context;

/// The path below which providers send notifications.
pub const HOOKS: &str = "/hooks/";

/// Where a provider sends its notifications; `None`: nowhere on this installation.
fn address(context: &Context, provider: ProviderKind) -> Option<Url> {
    context.settings.push.as_ref()?.join(&format!("{HOOKS}{provider}")).ok()
}

/// Raises the care for one calendar's channels, due now. `None`: there are none on this installation.
pub(crate) async fn raise(
    tx: &mut Tx,
    context: &Context,
    calendar: &Calendar,
) -> Result<Option<DutyRef>, StorageError> {
    if context.settings.push.is_none() {
        return Ok(None);
    }
    raise_of(tx, context, calendar.business_id, calendar.id).await.map(Some)
}

async fn raise_of(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
    calendar: CalendarId,
) -> Result<DutyRef, StorageError> {
    let now = context.clock.now();
    let duty = NewDuty {
        business: Some(business),
        kind: DutyKind::KeepPush,
        subject: calendar.0,
        queue: QueueClass::Poll,
        due_at: now,
    };
    duties::raise(tx, duty, now).await
}

/// Sees to it that what was configured since the last start has its consequences; called when a process starts. The
/// sweep finds what is raised.
pub async fn ensure(context: &Context) -> Result<(), StorageError> {
    let base = context.settings.push.as_ref().and_then(|url| url.join(HOOKS).ok());
    for (business, calendar) in push_channels::astray(&context.db, base.as_ref().map(Url::as_str)).await? {
        let mut tx = context.db.begin().await?;
        raise_of(&mut tx, context, business, calendar).await?;
        tx.commit().await?;
    }
    Ok(())
}
