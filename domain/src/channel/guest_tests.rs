//! Two guests in one place of a changing UID.

use super::*;

fn volatile() -> Rules {
    Rules { uids: UidKeeps::Volatile, ..Rules::default() }
}

fn called(summary: &str, known: Known) -> Known {
    Known { summary: summary.to_owned(), ..known }
}

fn named(summary: &str, event: Observed) -> Observed {
    Observed { summary: summary.to_owned(), ..event }
}

fn one_for_another(was: Known, is: Observed, rules: Rules) -> Vec<String> {
    told(
        &Case {
            known: vec![was, known(9, "z", SOLD, (50, 52))],
            events: vec![is, event("z", SALE, (50, 52))],
            rules,
            ..Case::default()
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
    assert_eq!(one_for_another(alpha((3, 5)), beta, Rules::default()), ["~1 reservation 3-5"]);
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
    let plan =
        Case { known: vec![alpha.clone()], events: vec![beta()], rules: volatile(), ..Case::default() }
            .plan();
    assert_eq!(told(&plan), ["?1", "+reservation 20-22"]);
    let Some(Action::Add(added)) = plan.actions.last() else { panic!("{plan:?}") };
    assert_ne!(added.key, "k");
    // And is known by it afterwards.
    let waiting = Known { missing_since: Some(now()), ..alpha };
    let second = called("Family Beta", known(2, &added.key, SOLD, (20, 22)));
    let plan =
        Case { known: vec![waiting, second], events: vec![beta()], rules: volatile(), ..Case::default() }
            .plan();
    assert_eq!(told(&plan), Vec::<String>::new());
}
