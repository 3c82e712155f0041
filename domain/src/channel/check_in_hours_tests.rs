//! Nights that we published as days and that come back with hours of check-in and check-out.

use super::*;

/// From an hour of one day of December to an hour of another.
fn with_hours(
    key: &str,
    told: EventKind,
    (from, check_in): (u32, i64),
    (until, check_out): (u32, i64),
) -> SnapshotEvent {
    let day = nights(from, until).1;
    let interval =
        Interval { start: day.start + Duration::hours(check_in), end: day.end + Duration::hours(check_out) };
    let time = BookingTime::Timed { starts_at: interval.start, ends_at: interval.end };
    SnapshotEvent { time, interval, ..event(key, told, (from, until)) }
}

fn sorted(events: Vec<SnapshotEvent>, published: Vec<EchoSource>) -> Vec<ItemKind> {
    let plan = ChannelPlanCase { events, published, ..ChannelPlanCase::default() }.plan();
    let kind = |action: &ItemAction| match action {
        ItemAction::Add(item) => item.kind,
        other => panic!("{other:?}"),
    };
    plan.actions.iter().map(kind).collect()
}

#[test]
fn published_nights_with_hours_are_an_echo() {
    for kind in [EventKind::Unclear, EventKind::Block] {
        let back = with_hours("x", kind, (3, 14), (5, 10));
        assert_eq!(sorted(vec![back], vec![published(3, 5)]), [ItemKind::Echo], "{kind:?}");
    }
}

#[test]
fn published_nights_with_hours_come_back_once() {
    let twice = ["x", "y"].map(|key| with_hours(key, EventKind::Unclear, (3, 14), (5, 10)));
    assert_eq!(sorted(twice.to_vec(), vec![published(3, 5)]), [ItemKind::Echo, SOLD]);
}

#[test]
fn hours_over_other_nights_are_no_echo() {
    for (from, until) in [((3, 14), (6, 10)), ((3, 14), (5, 16)), ((2, 14), (5, 10))] {
        let other = with_hours("x", EventKind::Unclear, from, until);
        assert_eq!(sorted(vec![other], vec![published(3, 5)]), [SOLD], "{from:?} {until:?}");
    }
    // An evening that lasts past midnight is no stay.
    let evening = with_hours("x", EventKind::Unclear, (3, 22), (4, 2));
    assert_eq!(sorted(vec![evening], vec![published(3, 4)]), [SOLD]);
    // What says "reserved" was sold there, whatever we published.
    let reserved = with_hours("x", EventKind::Reservation, (3, 14), (5, 10));
    assert_eq!(sorted(vec![reserved], vec![published(3, 5)]), [SOLD]);
}

#[test]
fn echo_with_hours_stays_an_echo_while_it_lingers() {
    let echo = || {
        let seen = with_hours("x", EventKind::Unclear, (3, 14), (5, 10));
        let summary = seen.summary.clone();
        (KnownItem { interval: seen.interval, summary, ..known(1, "x", ItemKind::Echo, (3, 5)) }, seen)
    };
    for believed in [true, false] {
        let (known, seen) = echo();
        let published = vec![EchoSource { believed, ..published(3, 5) }];
        let plan = ChannelPlanCase {
            known: vec![known],
            events: vec![seen],
            published,
            ..ChannelPlanCase::default()
        }
        .plan();
        assert_eq!(told(&plan), [""; 0], "believed: {believed}");
    }
}
