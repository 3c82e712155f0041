//! The bookings that a feed shows.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    ids::{BusinessId, ResourceId, StaffId},
};

use super::{
    list::{BookingFilter, BookingListParams, ListOrder, list_rows},
    read::all_with_staff,
};
use crate::{
    Db, Result,
    channels::{self, Channel},
};

/// A part of what a feed shows.
#[derive(Clone, Copy, Debug)]
pub struct FeedRange {
    /// What ended by then is left out.
    pub from: DateTime<Utc>,
    /// How many at the most. Where there are more, the earliest are left out: who reads a feed wants to know what is to
    /// come.
    pub most: usize,
}

/// The bookings of a business that stand, for its feed, in order of their starts.
pub async fn of_business(db: &Db, business: BusinessId, ask: FeedRange) -> Result<Vec<Booking>> {
    list_for_feed(db, business, BookingFilter::default(), ask).await
}

/// The bookings of a resource that stand, for its feed, in order of their starts.
pub async fn list_for_resource_feed(
    db: &Db,
    business: BusinessId,
    resource: ResourceId,
    ask: FeedRange,
) -> Result<Vec<Booking>> {
    let filter = BookingFilter { resource: Some(resource), ..BookingFilter::default() };
    list_for_feed(db, business, filter, ask).await
}

/// The bookings that stand on the resource of a channel and did not come from its platform, for its feed, in order of
/// their starts.
pub async fn list_for_channel_feed(db: &Db, channel: &Channel, ask: FeedRange) -> Result<Vec<Booking>> {
    let mut found = list_for_resource_feed(db, channel.business_id, channel.resource_id, ask).await?;
    let all = channels::list(db, channel.business_id).await?;
    // What came by a channel that was removed came from its platform all the same.
    let of_another = |from| from != channel.id && all.iter().any(|other| other.id == from);
    found.retain(|booking| match booking.channel {
        Some(from) if from == channel.id => false,
        Some(from) if of_another(from) => true,
        _ => booking.draft.source != channel.platform,
    });
    Ok(found)
}

/// The bookings of a staff member that stand, for their feed, in order of their starts.
pub async fn of_staff(db: &Db, business: BusinessId, staff: StaffId, ask: FeedRange) -> Result<Vec<Booking>> {
    let filter = BookingFilter { staff: Some(staff), ..BookingFilter::default() };
    list_for_feed(db, business, filter, ask).await
}

/// Pending ones among them: they hold their place, and who reads the feed must not sell it.
async fn list_for_feed(
    db: &Db,
    business: BusinessId,
    filter: BookingFilter,
    ask: FeedRange,
) -> Result<Vec<Booking>> {
    let filter = BookingFilter { from: Some(ask.from), active_only: true, ..filter };
    let limit = i64::try_from(ask.most).unwrap_or(i64::MAX);
    let list = BookingListParams {
        business,
        filter: &filter,
        after: None,
        order: ListOrder::LatestFirst,
        limit,
        by_staff: false,
    };
    let mut rows = list_rows(db, list).await?;
    rows.reverse();
    all_with_staff(db, rows).await
}
