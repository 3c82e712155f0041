//! Where a booking came from, if that is a platform.

use concord_domain::booking::Booking;
use concord_storage::channels;

use crate::http::pages::channels::{channel_path, platform_name};
use crate::http::pages::{CurrentUser, PageResult, RelativeTime, channels::labels::hue_class};

/// The platform that a booking came by.
pub(super) struct BookingPlatform {
    pub(super) platform: String,
    pub(super) hue: String,
    /// The channel's page, for those who may see it.
    pub(super) path: Option<String>,
    /// When the channel was last read.
    pub(super) read: Option<RelativeTime>,
}

/// `None`: it came by no channel.
pub(super) async fn booking_platform(
    user: &CurrentUser,
    booking: &Booking,
) -> PageResult<Option<BookingPlatform>> {
    let Some(id) = booking.channel else { return Ok(None) };
    // One that was removed has no page.
    let channel = channels::find(&user.app.context.db, user.business.id, id).await?;
    let platform = channel.as_ref().map_or(&booking.draft.source, |channel| &channel.platform);
    Ok(Some(BookingPlatform {
        platform: platform_name(&user.app, platform),
        hue: hue_class(user.app.context.platforms.find(platform)),
        path: channel.as_ref().filter(|_| user.is_manager()).map(|channel| channel_path(channel.id)),
        read: channel
            .and_then(|channel| channel.read_at)
            .map(|at| RelativeTime::new(at, user.app.now(), user.business.zone)),
    }))
}
