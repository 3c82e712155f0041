use chrono::NaiveDate;
use uuid::Uuid;

use super::*;
use crate::interval::stay;

const ZONE: Tz = chrono_tz::Africa::Johannesburg;

fn now() -> DateTime<Utc> {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

/// Nights of December.
fn nights(from: u32, until: u32) -> (BookingTime, Interval) {
    let [check_in, check_out] = [from, until]
        .map(|day| NaiveDate::from_ymd_opt(2026, 12, 1).unwrap() + Duration::days(i64::from(day) - 1));
    (BookingTime::Stay { check_in, check_out }, stay(check_in, check_out, ZONE).unwrap())
}

fn event(key: &str, told: Told, (from, until): (u32, u32)) -> Observed {
    let (time, interval) = nights(from, until);
    let summary = match told {
        Told::Reservation => "Reserved",
        Told::Block => "Not available",
        Told::Either => "CLOSED - Not available",
    };
    let (summary, description) = (summary.to_owned(), String::new());
    Observed { key: key.to_owned(), time, interval, told, summary, description, guest: None }
}

fn known(number: u128, key: &str, kind: ItemKind, (from, until): (u32, u32)) -> Known {
    let summary = match kind {
        ItemKind::Reservation => "Reserved",
        _ => "Not available",
    };
    Known {
        id: ChannelItemId(Uuid::from_u128(number)),
        key: key.to_owned(),
        interval: nights(from, until).1,
        kind,
        summary: summary.to_owned(),
        guest: None,
        contested: false,
        missing_since: None,
        pinned: false,
    }
}

fn published(from: u32, until: u32) -> Published {
    Published { interval: nights(from, until).1, believed: true }
}

struct Case {
    known: Vec<Known>,
    events: Vec<Observed>,
    published: Vec<Published>,
    rules: Rules,
    now: DateTime<Utc>,
}

impl Default for Case {
    fn default() -> Self {
        Self { known: vec![], events: vec![], published: vec![], rules: Rules::default(), now: now() }
    }
}

impl Case {
    fn plan(self) -> Plan {
        let mut events = self.events;
        events.sort_by_key(|event| event.interval);
        let snapshot = Snapshot { events, ..Snapshot::default() };
        plan(&Sight {
            known: &self.known,
            snapshot: &snapshot,
            published: &self.published,
            rules: &self.rules,
            zone: ZONE,
            now: self.now,
        })
    }
}

/// The actions in short: `+reservation 1-3`, `~1 reservation 1-3`, `?1` (missed), `!1` (back), `-1`.
fn told(plan: &Plan) -> Vec<String> {
    let number = |id: &ChannelItemId| id.0.as_u128();
    let item = |item: &Item| {
        let days = match item.time {
            BookingTime::Stay { check_in, check_out } => {
                let day =
                    |date: NaiveDate| (date - NaiveDate::from_ymd_opt(2026, 11, 30).unwrap()).num_days();
                format!("{}-{}", day(check_in), day(check_out))
            }
            BookingTime::Timed { starts_at, ends_at } => format!("{starts_at}-{ends_at}"),
        };
        format!("{} {days}", item.kind)
    };
    let action = |action: &Action| match action {
        Action::Add(new) => format!("+{}", item(new)),
        Action::Change { id, to } => format!("~{} {}", number(id), item(to)),
        Action::Return(id) => format!("!{}", number(id)),
        Action::Miss(id) => format!("?{}", number(id)),
        Action::Lose(id) => format!("-{}", number(id)),
    };
    plan.actions.iter().map(action).collect()
}

const SOLD: ItemKind = ItemKind::Reservation;

#[test]
fn what_is_new_is_added_and_what_is_known_stays() {
    let plan = Case {
        known: vec![known(1, "a", SOLD, (3, 5))],
        events: vec![event("a", Told::Reservation, (3, 5)), event("b", Told::Reservation, (7, 9))],
        ..Case::default()
    }
    .plan();
    assert_eq!(told(&plan), ["+reservation 7-9"]);
    assert_eq!((plan.unchanged, plan.held), (1, None));
}

#[test]
fn new_dates_under_a_known_uid_are_a_change() {
    let plan = Case {
        known: vec![known(1, "a", SOLD, (3, 5))],
        events: vec![event("a", Told::Reservation, (4, 8))],
        ..Case::default()
    }
    .plan();
    assert_eq!(told(&plan), ["~1 reservation 4-8"]);
}

#[test]
fn new_uids_on_the_same_dates_are_the_same() {
    let plan = Case {
        known: vec![known(1, "a", SOLD, (3, 5)), known(2, "b", SOLD, (7, 9))],
        events: vec![event("x", Told::Reservation, (3, 5)), event("y", Told::Reservation, (7, 9))],
        ..Case::default()
    }
    .plan();
    assert_eq!(told(&plan), ["~1 reservation 3-5", "~2 reservation 7-9"]);
}

#[test]
fn a_uid_that_changes_with_the_dates_is_followed_where_nothing_else_fits() {
    let moved = |rules: Rules, guest: Option<&str>| {
        let guest_before = Some("Ana".to_owned());
        Case {
            known: vec![
                Known { guest: guest_before.clone(), ..known(1, "a", SOLD, (3, 6)) },
                known(2, "b", SOLD, (20, 22)),
                known(3, "c", SOLD, (24, 26)),
            ],
            events: vec![
                Observed { guest: guest.map(str::to_owned), ..event("z", Told::Reservation, (4, 7)) },
                event("b", Told::Reservation, (20, 22)),
                event("c", Told::Reservation, (24, 26)),
            ],
            rules,
            ..Case::default()
        }
        .plan()
    };
    let with_dates = Rules { uids: Uids::WithDates, ..Rules::default() };
    assert_eq!(told(&moved(with_dates.clone(), Some("Ana"))), ["~1 reservation 4-7"]);
    assert_eq!(told(&moved(with_dates.clone(), None)), ["~1 reservation 4-7"]);
    assert_eq!(told(&moved(with_dates, Some("Ben"))), ["-1", "+reservation 4-7"]);
    assert_eq!(told(&moved(Rules::default(), Some("Ana"))), ["-1", "+reservation 4-7"]);
}

#[test]
fn what_disappears_from_a_whole_feed_is_cancelled() {
    let plan = Case {
        known: vec![known(1, "a", SOLD, (3, 5)), known(2, "b", SOLD, (7, 9))],
        events: vec![event("a", Told::Reservation, (3, 5))],
        ..Case::default()
    }
    .plan();
    assert_eq!(told(&plan), ["-2"]);
}

#[test]
fn an_empty_feed_is_believed_after_a_day() {
    let mut items = vec![known(1, "a", SOLD, (3, 5)), known(2, "b", SOLD, (7, 9))];
    let plan = Case { known: items.clone(), ..Case::default() }.plan();
    assert_eq!(told(&plan), ["?1", "?2"]);
    let held = plan.held.unwrap();
    assert_eq!(
        (held.brake, held.items, held.of, held.until),
        (Brake::Empty, 2, 2, now() + Duration::days(1))
    );

    for item in &mut items {
        item.missing_since = Some(now());
    }
    let later =
        |hours| Case { known: items.clone(), now: now() + Duration::hours(hours), ..Case::default() }.plan();
    assert_eq!(told(&later(23)), Vec::<String>::new());
    assert_eq!(later(23).held.unwrap().items, 2);
    assert_eq!(told(&later(24)), ["-1", "-2"]);
    assert_eq!(later(24).held, None);
}

#[test]
fn more_than_half_is_held_and_half_is_not() {
    let items: Vec<Known> =
        (1..=4).map(|n| known(n.into(), &n.to_string(), SOLD, (n * 3, n * 3 + 2))).collect();
    let left = |count: u32| {
        let events =
            (1..=count).map(|n| event(&n.to_string(), Told::Reservation, (n * 3, n * 3 + 2))).collect();
        Case { known: items.clone(), events, ..Case::default() }.plan()
    };
    assert_eq!(told(&left(2)), ["-3", "-4"]);
    assert_eq!(told(&left(1)), ["?2", "?3", "?4"]);
    assert_eq!(left(1).held.unwrap().brake, Brake::Shrunk);
}

#[test]
fn what_comes_back_is_no_news() {
    let missing = Known { missing_since: Some(now()), ..known(1, "a", SOLD, (3, 5)) };
    let events = vec![event("a", Told::Reservation, (3, 5))];
    let plan = Case { known: vec![missing], events, ..Case::default() }.plan();
    assert_eq!(told(&plan), ["!1"]);
}

#[test]
fn what_somebody_has_kept_stays_until_the_feed_has_it_again() {
    let pinned = Known { pinned: true, ..known(1, "a", SOLD, (3, 5)) };
    let other = || vec![event("b", Told::Reservation, (7, 9))];
    let plan =
        Case { known: vec![pinned, known(2, "b", SOLD, (7, 9))], events: other(), ..Case::default() }.plan();
    assert_eq!((told(&plan), plan.held), (vec![], None));
}

#[test]
fn what_is_called_off_by_name_is_believed_at_once() {
    let snapshot = Snapshot { events: vec![], called_off: ["a".to_owned()].into() };
    let items = [known(1, "a", SOLD, (3, 5))];
    let rules = Rules::default();
    let sight =
        Sight { known: &items, snapshot: &snapshot, published: &[], rules: &rules, zone: ZONE, now: now() };
    assert_eq!(told(&plan(&sight)), ["-1"]);
}

#[test]
fn a_stay_under_way_is_not_ended_by_its_feed() {
    let (now, item) = (nights(4, 5).1.start, known(1, "a", SOLD, (3, 6)));
    let plan = Case {
        known: vec![item],
        events: vec![event("b", Told::Reservation, (7, 9))],
        now,
        ..Case::default()
    }
    .plan();
    assert_eq!(told(&plan), ["+reservation 7-9"]);
    assert_eq!(plan.under_way, 1);
}

#[test]
fn what_is_over_is_not_imported() {
    let now = nights(20, 21).1.start;
    let plan = Case { events: vec![event("a", Told::Reservation, (3, 6))], now, ..Case::default() }.plan();
    assert_eq!((told(&plan), plan.over), (vec![], 1));
}

#[test]
fn what_we_published_is_no_booking_when_it_comes_back() {
    for kind in [Told::Block, Told::Either] {
        let plan = Case {
            events: vec![event("a", kind, (3, 5))],
            published: vec![published(3, 5)],
            ..Case::default()
        }
        .plan();
        assert_eq!((told(&plan), plan.echoes), (vec!["+echo 3-5".to_owned()], 1), "{kind:?}");
    }
    // A platform that says "reserved" has sold it, whatever we published.
    let events = vec![event("a", Told::Reservation, (3, 5))];
    let plan = Case { events, published: vec![published(3, 5)], ..Case::default() }.plan();
    assert_eq!(told(&plan), ["+reservation 3-5"]);
}

#[test]
fn of_a_block_that_was_joined_with_ours_the_rest_is_taken() {
    let events = vec![event("a", Told::Block, (1, 9))];
    let plan = Case { events, published: vec![published(2, 4), published(4, 6)], ..Case::default() }.plan();
    assert_eq!(told(&plan), ["+block 1-2", "+block 6-9"]);
}

#[test]
fn blocks_can_be_the_platforms_own_affair() {
    let rules = Rules { blocks: BlockRule::Ignore, ..Rules::default() };
    let events = vec![event("a", Told::Block, (1, 9)), event("b", Told::Reservation, (10, 12))];
    let items = vec![known(1, "a", ItemKind::Block, (1, 9)), known(2, "b", SOLD, (10, 12))];
    let plan = Case { known: items, events, rules, ..Case::default() }.plan();
    assert_eq!(told(&plan), ["~1 ignored 1-9"]);
}

#[test]
fn the_same_nights_closed_twice_were_sold_once() {
    let events = vec![event("a", Told::Either, (3, 5)), event("b", Told::Either, (3, 5))];
    let plan = Case { events, published: vec![published(3, 5)], ..Case::default() }.plan();
    assert_eq!(told(&plan), ["+echo 3-5", "+reservation 3-5"]);
    // Which of them it was shows when one of them goes.
    let items =
        vec![known(1, "a", ItemKind::Echo, (3, 5)), Known { contested: true, ..known(2, "b", SOLD, (3, 5)) }];
    let events = vec![event("b", Told::Either, (3, 5))];
    let plan = Case { known: items, events, published: vec![published(3, 5)], ..Case::default() }.plan();
    assert_eq!(told(&plan), ["-1", "~2 echo 3-5"]);
}

#[test]
fn what_was_sold_before_we_published_it_stays_sold() {
    let items = vec![Known { summary: "CLOSED - Not available".to_owned(), ..known(1, "a", SOLD, (3, 5)) }];
    let events = vec![event("a", Told::Either, (3, 5))];
    let plan = Case { known: items, events, published: vec![published(3, 5)], ..Case::default() }.plan();
    assert_eq!((told(&plan), plan.unchanged), (vec![], 1));
}

#[test]
fn the_end_of_what_is_sold_moves_with_the_days_and_is_no_booking() {
    let rules = Rules { window_months: vec![3, 6, 12], ..Rules::default() };
    // 21 February 2027 is three months from today: day 83, counted from 30 November.
    let window = |key: &str, day| event(key, Told::Block, (day, day + 280));
    let plan = Case { events: vec![window("w", 83)], rules: rules.clone(), ..Case::default() }.plan();
    assert_eq!(told(&plan), ["+window 83-363"]);
    let items = vec![known(1, "w", ItemKind::Window, (83, 363))];
    let tomorrow = Case {
        known: items.clone(),
        events: vec![window("another", 84)],
        rules: rules.clone(),
        now: now() + Duration::days(1),
        ..Case::default()
    };
    assert_eq!(told(&tomorrow.plan()), ["~1 window 84-364"]);
    // What stands still is no window.
    let still = Case {
        known: items,
        events: vec![window("w", 83)],
        rules,
        now: now() + Duration::days(4),
        ..Case::default()
    };
    assert_eq!(told(&still.plan()), ["~1 block 83-363"]);
}
