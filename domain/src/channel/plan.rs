//! What follows from a snapshot of a platform's feed.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;

use super::{
    BlockRule, ImportGuard, ItemKind, Settled,
    classify::Classifier,
    echo::{EchoSource, Echoes, as_published},
    matching::ItemMatches,
    missing_ends::MissingEnds,
    snapshot::Snapshot,
};
use crate::{booking::BookingTime, ids::ChannelItemId, interval::Interval, platform::UidKeeps};

/// What a plan goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRules {
    /// What becomes of blocks.
    pub blocks: BlockRule,
    /// What UIDs are worth.
    pub uids: UidKeeps,
    /// How many months ahead the platform sells, where it publishes the end of that as a block.
    pub window_months: Vec<u32>,
    /// How long a feed must stay empty before it is believed.
    pub empty_for: Duration,
    /// How long what a feed lacks must stay away, where it lacks more than half.
    pub shrunk_for: Duration,
}

impl Default for ChannelRules {
    fn default() -> Self {
        Self {
            blocks: BlockRule::Occupy,
            uids: UidKeeps::Stable,
            window_months: Vec::new(),
            empty_for: Duration::hours(24),
            shrunk_for: Duration::hours(6),
        }
    }
}

/// An item as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownItem {
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
    /// Whether it stands although the feed lacks it: somebody has said so, or brought it by hand, and the feed has not had it
    /// since.
    pub pinned: bool,
    /// Whether it is not agreed on yet there.
    pub tentative: bool,
    /// What somebody said of it when it was in doubt.
    pub settled: Option<Settled>,
}

/// An item as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedItem {
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
    /// Whether it is not agreed on yet there.
    pub tentative: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemAction {
    /// It is new.
    Add(FeedItem),
    /// It says something else, or is something else, or has another key.
    Change {
        /// Which.
        id: ChannelItemId,
        /// As it is now.
        to: FeedItem,
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
pub struct Quarantine {
    /// Why.
    pub import_guard: ImportGuard,
    /// How many items wait.
    pub items: usize,
    /// Of how many that were known.
    pub of: usize,
    /// When the last of them is believed to be gone, if the feed goes on lacking it.
    pub until: DateTime<Utc>,
}

/// What follows from a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelPlan {
    /// In the order in which they are to be done: what frees time comes before what takes it.
    pub actions: Vec<ItemAction>,
    /// What waits for a second sight.
    pub held: Option<Quarantine>,
    /// Events that are known, and as they were.
    pub unchanged: usize,
    /// Events that are only our own.
    pub echoes: usize,
    /// Events that are over.
    pub over: usize,
    /// Stays under way that the feed lacks: they go on.
    pub under_way: usize,
    /// Events that do not say when they end, as they did before: what is known of them stands.
    pub endless: usize,
}

/// All that a plan looks at.
#[derive(Clone, Copy, Debug)]
pub struct ChannelPlanInput<'a> {
    /// What is known; what is over may be among it, since it may be found to last longer.
    pub known: &'a [KnownItem],
    /// What the feed says; it was read to its end.
    pub snapshot: &'a Snapshot,
    /// Whether it is a part of what the platform has, such as a file: then what it lacks may be elsewhere.
    pub is_part: bool,
    /// What the platform can give back.
    pub published: &'a [EchoSource],
    /// What the plan goes by.
    pub rules: &'a ChannelRules,
    /// Why something is held back since an earlier reading, if it is.
    pub held: Option<ImportGuard>,
    /// The zone of the resource.
    pub zone: Tz,
    /// The instant of the reading.
    pub now: DateTime<Utc>,
}

/// What follows from what is seen.
pub fn plan(sight: &ChannelPlanInput<'_>) -> ChannelPlan {
    let lengths = MissingEnds::of(sight);
    let understood = lengths.understood(sight.snapshot);
    let sight = &ChannelPlanInput { snapshot: &understood, ..*sight };
    let mut plan = ChannelPlan { endless: lengths.events(), ..ChannelPlan::default() };
    let mut items = Classifier::of(sight).items(&mut plan);
    let matches = ItemMatches::of(sight, &mut items);
    for known in lengths.stand(sight.known) {
        plan.unchanged += 1;
        // It is there, whatever else it says.
        if known.missing_since.is_some() || known.pinned {
            plan.actions.push(ItemAction::Return(known.id));
        }
    }
    let missing = (0..sight.known.len()).filter(|index| !matches.known[*index] && !lengths.stands(*index));
    // What is over leaves the feed, and nothing follows from that.
    let missing = missing.map(|index| &sight.known[index]).filter(|known| known.interval.end > sight.now);
    let missing: Vec<&KnownItem> = if sight.is_part { Vec::new() } else { missing.collect() };
    let (import_guard, of) = import_guard(sight, &missing);
    let mut later = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let known = matches.by_item[index].map(|known| &sight.known[known]);
        // While the feed may be at fault, nothing in it frees what is taken either.
        let frees = known.is_some_and(|known| known.kind.takes() && !item.kind.takes());
        match known {
            None if item.interval.end <= sight.now => plan.over += 1,
            None => later.push(ItemAction::Add(item)),
            Some(known) if differs(known, &item) && !(frees && import_guard.is_some()) => {
                later.push(ItemAction::Change { id: known.id, to: item });
            }
            Some(known) => {
                plan.unchanged += usize::from(item.kind != ItemKind::Echo);
                if known.missing_since.is_some() || known.pinned {
                    later.push(ItemAction::Return(known.id));
                }
            }
        }
    }
    plan_missing(sight, &missing, (import_guard, of), &mut plan);
    plan.actions.append(&mut later);
    plan
}

fn differs(known: &KnownItem, item: &FeedItem) -> bool {
    known.key != item.key
        || known.interval != item.interval
        || known.kind != item.kind
        || known.summary != item.summary
        || known.guest != item.guest
        || known.contested != item.contested
        || known.tentative != item.tentative
}

/// What becomes of what the feed lacks. `import_guard`: why that may be a fault; `of`: how many events there should be.
fn plan_missing(
    sight: &ChannelPlanInput<'_>,
    missing: &[&KnownItem],
    (import_guard, of): (Option<ImportGuard>, usize),
    plan: &mut ChannelPlan,
) {
    let echoes = Echoes::of(sight.published);
    let mut doubtful = Vec::new();
    for known in missing {
        if is_expected_to_go(sight, &echoes, known) {
            plan.actions.push(ItemAction::Lose(known.id));
        } else if under_way(sight, known) {
            plan.under_way += 1;
        } else if !known.pinned {
            doubtful.push(*known);
        }
    }
    // A feed that was empty and has little in it now is on its way back: what it lacked waits as long as was said.
    let why = match (sight.held, import_guard) {
        (Some(ImportGuard::Empty), _) | (_, Some(ImportGuard::Empty)) => ImportGuard::Empty,
        _ => ImportGuard::Shrunk,
    };
    let patience = match why {
        ImportGuard::Empty => sight.rules.empty_for,
        ImportGuard::Shrunk => sight.rules.shrunk_for,
    };
    let mut held = Quarantine { import_guard: why, items: 0, of, until: sight.now };
    for known in doubtful {
        // What was held back once waits on: what is new meanwhile does not make the feed a better one.
        let since = match known.missing_since {
            Some(since) if sight.now < since + patience => since,
            None if import_guard.is_some() => {
                plan.actions.push(ItemAction::Miss(known.id));
                sight.now
            }
            _ => {
                plan.actions.push(ItemAction::Lose(known.id));
                continue;
            }
        };
        if known.kind.takes() {
            held.items += 1;
            held.until = held.until.max(since + patience);
        }
    }
    if held.items > 0 {
        plan.held = Some(held);
    }
}

/// Whether so many events are missing that the feed may be at fault, and how many there should be.
fn import_guard(sight: &ChannelPlanInput<'_>, missing: &[&KnownItem]) -> (Option<ImportGuard>, usize) {
    let missing: HashSet<_> = missing.iter().map(|known| known.id).collect();
    let echoes = Echoes::of(sight.published);
    // What is expected to go, or was kept by somebody's word, says nothing about the feed.
    let says_nothing = |known: &KnownItem| {
        known.interval.end <= sight.now
            || missing.contains(&known.id) && (known.pinned || is_expected_to_go(sight, &echoes, known))
    };
    let telling = sight.known.iter().filter(|known| !says_nothing(known));
    let all: HashSet<&str> = telling.map(|known| event_of(&known.key)).collect();
    let there = sight.known.iter().filter(|known| !missing.contains(&known.id));
    let there: HashSet<&str> = there.map(|known| event_of(&known.key)).collect();
    let gone = all.difference(&there).count();
    let import_guard = match gone {
        0 => None,
        // What was not understood may be what is missing.
        _ if sight.snapshot.left_out > 0 => Some(ImportGuard::Shrunk),
        _ if sight.snapshot.events.is_empty() => Some(ImportGuard::Empty),
        _ => (gone * 2 > all.len()).then_some(ImportGuard::Shrunk),
    };
    (import_guard, all.len())
}

/// Whether the absence of it is no accident: it is said to be called off, or the echo of what we have withdrawn.
fn is_expected_to_go(sight: &ChannelPlanInput<'_>, echoes: &Echoes, known: &KnownItem) -> bool {
    let is_ours = known.kind.may_be_ours() || known.contested && has_twin(sight, known);
    let interval = as_published(known.interval, sight.published, sight.zone);
    let withdrawn = is_ours && !echoes.rest(interval, false).is_empty();
    withdrawn || called_off(sight.snapshot, &known.key)
}

/// Whether another event has the same nights: of the two that had them, one was ours, and it cannot be told which.
fn has_twin(sight: &ChannelPlanInput<'_>, known: &KnownItem) -> bool {
    sight.snapshot.events.iter().any(|event| event.interval == known.interval)
}

/// Who has arrived is not sent away by a feed; some drop what has begun. What was missing before waits on.
fn under_way(sight: &ChannelPlanInput<'_>, known: &KnownItem) -> bool {
    let start = known.interval.start;
    known.kind == ItemKind::Reservation
        && start <= sight.now
        && known.missing_since.is_none_or(|since| since >= start)
}

/// The event of which this is the key of a piece.
pub(super) fn event_of(key: &str) -> &str {
    key.split_once(" #").map_or(key, |(event, _)| event)
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
