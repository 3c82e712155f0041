//! What stands in the way of a booking, in words.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use concord_domain::{
    ids::StaffId,
    interval::Interval,
    occupancy::{OccupancySource, SubjectKind},
};
use concord_storage::{bookings::Unavailability, occupancy::OccupiedInterval};

use super::{CurrentUser, linkable_path, stretch};

/// What stands there, whose it is, and when.
pub(super) struct ObstacleView {
    pub(super) who: String,
    pub(super) what: String,
    pub(super) path: Option<String>,
    pub(super) when: String,
}

/// What stands there, as the beginning of a sentence: "Sea View is taken (B-7, Massage, Sat 21 Nov, 14:00–15:00)".
pub(super) fn conflict_summary(taken: &Unavailability, user: &CurrentUser, now: DateTime<Utc>) -> String {
    let zone = user.business.zone;
    let Some(first) = taken.obstacles.first() else { return "This time is taken".to_owned() };
    let first = obstacle_view(first, user, zone, now.with_timezone(&zone).date_naive());
    format!("{} is taken ({}, {})", first.who, first.what, first.when)
}

/// One that is in the way, as far as the person may know it.
pub(super) fn obstacle_view(
    obstacle: &OccupiedInterval,
    user: &CurrentUser,
    zone: Tz,
    today: NaiveDate,
) -> ObstacleView {
    let who = obstacle.subject_name.clone().unwrap_or_else(|| match obstacle.subject_kind {
        SubjectKind::Resource => "The resource".to_owned(),
        SubjectKind::Staff => "A staff member".to_owned(),
    });
    // What somebody else's calendars are called is not everybody's to know.
    let calendar = obstacle.calendar.as_ref().filter(|_| user.may_see(StaffId(obstacle.subject_id)));
    let what = match (&obstacle.reference, calendar, obstacle.source) {
        (Some(reference), _, _) => match obstacle.title.as_deref().filter(|title| !title.is_empty()) {
            Some(title) => format!("{reference}, {title}"),
            None => reference.clone(),
        },
        (None, Some(calendar), _) => format!("busy time in the calendar “{calendar}”"),
        (None, None, OccupancySource::Busy) => "busy time in a connected calendar".to_owned(),
        (None, None, OccupancySource::Reservation) => "a platform's reservation".to_owned(),
        (None, None, OccupancySource::Block | OccupancySource::Booking) => "blocked".to_owned(),
    };
    ObstacleView {
        who,
        what,
        path: obstacle.reference.as_deref().and_then(linkable_path),
        when: stretch(Interval { start: obstacle.starts_at, end: obstacle.ends_at }, zone, today),
    }
}
