//! That a booking waits for a manager, said in the transaction that has written it.

use chrono::Duration;
use concord_domain::{
    audit::HistorySubject,
    booking::BookingStatus,
    notice::{NoticeKind, approval_headline},
    people::Actor,
};

use super::outcome::WrittenBooking;
use crate::{
    ChangeContext, Result, Tx,
    notices::{self, Audience, NewNotice},
};

/// What managers should do.
const DETAIL: &str = "The time is held until then. Open the booking to approve or decline it. A customer who was invited hears of it by email; tell others \
    yourself.";
/// How long others are waited for, to be told with it.
const WAIT: Duration = Duration::minutes(2);

/// Raises that the booking is pending, once while it is. A person at a page knows what they have entered, and what a platform
/// has sold is approved there.
pub(super) async fn raise_pending(tx: &mut Tx, change: &ChangeContext, put: &WrittenBooking) -> Result<()> {
    let booking = &put.booking;
    let is_pending = booking.draft.status == BookingStatus::Pending && booking.interval.end > change.now;
    let is_known = matches!(change.actor, Actor::User { .. }) || booking.channel.is_some();
    if put.events.is_none() || !is_pending || is_known {
        return Ok(());
    }
    let new = NewNotice {
        business: booking.business,
        kind: NoticeKind::PendingBooking,
        audience: Audience::Managers,
        subject: (HistorySubject::Booking, booking.id.0),
        headline: &approval_headline(&booking.reference),
        named_headline: None,
        detail: DETAIL,
        link: &format!("/bookings/{}", booking.id),
        dedupe_key: &format!("pending_booking:{}", booking.id),
        wait: WAIT,
        alert: None,
    };
    // It waits for others, so that there is nothing to push.
    notices::raise(tx, &new, change.now).await.map(drop)
}
