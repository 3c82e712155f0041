//! Writes of ours whose outcome is not known, and what may be said of an entry while there are any.
//!
//! A call whose answer is lost may have been carried out, and may not. So what it would have left behind is stored before
//! it is made, and forgotten when its outcome is known: a 412, a 404 or another definite refusal says that it did not
//! happen, a success that it did. Until then what stands in the calendar is compared with all that may stand there by our
//! own doing: what we knew before (`base`), and what each of these writes would have left. What is none of these is a
//! person's edit.

use serde::{Deserialize, Serialize};

use super::synced_fields::{RemoteEntry, SyncedFields};

/// What a write would have left in the calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownWrite {
    /// A create or an update: the entry, saying this.
    Left(SyncedFields),
    Removed,
}

/// More are not kept. A write comes after a look that was answered, so that it takes as many lost answers in a row.
pub const MAX_UNKNOWN_WRITES: usize = 16;

/// With what an entry is to be compared while writes of ours are unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedBase {
    /// It is as one of our writes, or none of them, has left it: no person has edited it.
    Ours,
    /// A person has edited what we had left like this; `None`: there was nothing that could be edited.
    With(Option<SyncedFields>),
}

/// The list with another write at its end. One that would leave the same as another is not unknown twice.
#[must_use]
pub fn push_unknown_write(mut unknown: Vec<UnknownWrite>, write: UnknownWrite) -> Vec<UnknownWrite> {
    unknown.retain(|one| *one != write);
    unknown.push(write);
    let surplus = unknown.len().saturating_sub(MAX_UNKNOWN_WRITES);
    unknown.drain(..surplus);
    unknown
}

/// Finds out what an entry is to be compared with. `base`: what it said when that was last known, `None` if it was not
/// there. `has_tombstone`: it is shown as deleted, which takes an entry that once was there.
pub fn resolve_base(
    base: Option<&SyncedFields>,
    unknown: &[UnknownWrite],
    sight: &RemoteEntry,
    has_tombstone: bool,
) -> ResolvedBase {
    if unknown.is_empty() {
        return ResolvedBase::With(base.cloned());
    }
    let left: Vec<&SyncedFields> = unknown.iter().rev().filter_map(UnknownWrite::shape).collect();
    match sight {
        RemoteEntry::Unreadable => ResolvedBase::Ours,
        RemoteEntry::Gone if unknown.contains(&UnknownWrite::Removed) => ResolvedBase::Ours,
        RemoteEntry::Gone if base.is_none() && !has_tombstone => ResolvedBase::Ours,
        RemoteEntry::Gone | RemoteEntry::Recurring => {
            ResolvedBase::With(base.or(left.first().copied()).cloned())
        }
        RemoteEntry::There { .. } if left.iter().copied().chain(base).any(|shape| sight.is(shape)) => {
            ResolvedBase::Ours
        }
        RemoteEntry::There { .. } => ResolvedBase::With(edited_base(base, &left, sight).cloned()),
    }
}

/// Which of ours a person has edited: a write of which a part still stands has happened, and is what they saw; with no such
/// evidence, the last that is known for certain.
fn edited_base<'a>(
    base: Option<&'a SyncedFields>,
    left: &[&'a SyncedFields],
    sight: &RemoteEntry,
) -> Option<&'a SyncedFields> {
    let Some(base) = base else { return left.first().copied() };
    let is_evident = |shape: &&&SyncedFields| {
        (sight.is_when(shape) && !sight.is_when(base)) || (sight.says(shape) && !sight.says(base))
    };
    Some(left.iter().find(is_evident).map_or(base, |shape| *shape))
}

impl UnknownWrite {
    fn shape(&self) -> Option<&SyncedFields> {
        match self {
            Self::Left(shape) => Some(shape),
            Self::Removed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::EntryTime;

    fn shape(title: &str, day: u32) -> SyncedFields {
        let from = chrono::NaiveDate::from_ymd_opt(2026, 12, day).unwrap();
        SyncedFields {
            title: title.into(),
            time: EntryTime::AllDay { from, until: from.succ_opt().unwrap() },
        }
    }

    fn seen(title: &str, day: u32) -> RemoteEntry {
        let SyncedFields { title, time } = shape(title, day);
        RemoteEntry::There { title, time: Some(time) }
    }

    fn left(title: &str, day: u32) -> UnknownWrite {
        UnknownWrite::Left(shape(title, day))
    }

    #[test]
    fn what_stands_there_is_ours_if_a_write_or_none_explains_it() {
        let base = shape("a", 1);
        let unknown = [left("b", 1), left("c", 2)];
        for ours in [seen("a", 1), seen("b", 1), seen("c", 2), seen(" c ", 2)] {
            assert_eq!(resolve_base(Some(&base), &unknown, &ours, false), ResolvedBase::Ours, "{ours:?}");
        }
        let no_time = RemoteEntry::There { title: "b".into(), time: None };
        assert_eq!(resolve_base(Some(&base), &unknown, &no_time, false), ResolvedBase::Ours);
    }

    #[test]
    fn edit_is_compared_with_the_write_that_evidently_happened() {
        let base = shape("a", 1);
        let unknown = [left("b", 1), left("c", 2)];
        for (edit, with) in [
            (seen("a", 9), shape("a", 1)),
            (seen("b", 9), shape("b", 1)),
            (seen("z", 2), shape("c", 2)),
            (seen("z", 9), shape("a", 1)),
            (seen("z", 1), shape("a", 1)),
        ] {
            assert_eq!(
                resolve_base(Some(&base), &unknown, &edit, false),
                ResolvedBase::With(Some(with)),
                "{edit:?}"
            );
        }
        let created = [left("b", 1), left("c", 2)];
        assert_eq!(
            resolve_base(None, &created, &seen("z", 9), false),
            ResolvedBase::With(Some(shape("c", 2)))
        );
    }

    #[test]
    fn missing_entry_is_ours_after_unknown_removal_or_create() {
        let base = shape("a", 1);
        let removal = [left("b", 1), UnknownWrite::Removed];
        assert_eq!(resolve_base(Some(&base), &removal, &RemoteEntry::Gone, true), ResolvedBase::Ours);
        let update = [left("b", 1)];
        assert_eq!(
            resolve_base(Some(&base), &update, &RemoteEntry::Gone, false),
            ResolvedBase::With(Some(base))
        );
        assert_eq!(resolve_base(None, &update, &RemoteEntry::Gone, false), ResolvedBase::Ours);
        assert_eq!(
            resolve_base(None, &update, &RemoteEntry::Gone, true),
            ResolvedBase::With(Some(shape("b", 1)))
        );
    }

    #[test]
    fn nothing_unknown_is_compared_with_what_is_known() {
        assert_eq!(resolve_base(None, &[], &RemoteEntry::Gone, true), ResolvedBase::With(None));
        let base = shape("a", 1);
        assert_eq!(resolve_base(Some(&base), &[], &seen("a", 1), false), ResolvedBase::With(Some(base)));
    }

    #[test]
    fn list_keeps_the_latest_and_names_nothing_twice() {
        let mut unknown = Vec::new();
        for day in 1..=20 {
            unknown = push_unknown_write(unknown, left("a", day));
        }
        assert_eq!((unknown.len(), unknown.last()), (MAX_UNKNOWN_WRITES, Some(&left("a", 20))));
        unknown = push_unknown_write(unknown, left("a", 10));
        assert_eq!((unknown.len(), unknown.last()), (MAX_UNKNOWN_WRITES, Some(&left("a", 10))));
    }
}
