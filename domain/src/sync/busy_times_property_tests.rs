//! Imports against a naive reading of the same calendar.

use proptest::prelude::*;

use super::*;

fn observed() -> impl Strategy<Value = ObservedEntry> {
    let id = 0_u8..30;
    let flags = (any::<bool>(), proptest::bool::weighted(0.8), any::<bool>(), proptest::bool::weighted(0.15));
    let when = prop_oneof![
        3 => (-2_000_i64..6_000, 0_i64..60).prop_map(|(start, length)| {
            let starts_at = at("2026-12-01T00:00:00Z") + Duration::hours(start);
            Some(EntryTime::Timed { starts_at, ends_at: starts_at + Duration::hours(length), zone: LISBON })
        }),
        1 => (-60_i64..250, 0_i64..9).prop_map(|(start, length)| {
            let from = "2026-12-01".parse::<NaiveDate>().unwrap() + Duration::days(start);
            Some(EntryTime::AllDay { from, until: from + Duration::days(length) })
        }),
        1 => Just(None),
    ];
    (id, 0_u8..3, flags, when).prop_map(|(id, etag, (deleted, busy, tentative, ours), time)| ObservedEntry {
        external_id: format!("id{id}"),
        series: None,
        etag: Some(format!("v{etag}")),
        deleted: deleted && etag == 0,
        busy,
        tentative,
        title: String::new(),
        time,
        entry: ours.then_some(EntryId(uuid::Uuid::nil())),
        updated_at: None,
        unreadable: false,
    })
}

fn calendar() -> impl Strategy<Value = Vec<ObservedEntry>> {
    proptest::collection::vec(observed(), 0..40)
}

proptest! {
    #[test]
    fn a_full_read_leaves_what_the_calendar_shows(first in calendar(), second in calendar()) {
        let sure = full();
        let known = stored(&first);
        let second: Vec<_> = second.into_iter().filter(|entry| entry.time.is_some()).collect();
        let rows = after(&known, &surely(&known, &second, &sure));
        prop_assert_eq!(&rows, &stored(&second));
        prop_assert!(surely(&rows, &second, &sure).is_empty(), "a second time changes nothing");
        for event in &rows {
            prop_assert!(event.interval.overlaps(&sure.window));
        }
    }

    #[test]
    fn an_incremental_read_touches_what_it_names(first in calendar(), second in calendar()) {
        let known = stored(&first);
        let changes = applied(plan(&known, &second, &read(ReadKind::Incremental)));
        let rows = after(&known, &changes);
        let named: BTreeSet<&str> = second.iter().map(|entry| entry.external_id.as_str()).collect();
        let untouched = |events: &[ObservedBusyTime]| -> Vec<ObservedBusyTime> {
            events.iter().filter(|event| !named.contains(event.external_id.as_str())).cloned().collect()
        };
        prop_assert_eq!(untouched(&known), untouched(&rows));
        prop_assert!(applied(plan(&rows, &second, &read(ReadKind::Incremental))).is_empty());
    }

    #[test]
    fn pages_may_come_in_pieces(first in calendar(), second in calendar(), cut in 0_usize..40) {
        let incremental = read(ReadKind::Incremental);
        let known = stored(&first);
        let at_once = after(&known, &applied(plan(&known, &second, &incremental)));
        let (one, two) = second.split_at(cut.min(second.len()));
        let between = after(&known, &applied(plan(&known, one, &incremental)));
        let in_pieces = after(&between, &applied(plan(&between, two, &incremental)));
        let clear = second.iter().all(|entry| entry.time.is_some());
        prop_assert!(!clear || at_once == in_pieces);
    }

    /// However a series changes, telling it in whole leaves what a reading from the start would.
    #[test]
    fn a_series_told_in_whole_is_as_if_read_anew(
        others in calendar(),
        before in proptest::collection::btree_set(0_i64..40, 0..12),
        after_it in proptest::collection::btree_set(0_i64..40, 0..12),
    ) {
        let (before, later): (Vec<i64>, Vec<i64>) = (before.into_iter().collect(), after_it.into_iter().collect());
        let known = stored(&[others.clone(), series("yoga", "1", &before)].concat());
        let page = series("yoga", "2", &later);
        let rows = after(&known, &told(&known, &page, &["yoga"]));
        prop_assert_eq!(&rows, &stored(&[others, page.clone()].concat()));
        prop_assert!(told(&rows, &page, &["yoga"]).is_empty(), "a second time changes nothing");
    }

    #[test]
    fn nothing_large_goes_at_first_sight(first in calendar(), second in calendar()) {
        let known = stored(&first);
        let planned = plan(&known, &second, &full());
        let rows = after(&known, &planned.changes);
        let kept = |event: &&ObservedBusyTime| rows.iter().any(|row| row.external_id == event.external_id);
        let future: Vec<_> = known.iter().filter(|event| event.interval.end > full().now).collect();
        let left = future.iter().copied().filter(kept).count();
        prop_assert!(future.len() < MIN_GUARDED_EVENTS || left * 2 >= future.len());
        prop_assert!(future.is_empty() || !second.is_empty() || left == future.len());
        // What the calendar shows is written whatever is quarantined.
        for event in stored(&second) {
            prop_assert!(rows.contains(&event));
        }
    }
}
