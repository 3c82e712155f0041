//! What a plan makes of what may be ours: UIDs of ours, nights that were freed, and what somebody said of them.

use super::*;
use crate::channel::Settled;

const CLOSED: EventKind = EventKind::Unclear;

fn volatile() -> ChannelRules {
    ChannelRules { uids: UidKeeps::Volatile, ..ChannelRules::default() }
}

/// An event that bears a UID of ours.
fn own(key: &str, told: EventKind, nights: (u32, u32)) -> SnapshotEvent {
    SnapshotEvent { ours: true, ..event(key, told, nights) }
}

fn freed(from: u32, until: u32) -> EchoSource {
    EchoSource { believed: false, ..published(from, until) }
}

/// As a platform that writes all alike shows it.
fn shown(number: u128, key: &str, kind: ItemKind, nights: (u32, u32)) -> KnownItem {
    KnownItem { summary: "CLOSED - Not available".to_owned(), ..known(number, key, kind, nights) }
}

#[test]
fn own_uid_is_an_echo_whatever_it_is_called() {
    for told_as in [EventKind::Reservation, EventKind::Block, EventKind::Unclear] {
        for known in [vec![], vec![known(1, "ours", SOLD, (3, 5))]] {
            let expected = if known.is_empty() { "+echo 3-5" } else { "~1 echo 3-5" };
            let plan = ChannelPlanCase {
                known,
                events: vec![own("ours", told_as, (3, 5))],
                ..ChannelPlanCase::default()
            }
            .plan();
            assert_eq!(told(&plan), [expected], "{told_as}");
        }
    }
}

#[test]
fn own_uid_uses_up_what_was_published() {
    // The other one is sold: ours has come back already.
    let events = vec![event("x", CLOSED, (3, 5)), own("ours", CLOSED, (3, 5))];
    let plan =
        ChannelPlanCase { events, published: vec![published(3, 5)], ..ChannelPlanCase::default() }.plan();
    assert_eq!(told(&plan), ["+echo 3-5", "+reservation 3-5"]);
}

#[test]
fn freed_nights_are_unconfirmed_where_uids_change() {
    let seen = |rules: ChannelRules, key: &str, kind: EventKind| {
        ChannelPlanCase {
            known: vec![KnownItem {
                summary: event(key, kind, (3, 5)).summary,
                ..known(1, "e", ItemKind::Echo, (3, 5))
            }],
            events: vec![event(key, kind, (3, 5))],
            published: vec![freed(3, 5)],
            rules,
            ..ChannelPlanCase::default()
        }
        .plan()
    };
    assert_eq!(told(&seen(volatile(), "e", CLOSED)), ["~1 unconfirmed 3-5"]);
    assert_eq!(told(&seen(volatile(), "new", CLOSED)), ["~1 unconfirmed 3-5"]);
    // Where a UID stays, the same one is the same; and what is only closed is not sold.
    assert_eq!(told(&seen(ChannelRules::default(), "e", CLOSED)), Vec::<String>::new());
    assert_eq!(told(&seen(volatile(), "e", EventKind::Block)), Vec::<String>::new());
}

#[test]
fn unconfirmed_event_ends_with_its_day_or_an_answer() {
    let unconfirmed = || shown(1, "d", ItemKind::Unconfirmed, (3, 5));
    let case = |known: KnownItem, events: Vec<SnapshotEvent>, published: Vec<EchoSource>| {
        ChannelPlanCase {
            known: vec![known],
            events,
            published,
            rules: volatile(),
            ..ChannelPlanCase::default()
        }
        .plan()
    };
    let same = || vec![event("d", CLOSED, (3, 5))];
    assert_eq!(told(&case(unconfirmed(), same(), vec![freed(3, 5)])), Vec::<String>::new());
    // It goes at once: no guard is asked.
    assert_eq!(told(&case(unconfirmed(), vec![], vec![freed(3, 5)])), ["-1"]);
    // Nothing lingers any more: it was sold.
    assert_eq!(told(&case(unconfirmed(), same(), vec![])), ["~1 reservation 3-5"]);
    assert_eq!(
        told(&case(unconfirmed(), vec![event("new", CLOSED, (3, 5))], vec![])),
        ["~1 reservation 3-5"]
    );
    let settled = |settled| KnownItem { settled: Some(settled), ..unconfirmed() };
    for (word, kind) in [(Settled::Booking, "reservation"), (Settled::Ours, "echo")] {
        assert_eq!(told(&case(settled(word), same(), vec![freed(3, 5)])), [format!("~1 {kind} 3-5")]);
    }
    // What was said is said of these nights alone.
    let moved = vec![event("d", CLOSED, (3, 4))];
    assert_eq!(told(&case(settled(Settled::Ours), moved, vec![freed(3, 5)])), ["~1 unconfirmed 3-4"]);
}

#[test]
fn unconfirmed_nights_make_none_unconfirmed_elsewhere() {
    let plan = ChannelPlanCase {
        known: vec![shown(1, "e", ItemKind::Echo, (3, 5))],
        events: vec![event("e", CLOSED, (3, 5))],
        published: vec![EchoSource { of_unconfirmed: true, ..freed(3, 5) }],
        rules: volatile(),
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), Vec::<String>::new());
}

#[test]
fn without_an_end_a_known_stay_stands() {
    let open = |key: &str, from| SnapshotEvent {
        ends: false,
        ..event(key, EventKind::Reservation, (from, from + 1))
    };
    let others = || [known(2, "b", SOLD, (10, 12)), known(3, "c", SOLD, (20, 22))];
    let there =
        || [event("b", EventKind::Reservation, (10, 12)), event("c", EventKind::Reservation, (20, 22))];
    let all = || [vec![known(1, "a", SOLD, (3, 6))], others().to_vec()].concat();
    let with = |event: SnapshotEvent, rules: ChannelRules| {
        let events = [vec![event], there().to_vec()].concat();
        ChannelPlanCase { known: all(), events, rules, ..ChannelPlanCase::default() }.plan()
    };
    let plan = with(open("a", 3), ChannelRules::default());
    assert_eq!((told(&plan), plan.endless, plan.unchanged), (vec![], 1, 3));
    // Moved, perhaps: that cannot be known either.
    assert_eq!(told(&with(open("a", 8), ChannelRules::default())), Vec::<String>::new());
    assert_eq!(told(&with(open("new", 3), volatile())), Vec::<String>::new());
    // A night that was one is one; and so is one that is new.
    let plan = ChannelPlanCase {
        known: vec![known(1, "a", SOLD, (3, 4))],
        events: vec![open("a", 3), open("x", 8)],
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!((told(&plan), plan.endless), (vec!["+reservation 8-9".to_owned()], 0));
    // It takes no time at all.
    let start = nights(3, 4).1.start;
    for (key, rules) in [("a", ChannelRules::default()), ("new", volatile())] {
        let endless = vec![EventWithoutEnd { key: key.to_owned(), start }];
        let plan = ChannelPlanCase {
            known: all(),
            events: there().to_vec(),
            endless,
            rules,
            ..ChannelPlanCase::default()
        }
        .plan();
        assert_eq!((told(&plan), plan.endless), (vec![], 1), "{key}");
    }
}

#[test]
fn events_without_an_end_count_as_not_understood() {
    let known = vec![known(1, "a", SOLD, (3, 6)), known(2, "b", SOLD, (8, 9)), known(3, "c", SOLD, (10, 12))];
    let events = vec![
        SnapshotEvent { ends: false, ..event("a", EventKind::Reservation, (3, 4)) },
        event("c", EventKind::Reservation, (10, 12)),
    ];
    let plan = ChannelPlanCase { known, events, ..ChannelPlanCase::default() }.plan();
    // What is missing may be what cannot be read.
    assert_eq!(told(&plan), ["?2"]);
}
