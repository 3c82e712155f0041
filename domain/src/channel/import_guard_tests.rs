//! What a plan makes of what is missing.

use super::*;

#[test]
fn what_disappears_from_a_whole_feed_is_cancelled() {
    let plan = ChannelPlanCase {
        known: vec![known(1, "a", SOLD, (3, 5)), known(2, "b", SOLD, (7, 9))],
        events: vec![event("a", EventKind::Reservation, (3, 5))],
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), ["-2"]);
}

#[test]
fn an_empty_feed_is_believed_after_a_day() {
    let mut items = vec![known(1, "a", SOLD, (3, 5)), known(2, "b", SOLD, (7, 9))];
    let plan = ChannelPlanCase { known: items.clone(), ..ChannelPlanCase::default() }.plan();
    assert_eq!(told(&plan), ["?1", "?2"]);
    let held = plan.held.unwrap();
    assert_eq!(
        (held.import_guard, held.items, held.of, held.until),
        (ImportGuard::Empty, 2, 2, now() + Duration::days(1))
    );

    for item in &mut items {
        item.missing_since = Some(now());
    }
    let later = |hours| {
        ChannelPlanCase {
            known: items.clone(),
            now: now() + Duration::hours(hours),
            ..ChannelPlanCase::default()
        }
        .plan()
    };
    assert_eq!(told(&later(23)), Vec::<String>::new());
    assert_eq!(later(23).held.unwrap().items, 2);
    assert_eq!(told(&later(24)), ["-1", "-2"]);
    assert_eq!(later(24).held, None);

    // When the first event is back, the others have no less time to come.
    let recovering = |hours| {
        let events = vec![event("a", EventKind::Reservation, (3, 5))];
        let now = now() + Duration::hours(hours);
        ChannelPlanCase {
            known: items.clone(),
            events,
            held: Some(ImportGuard::Empty),
            now,
            ..ChannelPlanCase::default()
        }
        .plan()
    };
    assert_eq!(told(&recovering(23)), ["!1"]);
    assert_eq!(
        recovering(23).held.map(|held| (held.import_guard, held.items)),
        Some((ImportGuard::Empty, 1))
    );
    assert_eq!(told(&recovering(24)), ["-2", "!1"]);
}

#[test]
fn more_than_half_is_held_and_half_is_not() {
    let items: Vec<KnownItem> =
        (1..=4).map(|n| known(n.into(), &n.to_string(), SOLD, (n * 3, n * 3 + 2))).collect();
    let left = |count: u32| {
        let events =
            (1..=count).map(|n| event(&n.to_string(), EventKind::Reservation, (n * 3, n * 3 + 2))).collect();
        ChannelPlanCase { known: items.clone(), events, ..ChannelPlanCase::default() }.plan()
    };
    assert_eq!(told(&left(2)), ["-3", "-4"]);
    assert_eq!(told(&left(1)), ["?2", "?3", "?4"]);
    assert_eq!(left(1).held.unwrap().import_guard, ImportGuard::Shrunk);
}

#[test]
fn what_comes_back_is_no_news() {
    let missing = KnownItem { missing_since: Some(now()), ..known(1, "a", SOLD, (3, 5)) };
    let events = vec![event("a", EventKind::Reservation, (3, 5))];
    let plan = ChannelPlanCase { known: vec![missing], events, ..ChannelPlanCase::default() }.plan();
    assert_eq!(told(&plan), ["!1"]);
}

#[test]
fn what_somebody_has_kept_stays_until_the_feed_has_it_again() {
    let pinned = KnownItem { pinned: true, ..known(1, "a", SOLD, (3, 5)) };
    let other = || vec![event("b", EventKind::Reservation, (7, 9))];
    let plan = ChannelPlanCase {
        known: vec![pinned, known(2, "b", SOLD, (7, 9))],
        events: other(),
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!((told(&plan), plan.held), (vec![], None));
}

#[test]
fn what_is_called_off_by_name_is_believed_at_once() {
    let plan = ChannelPlanCase {
        known: vec![known(1, "a", SOLD, (3, 5))],
        called_off: vec!["a"],
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), ["-1"]);
}

#[test]
fn a_stay_under_way_is_not_ended_by_its_feed() {
    let (now, item) = (nights(4, 5).1.start, known(1, "a", SOLD, (3, 6)));
    let plan = ChannelPlanCase {
        known: vec![item],
        events: vec![event("b", EventKind::Reservation, (7, 9))],
        now,
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), ["+reservation 7-9"]);
    assert_eq!(plan.under_way, 1);
}

#[test]
fn what_could_not_be_read_may_be_what_is_missing() {
    let known = vec![known(1, "a", SOLD, (3, 5)), known(2, "b", SOLD, (7, 9)), known(3, "c", SOLD, (10, 12))];
    let events = vec![event("a", EventKind::Reservation, (3, 5)), event("b", EventKind::Reservation, (7, 9))];
    let plan = ChannelPlanCase { known, events, left_out: 1, ..ChannelPlanCase::default() }.plan();
    assert_eq!(told(&plan), ["?3"]);
}

#[test]
fn what_was_held_waits_on_whatever_is_new() {
    let missing = KnownItem { missing_since: Some(now()), ..known(1, "a", SOLD, (3, 5)) };
    let later = |hours| {
        let items = vec![missing.clone(), known(2, "b", SOLD, (7, 9)), known(3, "c", SOLD, (10, 12))];
        let events =
            vec![event("b", EventKind::Reservation, (7, 9)), event("c", EventKind::Reservation, (10, 12))];
        ChannelPlanCase {
            known: items,
            events,
            now: now() + Duration::hours(hours),
            ..ChannelPlanCase::default()
        }
        .plan()
    };
    assert_eq!((told(&later(5)), later(5).held.map(|held| held.items)), (vec![], Some(1)));
    assert_eq!((told(&later(6)), later(6).held), (vec!["-1".to_owned()], None));
}

#[test]
fn quarantined_feed_is_judged_by_its_events_and_frees_nothing() {
    // Three pieces are one event: of three events, two are missing.
    let pieces = ["x #1", "x #2", "x #3"];
    let mut items: Vec<KnownItem> = pieces
        .iter()
        .zip(1..)
        .map(|(key, number)| {
            let from = u32::try_from(number).unwrap() * 3;
            known(number, key, ItemKind::Block, (from, from + 1))
        })
        .collect();
    items.extend([known(4, "a", SOLD, (20, 22)), known(5, "b", SOLD, (24, 26))]);
    let events = vec![event("x", EventKind::Block, (3, 10))];
    let published = vec![published(4, 6), published(7, 9)];
    let plan = ChannelPlanCase { known: items, events, published, ..ChannelPlanCase::default() }.plan();
    assert_eq!(
        (told(&plan), plan.held.map(|held| held.of)),
        (vec!["?4".to_owned(), "?5".to_owned()], Some(3))
    );

    // The echo is missing too, so that what was contested would seem to be it.
    let items = vec![
        known(1, "e", ItemKind::Echo, (3, 5)),
        KnownItem { contested: true, ..known(2, "r", SOLD, (3, 5)) },
        known(3, "a", SOLD, (20, 22)),
        known(4, "b", SOLD, (24, 26)),
    ];
    let events = vec![event("r", EventKind::Unclear, (3, 5))];
    let plan = ChannelPlanCase {
        known: items,
        events,
        published: vec![self::published(3, 5)],
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), ["?1", "?3", "?4"]);
}

#[test]
fn quarantined_feed_keeps_the_end_of_what_is_sold() {
    let items = vec![known(1, "w", ItemKind::Window, (83, 363)), known(2, "a", SOLD, (3, 5))];
    let plan = ChannelPlanCase { known: items, ..ChannelPlanCase::default() }.plan();
    assert_eq!(
        (told(&plan), plan.held.map(|held| held.items)),
        (vec!["?1".to_owned(), "?2".to_owned()], Some(1))
    );
}

#[test]
fn import_guard_cancels_item_missing_since_before_its_start() {
    let (items, start) = (known(1, "a", SOLD, (3, 6)), nights(3, 6).1.start);
    let began = |missing_since, now| {
        let known = vec![KnownItem { missing_since: Some(missing_since), ..items.clone() }];
        ChannelPlanCase {
            known,
            events: vec![event("b", EventKind::Reservation, (7, 9))],
            now,
            ..ChannelPlanCase::default()
        }
        .plan()
    };
    let before = began(start - Duration::hours(5), start + Duration::hours(1));
    assert_eq!((told(&before), before.under_way), (vec!["-1".to_owned(), "+reservation 7-9".to_owned()], 0));
    let since = began(start, start + Duration::hours(30));
    assert_eq!((told(&since), since.under_way), (vec!["+reservation 7-9".to_owned()], 1));
}

#[test]
fn of_two_that_looked_alike_one_goes_with_what_we_withdraw() {
    // Both had our nights and have begun; ours is withdrawn, and the platform has opened its own.
    let items =
        vec![known(1, "a", SOLD, (3, 6)), KnownItem { contested: true, ..known(2, "b", SOLD, (3, 6)) }];
    let events = |key: &str| vec![event(key, EventKind::Reservation, (3, 6))];
    let (now, gone) = (nights(4, 5).1.start, vec![EchoSource { believed: false, ..published(3, 6) }]);
    let plan = |known: &Vec<KnownItem>, events| {
        ChannelPlanCase {
            known: known.clone(),
            events,
            published: gone.clone(),
            now,
            ..ChannelPlanCase::default()
        }
        .plan()
    };
    assert_eq!(told(&plan(&items, events("a"))), ["-2"]);
    assert_eq!(told(&plan(&items, vec![])), Vec::<String>::new(), "both are missing: they are under way");
}

#[test]
fn partial_snapshot_cancels_and_replaces_nothing() {
    let rules = ChannelRules { uids: UidKeeps::Volatile, ..ChannelRules::default() };
    let case = |is_part| ChannelPlanCase {
        known: vec![known(1, "k1", SOLD, (3, 9)), known(2, "k2", SOLD, (20, 22))],
        events: vec![event("k3", EventKind::Reservation, (5, 11))],
        rules: rules.clone(),
        is_part,
        ..ChannelPlanCase::default()
    };
    assert_eq!(told(&case(true).plan()), ["+reservation 5-11"]);
    assert_eq!(told(&case(false).plan()), ["-2", "~1 reservation 5-11"]);
}
