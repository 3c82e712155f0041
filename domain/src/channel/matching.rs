//! Which item of a snapshot is which that was known.

use std::collections::{BTreeMap, HashMap};

use super::{
    ItemKind,
    plan::{Item, Known, Sight},
};
use crate::{interval::Interval, platform::UidKeeps};

/// Which item is which that was known, by their positions.
pub(super) struct Matches {
    /// For each item, which that was known.
    pub(super) by_item: Vec<Option<usize>>,
    /// For each that was known, whether it is one of the items.
    pub(super) known: Vec<bool>,
}

impl Matches {
    pub(super) fn of(sight: &Sight<'_>, items: &[Item]) -> Self {
        let mut matches = Self { by_item: vec![None; items.len()], known: vec![false; sight.known.len()] };
        matches.same_key(sight.known, items);
        matches.same_time(sight.known, items);
        matches.only_one(
            sight.known,
            items,
            |known| (known.kind == ItemKind::Window).then_some(()),
            |item| (item.kind == ItemKind::Window).then_some(()),
        );
        // In a part of a feed nothing is seen to be gone, so that nothing can have come in its place.
        if sight.rules.uids != UidKeeps::Stable && !sight.is_part {
            let named = |kind, guest: &Option<String>| {
                (kind == ItemKind::Reservation).then(|| guest.clone()).flatten()
            };
            matches.only_one(
                sight.known,
                items,
                |known| named(known.kind, &known.guest),
                |item| named(item.kind, &item.guest),
            );
            matches.overlap(sight.known, items);
        }
        matches
    }

    fn join(&mut self, item: usize, known: usize) {
        self.by_item[item] = Some(known);
        self.known[known] = true;
    }

    fn free_items<'a>(&self, items: &'a [Item]) -> Vec<(usize, &'a Item)> {
        items.iter().enumerate().filter(|(index, _)| self.by_item[*index].is_none()).collect()
    }

    fn free_known<'a>(&self, known: &'a [Known]) -> Vec<(usize, &'a Known)> {
        known.iter().enumerate().filter(|(index, _)| !self.known[*index]).collect()
    }

    fn same_key(&mut self, known: &[Known], items: &[Item]) {
        let by_key: HashMap<&str, usize> =
            known.iter().enumerate().map(|(index, known)| (known.key.as_str(), index)).collect();
        for (index, item) in items.iter().enumerate() {
            if let Some(same) = by_key.get(item.key.as_str()) {
                self.join(index, *same);
            }
        }
    }

    /// The same time and sort under another UID is the same event.
    fn same_time(&mut self, known: &[Known], items: &[Item]) {
        let sort = |kind| kind == ItemKind::Reservation;
        let mut by_time: HashMap<(Interval, bool), Vec<usize>> = HashMap::new();
        for (index, known) in self.free_known(known).into_iter().rev() {
            by_time.entry((known.interval, sort(known.kind))).or_default().push(index);
        }
        for (index, item) in self.free_items(items) {
            if let Some(same) = by_time.get_mut(&(item.interval, sort(item.kind))).and_then(Vec::pop) {
                self.join(index, same);
            }
        }
    }

    /// Joins those that alone have a name on both sides.
    fn only_one<N: Ord>(
        &mut self,
        known: &[Known],
        items: &[Item],
        of_known: impl Fn(&Known) -> Option<N>,
        of_item: impl Fn(&Item) -> Option<N>,
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
    /// nothing else, and are not told to be of two guests.
    fn overlap(&mut self, known: &[Known], items: &[Item]) {
        let mut gone: Vec<(usize, &Known)> = self.free_known(known);
        gone.retain(|(_, known)| known.kind == ItemKind::Reservation);
        let mut come: Vec<(usize, &Item)> = self.free_items(items);
        come.retain(|(_, item)| item.kind == ItemKind::Reservation);
        let mut pairs = Vec::new();
        for (item_index, item) in &come {
            let near: Vec<_> =
                gone.iter().filter(|(_, known)| known.interval.overlaps(&item.interval)).collect();
            if let [(known_index, known)] = near[..] {
                let of_known =
                    come.iter().filter(|(_, item)| item.interval.overlaps(&known.interval)).count();
                let two_guests = known.guest.is_some() && item.guest.is_some() && known.guest != item.guest;
                if of_known == 1 && !two_guests {
                    pairs.push((*item_index, *known_index));
                }
            }
        }
        for (item, known) in pairs {
            self.join(item, known);
        }
    }
}
