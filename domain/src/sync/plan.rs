//! What to call so that a calendar holds exactly the entry that it should.
//!
//! One run for one entry, under its lease:
//!
//! 1. Read what is desired and what is known; `plan_entry`. To compare with what really stands there, ask the
//!    provider first and hand the observation in.
//! 2. Before a call that writes, store `EntryWriteState::begun`: from then on nobody trusts what was known of the content. For
//!    `Look`, ask the provider and plan again with the observation.
//! 3. Afterwards store `EntryWriteState::written` or `removed`. If the provider refused it, store `refused`: it did
//!    not happen. Of `Precondition` or `NotFound` `after` tells what follows; with any other error the run ends: what is
//!    stored is enough for the next one, which looks first if the outcome of a write is not known.
//! 4. Until `Nothing`, and at most `MAX_STEPS` calls: an entry that somebody else keeps changing waits for its next
//!    turn.
//!
//! Why this leaves one entry, whatever crashes: the id is decided before the first call, an entry is created only
//! when it was never tried or is seen to be missing, and every other write names the version that it replaces.

use crate::entry::{EntryContent, ObservedEntry};

/// How the entry should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Desired {
    Present(EntryContent),
    Absent,
}

/// What is stored of the entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryWriteState {
    /// Its id at the provider: decided before the first call, or the one that the provider gave it then.
    pub external_id: String,
    /// The version that our last successful write left behind.
    pub etag: Option<String>,
    /// What that write left behind: `EntryContent::hash`, or `REMOVED`. `None` as soon as another has begun.
    pub hash: Option<String>,
    /// Whether a write may ever have reached the provider.
    pub attempted: bool,
    /// Whether there are writes whose outcome is not known.
    pub has_unknown: bool,
}

/// Stands for the hash of what we have removed: no digest looks like this.
pub const REMOVED: &str = "removed";

impl EntryWriteState {
    /// Nothing was tried yet.
    pub fn new(external_id: impl Into<String>) -> Self {
        Self { external_id: external_id.into(), ..Self::default() }
    }

    /// To be stored before a call that writes: its answer may be lost, and then nobody knows what stands there. But at the
    /// version that an update was to replace it has not happened, nor has anything else.
    #[must_use]
    pub fn begun(&self, action: &EntryAction) -> Self {
        let replaced = match action {
            EntryAction::Update { if_match } => if_match.clone(),
            _ => None,
        };
        let etag = replaced.or_else(|| self.etag.clone());
        Self { etag, hash: None, attempted: true, has_unknown: true, ..self.clone() }
    }

    /// To be stored after a write that was refused, and so did not happen. `had_unknown`: whether the outcome of an earlier
    /// one is not known.
    #[must_use]
    pub fn refused(&self, had_unknown: bool) -> Self {
        Self { has_unknown: had_unknown, ..self.clone() }
    }

    /// To be stored after a create or update that succeeded, and left the entry at that id and version.
    #[must_use]
    pub fn written(
        &self,
        external_id: impl Into<String>,
        etag: impl Into<String>,
        content: &EntryContent,
    ) -> Self {
        Self {
            external_id: external_id.into(),
            etag: Some(etag.into()),
            hash: Some(content.hash()),
            attempted: true,
            has_unknown: false,
        }
    }

    /// What is seen to be there may have got its id from the provider in a write whose answer was lost.
    #[must_use]
    pub fn seen(&self, observation: &Observation) -> Self {
        match observation {
            Observation::Missing => self.clone(),
            Observation::Found(entry) => Self { external_id: entry.external_id.clone(), ..self.clone() },
        }
    }

    /// To be stored after a remove that succeeded. It is not forgotten that there was an entry: a person may bring
    /// it back from the bin.
    #[must_use]
    pub fn removed(&self) -> Self {
        Self {
            etag: None,
            hash: Some(REMOVED.to_owned()),
            attempted: true,
            has_unknown: false,
            ..self.clone()
        }
    }

    fn is(&self, content: &EntryContent) -> bool {
        self.hash.as_ref().is_some_and(|hash| *hash == content.hash())
    }

    fn may_exist(&self) -> bool {
        let is_removed = self.hash.as_deref() == Some(REMOVED) && !self.has_unknown;
        (self.attempted || self.etag.is_some()) && !is_removed
    }
}

/// What the provider shows under the entry's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Nothing, not even a tombstone.
    Missing,
    /// An entry, perhaps deleted.
    Found(ObservedEntry),
}

/// The next call to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryAction {
    /// None: all is as it should be.
    Nothing,
    /// Write it under its id, which should be free.
    Create,
    /// Replace what stands there; a tombstone comes back to life.
    Update {
        /// The version it must still be at; `None` where the provider shows none.
        if_match: Option<String>,
    },
    /// Take it away, whatever version it is at.
    Remove,
    /// Ask what stands there, then plan again with the observation.
    Look,
}

impl EntryAction {
    /// Whether it changes something at the provider, so that `EntryWriteState::begun` must be stored before it.
    pub fn writes(&self) -> bool {
        matches!(self, Self::Create | Self::Update { .. } | Self::Remove)
    }
}

/// Calls in one run. Without interference the longest way is create, look, update; each meddler in between costs two
/// more.
pub const MAX_STEPS: usize = 8;

/// The next call for an entry; `observed` is what the provider showed in this run, if it was asked.
pub fn plan_entry(desired: &Desired, known: &EntryWriteState, observed: Option<&Observation>) -> EntryAction {
    match (desired, observed) {
        // It may have been written since, by ourselves or by somebody else: a blind write could be over a person's edit.
        (Desired::Present(_), None) if known.has_unknown => EntryAction::Look,
        (Desired::Present(content), None) => match &known.etag {
            Some(_) if known.is(content) => EntryAction::Nothing,
            Some(etag) => EntryAction::Update { if_match: Some(etag.clone()) },
            // A create may have been carried out though its answer was lost, or what we removed was brought back,
            // and not all providers refuse a second entry under the same id.
            None if known.attempted => EntryAction::Look,
            None => EntryAction::Create,
        },
        (Desired::Present(_), Some(Observation::Missing)) => EntryAction::Create,
        (Desired::Present(content), Some(Observation::Found(entry))) => {
            let untouched = !entry.deleted && entry.etag.is_some() && entry.etag == known.etag;
            if untouched && known.is(content) {
                EntryAction::Nothing
            } else {
                EntryAction::Update { if_match: entry.etag.clone() }
            }
        }
        // What a person has done to it since is not to go without a trace, even if the answer to the create never came.
        (Desired::Absent, None) if known.may_exist() => EntryAction::Look,
        // Even if it is seen to be gone: removing what is gone is a success, and settles what is stored.
        (Desired::Absent, _) if known.may_exist() => EntryAction::Remove,
        (Desired::Absent, Some(Observation::Found(entry))) if !entry.deleted => EntryAction::Remove,
        (Desired::Absent, _) => EntryAction::Nothing,
    }
}

/// Those faults of a call that say something about the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryWriteError {
    /// It is at another version, or there although it should not be.
    Precondition,
    /// It, or its whole calendar, does not exist.
    NotFound,
}

/// What follows a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Do this in the same run.
    Do(EntryAction),
    /// The entry is gone, as it should be: the same as success.
    Gone,
    /// What was to be written over is gone, or its calendar is. Unless it is the calendar, look: what a person did comes
    /// before what is to be written.
    LookUnlessCalendarGone,
    /// Even a create finds nothing to write into: the calendar itself is gone, and a person must choose another.
    CalendarGone,
}

/// What a provider's fault means for the plan.
pub fn after(action: &EntryAction, fault: EntryWriteError) -> NextStep {
    match (action, fault) {
        (EntryAction::Remove, EntryWriteError::NotFound) => NextStep::Gone,
        (EntryAction::Create | EntryAction::Look | EntryAction::Nothing, EntryWriteError::NotFound) => {
            NextStep::CalendarGone
        }
        (EntryAction::Update { .. }, EntryWriteError::NotFound) => NextStep::LookUnlessCalendarGone,
        (_, EntryWriteError::Precondition) => NextStep::Do(EntryAction::Look),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
