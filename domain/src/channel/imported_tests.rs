//! What was imported by hand, and was never in the feed, is nobody's that the feed brings under other dates.

use super::*;

fn imported(number: u128, key: &str, days: (u32, u32)) -> KnownItem {
    KnownItem { pinned: true, ..known(number, key, SOLD, days) }
}

#[test]
fn imported_booking_is_not_shortened_by_overlap() {
    for uids in [UidKeeps::WithDates, UidKeeps::Volatile] {
        let rules = ChannelRules { uids, ..ChannelRules::default() };
        let events = vec![event("feed", EventKind::Unclear, (5, 8))];
        let by_hand = imported(1, "file", (1, 10));
        let plan =
            ChannelPlanCase { known: vec![by_hand], events, rules, ..ChannelPlanCase::default() }.plan();
        assert_eq!(told(&plan), ["+reservation 5-8"], "{uids:?}");
    }
}

#[test]
fn imported_booking_is_not_moved_to_its_guests_next_stay() {
    let rules = ChannelRules { uids: UidKeeps::WithDates, ..ChannelRules::default() };
    let maria = Some("Maria".to_owned());
    let known = vec![KnownItem { guest: maria.clone(), ..imported(1, "file", (3, 5)) }];
    let next = SnapshotEvent { guest: maria, ..event("feed", EventKind::Reservation, (20, 22)) };
    let plan = ChannelPlanCase { known, events: vec![next], rules, ..ChannelPlanCase::default() }.plan();
    assert_eq!(told(&plan), ["+reservation 20-22"]);
}

#[test]
fn imported_booking_is_the_feeds_by_uid_or_by_time() {
    let rules = ChannelRules { uids: UidKeeps::WithDates, ..ChannelRules::default() };
    let seen = |key: &str, days| {
        let events = vec![event(key, EventKind::Reservation, days)];
        let known = vec![imported(1, "file", (3, 5))];
        told(&ChannelPlanCase { known, events, rules: rules.clone(), ..ChannelPlanCase::default() }.plan())
    };
    assert_eq!(seen("file", (4, 8)), ["~1 reservation 4-8"]);
    assert_eq!(seen("feed", (3, 5)), ["~1 reservation 3-5"]);
}
