//! Feeds as they are written, with events whose end is missing.

use super::*;
use crate::{
    channel::snapshot::snapshot,
    ical::{ReadLimits, read},
};

const BLOCK: &str = "UID:works\r\nDTSTART;VALUE=DATE:20261001\r\nDTEND;VALUE=DATE:20261231\r\n";

/// What follows from a feed, after a block from October to December was known.
fn after_block(events: &[&str]) -> ChannelPlan {
    let window = Interval { start: now() - Duration::days(31), end: now() + Duration::days(1_000) };
    let events: Vec<String> =
        events.iter().map(|one| format!("BEGIN:VEVENT\r\n{one}SUMMARY:Works\r\nEND:VEVENT\r\n")).collect();
    let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n", events.concat());
    let calendar = read(text.as_bytes(), ZONE, &ReadLimits::default()).unwrap();
    let snapshot =
        snapshot(&calendar, window, ZONE, &ReadLimits::default(), |_| Some((EventKind::Block, None)))
            .unwrap();
    let date = |text: &str| text.parse::<NaiveDate>().unwrap();
    let interval = stay(date("2026-10-01"), date("2026-12-31"), ZONE).unwrap();
    let block = KnownItem { interval, summary: "Works".into(), ..known(1, "works", ItemKind::Block, (1, 2)) };
    let other = KnownItem { summary: "Works".into(), ..known(2, "other", ItemKind::Block, (20, 22)) };
    let third = KnownItem { summary: "Works".into(), ..known(3, "third", ItemKind::Block, (24, 26)) };
    plan(&ChannelPlanInput {
        known: &[block, other, third],
        snapshot: &snapshot,
        published: &[],
        rules: &ChannelRules::default(),
        is_part: false,
        held: None,
        zone: ZONE,
        now: now(),
    })
}

#[test]
fn block_begun_long_ago_without_an_end_stands() {
    let there = [
        "UID:other\r\nDTSTART;VALUE=DATE:20261220\r\nDTEND;VALUE=DATE:20261222\r\n",
        "UID:third\r\nDTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261226\r\n",
    ];
    let whole = after_block(&[BLOCK, there[0], there[1]]);
    assert_eq!((told(&whole), whole.endless, whole.unchanged), (vec![], 0, 3));
    for broken in [
        "UID:works\r\nDTSTART;VALUE=DATE:20261001\r\n",
        "UID:works\r\nDTSTART;VALUE=DATE:20261001\r\nDTEND;VALUE=DATE:soon\r\n",
        "UID:works\r\nDTSTART;VALUE=DATE:20261001\r\nDTEND;VALUE=DATE:20261001\r\n",
        "UID:works\r\nDTSTART:20260930T220000Z\r\n",
    ] {
        let plan = after_block(&[broken, there[0], there[1]]);
        assert_eq!((told(&plan), plan.endless, plan.unchanged), (vec![], 1, 3), "{broken}");
    }
    // An end that is there is believed, and what is called off is gone.
    for over in [
        "UID:works\r\nDTSTART;VALUE=DATE:20261001\r\nDTEND;VALUE=DATE:20261003\r\n",
        "UID:works\r\nDTSTART;VALUE=DATE:20261001\r\nSTATUS:CANCELLED\r\n",
    ] {
        let plan = after_block(&[over, there[0], there[1]]);
        assert_eq!((told(&plan), plan.endless), (vec!["-1".to_owned()], 0), "{over}");
    }
}
