//! The diff that is measured: from a calendar that was read to what follows from it.

use chrono::Duration;
use chrono_tz::Tz;
use concord_domain::{
    channel::{
        ItemKind,
        plan::{ChannelPlanInput, ChannelRules, KnownItem, plan},
        snapshot::{Snapshot, SnapshotEvent, snapshot},
    },
    ical::{ParsedCalendar, ReadError, ReadLimits},
    ids::ChannelItemId,
    interval::Interval,
    platform::EventKind,
};
use uuid::Uuid;

const ZONE: Tz = chrono_tz::Europe::Lisbon;

/// What was known before: the same, but for each hundredth, which was longer, and each thousandth, which was not there.
pub(crate) fn known(calendar: &ParsedCalendar, limits: &ReadLimits) -> Result<Vec<KnownItem>, ReadError> {
    let known = |(number, event): (usize, SnapshotEvent)| {
        let longer = Duration::hours(i64::from(number % 100 == 0));
        let end = event.interval.end + longer;
        let known = KnownItem {
            id: ChannelItemId(Uuid::from_u128(number as u128)),
            key: event.key,
            interval: Interval { end, ..event.interval },
            kind: ItemKind::Reservation,
            summary: event.summary,
            guest: event.guest,
            contested: false,
            missing_since: None,
            pinned: false,
            tentative: false,
            settled: None,
            is_erased: false,
        };
        (number % 1000 != 0).then_some(known)
    };
    Ok(seen(calendar, limits)?.events.into_iter().enumerate().filter_map(known).collect())
}

/// How many actions follow.
pub(crate) fn actions(
    calendar: &ParsedCalendar,
    known: &[KnownItem],
    limits: &ReadLimits,
) -> Result<usize, ReadError> {
    let snapshot = seen(calendar, limits)?;
    let rules = ChannelRules::default();
    let sight = ChannelPlanInput {
        known,
        snapshot: &snapshot,
        published: &[],
        rules: &rules,
        is_part: false,
        held: None,
        zone: ZONE,
        now: super::feed::now(),
    };
    Ok(plan(&sight).actions.len())
}

fn seen(calendar: &ParsedCalendar, limits: &ReadLimits) -> Result<Snapshot, ReadError> {
    let window = Interval { start: super::feed::now(), end: super::feed::now() + Duration::days(800) };
    snapshot(calendar, window, ZONE, limits, |_| Some((EventKind::Reservation, None)))
}
