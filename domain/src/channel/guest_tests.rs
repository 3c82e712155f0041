//! Two guests in one place of a changing UID.

use super::*;

fn volatile() -> ChannelRules {
    ChannelRules { uids: UidKeeps::Volatile, ..ChannelRules::default() }
}

fn called(summary: &str, known: KnownItem) -> KnownItem {
    KnownItem { summary: summary.to_owned(), ..known }
}

fn named(summary: &str, event: SnapshotEvent) -> SnapshotEvent {
    SnapshotEvent { summary: summary.to_owned(), ..event }
}

fn one_for_another(was: KnownItem, is: SnapshotEvent, rules: ChannelRules) -> Vec<String> {
    told(
        &ChannelPlanCase {
            known: vec![was, known(9, "z", SOLD, (50, 52))],
            events: vec![is, event("z", SALE, (50, 52))],
            rules,
            ..ChannelPlanCase::default()
        }
        .plan(),
    )
}

const SALE: EventKind = EventKind::Reservation;

#[test]
fn another_name_is_another_guest() {
    let alpha = |nights| called("Family Alpha", known(1, "k", SOLD, nights));
    let two = ["-1", "+reservation 3-5"];
    // The same UID, another UID, and other nights.
    for (key, nights) in [("k", (3, 5)), ("n", (3, 5)), ("n", (2, 5))] {
        let beta = named("Family Beta", event(key, SALE, (3, 5)));
        assert_eq!(one_for_another(alpha(nights), beta, volatile()), two, "{key} {nights:?}");
    }
    let alpha_again = named("Family Alpha", event("n", SALE, (3, 5)));
    assert_eq!(one_for_another(alpha((2, 5)), alpha_again, volatile()), ["~1 reservation 3-5"]);
    // Where a UID stays, people are renamed.
    let beta = named("Family Beta", event("k", SALE, (3, 5)));
    assert_eq!(one_for_another(alpha((3, 5)), beta, ChannelRules::default()), ["~1 reservation 3-5"]);
}

#[test]
fn nights_that_hardly_overlap_are_of_two_guests() {
    let was = |nights| known(1, "k", SOLD, nights);
    assert_eq!(one_for_another(was((3, 6)), event("n", SALE, (4, 7)), volatile()), ["~1 reservation 4-7"]);
    assert_eq!(
        one_for_another(was((3, 6)), event("n", SALE, (5, 8)), volatile()),
        ["-1", "+reservation 5-8"]
    );
    // The same UID came back for another stay.
    assert_eq!(
        one_for_another(was((3, 6)), event("k", SALE, (20, 23)), volatile()),
        ["-1", "+reservation 20-23"]
    );
}

#[test]
fn who_takes_a_kept_uid_has_a_key_of_their_own() {
    let alpha = called("Family Alpha", known(1, "k", SOLD, (3, 5)));
    let beta = || named("Family Beta", event("k", SALE, (20, 22)));
    // All that was known is missing: it waits, and the other is booked beside it.
    let plan = ChannelPlanCase {
        known: vec![alpha.clone()],
        events: vec![beta()],
        rules: volatile(),
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), ["?1", "+reservation 20-22"]);
    let Some(ItemAction::Add(added)) = plan.actions.last() else { panic!("{plan:?}") };
    assert_ne!(added.key, "k");
    // And is known by it afterwards.
    let waiting = KnownItem { missing_since: Some(now()), ..alpha };
    let second = called("Family Beta", known(2, &added.key, SOLD, (20, 22)));
    let plan = ChannelPlanCase {
        known: vec![waiting, second],
        events: vec![beta()],
        rules: volatile(),
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), Vec::<String>::new());
}

#[test]
fn person_who_was_erased_does_not_come_back() {
    for (uids, key) in [(UidKeeps::Stable, "k"), (volatile().uids, "another")] {
        let erased = KnownItem { summary: String::new(), is_erased: true, ..known(1, "k", SOLD, (3, 6)) };
        let plan = |known: KnownItem, nights| {
            let case = ChannelPlanCase {
                known: vec![known],
                events: vec![named("Family Alpha", event(key, SALE, nights))],
                rules: ChannelRules { uids, ..ChannelRules::default() },
                ..ChannelPlanCase::default()
            };
            case.plan().actions
        };
        for action in plan(erased.clone(), (3, 6)).into_iter().chain(plan(erased, (3, 7))) {
            let ItemAction::Change { to, .. } = action else { panic!("{action:?}") };
            assert_eq!((to.summary.as_str(), to.description.as_str(), to.guest), ("", "", None));
        }
    }
}
