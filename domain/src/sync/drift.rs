//! How far what stands in a calendar is from what should: a full compare, beside the reading of changes, for what no
//! change tells of.
//!
//! Only what nothing else is about to settle is judged: an entry that waits to be written, or that somebody is asked
//! about, is neither missing nor different. Where more than half of what should stand is missing at once, it is the read
//! that is checked again first: nothing is mended until a second compare, a while later, sees the same.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;

use crate::{
    entry::ObservedEntry,
    ids::EntryId,
    interval::{Interval, start_of_day},
};

/// What the rows say of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedState {
    /// It was written, and nothing waits.
    Stands,
    /// It was removed, and nothing waits.
    Gone,
    /// Something is about to be done or decided, or it lies so near the edge of what was read that it may not have been
    /// shown.
    Unsettled,
}

/// An entry as the rows have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryExpectation {
    pub id: EntryId,
    /// What its calendar calls it.
    pub external_id: String,
    /// The version that our last write left, or that was last dealt with.
    pub etag: Option<String>,
    /// How it should be.
    pub expected: ExpectedState,
}

/// Something in the calendar that carries our mark, or the name of an entry of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedEvent {
    /// What the calendar calls it; of an instance, what the calendar calls the whole.
    pub name: String,
    /// Whether it is an instance of what takes place many times.
    pub recurs: bool,
    /// The version, where the provider shows one.
    pub etag: Option<String>,
    /// The entry that we wrote into it.
    pub mark: Option<EntryId>,
}

impl From<&ObservedEntry> for MarkedEvent {
    fn from(entry: &ObservedEntry) -> Self {
        Self {
            name: entry.series.clone().unwrap_or_else(|| entry.external_id.clone()),
            recurs: entry.series.is_some(),
            etag: entry.etag.clone(),
            mark: entry.entry,
        }
    }
}

/// Providers differ in how they read the edges of a window, for whole days above all: what lies so near is not judged.
const WINDOW_EDGE: Duration = Duration::days(1);

/// Whether whatever takes place then is shown by every read of the window.
pub fn is_inside_window(time: Interval, window: Interval) -> bool {
    time.end > window.start + WINDOW_EDGE && time.start < window.end - WINDOW_EDGE
}

/// How calendar and rows differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// How many stand as they should.
    pub standing: usize,
    /// They should stand, and do not.
    pub missing: Vec<EntryId>,
    /// They stand at another version than we left them at.
    pub different: Vec<EntryId>,
    /// They should be gone, and stand.
    pub unwanted: Vec<EntryId>,
    /// Marks of ours that no row knows, such as after a backup was put back. They are told, and never removed: another
    /// installation may share the account, and what a lost row stood for may still hold.
    pub unknown: BTreeSet<EntryId>,
}

/// Compares. `elsewhere`: marks that other rows know, of another calendar or another business; what carries them is not
/// ours to judge here.
pub fn compare(known: &[EntryExpectation], seen: &[MarkedEvent], elsewhere: &BTreeSet<EntryId>) -> Drift {
    let by_name: BTreeMap<&str, &MarkedEvent> = seen.iter().map(|one| (one.name.as_str(), one)).collect();
    let mut drift = Drift::default();
    for entry in known {
        match (entry.expected, by_name.get(entry.external_id.as_str())) {
            (ExpectedState::Unsettled, _) | (ExpectedState::Gone, None) => {}
            (ExpectedState::Gone, Some(_)) => drift.unwanted.push(entry.id),
            (ExpectedState::Stands, None) => drift.missing.push(entry.id),
            (ExpectedState::Stands, Some(seen)) if is_unchanged(entry, seen) => drift.standing += 1,
            (ExpectedState::Stands, Some(_)) => drift.different.push(entry.id),
        }
    }
    // What carries a mark that we know under a name that we do not is a copy that a person made: it is theirs.
    let ids: BTreeSet<EntryId> = known.iter().map(|entry| entry.id).collect();
    let names: BTreeSet<&str> = known.iter().map(|entry| entry.external_id.as_str()).collect();
    drift.unknown = seen
        .iter()
        .filter(|one| !names.contains(one.name.as_str()))
        .filter_map(|one| one.mark)
        .filter(|mark| !ids.contains(mark) && !elsewhere.contains(mark))
        .collect();
    drift
}

/// A provider that shows no version of it says nothing of a change.
fn is_unchanged(entry: &EntryExpectation, seen: &MarkedEvent) -> bool {
    !seen.recurs && (entry.etag.is_none() || seen.etag.is_none() || entry.etag == seen.etag)
}

/// How long after the first sight of a loss the second one confirms it.
pub const HOLD: Duration = Duration::minutes(10);
/// A first sight that is older than this says nothing of the second.
const CONFIRM_WITHIN: Duration = Duration::hours(1);

impl Drift {
    /// How many should stand.
    pub fn wanted(&self) -> usize {
        self.standing + self.missing.len() + self.different.len()
    }

    /// Whether there is anything to mend.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.different.is_empty() && self.unwanted.is_empty()
    }

    /// Since when more than half of what should stand is seen to be missing; `None`: it is not. `before`: the same of the
    /// compare before this one.
    pub fn lost_since(&self, before: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let is_lost = self.missing.len() * 2 > self.wanted();
        is_lost.then(|| before.filter(|since| now - *since <= CONFIRM_WITHIN).unwrap_or(now))
    }
}

/// Whether what was found is believed, and each that differs is dealt with. A loss of many waits for a second sight.
pub fn is_believed(lost_since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    lost_since.is_none_or(|since| now - since >= HOLD)
}

/// The hours of the night in which calendars are compared: nobody waits for the provider then.
const NIGHT_BEGINS: Duration = Duration::hours(1);
const NIGHT_LASTS: Duration = Duration::hours(4);

/// The next moment of a night in `zone` that is `jitter`, in `[0, 1)`, into it: at least an hour from now.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "milliseconds of hours")]
pub fn next_nightly_compare(now: DateTime<Utc>, zone: Tz, jitter: f64) -> DateTime<Utc> {
    let into = NIGHT_LASTS.num_milliseconds() as f64 * jitter.clamp(0.0, 1.0);
    let into = NIGHT_BEGINS + Duration::milliseconds(into as i64);
    let soonest = now + Duration::hours(1);
    now.with_timezone(&zone)
        .date_naive()
        .iter_days()
        .take(3)
        .map(|date| start_of_day(date, zone) + into)
        .find(|at| *at >= soonest)
        .unwrap_or(now + Duration::days(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u8) -> EntryId {
        EntryId(uuid::Uuid::from_u128(u128::from(number)))
    }

    fn known(number: u8, expected: ExpectedState) -> EntryExpectation {
        EntryExpectation {
            id: id(number),
            external_id: format!("e{number}"),
            etag: Some("1".into()),
            expected,
        }
    }

    fn seen(number: u8, etag: &str) -> MarkedEvent {
        let etag = Some(etag.to_owned()).filter(|etag| !etag.is_empty());
        MarkedEvent { name: format!("e{number}"), recurs: false, etag, mark: Some(id(number)) }
    }

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::minutes(minute)
    }

    #[test]
    fn each_kind_of_difference_is_told_apart() {
        let rows = [
            known(1, ExpectedState::Stands),
            known(2, ExpectedState::Stands),
            known(3, ExpectedState::Stands),
            known(4, ExpectedState::Gone),
            known(5, ExpectedState::Gone),
            known(6, ExpectedState::Unsettled),
            known(7, ExpectedState::Unsettled),
            known(8, ExpectedState::Stands),
        ];
        let recurring = MarkedEvent { recurs: true, ..seen(8, "1") };
        let there =
            [seen(1, "1"), seen(2, "2"), seen(4, "1"), seen(6, "9"), recurring, seen(9, "1"), seen(10, "1")];
        let drift = compare(&rows, &there, &BTreeSet::from([id(10)]));
        assert_eq!(
            drift,
            Drift {
                standing: 1,
                missing: vec![id(3)],
                different: vec![id(2), id(8)],
                unwanted: vec![id(4)],
                unknown: BTreeSet::from([id(9)]),
            }
        );
    }

    #[test]
    fn a_copy_that_a_person_made_is_theirs() {
        let copy = MarkedEvent { name: "copy".into(), ..seen(1, "7") };
        let drift = compare(&[known(1, ExpectedState::Stands)], &[seen(1, "1"), copy], &BTreeSet::new());
        assert_eq!(drift, Drift { standing: 1, ..Drift::default() });
    }

    #[test]
    fn where_no_version_is_shown_there_is_no_change() {
        let drift = compare(&[known(1, ExpectedState::Stands)], &[seen(1, "")], &BTreeSet::new());
        assert!(drift.is_none());
    }

    #[test]
    fn a_loss_of_more_than_half_is_believed_at_the_second_sight() {
        let lost = Drift { standing: 1, missing: vec![id(1), id(2)], ..Drift::default() };
        for (before, now, since, believed) in [
            (None, 0, 0, false),
            (Some(0), 9, 0, false),
            (Some(0), 10, 0, true),
            // That was another time.
            (Some(0), 61, 61, false),
        ] {
            let lost_since = lost.lost_since(before.map(at), at(now));
            assert_eq!(lost_since, Some(at(since)), "{before:?} {now}");
            assert_eq!(is_believed(lost_since, at(now)), believed, "{before:?} {now}");
        }
        let half = Drift { standing: 2, missing: vec![id(1), id(2)], ..Drift::default() };
        for calm in [half, Drift::default()] {
            assert_eq!(calm.lost_since(Some(at(0)), at(5)), None);
        }
        assert!(is_believed(None, at(0)));
    }

    #[test]
    fn what_lies_at_an_edge_may_not_be_shown() {
        let days = |from: i64, until: i64| Interval { start: at(from * 1_440), end: at(until * 1_440) };
        for (time, shown) in
            [((0, 1), false), ((0, 2), true), ((5, 6), true), ((8, 12), true), ((9, 10), false)]
        {
            assert_eq!(is_inside_window(days(time.0, time.1), days(0, 10)), shown, "{time:?}");
        }
    }

    #[test]
    fn nights_are_those_of_the_business() {
        let next = |now: &str, jitter| {
            next_nightly_compare(now.parse().unwrap(), chrono_tz::Europe::Berlin, jitter).to_rfc3339()
        };
        assert_eq!(next("2026-12-05T12:00:00Z", 0.0), "2026-12-06T00:00:00+00:00");
        assert_eq!(next("2026-12-05T12:00:00Z", 0.5), "2026-12-06T02:00:00+00:00");
        assert_eq!(next("2026-12-05T22:30:00Z", 0.0), "2026-12-06T00:00:00+00:00");
        assert_eq!(next("2026-12-06T00:00:00Z", 0.0), "2026-12-07T00:00:00+00:00", "not at once again");
    }

    fn expected() -> impl Strategy<Value = ExpectedState> {
        prop_oneof![Just(ExpectedState::Stands), Just(ExpectedState::Gone), Just(ExpectedState::Unsettled)]
    }

    proptest! {
        #[test]
        fn every_settled_entry_is_judged_once_and_no_other(
            rows in proptest::collection::vec((expected(), any::<bool>(), 0_u8..2), 0..30)
        ) {
            let mut all = Vec::new();
            let mut there = Vec::new();
            for (number, (expected, shown, etag)) in (0_u8..).zip(&rows) {
                all.push(known(number, *expected));
                if *shown {
                    there.push(seen(number, &etag.to_string()));
                }
            }
            let drift = compare(&all, &there, &BTreeSet::new());
            let should = rows.iter().filter(|(expected, ..)| *expected == ExpectedState::Stands).count();
            prop_assert_eq!(drift.wanted(), should);
            let gone = rows.iter().filter(|(expected, shown, _)| *expected == ExpectedState::Gone && *shown).count();
            prop_assert_eq!(drift.unwanted.len(), gone);
            prop_assert!(drift.unknown.is_empty());
        }

        #[test]
        fn a_calendar_that_holds_what_was_written_has_no_drift(numbers in proptest::collection::btree_set(0_u8.., 0..30)) {
            let rows: Vec<EntryExpectation> = numbers.iter().map(|number| known(*number, ExpectedState::Stands)).collect();
            let there: Vec<MarkedEvent> = numbers.iter().map(|number| seen(*number, "1")).collect();
            let drift = compare(&rows, &there, &BTreeSet::new());
            prop_assert!(drift.is_none());
            prop_assert_eq!(drift.standing, numbers.len());
        }
    }
}
