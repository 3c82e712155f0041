use chrono::NaiveDateTime;
use proptest::prelude::*;

use super::*;
use crate::{
    ical::fixtures::{at, booking},
    interval::{instant_at, stay},
    reminder::ReminderChannel,
};

const NIGHT: &str = "22:00-07:00";

fn rule(minutes_before: u32) -> ReminderRuleSettings {
    ReminderRuleSettings { channel: ReminderChannel::CustomerMail, kind: None, minutes_before }
}

fn local(text: &str, zone: Tz) -> DateTime<Utc> {
    instant_at(NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap(), zone)
}

/// When it is due, on the clocks of the zone.
fn due(minutes: u32, start: &str, quiet: Option<&str>, zone: Tz) -> Option<String> {
    let quiet = quiet.map(|hours| hours.parse().unwrap());
    let start = local(start, zone);
    match plan(&rule(minutes), start, (quiet, zone), start - Duration::days(60)) {
        ReminderPlan::At(timing) => {
            Some(timing.due_at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string())
        }
        ReminderPlan::Skip(_) => None,
    }
}

#[test]
fn reminder_is_due_by_real_time_in_every_zone() {
    use chrono_tz::{Asia::Kathmandu, Australia::Lord_Howe, Europe::Paris, Pacific::Apia};
    for (zone, start, day, hour) in [
        (Paris, "2026-07-10 15:00", "2026-07-09 15:00", "2026-07-10 14:00"),
        (Paris, "2026-12-10 15:00", "2026-12-09 15:00", "2026-12-10 14:00"),
        // A day of 23 hours before, and one of 25.
        (Paris, "2026-03-29 15:00", "2026-03-28 14:00", "2026-03-29 14:00"),
        (Paris, "2026-10-25 15:00", "2026-10-24 16:00", "2026-10-25 14:00"),
        (Paris, "2026-03-29 03:30", "2026-03-28 02:30", "2026-03-29 01:30"),
        (Kathmandu, "2026-07-10 00:15", "2026-07-09 00:15", "2026-07-09 23:15"),
        // Clocks go back by half an hour.
        (Lord_Howe, "2026-04-05 10:00", "2026-04-04 10:30", "2026-04-05 09:00"),
        (Apia, "2026-01-01 00:00", "2025-12-31 00:00", "2025-12-31 23:00"),
    ] {
        assert_eq!(due(1440, start, None, zone).as_deref(), Some(day), "{zone} {start}");
        assert_eq!(due(60, start, None, zone).as_deref(), Some(hour), "{zone} {start}");
    }
}

#[test]
fn stay_is_reminded_of_before_noon_of_its_first_day() {
    let zone = chrono_tz::Europe::Paris;
    let (check_in, check_out) = ("2026-03-29".parse().unwrap(), "2026-03-31".parse().unwrap());
    let mut booking = booking();
    booking.draft.time = BookingTime::Stay { check_in, check_out };
    booking.interval = stay(check_in, check_out, zone).unwrap();
    // Clocks go forward in the first night.
    let start = reminded_start(&booking, zone);
    assert_eq!(start, at("2026-03-29T10:00:00Z"));
    let plan = plan(&rule(1440), start, (None, zone), at("2026-01-01T00:00:00Z"));
    let timing =
        ReminderTiming { due_at: at("2026-03-28T10:00:00Z"), useful_until: at("2026-03-29T08:00:00Z") };
    assert_eq!(plan, ReminderPlan::At(timing));
    let row = PlannedReminder { starts_at: booking.interval.start, planned_at: at("2026-01-01T00:00:00Z") };
    let decided = |now: &str| decide(&row, &booking, Some(&rule(1440)), (None, zone), at(now));
    assert_eq!(decided("2026-03-28T09:59:00Z"), ReminderStep::Wait(timing.due_at));
    assert_eq!(decided("2026-03-28T10:00:00Z"), ReminderStep::Send(timing.useful_until));
}

#[test]
fn quiet_hours_move_it_to_their_end_or_else_to_their_beginning() {
    let zone = chrono_tz::Europe::Paris;
    for (minutes, start, expected) in [
        (1440, "2026-07-10 15:00", Some("2026-07-09 15:00")),
        // A day before is at night: in the morning there is still time.
        (1440, "2026-07-10 06:30", Some("2026-07-09 07:00")),
        (1440, "2026-07-10 23:30", Some("2026-07-10 07:00")),
        // An hour before is at night, and the morning is too late: the evening before.
        (60, "2026-07-10 06:30", Some("2026-07-09 22:00")),
        (60, "2026-07-10 07:00", Some("2026-07-09 22:00")),
        (60, "2026-07-10 07:30", Some("2026-07-10 07:00")),
        (60, "2026-07-10 23:30", Some("2026-07-10 22:00")),
        (60, "2026-07-10 08:00", Some("2026-07-10 07:00")),
    ] {
        assert_eq!(due(minutes, start, Some(NIGHT), zone).as_deref(), expected, "{minutes} before {start}");
    }
}

#[test]
fn what_was_due_when_the_booking_was_made_is_not_sent() {
    let start = at("2026-07-10T15:00:00Z");
    let zone = chrono_tz::UTC;
    let planned = |made: &str, quiet: Option<&str>| {
        plan(&rule(60), start, (quiet.map(|hours| hours.parse().unwrap()), zone), at(made))
    };
    let timing = ReminderTiming { due_at: at("2026-07-10T14:00:00Z"), useful_until: start };
    assert_eq!(planned("2026-07-10T13:59:59Z", None), ReminderPlan::At(timing));
    for made in ["2026-07-10T14:00:00Z", "2026-07-10T14:30:00Z", "2026-07-10T16:00:00Z"] {
        assert_eq!(planned(made, None), ReminderPlan::Skip(ReminderSkip::BookedLate), "{made}");
    }
    // Booked after the quiet hours have begun in which it would come.
    let quiet = planned("2026-07-10T13:30:00Z", Some("13:00-15:30"));
    assert_eq!(quiet, ReminderPlan::Skip(ReminderSkip::QuietHours));
}

fn step(minutes: u32, now: &str, quiet: Option<&str>, change: impl FnOnce(&mut Booking)) -> ReminderStep {
    let mut booking = booking();
    let (starts_at, ends_at) = (at("2026-07-10T15:00:00Z"), at("2026-07-10T16:00:00Z"));
    booking.draft.time = BookingTime::Timed { starts_at, ends_at };
    booking.interval = booking.draft.time.interval(chrono_tz::UTC).unwrap();
    let planned =
        PlannedReminder { starts_at: booking.interval.start, planned_at: at("2026-07-01T00:00:00Z") };
    change(&mut booking);
    let quiet = (quiet.map(|hours| hours.parse().unwrap()), chrono_tz::UTC);
    decide(&planned, &booking, Some(&rule(minutes)), quiet, at(now))
}

#[test]
fn late_reminder_is_sent_while_it_helps() {
    use ReminderStep::{Send, Skip, Wait};
    let start = at("2026-07-10T15:00:00Z");
    let two_hours_before = at("2026-07-10T13:00:00Z");
    for (minutes, now, expected) in [
        (60, "2026-07-10T13:59:59Z", Wait(at("2026-07-10T14:00:00Z"))),
        (60, "2026-07-10T14:00:00Z", Send(start)),
        (60, "2026-07-10T14:59:59Z", Send(start)),
        (60, "2026-07-10T15:00:00Z", Skip(ReminderSkip::TooLate)),
        (1440, "2026-07-10T12:59:59Z", Send(two_hours_before)),
        (1440, "2026-07-10T13:00:00Z", Skip(ReminderSkip::TooLate)),
    ] {
        assert_eq!(step(minutes, now, None, |_| ()), expected, "{minutes} {now}");
    }
    // What was due in the afternoon does not come at night.
    assert_eq!(step(1440, "2026-07-09T23:00:00Z", Some(NIGHT), |_| ()), Wait(at("2026-07-10T07:00:00Z")));
    let late = step(180, "2026-07-10T13:00:00Z", Some("12:30-15:30"), |_| ());
    assert_eq!(late, Skip(ReminderSkip::QuietHours));
}

#[test]
fn booking_is_looked_at_anew() {
    let now = "2026-07-10T14:00:00Z";
    let skip = ReminderStep::Skip;
    let status = |status| move |booking: &mut Booking| booking.draft.status = status;
    assert_eq!(step(60, now, None, status(BookingStatus::Cancelled)), skip(ReminderSkip::Cancelled));
    assert_eq!(step(60, now, None, status(BookingStatus::NoShow)), skip(ReminderSkip::Cancelled));
    assert_eq!(step(60, now, None, status(BookingStatus::Pending)), skip(ReminderSkip::NotConfirmed));
    let moved = step(60, now, None, |booking| booking.interval.start += Duration::minutes(1));
    assert_eq!(moved, skip(ReminderSkip::Moved));
    let sold =
        |booking: &mut Booking| booking.channel = Some(crate::ids::ChannelId(uuid::Uuid::from_u128(9)));
    assert_eq!(step(60, now, None, sold), skip(ReminderSkip::RuleChanged));
    let planned =
        PlannedReminder { starts_at: booking().interval.start, planned_at: at("2026-07-01T00:00:00Z") };
    let removed = decide(&planned, &booking(), None, (None, chrono_tz::UTC), at(now));
    assert_eq!(removed, skip(ReminderSkip::RuleChanged));
}

fn zones() -> impl Strategy<Value = Tz> {
    prop::sample::select(chrono_tz::TZ_VARIANTS.as_slice())
}

proptest! {
    #[test]
    fn reminder_comes_in_time_and_never_by_surprise(
        zone in zones(),
        start in 1_767_225_600_i64..1_798_761_600,
        ahead in 0_i64..40 * 24 * 60,
        minutes in 5_u32..28 * 24 * 60,
        hours in prop::option::of((0_u32..1440, 0_u32..1440)),
    ) {
        let start = DateTime::from_timestamp(start / 60 * 60, 0).unwrap();
        let planned_at = start - Duration::minutes(ahead);
        let quiet = hours.and_then(|(from, until)| QuietHours::new(from, until).ok());
        if let ReminderPlan::At(timing) = plan(&rule(minutes), start, (quiet, zone), planned_at) {
            prop_assert!(timing.due_at > planned_at, "nothing is due at once");
            prop_assert!(timing.due_at < timing.useful_until && timing.useful_until <= start);
            let usual = start - Duration::minutes(minutes.into());
            match quiet.and_then(|quiet| quiet.around(timing.due_at, zone)) {
                Some((beginning, _)) => prop_assert_eq!(timing.due_at, beginning, "in quiet hours"),
                None if quiet.is_none() => prop_assert_eq!(timing.due_at, usual),
                None => prop_assert!(timing.due_at >= usual),
            }
        }
    }

    #[test]
    fn what_is_sent_is_still_of_use(
        zone in zones(),
        minutes in 5_u32..28 * 24 * 60,
        now in -30_i64 * 24 * 60..60,
        hours in prop::option::of((0_u32..1440, 0_u32..1440)),
    ) {
        let booking = booking();
        let start = reminded_start(&booking, zone);
        let starts_at = booking.interval.start;
        let planned = PlannedReminder { starts_at, planned_at: start - Duration::days(90) };
        let quiet = hours.and_then(|(from, until)| QuietHours::new(from, until).ok());
        let now = start + Duration::minutes(now);
        match decide(&planned, &booking, Some(&rule(minutes)), (quiet, zone), now) {
            ReminderStep::Send(until) => prop_assert!(now < until && until <= start),
            ReminderStep::Wait(until) => prop_assert!(now < until && until < start),
            ReminderStep::Skip(_) => {}
        }
    }
}
