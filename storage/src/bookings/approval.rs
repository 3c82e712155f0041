//! That a booking waits for a manager, said in the transaction that has written it.

use chrono::Duration;
use concord_domain::{
    audit::HistorySubject,
    booking::BookingStatus,
    notice::{NoticeKind, approval_detail, approval_headline, name_in_notice, named_approval_headline},
    people::Actor,
};

use super::outcome::WrittenBooking;
use crate::{
    ChangeContext, Result, Tx,
    column::{ZoneName, sqlx},
    notices::{self, Audience, NewNotice},
};

#[derive(sqlx_macros::FromRow)]
struct AskedResource {
    name: String,
    #[sqlx(try_from = "ZoneName")]
    zone: chrono_tz::Tz,
}

const RESOURCE: &str = "
    SELECT r.name, COALESCE(r.zone, h.zone) AS zone FROM resources r JOIN businesses h ON h.id = r.business_id
    WHERE r.business_id = $1 AND r.id = $2";
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
    let draft = &booking.draft;
    let AskedResource { name, zone } = one!(tx, RESOURCE, booking.business, draft.resource)?;
    let named =
        name_in_notice(&draft.customer.name).map(|name| named_approval_headline(&name, &booking.reference));
    let new = NewNotice {
        business: booking.business,
        kind: NoticeKind::PendingBooking,
        audience: Audience::Managers,
        subject: (HistorySubject::Booking, booking.id.0),
        headline: &approval_headline(&booking.reference),
        named_headline: named.as_deref(),
        detail: &approval_detail(&name, &draft.time, zone),
        link: &format!("/bookings/{}", booking.id),
        dedupe_key: &format!("pending_booking:{}", booking.id),
        wait: WAIT,
        alert: None,
    };
    // It waits for others, so that there is nothing to push.
    notices::raise(tx, &new, change.now).await.map(drop)
}
