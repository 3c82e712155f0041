//! What people say of unconfirmed events: nights that were freed here, and are shown by the platform all the same. They
//! are taken until the platform shows them no more, a day is over, or somebody has looked there.

use concord_domain::{
    channel::{ItemKind, RunOrigin, RunOutcome, Settled, plan::FeedItem},
    ids::{BusinessId, ChannelId, ChannelItemId},
    people::Actor,
};
use concord_storage::{
    StorageError, bookings,
    channels::{
        self, Channel,
        items::{self, ChannelItem},
        runs::RunCounts,
    },
};

use super::{apply::AppliedActions, apply::ChannelRunContext, quarantine::ReviewError};
use crate::Context;

/// Why an event is unconfirmed, for people; `platform`: its name.
pub fn reason(platform: &str) -> String {
    format!(
        "These nights became available here, and {platform} has imported that. It still shows them as unavailable: it may be delayed, \
         or it may have a new reservation."
    )
}

/// The unconfirmed events of a channel, by start.
pub async fn events(context: &Context, channel: &Channel) -> Result<Vec<ChannelItem>, StorageError> {
    items::unconfirmed(&context.db, channel.business_id, channel.id, context.clock.now()).await
}

/// Does what somebody says of an unconfirmed event: it becomes a booking, or its nights are free. That holds for as long as the
/// platform shows these nights.
pub async fn settle(
    context: &Context,
    business: BusinessId,
    (channel, item): (ChannelId, ChannelItemId),
    settled: Settled,
    actor: &Actor,
) -> Result<(), ReviewError> {
    let channel = channels::find(&context.db, business, channel).await?.ok_or(ReviewError::Nothing)?;
    let found = events(context, &channel).await?.into_iter().find(|known| known.id == item);
    let found = found.ok_or(ReviewError::Nothing)?;
    let reference = found.reference.as_deref().ok_or(ReviewError::Nothing)?;
    let booking = bookings::find(&context.db, business, reference).await?.ok_or(ReviewError::Nothing)?;
    let to = FeedItem {
        key: found.item_key.clone(),
        time: booking.draft.time,
        interval: found.interval(),
        kind: match settled {
            Settled::Booking => ItemKind::Reservation,
            Settled::Ours => ItemKind::Echo,
        },
        summary: found.summary.clone(),
        description: String::new(),
        guest: found.guest.clone(),
        contested: false,
        tentative: false,
    };
    // First: a reading at the same moment goes by it already.
    let mut tx = context.db.begin().await?;
    if !items::settle(&mut tx, business, item, settled).await? {
        return Err(ReviewError::Nothing);
    }
    tx.commit().await?;
    let by = (RunOrigin::Person, actor.clone());
    let run = ChannelRunContext::begin(context, &channel, [(item, &found)].into(), by);
    let mut applied = AppliedActions::default();
    run.settle(&found, &to, &mut applied).await?;
    let message = match settled {
        Settled::Booking => "confirmed as a booking",
        Settled::Ours => "marked as ours, nights available again",
    };
    run.record(RunOutcome::Applied, message, RunCounts::default()).await?;
    Ok(())
}
