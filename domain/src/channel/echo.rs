//! Our own feed, given back.
//!
//! A platform that reads our feed closes the nights that it finds there, and many publish what is closed in their own
//! feed. Only what a platform has read can come back from it, and only once: whatever goes beyond is its own.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::interval::{Interval, stay};

/// A stretch of time that stood in the feed of a channel, and that the platform has read there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoSource {
    /// When it is, or was, taken.
    pub interval: Interval,
    /// Whether the platform still believes in it: it stands in the feed, or the platform has not come back since it
    /// was withdrawn. Otherwise it has read that it is free, and may go on showing it for a while.
    pub believed: bool,
    /// Whether what stood there was itself held only because another platform's event was unconfirmed. That it lingers raises no
    /// new ambiguity: else two platforms that are slow to take down would close each other's nights for ever.
    pub of_unconfirmed: bool,
}

/// The nights of a stay that begins and ends with hours of check-in and check-out in `zone`: out before the hour at which
/// others come in, and there for more than half of the time. `None`: it is no stay, or one of whole days.
pub fn nights_of(interval: Interval, zone: Tz) -> Option<Interval> {
    let [check_in, check_out] =
        [interval.start, interval.end].map(|at| at.with_timezone(&zone).naive_local());
    let nights = stay(check_in.date(), check_out.date(), zone)?;
    let has_hours = check_out.time() <= check_in.time() && nights != interval;
    (has_hours && interval.length() * 2 > nights.length()).then_some(nights)
}

/// What was published of which `interval` has exactly the nights, if it begins and ends with hours; else `interval` itself.
/// Some platforms give back days with the hours of the house.
pub(super) fn as_published(interval: Interval, published: &[EchoSource], zone: Tz) -> Interval {
    let nights = nights_of(interval, zone);
    nights.filter(|nights| published.iter().any(|one| one.interval == *nights)).unwrap_or(interval)
}

/// What a platform can give back, and what of it has come back already.
#[derive(Clone, Debug)]
pub struct Echoes {
    believed: IntervalMultiset,
    lingering: IntervalMultiset,
    /// Of what lingers, what was held while it was unconfirmed.
    of_unconfirmed: IntervalMultiset,
}

impl Echoes {
    /// From all that the platform has read.
    pub fn of(published: &[EchoSource]) -> Self {
        let some = |wanted: &dyn Fn(&EchoSource) -> bool| {
            IntervalMultiset::of(published.iter().filter(|one| wanted(one)).map(|one| one.interval))
        };
        Self {
            believed: some(&|one| one.believed),
            lingering: some(&|one| !one.believed),
            of_unconfirmed: some(&|one| !one.believed && one.of_unconfirmed),
        }
    }

    /// What of `interval` cannot be an echo; empty: all of it is one. `was_echo`: it was one when it was last seen, so
    /// that it may be one that the platform is slow to take down.
    pub fn rest(&self, interval: Interval, was_echo: bool) -> Vec<Interval> {
        let mut rest = self.believed.without(interval);
        if was_echo {
            rest = rest.into_iter().flat_map(|piece| self.lingering.without(piece)).collect();
        }
        rest
    }

    /// Whether some of `interval` can be an echo only of what the platform has read to be free, so that it may have been
    /// sold there since.
    pub fn is_ambiguous_at(&self, interval: Interval) -> bool {
        self.believed
            .without(interval)
            .into_iter()
            .any(|piece| !self.of_unconfirmed.without(piece).is_empty())
    }

    /// Notes that `interval` has come back: nothing else can be an echo of the same.
    pub fn take(&mut self, interval: Interval) {
        self.believed.take(interval);
        self.lingering.take(interval);
        self.of_unconfirmed.take(interval);
    }
}

/// Stretches of time with how often each is taken; a resource of several units is published once for each.
#[derive(Clone, Debug)]
struct IntervalMultiset {
    /// By start; they may overlap.
    all: Vec<Interval>,
    /// The latest end among all up to here: what ends earlier need not be looked at.
    latest_ends: Vec<DateTime<Utc>>,
}

impl IntervalMultiset {
    fn of(intervals: impl Iterator<Item = Interval>) -> Self {
        let mut all: Vec<Interval> = intervals.collect();
        all.sort_unstable();
        let mut stretches = Self { all, latest_ends: Vec::new() };
        stretches.measure();
        stretches
    }

    fn measure(&mut self) {
        self.latest_ends.clear();
        let mut latest = DateTime::<Utc>::MIN_UTC;
        for one in &self.all {
            latest = latest.max(one.end);
            self.latest_ends.push(latest);
        }
    }

    /// Those that overlap `interval`, as positions.
    fn near(&self, interval: Interval) -> std::ops::Range<usize> {
        let from = self.latest_ends.partition_point(|end| *end <= interval.start);
        let until = self.all.partition_point(|one| one.start < interval.end);
        from..until.max(from)
    }

    /// The pieces of `interval` that nothing here covers, in order.
    fn without(&self, interval: Interval) -> Vec<Interval> {
        let mut pieces = Vec::new();
        let mut from = interval.start;
        for one in &self.all[self.near(interval)] {
            pieces.extend(Interval::new(from, one.start.min(interval.end)));
            from = from.max(one.end);
        }
        pieces.extend(Interval::new(from, interval.end));
        pieces
    }

    /// Takes `interval` away once, wherever it is covered.
    fn take(&mut self, interval: Interval) {
        let near = self.near(interval);
        let mut from = interval.start;
        let mut left = Vec::new();
        for one in self.all.drain(near) {
            let start = one.start.max(from);
            let end = one.end.min(interval.end);
            if start >= end {
                left.push(one);
                continue;
            }
            left.extend(Interval::new(one.start, start));
            left.extend(Interval::new(end, one.end));
            from = end;
        }
        if !left.is_empty() || from != interval.start {
            self.all.extend(left);
            self.all.sort_unstable();
            self.measure();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::Duration::hours(hour)
    }

    fn stretch(from: i64, until: i64) -> Interval {
        Interval::new(at(from), at(until)).unwrap()
    }

    fn believed(from: i64, until: i64) -> EchoSource {
        EchoSource { interval: stretch(from, until), believed: true, of_unconfirmed: false }
    }

    #[test]
    fn what_was_read_comes_back_whole_merged_or_in_parts() {
        let echoes = Echoes::of(&[believed(1, 3), believed(3, 5), believed(8, 9)]);
        assert!(echoes.rest(stretch(1, 3), false).is_empty());
        assert!(echoes.rest(stretch(1, 5), false).is_empty());
        assert!(echoes.rest(stretch(2, 4), false).is_empty());
        assert_eq!(echoes.rest(stretch(0, 10), false), [stretch(0, 1), stretch(5, 8), stretch(9, 10)]);
        assert_eq!(echoes.rest(stretch(5, 8), false), [stretch(5, 8)]);
    }

    #[test]
    fn what_has_come_back_cannot_come_back_again() {
        let mut echoes = Echoes::of(&[believed(1, 5)]);
        echoes.take(stretch(2, 4));
        assert_eq!(echoes.rest(stretch(1, 5), false), [stretch(2, 4)]);
        // Of two units, both do.
        let mut two = Echoes::of(&[believed(1, 5), believed(1, 5)]);
        two.take(stretch(1, 5));
        assert!(two.rest(stretch(1, 5), false).is_empty());
    }

    #[test]
    fn what_was_withdrawn_lingers_only_where_it_was_an_echo_before() {
        let gone = EchoSource { interval: stretch(1, 3), believed: false, of_unconfirmed: false };
        let echoes = Echoes::of(&[gone]);
        assert!(echoes.rest(stretch(1, 3), true).is_empty());
        assert_eq!(echoes.rest(stretch(1, 3), false), [stretch(1, 3)]);
        assert!(echoes.is_ambiguous_at(stretch(1, 3)));
    }

    #[test]
    fn unconfirmed_nights_make_none_ambiguous() {
        let was_unconfirmed = EchoSource { interval: stretch(1, 3), believed: false, of_unconfirmed: true };
        assert!(!Echoes::of(&[was_unconfirmed]).is_ambiguous_at(stretch(1, 3)));
        assert!(!Echoes::of(&[believed(1, 3)]).is_ambiguous_at(stretch(1, 3)));
        assert!(Echoes::of(&[was_unconfirmed, believed(3, 5)]).is_ambiguous_at(stretch(2, 6)));
    }

    fn stretches() -> impl Strategy<Value = Vec<Interval>> {
        prop::collection::vec(
            (0_i64..30, 1_i64..8).prop_map(|(from, length)| stretch(from, from + length)),
            0..12,
        )
    }

    proptest! {
        /// Hour by hour: covered is what something covers, and taking takes one cover away.
        #[test]
        fn every_hour_is_counted(all in stretches(), taken in (0_i64..30, 1_i64..8), asked in (0_i64..30, 1_i64..8)) {
            let (taken, asked) = (stretch(taken.0, taken.0 + taken.1), stretch(asked.0, asked.0 + asked.1));
            let mut here = IntervalMultiset::of(all.iter().copied());
            here.take(taken);
            let rest = here.without(asked);
            for hour in 0..40 {
                let inside = stretch(hour, hour + 1);
                let covers = all.iter().filter(|one| one.overlaps(&inside)).count();
                let left = if taken.overlaps(&inside) { covers.saturating_sub(1) } else { covers };
                let free = asked.overlaps(&inside) && left == 0;
                prop_assert_eq!(rest.iter().any(|piece| piece.overlaps(&inside)), free, "hour {}", hour);
            }
        }
    }
}
