//! Rules on the wall: what they give, where they begin, when they give up.

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

fn rule(text: &str, start: NaiveDateTime) -> Result<ExpandableRule, String> {
    ExpandableRule::of(&RecurText::of(text).unwrap_or_else(|| panic!("{text}")), start)
}

fn found(text: &str, start: &str, from: &str, to: &str) -> Vec<String> {
    let rule = rule(text, at(start)).unwrap();
    walls(&rule, at(start), at(from), at(to), &mut Budget::of(&ReadLimits::default()))
        .unwrap()
        .iter()
        .map(|wall| wall.format("%Y-%m-%d %H:%M").to_string())
        .collect()
}

#[test]
fn the_start_is_the_first_also_where_the_rule_does_not_give_it() {
    let found = found(
        "FREQ=WEEKLY;BYDAY=FR;COUNT=3",
        "2026-03-04T09:00:00",
        "2026-01-01T00:00:00",
        "2027-01-01T00:00:00",
    );
    assert_eq!(found, ["2026-03-04 09:00", "2026-03-06 09:00", "2026-03-13 09:00"]);
}

#[test]
fn a_count_is_counted_from_the_start_wherever_the_window_is() {
    let found =
        found("FREQ=DAILY;COUNT=400", "2025-01-01T09:00:00", "2026-02-03T00:00:00", "2026-12-01T00:00:00");
    assert_eq!(found, ["2026-02-03 09:00", "2026-02-04 09:00"]);
}

#[test]
fn a_day_that_a_month_has_not_is_left_out() {
    let found = found("FREQ=MONTHLY", "2026-01-31T09:00:00", "2026-01-01T00:00:00", "2026-06-01T00:00:00");
    assert_eq!(found, ["2026-01-31 09:00", "2026-03-31 09:00", "2026-05-31 09:00"]);
}

#[test]
fn too_often_is_refused() {
    let start = at("1970-01-01T00:00:00");
    for text in [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY",
        "FREQ=MINUTELY;INTERVAL=4",
        "FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7,8,9,10;BYMINUTE=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30",
    ] {
        assert!(rule(text, start).is_err(), "{text}");
    }
    for text in ["FREQ=MINUTELY;INTERVAL=5", "FREQ=HOURLY", "FREQ=SECONDLY;INTERVAL=3600"] {
        assert!(rule(text, start).is_ok(), "{text}");
    }
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let start = at("2026-01-01T00:00:00");
    for text in [
        "RSCALE=HEBREW;FREQ=YEARLY",
        "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD",
        "FREQ=MONTHLY;BYMONTH=13",
        "FREQ=MONTHLY;BYYEARDAY=7",
        "FREQ=DAILY;BYHOUR=25",
    ] {
        assert!(rule(text, start).is_err(), "{text}");
    }
}

#[test]
fn a_rule_without_instances_ends_by_the_budget() {
    for text in [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO;BYSETPOS=7",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=3",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
    ] {
        let start = at("2020-01-01T09:00:00");
        let rule = rule(text, start).unwrap();
        let mut budget = Budget { steps: 100_000, most: 10 };
        let times = (0..10)
            .take_while(|_| walls(&rule, start, start, at("2027-01-01T00:00:00"), &mut budget).is_ok())
            .count();
        assert!(times < 10, "{text}: cost nothing");
    }
}

#[test]
fn a_long_count_ends_by_the_budget() {
    let start = at("0001-01-01T09:00:00");
    let rule = rule("FREQ=HOURLY;COUNT=4000000000", start).unwrap();
    let mut budget = Budget { steps: 50_000, most: 10 };
    let end = walls(&rule, start, at("2026-01-01T00:00:00"), at("2027-01-01T00:00:00"), &mut budget);
    assert_eq!(end, Err(ReadError::TooMuchWork));
}

fn rules() -> impl Strategy<Value = String> {
    let by = prop::sample::select(vec![
        "FREQ=YEARLY",
        "FREQ=YEARLY;BYMONTH=1,6,12",
        "FREQ=YEARLY;BYDAY=2MO,-1FR;BYMONTH=3,10",
        "FREQ=YEARLY;BYYEARDAY=1,100,-1",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "FREQ=MONTHLY",
        "FREQ=MONTHLY;BYMONTHDAY=1,15,-1",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=MONTHLY;BYDAY=1SU,3SU",
        "FREQ=WEEKLY",
        "FREQ=WEEKLY;BYDAY=MO,WE,SU",
        "FREQ=WEEKLY;WKST=SU;BYDAY=SU,MO",
        "FREQ=DAILY",
        "FREQ=DAILY;BYHOUR=9,17;BYMINUTE=0,30",
        "FREQ=DAILY;BYMONTH=1",
        "FREQ=HOURLY;BYMINUTE=0,30",
        "FREQ=HOURLY;INTERVAL=5",
        "FREQ=MINUTELY;INTERVAL=45",
    ]);
    (by, 1_u16..5).prop_map(|(by, interval)| {
        if by.contains("INTERVAL") { by.to_owned() } else { format!("{by};INTERVAL={interval}") }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whether one begins at the start or jumps, a window holds the same.
    #[test]
    fn a_jump_misses_nothing(text in rules(), day in 0_u64..800, minute in 0_i64..1440, ahead in 0_i64..900, wide in 1_i64..120) {
        let start = at("2020-01-01T00:00:00") + Days::new(day) + Duration::minutes(minute);
        let rule = rule(&text, start).unwrap();
        let (from, to) = (start + Duration::days(ahead), start + Duration::days(ahead + wide));
        let mut budget = Budget::of(&ReadLimits::default());
        let jumped = walls(&rule, start, from, to, &mut budget).unwrap();
        let mut whole = walls(&rule, start, start, to, &mut budget).unwrap();
        whole.retain(|wall| *wall >= from);
        prop_assert_eq!(jumped, whole);
    }
}
