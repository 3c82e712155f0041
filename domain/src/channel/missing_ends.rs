//! Events that do not say when they end, though they did: what is known of them stands.
//!
//! A missing, empty or unreadable DTEND is a fault of the feed far oftener than a stay that became shorter, and a date
//! without an end would be read as one night (RFC 5545, 3.6.1).

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use chrono::{DateTime, Utc};

use super::{
    items::{ChannelPlanInput, KnownItem, event_of},
    snapshot::Snapshot,
};
use crate::{interval::Interval, platform::UidKeeps};

/// What cannot be followed of a snapshot, and what is known of it.
#[derive(Default)]
pub(super) struct MissingEnds {
    /// Of the items that are known, those that stand: by their positions.
    stand: HashSet<usize>,
    /// Of the events, those from which nothing follows: by their positions.
    events: HashSet<usize>,
    /// Besides: of those that take no time.
    endless: usize,
}

/// An event without an end.
struct OpenEndedEvent<'a> {
    key: &'a str,
    start: DateTime<Utc>,
    /// What it would take; `None`: no time.
    interval: Option<Interval>,
}

impl MissingEnds {
    pub(super) fn of(input: &ChannelPlanInput<'_>) -> Self {
        let events = &input.snapshot.events;
        let open = events.iter().enumerate().filter(|(_, event)| !event.ends).map(|(index, event)| {
            let start = event.interval.start;
            (Some(index), OpenEndedEvent { key: &event.key, start, interval: Some(event.interval) })
        });
        let endless = input.snapshot.endless.iter();
        let endless =
            endless.map(|one| (None, OpenEndedEvent { key: &one.key, start: one.start, interval: None }));
        let mut lengths = Self::default();
        let mut all = open.chain(endless).peekable();
        if all.peek().is_none() {
            return lengths;
        }
        let known = KnownItemIndex::of(input);
        for (index, open) in all {
            let of_it = known.of_event(&open, input);
            if of_it.is_empty() {
                continue;
            }
            lengths.stand.extend(of_it);
            match index {
                Some(index) => drop(lengths.events.insert(index)),
                None => lengths.endless += 1,
            }
        }
        lengths
    }

    /// How many events those are.
    pub(super) fn events(&self) -> usize {
        self.events.len() + self.endless
    }

    /// Whether the item that is known at this position stands.
    pub(super) fn stands(&self, known: usize) -> bool {
        self.stand.contains(&known)
    }

    /// Those of `known` that stand, in their order.
    pub(super) fn stand<'k>(&self, known: &'k [KnownItem]) -> impl Iterator<Item = &'k KnownItem> {
        known.iter().enumerate().filter(|(index, _)| self.stands(*index)).map(|(_, known)| known)
    }

    /// The snapshot without the events from which nothing follows; they count as left out.
    pub(super) fn understood<'s>(&self, snapshot: &'s Snapshot) -> Cow<'s, Snapshot> {
        if self.events() == 0 {
            return Cow::Borrowed(snapshot);
        }
        let mut understood = snapshot.clone();
        let mut index = 0..;
        understood.events.retain(|_| index.next().is_none_or(|index| !self.events.contains(&index)));
        understood.left_out += self.events();
        Cow::Owned(understood)
    }
}

/// What is known, by what an event without an end tells.
struct KnownItemIndex<'a> {
    event: HashMap<&'a str, Vec<usize>>,
    /// Only what no event has the key of.
    start: HashMap<DateTime<Utc>, Vec<usize>>,
}

impl<'a> KnownItemIndex<'a> {
    fn of(input: &ChannelPlanInput<'a>) -> Self {
        let keys: HashSet<&str> = input.snapshot.events.iter().map(|event| event.key.as_str()).collect();
        let mut known = Self { event: HashMap::new(), start: HashMap::new() };
        for (index, one) in input.known.iter().enumerate() {
            known.event.entry(event_of(&one.key)).or_default().push(index);
            if !keys.contains(event_of(&one.key)) {
                known.start.entry(one.interval.start).or_default().push(index);
            }
        }
        known
    }

    /// What is known of an event, unless it is as long as it was.
    fn of_event(&self, open: &OpenEndedEvent<'_>, input: &ChannelPlanInput<'_>) -> Vec<usize> {
        let of_it = match self.event.get(open.key) {
            Some(of_it) => of_it,
            // Under another UID it is known by when it begins.
            None if input.rules.uids != UidKeeps::Stable => match self.start.get(&open.start) {
                Some(of_it) => of_it,
                None => return Vec::new(),
            },
            None => return Vec::new(),
        };
        let as_it_was = |index: &usize| Some(input.known[*index].interval) == open.interval;
        if of_it.iter().any(as_it_was) { Vec::new() } else { of_it.clone() }
    }
}
