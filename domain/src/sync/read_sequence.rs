//! Which of the two is newer: what a reading of a calendar shows of an entry, or what is known of it.
//!
//! Pages are read while others write: a page may be older than a write that was recorded before the page is looked at, and
//! what it shows would be taken for a person's edit of what we have just written. Clocks of several machines cannot order
//! the two, so the readings of a connection are counted: a reading takes the next number before its first call, and an
//! entry remembers the highest number that was given out when what is known of it was last stored.

/// The number of a reading of a connection's calendars, or of those that had begun when something was stored; 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadSequence(pub i64);

crate::column::column!('v, ReadSequence as i64, |number| number.0, |number| Ok(Self(number)));

impl ReadSequence {
    /// Whether what this reading shows of an entry is at least as new as what is known of it, if that was last stored at
    /// `stored`. Otherwise it is neither believed nor forgotten: the entry is asked for by its id.
    pub fn is_newer_than(self, stored: Self) -> bool {
        self > stored
    }

    /// Whether the reading that was completed before this one may not have seen what was stored at `stored`, though it was
    /// stored before this one began. Deleted since, it is in neither, and a comparison of the two tells nothing of it.
    pub fn may_have_missed(self, stored: Self, completed: Self) -> bool {
        completed <= stored && stored < self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_between_two_readings_may_be_in_neither() {
        let (completed, this) = (ReadSequence(3), ReadSequence(6));
        for (stored, missed) in [(2, false), (3, true), (5, true), (6, false), (7, false)] {
            assert_eq!(this.may_have_missed(ReadSequence(stored), completed), missed, "{stored}");
        }
    }
}
