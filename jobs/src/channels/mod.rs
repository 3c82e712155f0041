//! Keeping channels in step: a platform's feed is read, compared with what is known, and what follows is done.
//!
//! `poll` is the job that reads a channel at its times; what a person or a program asks for is in `services::channels`. Both
//! go through `snapshot` (from bytes to a plan), `apply_snapshot` and `apply` (what the plan says, one booking a transaction).
//! `quarantine` lets through or takes back, `unconfirmed` is what people say of events that may be ours, `exposure` says what
//! a platform does not know and `stale_export` tells when one has stopped reading, `notices` what people read of all this, `webhook` what channel managers tell, `own_feed` knows
//! our own addresses.
//!
//! Two readings of one channel may run at the same time: items are unique by key, bookings are written together with their
//! items, and a plan that is done twice is done once.

mod apply;
pub mod apply_snapshot;
pub mod draft;
pub mod exposure;
pub mod notices;
pub mod own_feed;
pub mod poll;
pub mod quarantine;
pub mod snapshot;
pub(crate) mod stale_export;
pub mod unconfirmed;
pub mod webhook;

use std::ops::RangeInclusive;

use chrono::Duration;
use chrono_tz::Tz;
use concord_domain::{ids::BusinessId, platform::Platform};
use concord_storage::{
    Db, StorageError, businesses,
    channels::Channel,
    platform_settings::{self, PlatformSettings},
    resources::Resource,
};

use crate::Context;

/// The longest pause between two readings that anybody may set.
pub const MAX_POLL_INTERVAL: Duration = Duration::days(1);

/// The minutes between two readings that anybody may set for a platform.
pub fn intervals(platform: Option<&Platform>) -> RangeInclusive<i64> {
    let fewest = platform.map_or(1, |platform| i64::from(platform.min_interval_minutes));
    fewest..=MAX_POLL_INTERVAL.num_minutes()
}

/// How often a channel is read: as it says itself, or its business, or the platform's file.
pub fn interval(channel: &Channel, said: &PlatformSettings, platform: Option<&Platform>) -> Duration {
    let minutes = channel
        .interval_minutes
        .or(said.interval_minutes)
        .unwrap_or_else(|| platform.map_or(60, |platform| i64::from(platform.interval_minutes)));
    let allowed = intervals(platform);
    Duration::minutes(minutes.clamp(*allowed.start(), *allowed.end()))
}

/// The same, looked up.
pub async fn load_poll_interval(context: &Context, channel: &Channel) -> Result<Duration, StorageError> {
    if let Some(every) = context.settings.channels_every {
        return Ok(every);
    }
    let said = platform_settings::find(&context.db, channel.business_id, &channel.platform).await?;
    Ok(interval(channel, &said, context.platforms.find(&channel.platform)))
}

/// The zone in which the days of a channel begin: that of its resource, or else of its business.
async fn zone_of(db: &Db, business: BusinessId, resource: Option<&Resource>) -> Result<Tz, StorageError> {
    if let Some(zone) = resource.and_then(|resource| resource.zone) {
        return Ok(zone);
    }
    Ok(businesses::find(db, business).await?.ok_or(StorageError::NotFound)?.zone)
}
