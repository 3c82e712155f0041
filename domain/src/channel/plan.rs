//! What follows from a snapshot of a platform's feed.

use std::collections::HashSet;

pub use super::items::{
    ChannelPlan, ChannelPlanInput, ChannelRules, FeedItem, ItemAction, KnownItem, Quarantine,
};
use super::{
    ImportGuard, ItemKind,
    classify::Classifier,
    echo::{Echoes, as_published},
    items::event_of,
    matching::ItemMatches,
    missing_ends::MissingEnds,
    snapshot::Snapshot,
};

/// What follows from what is seen.
pub fn plan(input: &ChannelPlanInput<'_>) -> ChannelPlan {
    let lengths = MissingEnds::of(input);
    let understood = lengths.understood(input.snapshot);
    let input = &ChannelPlanInput { snapshot: &understood, ..*input };
    let mut plan = ChannelPlan { endless: lengths.events(), ..ChannelPlan::default() };
    let mut items = Classifier::of(input).items(&mut plan);
    let matches = ItemMatches::of(input, &mut items);
    for known in lengths.stand(input.known) {
        plan.unchanged += 1;
        // It is there, whatever else it says.
        if known.missing_since.is_some() || known.pinned {
            plan.actions.push(ItemAction::Return(known.id));
        }
    }
    let missing = (0..input.known.len()).filter(|index| !matches.known[*index] && !lengths.stands(*index));
    // What is over leaves the feed, and nothing follows from that.
    let missing = missing.map(|index| &input.known[index]).filter(|known| known.interval.end > input.now);
    let missing: Vec<&KnownItem> = if input.is_part { Vec::new() } else { missing.collect() };
    let (import_guard, of) = import_guard(input, &missing);
    let mut later = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let known = matches.by_item[index].map(|known| &input.known[known]);
        let item = if known.is_some_and(|known| known.is_erased) { item.without_person() } else { item };
        // While the feed may be at fault, nothing in it frees what is taken either.
        let frees = known.is_some_and(|known| known.kind.takes() && !item.kind.takes());
        match known {
            None if item.interval.end <= input.now => plan.over += 1,
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
    plan_missing(input, &missing, (import_guard, of), &mut plan);
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
    input: &ChannelPlanInput<'_>,
    missing: &[&KnownItem],
    (import_guard, of): (Option<ImportGuard>, usize),
    plan: &mut ChannelPlan,
) {
    let echoes = Echoes::of(input.published);
    let mut suspected = Vec::new();
    for known in missing {
        if is_expected_to_go(input, &echoes, known) {
            plan.actions.push(ItemAction::Lose(known.id));
        } else if under_way(input, known) {
            plan.under_way += 1;
        } else if !known.pinned {
            suspected.push(*known);
        }
    }
    // A feed that was empty and has little in it now is on its way back: what it lacked waits as long as was said.
    let why = match (input.held, import_guard) {
        (Some(ImportGuard::Empty), _) | (_, Some(ImportGuard::Empty)) => ImportGuard::Empty,
        _ => ImportGuard::Shrunk,
    };
    let patience = match why {
        ImportGuard::Empty => input.rules.empty_for,
        ImportGuard::Shrunk => input.rules.shrunk_for,
    };
    let mut held = Quarantine { import_guard: why, items: 0, of, until: input.now };
    for known in suspected {
        // What was held back once waits on: what is new meanwhile does not make the feed a better one.
        let since = match known.missing_since {
            Some(since) if input.now < since + patience => since,
            None if import_guard.is_some() => {
                plan.actions.push(ItemAction::Miss(known.id));
                input.now
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
fn import_guard(input: &ChannelPlanInput<'_>, missing: &[&KnownItem]) -> (Option<ImportGuard>, usize) {
    let missing: HashSet<_> = missing.iter().map(|known| known.id).collect();
    let echoes = Echoes::of(input.published);
    // What is expected to go, or was kept by somebody's word, says nothing about the feed.
    let says_nothing = |known: &KnownItem| {
        known.interval.end <= input.now
            || missing.contains(&known.id) && (known.pinned || is_expected_to_go(input, &echoes, known))
    };
    let telling = input.known.iter().filter(|known| !says_nothing(known));
    let all: HashSet<&str> = telling.map(|known| event_of(&known.key)).collect();
    let there = input.known.iter().filter(|known| !missing.contains(&known.id));
    let there: HashSet<&str> = there.map(|known| event_of(&known.key)).collect();
    let gone = all.difference(&there).count();
    let import_guard = match gone {
        0 => None,
        // What was not understood may be what is missing.
        _ if input.snapshot.left_out > 0 => Some(ImportGuard::Shrunk),
        _ if input.snapshot.events.is_empty() => Some(ImportGuard::Empty),
        _ => (gone * 2 > all.len()).then_some(ImportGuard::Shrunk),
    };
    (import_guard, all.len())
}

/// Whether the absence of it is no accident: it is said to be called off, or the echo of what we have withdrawn.
fn is_expected_to_go(input: &ChannelPlanInput<'_>, echoes: &Echoes, known: &KnownItem) -> bool {
    let is_ours = known.kind.may_be_ours() || known.contested && has_twin(input, known);
    let interval = as_published(known.interval, input.published, input.zone);
    let withdrawn = is_ours && !echoes.rest(interval, false).is_empty();
    withdrawn || called_off(input.snapshot, &known.key)
}

/// Whether another event has the same nights: of the two that had them, one was ours, and it cannot be told which.
fn has_twin(input: &ChannelPlanInput<'_>, known: &KnownItem) -> bool {
    input.snapshot.events.iter().any(|event| event.interval == known.interval)
}

/// Who has arrived is not sent away by a feed; some drop what has begun. What was missing before waits on.
fn under_way(input: &ChannelPlanInput<'_>, known: &KnownItem) -> bool {
    let start = known.interval.start;
    known.kind == ItemKind::Reservation
        && start <= input.now
        && known.missing_since.is_none_or(|since| since >= start)
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
