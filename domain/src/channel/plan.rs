//! What follows from a snapshot of a platform's feed.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Duration, Months, NaiveTime, Utc};
use chrono_tz::Tz;

use super::{
    BlockRule, Brake, ItemKind,
    echo::{Echoes, Published},
    snapshot::{Observed, Snapshot, Told},
};
use crate::{booking::BookingTime, ids::ChannelItemId, interval::Interval};

/// How a platform treats the UIDs of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uids {
    /// The same for as long as the event exists.
    Stable,
    /// Another one when the dates change.
    WithDates,
    /// Another one at any time.
    Volatile,
}

/// What a plan goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What becomes of blocks.
    pub blocks: BlockRule,
    /// What UIDs are worth.
    pub uids: Uids,
    /// How many months ahead the platform sells, where it publishes the end of that as a block.
    pub window_months: Vec<u32>,
    /// How long a feed must stay empty before it is believed.
    pub empty_for: Duration,
    /// How long what a feed lacks must stay away, where it lacks more than half.
    pub shrunk_for: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            blocks: BlockRule::Occupy,
            uids: Uids::Stable,
            window_months: Vec::new(),
            empty_for: Duration::hours(24),
            shrunk_for: Duration::hours(6),
        }
    }
}

/// An item as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub id: ChannelItemId,
    /// Its key in the snapshot.
    pub key: String,
    /// When, in UTC.
    pub interval: Interval,
    /// What it is.
    pub kind: ItemKind,
    /// One line.
    pub summary: String,
    /// Who comes.
    pub guest: Option<String>,
    /// Whether it is taken for a reservation only because something else was the echo of the same nights.
    pub contested: bool,
    /// Since when the feed lacks it.
    pub missing_since: Option<DateTime<Utc>>,
    /// Whether somebody has said that it stands although the feed lacks it.
    pub pinned: bool,
}

/// An item as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its key in the snapshot.
    pub key: String,
    /// When, as a booking says it.
    pub time: BookingTime,
    /// The same in UTC.
    pub interval: Interval,
    /// What it is.
    pub kind: ItemKind,
    /// One line.
    pub summary: String,
    /// Lines separated by `\n`.
    pub description: String,
    /// Who comes.
    pub guest: Option<String>,
    /// Whether it is taken for a reservation only because something else was the echo of the same nights.
    pub contested: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Add(Item),
    /// It says something else, or is something else, or has another key.
    Change {
        /// Which.
        id: ChannelItemId,
        /// As it is now.
        to: Item,
    },
    /// It is as it was, after it had been missing.
    Return(ChannelItemId),
    /// The feed lacks it, and that is not believed yet.
    Miss(ChannelItemId),
    /// It is gone.
    Lose(ChannelItemId),
}

/// What is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Why.
    pub brake: Brake,
    /// How many items wait.
    pub items: usize,
    /// Of how many that were known.
    pub of: usize,
    /// When the last of them is believed to be gone, if the feed goes on lacking it.
    pub until: DateTime<Utc>,
}

/// What follows from a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they are to be done: what frees time comes before what takes it.
    pub actions: Vec<Action>,
    /// What waits for a second sight.
    pub held: Option<Held>,
    /// Events that are known, and as they were.
    pub unchanged: usize,
    /// Events that are only our own.
    pub echoes: usize,
    /// Events that are over.
    pub over: usize,
    /// Stays under way that the feed lacks: they go on.
    pub under_way: usize,
}

/// All that a plan looks at.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// What is known and not over.
    pub known: &'a [Known],
    /// What the feed says; it was read to its end.
    pub snapshot: &'a Snapshot,
    /// What the platform can give back.
    pub published: &'a [Published],
    /// What the plan goes by.
    pub rules: &'a Rules,
    /// The zone of the resource.
    pub zone: Tz,
    /// The instant of the reading.
    pub now: DateTime<Utc>,
}

/// What follows from what is seen.
pub fn plan(sight: &Sight<'_>) -> Plan {
    let mut plan = Plan::default();
    let items = Sorting::of(sight).items(&mut plan);
    let matches = Matches::of(sight, &items);
    let mut later = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        match matches.by_item.get(&index).map(|known| &sight.known[*known]) {
            None if item.interval.end <= sight.now => plan.over += 1,
            None => later.push(Action::Add(item)),
            Some(known) if differs(known, &item) => {
                later.push(Action::Change { id: known.id, to: item });
            }
            Some(known) => {
                plan.unchanged += usize::from(item.kind != ItemKind::Echo);
                if known.missing_since.is_some() || known.pinned {
                    later.push(Action::Return(known.id));
                }
            }
        }
    }
    let missing = (0..sight.known.len()).filter(|index| !matches.known.contains(index));
    let missing: Vec<&Known> = missing.map(|index| &sight.known[index]).collect();
    lose(sight, &missing, &mut plan);
    plan.actions.append(&mut later);
    plan
}

fn differs(known: &Known, item: &Item) -> bool {
    known.key != item.key
        || known.interval != item.interval
        || known.kind != item.kind
        || known.summary != item.summary
        || known.guest != item.guest
        || known.contested != item.contested
}

/// Decides what each event is.
struct Sorting<'a> {
    sight: &'a Sight<'a>,
    by_key: HashMap<&'a str, &'a Known>,
    by_interval: HashMap<Interval, &'a Known>,
    echoes: Echoes,
    /// As it is before anything has come back.
    all_echoes: Echoes,
    /// The start of the last event.
    last: Option<DateTime<Utc>>,
}

impl<'a> Sorting<'a> {
    fn of(sight: &'a Sight<'a>) -> Self {
        let by_key = sight.known.iter().map(|known| (known.key.as_str(), known)).collect();
        let seen: HashSet<&str> = sight.snapshot.events.iter().map(|event| event.key.as_str()).collect();
        // An event whose UID is new may be one that was seen under another.
        let nameless = sight.known.iter().filter(|known| !seen.contains(known.key.as_str()));
        Self {
            sight,
            by_key,
            by_interval: nameless.map(|known| (known.interval, known)).collect(),
            all_echoes: Echoes::of(sight.published),
            echoes: Echoes::of(sight.published),
            last: sight.snapshot.events.iter().map(|event| event.interval.start).max(),
        }
    }

    fn items(mut self, plan: &mut Plan) -> Vec<Item> {
        let published: HashSet<Interval> = self.sight.published.iter().map(|one| one.interval).collect();
        let mut order: Vec<&Observed> = self.sight.snapshot.events.iter().collect();
        // What was an echo has the first claim on being one, then what has the very dates that we published.
        order.sort_by_key(|event| {
            let was_echo = self.was(event).is_some_and(|known| known.kind == ItemKind::Echo);
            (!was_echo, !published.contains(&event.interval))
        });
        let mut items = Vec::with_capacity(order.len());
        for event in order {
            self.sort(event, &mut items);
        }
        plan.echoes = items.iter().filter(|item| item.kind == ItemKind::Echo).count();
        items
    }

    fn was(&self, event: &Observed) -> Option<&'a Known> {
        let known = self.by_key.get(event.key.as_str()).copied();
        known.or_else(|| self.by_interval.get(&event.interval).copied())
    }

    fn sort(&mut self, event: &Observed, items: &mut Vec<Item>) {
        let was = self.was(event);
        let whole = |kind| item_of(event, kind, event.time, event.interval, event.key.clone());
        // What was once seen to be sold is never taken for an echo later: our feed may hold the same nights by now.
        let was_sold = was.is_some_and(|known| known.kind == ItemKind::Reservation && !known.contested);
        if event.told == Told::Reservation || event.told == Told::Either && was_sold {
            items.push(whole(ItemKind::Reservation));
            return;
        }
        let was_echo = was.is_some_and(|known| known.kind == ItemKind::Echo);
        let rest = self.echoes.rest(event.interval, was_echo);
        if rest.is_empty() {
            self.echoes.take(event.interval);
            items.push(whole(ItemKind::Echo));
        } else if event.told == Told::Either {
            let contested = self.all_echoes.rest(event.interval, was_echo).is_empty();
            items.push(Item { contested, ..whole(ItemKind::Reservation) });
        } else if self.is_window(event) {
            items.push(whole(ItemKind::Window));
        } else {
            self.block(event, rest, items);
        }
    }

    /// A block, or what of it is not ours: platforms join what touches.
    fn block(&mut self, event: &Observed, rest: Vec<Interval>, items: &mut Vec<Item>) {
        let kind = match self.sight.rules.blocks {
            BlockRule::Occupy => ItemKind::Block,
            BlockRule::Ignore => ItemKind::Ignored,
        };
        self.echoes.take(event.interval);
        if rest == [event.interval] {
            items.push(item_of(event, kind, event.time, event.interval, event.key.clone()));
            return;
        }
        for (number, piece) in rest.into_iter().enumerate() {
            let time = self.time_of(event, piece);
            items.push(item_of(event, kind, time, piece, format!("{} #{}", event.key, number + 1)));
        }
    }

    /// Whether it is where the platform stops selling: the last block, so many months from today. One that does not
    /// move on with the days soon is no window any more.
    fn is_window(&self, event: &Observed) -> bool {
        let Sight { zone, now, rules, .. } = self.sight;
        let today = now.with_timezone(zone).date_naive();
        let start = event.interval.start.with_timezone(zone).date_naive();
        let at_the_end = self.last.is_none_or(|last| last <= event.interval.start);
        let long = event.interval.length() >= Duration::days(7);
        at_the_end
            && long
            && rules.window_months.iter().any(|months| {
                let edge = today.checked_add_months(Months::new(*months));
                edge.is_some_and(|edge| (start - edge).num_days().abs() <= 2)
            })
    }

    /// Days where the piece begins and ends with days, as the event does.
    fn time_of(&self, event: &Observed, piece: Interval) -> BookingTime {
        let [start, end] =
            [piece.start, piece.end].map(|at| at.with_timezone(&self.sight.zone).naive_local());
        let whole_days = start.time() == NaiveTime::MIN && end.time() == NaiveTime::MIN;
        match event.time {
            BookingTime::Stay { .. } if whole_days => {
                BookingTime::Stay { check_in: start.date(), check_out: end.date() }
            }
            _ => BookingTime::Timed { starts_at: piece.start, ends_at: piece.end },
        }
    }
}

fn item_of(event: &Observed, kind: ItemKind, time: BookingTime, interval: Interval, key: String) -> Item {
    Item {
        key,
        time,
        interval,
        kind,
        summary: event.summary.clone(),
        description: event.description.clone(),
        guest: event.guest.clone(),
        contested: false,
    }
}

/// Which item is which that was known, by their positions.
#[derive(Default)]
struct Matches {
    by_item: HashMap<usize, usize>,
    known: HashSet<usize>,
}

impl Matches {
    fn of(sight: &Sight<'_>, items: &[Item]) -> Self {
        let mut matches = Self::default();
        matches.same_key(sight.known, items);
        matches.same_time(sight.known, items);
        matches.only_one(
            sight.known,
            items,
            |known| (known.kind == ItemKind::Window).then_some(()),
            |item| (item.kind == ItemKind::Window).then_some(()),
        );
        if sight.rules.uids != Uids::Stable {
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
        self.by_item.insert(item, known);
        self.known.insert(known);
    }

    fn free_items<'a>(&self, items: &'a [Item]) -> Vec<(usize, &'a Item)> {
        items.iter().enumerate().filter(|(index, _)| !self.by_item.contains_key(index)).collect()
    }

    fn free_known<'a>(&self, known: &'a [Known]) -> Vec<(usize, &'a Known)> {
        known.iter().enumerate().filter(|(index, _)| !self.known.contains(index)).collect()
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

/// What becomes of what the feed lacks.
fn lose(sight: &Sight<'_>, missing: &[&Known], plan: &mut Plan) {
    let mut doubtful = Vec::new();
    for known in missing {
        let under_way = known.kind == ItemKind::Reservation && known.interval.start <= sight.now;
        if !known.kind.takes() || called_off(sight.snapshot, &known.key) {
            plan.actions.push(Action::Lose(known.id));
        } else if under_way {
            // Who has arrived is not sent away by a feed; some drop what has begun.
            plan.under_way += 1;
        } else if !known.pinned {
            doubtful.push(*known);
        }
    }
    let Some((brake, of)) = brake(sight, missing, doubtful.len()) else {
        plan.actions.extend(doubtful.into_iter().map(|known| Action::Lose(known.id)));
        return;
    };
    let patience = match brake {
        Brake::Empty => sight.rules.empty_for,
        Brake::Shrunk => sight.rules.shrunk_for,
    };
    let mut held = Held { brake, items: 0, of, until: sight.now };
    for known in doubtful {
        let since = known.missing_since.unwrap_or(sight.now);
        if known.missing_since.is_some() && since + patience <= sight.now {
            plan.actions.push(Action::Lose(known.id));
            continue;
        }
        if known.missing_since.is_none() {
            plan.actions.push(Action::Miss(known.id));
        }
        held.items += 1;
        held.until = held.until.max(since + patience);
    }
    if held.items > 0 {
        plan.held = Some(held);
    }
}

/// Whether so much is missing that the feed may be at fault, and of how many.
fn brake(sight: &Sight<'_>, missing: &[&Known], doubtful: usize) -> Option<(Brake, usize)> {
    if doubtful == 0 {
        return None;
    }
    // Echoes count where they should still be there: those of what we have withdrawn are expected to go.
    let echoes = Echoes::of(sight.published);
    let counts = |known: &&Known| match known.kind {
        ItemKind::Echo => echoes.rest(known.interval, false).is_empty(),
        kind => kind.takes(),
    };
    let of = sight.known.iter().filter(counts).count();
    if sight.snapshot.events.is_empty() {
        return Some((Brake::Empty, of));
    }
    let gone =
        doubtful + missing.iter().filter(|known| known.kind == ItemKind::Echo && counts(known)).count();
    (gone * 2 > of).then_some((Brake::Shrunk, of))
}

/// Whether the feed says of the event with this key that it does not take place.
fn called_off(snapshot: &Snapshot, key: &str) -> bool {
    if snapshot.called_off.is_empty() {
        return false;
    }
    let uid = key.split_once(' ').map_or(key, |(uid, _)| uid);
    snapshot.called_off.contains(key) || snapshot.called_off.contains(uid)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
