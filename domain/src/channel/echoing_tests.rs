//! What we published and what ends a platform's selling time, given back by the platform.

use super::*;

#[test]
fn an_hour_comes_back_as_the_night_that_is_closed_for_it() {
    let noon = nights(3, 4).1.start + Duration::hours(12);
    let hour = EchoSource {
        interval: Interval { start: noon, end: noon + Duration::hours(1) },
        believed: true,
        of_unconfirmed: false,
    };
    for kind in [EventKind::Block, EventKind::Unclear] {
        let events = vec![event("a", kind, (3, 4)), event("b", kind, (4, 5))];
        let plan = ChannelPlanCase { events, published: vec![hour], ..ChannelPlanCase::default() }.plan();
        let other = if kind == EventKind::Block { "+block 4-5" } else { "+reservation 4-5" };
        assert_eq!(told(&plan), ["+echo 3-4", other], "{kind:?}");
    }
}

#[test]
fn what_we_published_is_no_booking_when_it_comes_back() {
    for kind in [EventKind::Block, EventKind::Unclear] {
        let plan = ChannelPlanCase {
            events: vec![event("a", kind, (3, 5))],
            published: vec![published(3, 5)],
            ..ChannelPlanCase::default()
        }
        .plan();
        assert_eq!((told(&plan), plan.echoes), (vec!["+echo 3-5".to_owned()], 1), "{kind:?}");
    }
    // A platform that says "reserved" has sold it, whatever we published.
    let events = vec![event("a", EventKind::Reservation, (3, 5))];
    let plan =
        ChannelPlanCase { events, published: vec![published(3, 5)], ..ChannelPlanCase::default() }.plan();
    assert_eq!(told(&plan), ["+reservation 3-5"]);
}

#[test]
fn of_a_block_that_was_joined_with_ours_the_rest_is_taken() {
    let events = vec![event("a", EventKind::Block, (1, 9))];
    let plan = ChannelPlanCase {
        events,
        published: vec![published(2, 4), published(4, 6)],
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), ["+block 1-2", "+block 6-9"]);
}

#[test]
fn blocks_can_be_the_platforms_own_affair() {
    let rules = ChannelRules { blocks: BlockRule::Ignore, ..ChannelRules::default() };
    let events = vec![event("a", EventKind::Block, (1, 9)), event("b", EventKind::Reservation, (10, 12))];
    let items = vec![known(1, "a", ItemKind::Block, (1, 9)), known(2, "b", SOLD, (10, 12))];
    let plan = ChannelPlanCase { known: items, events, rules, ..ChannelPlanCase::default() }.plan();
    assert_eq!(told(&plan), ["~1 ignored 1-9"]);
}

#[test]
fn the_same_nights_closed_twice_were_sold_once() {
    let events = vec![event("a", EventKind::Unclear, (3, 5)), event("b", EventKind::Unclear, (3, 5))];
    let plan =
        ChannelPlanCase { events, published: vec![published(3, 5)], ..ChannelPlanCase::default() }.plan();
    assert_eq!(told(&plan), ["+echo 3-5", "+reservation 3-5"]);
    // Which of them it was shows when one of them goes.
    let items = vec![
        known(1, "a", ItemKind::Echo, (3, 5)),
        KnownItem { contested: true, ..known(2, "b", SOLD, (3, 5)) },
    ];
    let events = vec![event("b", EventKind::Unclear, (3, 5))];
    let plan = ChannelPlanCase {
        known: items,
        events,
        published: vec![published(3, 5)],
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), ["-1", "~2 echo 3-5"]);
}

#[test]
fn what_was_sold_before_we_published_it_stays_sold() {
    let items =
        vec![KnownItem { summary: "CLOSED - Not available".to_owned(), ..known(1, "a", SOLD, (3, 5)) }];
    let events = vec![event("a", EventKind::Unclear, (3, 5))];
    let plan = ChannelPlanCase {
        known: items,
        events,
        published: vec![published(3, 5)],
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!((told(&plan), plan.unchanged), (vec![], 1));
}

#[test]
fn booking_window_end_moves_daily_and_is_no_reservation() {
    let rules = ChannelRules { window_months: vec![3, 6, 12], ..ChannelRules::default() };
    // 21 February 2027 is three months from today: day 83, counted from 30 November.
    let window = |key: &str, day| event(key, EventKind::Block, (day, day + 280));
    let plan =
        ChannelPlanCase { events: vec![window("w", 83)], rules: rules.clone(), ..ChannelPlanCase::default() }
            .plan();
    assert_eq!(told(&plan), ["+window 83-363"]);
    let items = vec![known(1, "w", ItemKind::Window, (83, 363))];
    let tomorrow = ChannelPlanCase {
        known: items.clone(),
        events: vec![window("another", 84)],
        rules: rules.clone(),
        now: now() + Duration::days(1),
        ..ChannelPlanCase::default()
    };
    assert_eq!(told(&tomorrow.plan()), ["~1 window 84-364"]);
    // What stands still is no window.
    let still = ChannelPlanCase {
        known: items,
        events: vec![window("w", 83)],
        rules,
        now: now() + Duration::days(4),
        ..ChannelPlanCase::default()
    };
    assert_eq!(told(&still.plan()), ["~1 block 83-363"]);
}

#[test]
fn booking_window_is_split_from_adjoining_block() {
    let rules = ChannelRules { window_months: vec![3, 6, 12], ..ChannelRules::default() };
    let joined = |items, published| {
        let events = vec![event("w", EventKind::Block, (70, 363))];
        ChannelPlanCase {
            known: items,
            events,
            published,
            rules: rules.clone(),
            ..ChannelPlanCase::default()
        }
        .plan()
    };
    let seen = || vec![known(1, "v", ItemKind::Window, (83, 363))];
    assert_eq!(told(&joined(seen(), vec![])), ["+block 70-83", "~1 window 83-363"]);
    // What we published is neither.
    assert_eq!(told(&joined(seen(), vec![published(75, 90)])), ["+block 70-75", "~1 window 83-363"]);
    // Where it was never seen by itself, all of it may be the owner's.
    assert_eq!(told(&joined(vec![], vec![])), ["+block 70-363"]);
}

#[test]
fn echo_prefers_exact_dates_over_contained_ones() {
    // It was taken for an echo while the other was missing.
    let items = vec![known(1, "r", ItemKind::Echo, (3, 5))];
    let events = vec![event("e", EventKind::Unclear, (2, 6)), event("r", EventKind::Unclear, (3, 5))];
    let plan = ChannelPlanCase {
        known: items,
        events,
        published: vec![published(2, 6)],
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), ["+echo 2-6", "~1 reservation 3-5"]);
}

#[test]
fn our_very_dates_are_an_echo_as_often_as_we_published_them() {
    let events =
        [("r", (3, 5)), ("e", (3, 5)), ("f", (3, 6))].map(|(key, days)| event(key, EventKind::Unclear, days));
    let ours = vec![published(3, 5), published(3, 6)];
    let plan =
        ChannelPlanCase { events: events.to_vec(), published: ours, ..ChannelPlanCase::default() }.plan();
    assert_eq!(told(&plan), ["+echo 3-5", "+echo 3-6", "+reservation 3-5"]);
}

#[test]
fn nothing_sold_is_taken_for_an_echo_that_lingers() {
    let gone = || vec![EchoSource { believed: false, ..published(3, 5) }];
    let sees = |items, key: &str, published| {
        ChannelPlanCase {
            known: items,
            events: vec![event(key, EventKind::Unclear, (3, 5))],
            published,
            ..ChannelPlanCase::default()
        }
        .plan()
    };
    let echo = || known(1, "e", ItemKind::Echo, (3, 5));
    // The same event may be slow to go. Another is not the same.
    assert_eq!(
        told(&sees(vec![KnownItem { summary: "CLOSED - Not available".to_owned(), ..echo() }], "e", gone())),
        [""; 0]
    );
    assert_eq!(told(&sees(vec![echo()], "r", gone())), ["-1", "+reservation 3-5"]);
    // Of two that looked alike, the one that is left is the one that is not ours.
    let twins = vec![echo(), KnownItem { contested: true, ..known(2, "r", SOLD, (3, 5)) }];
    assert_eq!(told(&sees(twins, "e", gone())), ["-2", "~1 reservation 3-5"]);
}

#[test]
fn under_another_uid_it_is_seen_twice_before_it_is_an_echo() {
    let seen = |known| {
        let events = vec![event("e", EventKind::Unclear, (3, 5))];
        ChannelPlanCase {
            known: vec![known],
            events,
            published: vec![published(3, 5)],
            ..ChannelPlanCase::default()
        }
        .plan()
    };
    let plan = seen(known(1, "r", SOLD, (3, 5)));
    let [ItemAction::Change { to, .. }] = &plan.actions[..] else { panic!("{plan:?}") };
    assert_eq!((to.kind, to.contested), (SOLD, true));
    assert_eq!(told(&seen(KnownItem { contested: true, ..known(1, "e", SOLD, (3, 5)) })), ["~1 echo 3-5"]);
}
