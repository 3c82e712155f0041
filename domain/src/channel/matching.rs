//! Which item of a snapshot is which that was known.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    ItemKind,
    items::{ChannelPlanInput, FeedItem, KnownItem},
};
use crate::{interval::Interval, platform::UidKeeps};

/// By which two reservations are told to be of two guests.
struct GuestNames<'a> {
    /// How often a summary is written: what stands once may be a name, where the platform does not say what one is.
    summaries: HashMap<&'a str, (usize, usize)>,
    /// Whether summaries count at all.
    count: bool,
}

impl<'a> GuestNames<'a> {
    fn of(input: &'a ChannelPlanInput<'_>, items: &'a [FeedItem]) -> Self {
        let mut summaries: HashMap<&str, (usize, usize)> = HashMap::new();
        for known in input.known.iter().filter(|known| known.kind == ItemKind::Reservation) {
            summaries.entry(&known.summary).or_default().0 += 1;
        }
        for item in items.iter().filter(|item| item.kind == ItemKind::Reservation) {
            summaries.entry(&item.summary).or_default().1 += 1;
        }
        Self { summaries, count: input.rules.uids == UidKeeps::Volatile }
    }

    /// Whether both are named, and differently.
    fn differ(&self, known: &KnownItem, item: &FeedItem) -> bool {
        if known.kind != ItemKind::Reservation || item.kind != ItemKind::Reservation {
            return false;
        }
        match (&known.guest, &item.guest) {
            (Some(before), Some(now)) => before != now,
            (None, None) => {
                let once = |text: &str| {
                    let (before, now) = self.summaries.get(text).copied().unwrap_or_default();
                    !text.is_empty() && before <= 1 && now <= 1
                };
                self.count && known.summary != item.summary && once(&known.summary) && once(&item.summary)
            }
            _ => false,
        }
    }
}

/// Whether a reservation under a UID that may be anybody's the next time is that of another guest: by its name, or because
/// it has none of the nights.
fn is_other_guest(known: &KnownItem, item: &FeedItem, names: &GuestNames<'_>) -> bool {
    let sold = known.kind == ItemKind::Reservation && item.kind == ItemKind::Reservation;
    let same_guest = known.guest.is_some() && known.guest == item.guest;
    sold && !same_guest && (names.differ(known, item) || !known.interval.overlaps(&item.interval))
}

/// The key of an item whose UID is another's.
fn own_key(item: &FeedItem) -> String {
    let Interval { start, end } = item.interval;
    format!("{} @{}-{}", item.key, start.timestamp(), end.timestamp())
}

/// Whether the shorter of two that overlap has half of its time in common with the other.
fn shares_half(one: Interval, other: Interval) -> bool {
    let shared = one.end.min(other.end) - one.start.max(other.start);
    shared * 2 >= one.length().min(other.length())
}

/// Which item is which that was known, by their positions.
pub(super) struct ItemMatches {
    /// For each item, which that was known.
    pub(super) by_item: Vec<Option<usize>>,
    /// For each that was known, whether it is one of the items.
    pub(super) known: Vec<bool>,
}

impl ItemMatches {
    /// May give items other keys: a UID that changes can be that of somebody else by now, while what is known of the first
    /// still stands.
    pub(super) fn of(input: &ChannelPlanInput<'_>, items: &mut [FeedItem]) -> Self {
        let matches = Self::find(input, items);
        matches.give_way(input.known, items);
        matches
    }

    fn find(input: &ChannelPlanInput<'_>, items: &[FeedItem]) -> Self {
        let mut matches = Self { by_item: vec![None; items.len()], known: vec![false; input.known.len()] };
        let names = GuestNames::of(input, items);
        matches.match_by_key(input, items, &names);
        matches.same_time(input.known, items, &names);
        matches.match_unique(
            input.known,
            items,
            |known| (known.kind == ItemKind::Window).then_some(()),
            |item| (item.kind == ItemKind::Window).then_some(()),
        );
        // In a part of a feed nothing is seen to be gone, so that nothing can have come in its place.
        if input.rules.uids != UidKeeps::Stable && !input.is_part {
            let named = |kind, guest: &Option<String>| {
                (kind == ItemKind::Reservation).then(|| guest.clone()).flatten()
            };
            matches.match_unique(
                input.known,
                items,
                // What the feed has never had has not gone from it: it is another stay of the same guest.
                |known| named(known.kind, &known.guest).filter(|_| !known.pinned),
                |item| named(item.kind, &item.guest),
            );
            matches.overlap(input.known, items, &names);
        }
        matches
    }

    fn join(&mut self, item: usize, known: usize) {
        self.by_item[item] = Some(known);
        self.known[known] = true;
    }

    fn free_items<'a>(&self, items: &'a [FeedItem]) -> Vec<(usize, &'a FeedItem)> {
        items.iter().enumerate().filter(|(index, _)| self.by_item[*index].is_none()).collect()
    }

    fn free_known<'a>(&self, known: &'a [KnownItem]) -> Vec<(usize, &'a KnownItem)> {
        known.iter().enumerate().filter(|(index, _)| !self.known[*index]).collect()
    }

    fn match_by_key(&mut self, input: &ChannelPlanInput<'_>, items: &[FeedItem], names: &GuestNames<'_>) {
        let known = input.known;
        let by_key: HashMap<&str, usize> =
            known.iter().enumerate().map(|(index, known)| (known.key.as_str(), index)).collect();
        for (index, item) in items.iter().enumerate() {
            let Some(same) = by_key.get(item.key.as_str()).copied() else { continue };
            if input.rules.uids != UidKeeps::Volatile || !is_other_guest(&known[same], item, names) {
                self.join(index, same);
            } else if let Some(same) = by_key.get(own_key(item).as_str()) {
                // It gave way at an earlier reading.
                self.join(index, *same);
            }
        }
    }

    /// Who has the UID of another whose item may stand on gets a key that is no other's.
    fn give_way(&self, known: &[KnownItem], items: &mut [FeedItem]) {
        let left: HashSet<&str> =
            self.free_known(known).into_iter().map(|(_, known)| known.key.as_str()).collect();
        let joined = |index: usize| self.by_item[index].map(|known_at| known[known_at].key.as_str());
        for (index, item) in items.iter_mut().enumerate() {
            let own = own_key(item);
            if left.contains(item.key.as_str()) || joined(index) == Some(own.as_str()) {
                item.key = own;
            }
        }
    }

    /// The same time and sort under another UID is the same event, unless it is told to be of another guest.
    fn same_time(&mut self, known: &[KnownItem], items: &[FeedItem], names: &GuestNames<'_>) {
        let sort = |kind| kind == ItemKind::Reservation;
        let mut by_time: HashMap<(Interval, bool), Vec<usize>> = HashMap::new();
        for (index, known) in self.free_known(known).into_iter().rev() {
            by_time.entry((known.interval, sort(known.kind))).or_default().push(index);
        }
        for (index, item) in self.free_items(items) {
            let Some(all) = by_time.get_mut(&(item.interval, sort(item.kind))) else { continue };
            if let Some(at) = all.iter().rposition(|one| !names.differ(&known[*one], item)) {
                self.join(index, all.remove(at));
            }
        }
        // What was unconfirmed and is settled now is another sort of the same.
        let mut unconfirmed: HashMap<Interval, Vec<usize>> = HashMap::new();
        for (index, known) in self.free_known(known).into_iter().rev() {
            if known.kind == ItemKind::Unconfirmed {
                unconfirmed.entry(known.interval).or_default().push(index);
            }
        }
        for (index, item) in self.free_items(items) {
            if let Some(same) = unconfirmed.get_mut(&item.interval).and_then(Vec::pop) {
                self.join(index, same);
            }
        }
    }

    /// Joins those that alone have a name on both sides.
    fn match_unique<N: Ord>(
        &mut self,
        known: &[KnownItem],
        items: &[FeedItem],
        of_known: impl Fn(&KnownItem) -> Option<N>,
        of_item: impl Fn(&FeedItem) -> Option<N>,
    ) {
        let mut names: BTreeMap<N, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
        for (index, known) in self.free_known(known) {
            if let Some(name) = of_known(known) {
                names.entry(name).or_default().0.push(index);
            }
        }
        for (index, item) in self.free_items(items) {
            if let Some(name) = of_item(item) {
                names.entry(name).or_default().1.push(index);
            }
        }
        for (known, items) in names.into_values() {
            if let ([known], [item]) = (&known[..], &items[..]) {
                self.join(*item, *known);
            }
        }
    }

    /// A reservation that went and one that came are one whose dates were changed, if they overlap each other and
    /// nothing else, by half of the shorter at least, and are not told to be of two guests. What is pinned did not go.
    fn overlap(&mut self, known: &[KnownItem], items: &[FeedItem], names: &GuestNames<'_>) {
        let mut gone: Vec<(usize, &KnownItem)> = self.free_known(known);
        gone.retain(|(_, known)| known.kind == ItemKind::Reservation);
        let mut come: Vec<(usize, &FeedItem)> = self.free_items(items);
        come.retain(|(_, item)| item.kind == ItemKind::Reservation);
        let mut pairs = Vec::new();
        for (item_index, item) in &come {
            let near: Vec<_> =
                gone.iter().filter(|(_, known)| known.interval.overlaps(&item.interval)).collect();
            if let [(known_index, known)] = near[..] {
                let of_known =
                    come.iter().filter(|(_, item)| item.interval.overlaps(&known.interval)).count();
                if of_known == 1
                    && !known.pinned
                    && shares_half(known.interval, item.interval)
                    && !names.differ(known, item)
                {
                    pairs.push((*item_index, *known_index));
                }
            }
        }
        for (item, known) in pairs {
            self.join(item, known);
        }
    }
}
