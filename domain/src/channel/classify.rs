//! What each event of a snapshot is: sold, closed, ours, or the end of what is sold.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Duration, Months, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;

use super::{
    BlockRule, ItemKind, Settled,
    echo::{EchoSource, Echoes, as_published},
    items::{ChannelPlan, ChannelPlanInput, FeedItem, KnownItem},
    snapshot::SnapshotEvent,
};
use crate::{
    booking::BookingTime,
    interval::{Interval, start_of_day},
    platform::{EventKind, UidKeeps},
};

/// An event, and what it was when it was last seen.
#[derive(Clone, Copy)]
struct PriorMatch<'a> {
    event: &'a SnapshotEvent,
    was: Option<&'a KnownItem>,
    /// Whether that is sure; otherwise it had another UID, and the same dates.
    by_key: bool,
}

impl PriorMatch<'_> {
    fn was_echo(&self) -> bool {
        self.was.is_some_and(|known| known.kind.may_be_ours())
    }

    /// What somebody said of it, while it has the nights of which they said so.
    fn settled(&self) -> Option<Settled> {
        self.was.filter(|known| known.interval == self.event.interval).and_then(|known| known.settled)
    }

    fn took(&self) -> bool {
        self.was.is_some_and(|known| known.kind.takes())
    }
}

/// What every event of the snapshot was, each known item being that of one event only.
fn seen<'a>(input: &ChannelPlanInput<'a>) -> Vec<PriorMatch<'a>> {
    let by_key: HashMap<&str, &KnownItem> =
        input.known.iter().map(|known| (known.key.as_str(), known)).collect();
    let keys: HashSet<&str> = input.snapshot.events.iter().map(|event| event.key.as_str()).collect();
    let mut nameless: HashMap<Interval, Vec<&KnownItem>> = HashMap::new();
    for known in input.known.iter().filter(|known| !keys.contains(known.key.as_str())) {
        nameless.entry(known.interval).or_default().push(known);
    }
    for all in nameless.values_mut() {
        // From the end: what we published is there for a reason that we know.
        all.sort_by_key(|known| known.kind == ItemKind::Echo);
    }
    let events = input.snapshot.events.iter().map(|event| {
        let same = by_key.get(event.key.as_str()).copied();
        let was = same.or_else(|| nameless.get_mut(&event.interval).and_then(Vec::pop));
        PriorMatch { event, was, by_key: same.is_some() }
    });
    events.collect()
}

/// Decides what each event is.
pub(super) struct Classifier<'a> {
    input: &'a ChannelPlanInput<'a>,
    echoes: EchoIndex,
    /// As it is before anything has come back.
    all_echoes: EchoIndex,
    /// The start of the last event.
    last: Option<DateTime<Utc>>,
}

impl<'a> Classifier<'a> {
    pub(super) fn of(input: &'a ChannelPlanInput<'a>) -> Self {
        Self {
            input,
            all_echoes: EchoIndex::of(input),
            echoes: EchoIndex::of(input),
            last: input.snapshot.events.iter().map(|event| event.interval.start).max(),
        }
    }

    pub(super) fn items(mut self, plan: &mut ChannelPlan) -> Vec<FeedItem> {
        let mut believed: HashMap<(bool, Interval), usize> = HashMap::new();
        for one in self.input.published.iter().filter(|one| one.believed) {
            *believed.entry((false, one.interval)).or_default() += 1;
            *believed.entry((true, whole_days(one.interval, self.input.zone))).or_default() += 1;
        }
        let mut order = seen(self.input);
        // What bears a UID of ours has the first claim on being an echo, then what has the very dates that we published, as
        // often as we did, then what was one, and last what was none.
        order.sort_by_key(|seen| (!seen.event.ours, !seen.was_echo(), seen.took()));
        let (exact, others): (Vec<_>, Vec<_>) = order.into_iter().partition(|seen| {
            match believed.get_mut(&(is_all_day(seen.event), self.as_published(seen.event))) {
                Some(left) if *left > 0 && (seen.event.ours || seen.event.told != EventKind::Reservation) => {
                    *left -= 1;
                    true
                }
                _ => seen.event.ours,
            }
        });
        let mut items = Vec::with_capacity(exact.len() + others.len());
        for seen in exact.iter().chain(&others) {
            self.sort(seen, &mut items);
        }
        plan.echoes = items.iter().filter(|item| item.kind == ItemKind::Echo).count();
        items
    }

    fn sort(&mut self, seen: &PriorMatch<'_>, items: &mut Vec<FeedItem>) {
        let event = seen.event;
        let whole = |kind| item_of(event, kind, event.time, event.interval, event.key.clone());
        let (is_unclear, settled) = (event.told == EventKind::Unclear, seen.settled());
        let interval = self.as_published(event);
        // Our own UID says more than any word; and so does somebody who has looked.
        if event.ours || is_unclear && settled == Some(Settled::Ours) {
            self.echoes.take(interval);
            items.push(whole(ItemKind::Echo));
            return;
        }
        let was_sold = seen.was.is_some_and(|known| known.kind == ItemKind::Reservation && !known.contested);
        // What was once seen to be sold is never taken for an echo later: our feed may hold the same nights by now.
        let is_sold = was_sold && seen.by_key || settled == Some(Settled::Booking);
        if event.told == EventKind::Reservation || is_unclear && is_sold {
            items.push(whole(ItemKind::Reservation));
            return;
        }
        let rest = self.echoes.of_kind(event).rest(interval, self.lingers(seen));
        let contested = self.all_echoes.of_kind(event).rest(interval, false).is_empty();
        // Under another UID it may be what was sold, or have come in its place: the next reading shows it.
        let renamed = is_unclear && was_sold;
        if rest.is_empty() && !renamed {
            let is_unconfirmed = self.is_ambiguous(event);
            self.echoes.take(interval);
            if is_unconfirmed {
                items.push(whole(ItemKind::Unconfirmed));
                return;
            }
            let contested = seen.took() || seen.was.is_some_and(|known| known.contested);
            items.push(FeedItem { contested, ..whole(ItemKind::Echo) });
        } else if is_unclear {
            items.push(FeedItem { contested, ..whole(ItemKind::Reservation) });
        } else {
            // What is taken, it takes with its own hours.
            let rest = self.echoes.of_kind(event).rest(event.interval, self.lingers(seen));
            self.block(event, rest, items);
        }
    }

    /// Whether it may have been sold since the platform read that we have freed its nights: it looks like our echo, shown
    /// late, and its UID does not tell.
    fn is_ambiguous(&self, event: &SnapshotEvent) -> bool {
        self.is_opaque(event) && self.echoes.of_kind(event).is_ambiguous_at(self.as_published(event))
    }

    fn as_published(&self, event: &SnapshotEvent) -> Interval {
        as_published(event.interval, self.input.published, self.input.zone)
    }

    /// Whether it may be an echo of what the platform has read to be free by now: it was one, and nothing but one. Where
    /// UIDs do not tell, whatever was not seen to be sold may be one; it is unconfirmed then.
    fn lingers(&self, seen: &PriorMatch<'_>) -> bool {
        if self.is_opaque(seen.event) {
            return seen.was.is_none_or(|known| known.kind.may_be_ours());
        }
        let twin = |known: &KnownItem| {
            known.contested && known.kind.takes() && known.interval.overlaps(&seen.event.interval)
        };
        seen.by_key
            && seen.was.is_some_and(|known| known.kind.may_be_ours() && !known.contested)
            && !self.input.known.iter().any(twin)
    }

    /// Whether neither its words nor its UID say what it is.
    fn is_opaque(&self, event: &SnapshotEvent) -> bool {
        event.told == EventKind::Unclear && self.input.rules.uids == UidKeeps::Volatile
    }

    /// A block, or what of it is not ours: platforms join what touches, the end of what they sell with it.
    fn block(&mut self, event: &SnapshotEvent, rest: Vec<Interval>, items: &mut Vec<FeedItem>) {
        let kind = match self.input.rules.blocks {
            BlockRule::Occupy => ItemKind::Block,
            BlockRule::Ignore => ItemKind::Ignored,
        };
        self.echoes.take(event.interval);
        let edge = self.edge(event, &rest).unwrap_or(event.interval.end);
        let window = Interval::new(edge, event.interval.end).map(|window| (window, ItemKind::Window));
        let before = rest.into_iter().filter_map(|piece| Interval::new(piece.start, piece.end.min(edge)));
        let pieces: Vec<_> = before.map(|piece| (piece, kind)).chain(window).collect();
        if let [(piece, kind)] = pieces[..]
            && piece == event.interval
        {
            items.push(item_of(event, kind, event.time, event.interval, event.key.clone()));
            return;
        }
        for (number, (piece, kind)) in pieces.into_iter().enumerate() {
            let time = self.time_of(event, piece);
            items.push(item_of(event, kind, time, piece, format!("{} #{}", event.key, number + 1)));
        }
    }

    /// From where on a block says only that the platform does not sell yet: the last one holds that, so many months from
    /// today, give or take what zones do to a day. One that does not move on with the days soon is no window any more.
    ///
    /// `rest`: what of the block is not ours.
    fn edge(&self, event: &SnapshotEvent, rest: &[Interval]) -> Option<DateTime<Utc>> {
        let ChannelPlanInput { zone, now, rules, known, .. } = self.input;
        let start = rest.first()?.start;
        if self.last.is_some_and(|last| last > event.interval.start) {
            return None;
        }
        let today = now.with_timezone(zone).date_naive();
        let edges =
            rules.window_months.iter().filter_map(|months| today.checked_add_months(Months::new(*months)));
        let near = |at: DateTime<Utc>, edge: NaiveDate| {
            (at.with_timezone(zone).date_naive() - edge).num_days().abs() <= 2
        };
        let windows = known.iter().filter(|known| known.kind == ItemKind::Window);
        let windows: Vec<_> = windows.map(|known| known.interval.start).collect();
        let mut found = edges.filter_map(|edge| {
            let at = start_of_day(edge, *zone);
            // What we published may hide where it begins.
            let start = if start > event.interval.start { start.min(at) } else { start };
            match windows.iter().copied().find(|seen| near(*seen, edge)) {
                // It never moves back: it has been joined with what lies before it.
                Some(seen) if start < seen || !near(start, edge) => Some(seen.max(at)),
                _ => near(start, edge).then_some(start),
            }
        });
        found.find(|at| *at + Duration::days(7) <= event.interval.end)
    }

    /// Days where the piece begins and ends with days, as the event does.
    fn time_of(&self, event: &SnapshotEvent, piece: Interval) -> BookingTime {
        let [start, end] =
            [piece.start, piece.end].map(|at| at.with_timezone(&self.input.zone).naive_local());
        let whole_days = start.time() == NaiveTime::MIN && end.time() == NaiveTime::MIN;
        match event.time {
            BookingTime::Stay { .. } if whole_days => {
                BookingTime::Stay { check_in: start.date(), check_out: end.date() }
            }
            _ => BookingTime::Timed { starts_at: piece.start, ends_at: piece.end },
        }
    }
}

/// What can come back: to the minute, and by whole days, since a platform that sells nights closes the whole night for
/// an hour of it.
struct EchoIndex {
    exact: Echoes,
    by_day: Echoes,
}

impl EchoIndex {
    fn of(input: &ChannelPlanInput<'_>) -> Self {
        let days = input
            .published
            .iter()
            .map(|one| EchoSource { interval: whole_days(one.interval, input.zone), ..*one });
        Self { exact: Echoes::of(input.published), by_day: Echoes::of(&days.collect::<Vec<_>>()) }
    }

    fn of_kind(&self, event: &SnapshotEvent) -> &Echoes {
        if is_all_day(event) { &self.by_day } else { &self.exact }
    }

    fn take(&mut self, interval: Interval) {
        self.exact.take(interval);
        self.by_day.take(interval);
    }
}

fn is_all_day(event: &SnapshotEvent) -> bool {
    matches!(event.time, BookingTime::Stay { .. })
}

/// From the midnight before it begins to the one after it ends.
fn whole_days(interval: Interval, zone: Tz) -> Interval {
    let start = start_of_day(interval.start.with_timezone(&zone).date_naive(), zone);
    let last = interval.end.with_timezone(&zone).date_naive();
    let end = start_of_day(last, zone);
    let end = if end < interval.end {
        last.succ_opt().map_or(interval.end, |next| start_of_day(next, zone))
    } else {
        end
    };
    Interval { start: start.min(interval.start), end }
}

fn item_of(
    event: &SnapshotEvent,
    kind: ItemKind,
    time: BookingTime,
    interval: Interval,
    key: String,
) -> FeedItem {
    FeedItem {
        key,
        time,
        interval,
        kind,
        summary: event.summary.clone(),
        description: event.description.clone(),
        guest: event.guest.clone(),
        contested: false,
        tentative: event.tentative && kind == ItemKind::Reservation,
    }
}
