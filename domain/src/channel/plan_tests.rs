use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::*;
use crate::{
    booking::BookingTime,
    channel::{
        BlockRule,
        echo::EchoSource,
        snapshot::{EventWithoutEnd, SnapshotEvent},
    },
    ids::ChannelItemId,
    interval::{Interval, stay},
    platform::{EventKind, UidKeeps},
};

#[path = "ambiguous_tests.rs"]
mod ambiguous;
#[path = "check_in_hours_tests.rs"]
mod check_in_hours;
#[path = "echoing_tests.rs"]
mod echoing;
#[path = "guest_tests.rs"]
mod guests;
#[path = "import_guard_tests.rs"]
mod import_guards;
#[path = "imported_tests.rs"]
mod imported;
#[path = "lengths_tests.rs"]
mod lengths;

const ZONE: Tz = chrono_tz::Africa::Johannesburg;

fn now() -> DateTime<Utc> {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

fn nights(from: u32, until: u32) -> (BookingTime, Interval) {
    let [check_in, check_out] = [from, until]
        .map(|day| NaiveDate::from_ymd_opt(2026, 12, 1).unwrap() + Duration::days(i64::from(day) - 1));
    (BookingTime::Stay { check_in, check_out }, stay(check_in, check_out, ZONE).unwrap())
}

fn event(key: &str, told: EventKind, (from, until): (u32, u32)) -> SnapshotEvent {
    let (time, interval) = nights(from, until);
    let summary = match told {
        EventKind::Reservation => "Reserved",
        EventKind::Block => "Not available",
        EventKind::Unclear => "CLOSED - Not available",
    };
    let (summary, description) = (summary.to_owned(), String::new());
    SnapshotEvent {
        key: key.to_owned(),
        time,
        interval,
        told,
        summary,
        description,
        guest: None,
        tentative: false,
        ends: true,
        names: None,
        ours: false,
    }
}

fn known(number: u128, key: &str, kind: ItemKind, (from, until): (u32, u32)) -> KnownItem {
    let summary = match kind {
        ItemKind::Reservation => "Reserved",
        _ => "Not available",
    };
    KnownItem {
        id: ChannelItemId(Uuid::from_u128(number)),
        key: key.to_owned(),
        interval: nights(from, until).1,
        kind,
        summary: summary.to_owned(),
        guest: None,
        contested: false,
        missing_since: None,
        pinned: false,
        tentative: false,
        settled: None,
        is_erased: false,
    }
}

fn published(from: u32, until: u32) -> EchoSource {
    EchoSource { interval: nights(from, until).1, believed: true, of_unconfirmed: false }
}

struct ChannelPlanCase {
    known: Vec<KnownItem>,
    events: Vec<SnapshotEvent>,
    called_off: Vec<&'static str>,
    left_out: usize,
    endless: Vec<EventWithoutEnd>,
    published: Vec<EchoSource>,
    rules: ChannelRules,
    is_part: bool,
    held: Option<ImportGuard>,
    now: DateTime<Utc>,
}

impl Default for ChannelPlanCase {
    fn default() -> Self {
        Self {
            known: vec![],
            events: vec![],
            called_off: vec![],
            left_out: 0,
            endless: vec![],
            published: vec![],
            rules: ChannelRules::default(),
            is_part: false,
            held: None,
            now: now(),
        }
    }
}

impl ChannelPlanCase {
    fn plan(self) -> ChannelPlan {
        let mut events = self.events;
        events.sort_by_key(|event| event.interval);
        let called_off = self.called_off.into_iter().map(str::to_owned).collect();
        let snapshot = Snapshot { events, called_off, left_out: self.left_out, endless: self.endless };
        plan(&ChannelPlanInput {
            known: &self.known,
            snapshot: &snapshot,
            published: &self.published,
            rules: &self.rules,
            is_part: self.is_part,
            held: self.held,
            zone: ZONE,
            now: self.now,
        })
    }
}

/// The actions in short: `+reservation 1-3`, `~1 reservation 1-3`, `?1` (missed), `!1` (back), `-1`.
fn told(plan: &ChannelPlan) -> Vec<String> {
    let number = |id: &ChannelItemId| id.0.as_u128();
    let item = |item: &FeedItem| {
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
    let action = |action: &ItemAction| match action {
        ItemAction::Add(new) => format!("+{}", item(new)),
        ItemAction::Change { id, to } => format!("~{} {}", number(id), item(to)),
        ItemAction::Return(id) => format!("!{}", number(id)),
        ItemAction::Miss(id) => format!("?{}", number(id)),
        ItemAction::Lose(id) => format!("-{}", number(id)),
    };
    plan.actions.iter().map(action).collect()
}

const SOLD: ItemKind = ItemKind::Reservation;

#[test]
fn what_is_new_is_added_and_what_is_known_stays() {
    let plan = ChannelPlanCase {
        known: vec![known(1, "a", SOLD, (3, 5))],
        events: vec![event("a", EventKind::Reservation, (3, 5)), event("b", EventKind::Reservation, (7, 9))],
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), ["+reservation 7-9"]);
    assert_eq!((plan.unchanged, plan.held), (1, None));
}

#[test]
fn new_dates_under_a_known_uid_are_a_change() {
    let plan = ChannelPlanCase {
        known: vec![known(1, "a", SOLD, (3, 5))],
        events: vec![event("a", EventKind::Reservation, (4, 8))],
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), ["~1 reservation 4-8"]);
}

#[test]
fn new_uids_on_the_same_dates_are_the_same() {
    let plan = ChannelPlanCase {
        known: vec![known(1, "a", SOLD, (3, 5)), known(2, "b", SOLD, (7, 9))],
        events: vec![event("x", EventKind::Reservation, (3, 5)), event("y", EventKind::Reservation, (7, 9))],
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!(told(&plan), ["~1 reservation 3-5", "~2 reservation 7-9"]);
}

#[test]
fn uid_changing_with_dates_is_matched_to_only_candidate() {
    let moved = |rules: ChannelRules, guest: Option<&str>| {
        let guest_before = Some("Ana".to_owned());
        ChannelPlanCase {
            known: vec![
                KnownItem { guest: guest_before.clone(), ..known(1, "a", SOLD, (3, 6)) },
                known(2, "b", SOLD, (20, 22)),
                known(3, "c", SOLD, (24, 26)),
            ],
            events: vec![
                SnapshotEvent {
                    guest: guest.map(str::to_owned),
                    ..event("z", EventKind::Reservation, (4, 7))
                },
                event("b", EventKind::Reservation, (20, 22)),
                event("c", EventKind::Reservation, (24, 26)),
            ],
            rules,
            ..ChannelPlanCase::default()
        }
        .plan()
    };
    let with_dates = ChannelRules { uids: UidKeeps::WithDates, ..ChannelRules::default() };
    assert_eq!(told(&moved(with_dates.clone(), Some("Ana"))), ["~1 reservation 4-7"]);
    assert_eq!(told(&moved(with_dates.clone(), None)), ["~1 reservation 4-7"]);
    assert_eq!(told(&moved(with_dates, Some("Ben"))), ["-1", "+reservation 4-7"]);
    assert_eq!(told(&moved(ChannelRules::default(), Some("Ana"))), ["-1", "+reservation 4-7"]);
}

#[test]
fn what_is_over_is_not_imported() {
    let now = nights(20, 21).1.start;
    let plan = ChannelPlanCase {
        events: vec![event("a", EventKind::Reservation, (3, 6))],
        now,
        ..ChannelPlanCase::default()
    }
    .plan();
    assert_eq!((told(&plan), plan.over), (vec![], 1));
}
