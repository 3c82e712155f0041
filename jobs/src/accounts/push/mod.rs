//! Being told of changes at once: `upkeep` sees to it that providers tell, `notifications` judges what they tell.
//!
//! It only makes imports come sooner. Whatever is lost here, the poll brings.

mod notifications;
mod upkeep;

use concord_domain::connection::ProviderKind;
use concord_storage::{StorageError, in_tx, push_subscriptions};
use url::Url;

pub use self::notifications::{NotificationHandler, NotificationOutcome};
pub(crate) use self::upkeep::{close_all, run};
use crate::{Context, enqueue};

/// The path below which providers send notifications.
pub const WEBHOOK_PATH: &str = "/hooks/";

/// Where a provider sends its notifications; `None`: nowhere on this installation.
fn address(context: &Context, provider: ProviderKind) -> Option<Url> {
    context.settings.push.as_ref()?.join(&format!("{WEBHOOK_PATH}{provider}")).ok()
}

/// Sees to it that what was configured since the last start has its consequences; called when a process starts. The
/// sweep finds what is enqueued.
pub async fn ensure(context: &Context) -> Result<(), StorageError> {
    let base = context.settings.push.as_ref().and_then(|url| url.join(WEBHOOK_PATH).ok());
    for (business, calendar) in
        push_subscriptions::astray(&context.db, base.as_ref().map(Url::as_str)).await?
    {
        in_tx!(context.db, tx => enqueue::push_renewal_of(&mut tx, context, business, calendar).await)?;
    }
    Ok(())
}
