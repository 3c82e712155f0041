//! Whether an entry that is not in its calendar any more was moved to another one of the account, or is gone.
//!
//! Applications move in different ways: by a WebDAV MOVE or Google's `events.move`, after which it is the same object, or by
//! a copy and a deletion, as Outlook does, after which our mark alone tells. A copy beside an entry that still stands is its
//! maker's.

use crate::sync::{
    synced_fields::{RemoteEntry, SyncedFields},
    unknown_writes::UnknownWrite,
};

/// What is known of an entry before it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorState {
    /// Whether it stood there, or may have.
    pub has_stood: bool,
    /// Whether a removal of ours may be why it does not.
    pub may_be_removed: bool,
}

impl PriorState {
    /// From what is stored of it. `is_asked_about`: somebody is asked what is to become of it, since it was gone before.
    pub fn new(base: Option<&SyncedFields>, unknown: &[UnknownWrite], is_asked_about: bool) -> Self {
        let may_be_left = unknown.iter().any(|write| matches!(write, UnknownWrite::Left(_)));
        Self {
            has_stood: base.is_some() || may_be_left || is_asked_about,
            may_be_removed: unknown.contains(&UnknownWrite::Removed),
        }
    }
}

/// An entry with our mark in another calendar of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherCalendarMatch {
    /// Whether that calendar calls it as its own did: copies have other ids.
    pub has_its_id: bool,
    /// Whether we may write to that calendar.
    pub is_writable: bool,
}

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveOutcome {
    /// In its calendar; what carries its mark elsewhere is a copy.
    Here,
    /// Nowhere that we know of.
    Gone,
    /// In the other calendar, and written there from now on.
    Moved,
    /// In the other calendar, where we cannot write it: somebody is asked, as if it were gone.
    OutOfReach,
}

/// Where an entry is that looks like `here` in its calendar. `elsewhere`: the one that was found in another.
pub fn resolve_move(
    known: PriorState,
    here: &RemoteEntry,
    elsewhere: Option<OtherCalendarMatch>,
) -> MoveOutcome {
    if *here != RemoteEntry::Gone {
        return MoveOutcome::Here;
    }
    let Some(elsewhere) = elsewhere.filter(|_| known.has_stood) else { return MoveOutcome::Gone };
    // What our own removal has taken away was not moved: another one with its mark was copied before.
    if known.may_be_removed && !elsewhere.has_its_id {
        return MoveOutcome::Gone;
    }
    if elsewhere.is_writable { MoveOutcome::Moved } else { MoveOutcome::OutOfReach }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::EntryTime;

    fn shape() -> SyncedFields {
        let from = chrono::NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
        SyncedFields { title: "a".into(), time: EntryTime::AllDay { from, until: from.succ_opt().unwrap() } }
    }

    #[test]
    fn entry_is_followed_only_if_it_left_its_calendar() {
        let there = RemoteEntry::There { title: "a".into(), time: None };
        let stood = PriorState { has_stood: true, may_be_removed: false };
        let removed = PriorState { may_be_removed: true, ..stood };
        let never = PriorState { has_stood: false, may_be_removed: false };
        let same = OtherCalendarMatch { has_its_id: true, is_writable: true };
        let other = OtherCalendarMatch { has_its_id: false, ..same };
        let closed = OtherCalendarMatch { is_writable: false, ..same };
        for (known, here, elsewhere, expected) in [
            (stood, &RemoteEntry::Gone, Some(same), MoveOutcome::Moved),
            (stood, &RemoteEntry::Gone, Some(other), MoveOutcome::Moved),
            (stood, &RemoteEntry::Gone, Some(closed), MoveOutcome::OutOfReach),
            (stood, &RemoteEntry::Gone, None, MoveOutcome::Gone),
            // A copy that its maker keeps beside it.
            (stood, &there, Some(same), MoveOutcome::Here),
            (stood, &there, Some(other), MoveOutcome::Here),
            (stood, &RemoteEntry::Recurring, Some(same), MoveOutcome::Here),
            (stood, &there, None, MoveOutcome::Here),
            (removed, &RemoteEntry::Gone, Some(same), MoveOutcome::Moved),
            (removed, &RemoteEntry::Gone, Some(other), MoveOutcome::Gone),
            (never, &RemoteEntry::Gone, Some(same), MoveOutcome::Gone),
            (never, &there, Some(same), MoveOutcome::Here),
        ] {
            assert_eq!(resolve_move(known, here, elsewhere), expected, "{known:?} {here:?} {elsewhere:?}");
        }
    }

    #[test]
    fn entry_has_stood_if_it_was_seen_or_may_have_been_written() {
        let (left, gone) = (UnknownWrite::Left(shape()), UnknownWrite::Removed);
        for (base, unknown, asked, stood, removed) in [
            (Some(shape()), vec![], false, true, false),
            (None, vec![left.clone()], false, true, false),
            (None, vec![], true, true, false),
            (None, vec![], false, false, false),
            (None, vec![gone.clone()], false, false, true),
            (Some(shape()), vec![left, gone], false, true, true),
        ] {
            let known = PriorState::new(base.as_ref(), &unknown, asked);
            assert_eq!(known, PriorState { has_stood: stood, may_be_removed: removed }, "{unknown:?}");
        }
    }
}
