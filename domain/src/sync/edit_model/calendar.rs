//! A calendar with one entry of ours in it, as the three providers keep it, and the person whose calendar it is.

use crate::{
    entry::{EntryTime, ObservedEntry},
    sync::{
        plan::{EntryAction, EntryWriteError, Observation},
        synced_fields::SyncedFields,
        unknown_writes::UnknownWrite,
    },
};

/// How a provider treats what is created twice or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProviderStyle {
    /// An id is used once: a deleted event stays as a tombstone, and an update brings it back.
    Google,
    /// A create that repeats a transaction returns the event of the first; what is deleted is not found.
    Microsoft,
    /// `If-None-Match: *` guards a create; what is deleted is not found.
    Caldav,
}

/// Who has written what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VersionAuthor {
    Us,
    /// The person, by their edit of that number.
    Person(usize),
}

#[derive(Clone, Debug)]
struct ModelEvent {
    shape: SyncedFields,
    etag: u32,
    deleted: bool,
    author: VersionAuthor,
}

/// What became of an edit of the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EditFate {
    /// Nobody here has seen it.
    Unseen,
    /// There is a row for it, with a question or a notice; or nothing was there to be lost.
    Settled,
}

#[derive(Debug)]
pub(super) struct ModelCalendar {
    style: ProviderStyle,
    event: Option<ModelEvent>,
    writes: u32,
    pub(super) edits: Vec<EditFate>,
    /// All that our writes have ever left or tried to leave: who brings one of these back has undone our write, which
    /// nobody can tell from a write that did not happen.
    pub(super) ours: Vec<UnknownWrite>,
    /// What the person had left when that was written down.
    recorded: Vec<SyncedFields>,
    /// What stood there when the person came, or when their last edit was settled.
    left: Option<SyncedFields>,
}

impl ModelCalendar {
    pub(super) fn new(style: ProviderStyle) -> Self {
        Self {
            style,
            event: None,
            writes: 0,
            edits: Vec::new(),
            ours: Vec::new(),
            recorded: Vec::new(),
            left: None,
        }
    }

    fn etag(&mut self) -> u32 {
        self.writes += 1;
        self.writes
    }

    fn live(&mut self) -> Option<&mut ModelEvent> {
        self.event.as_mut().filter(|event| !event.deleted)
    }

    pub(super) fn shown(&self) -> Option<&SyncedFields> {
        self.event.as_ref().filter(|event| !event.deleted).map(|event| &event.shape)
    }

    /// The edit that nobody has seen and that stands there.
    pub(super) fn unseen(&self) -> Option<usize> {
        match self.event.as_ref()?.author {
            VersionAuthor::Person(edit) if self.edits[edit] == EditFate::Unseen => Some(edit),
            VersionAuthor::Person(_) | VersionAuthor::Us => None,
        }
    }

    pub(super) fn settle(&mut self) {
        if let Some(edit) = self.unseen() {
            self.edits[edit] = EditFate::Settled;
            self.left = self.shown().cloned();
        }
    }

    /// It is written down that the person has left this; `None`: nothing. What they do later, they do to it.
    pub(super) fn record(&mut self, shape: Option<SyncedFields>) {
        if self.shown() == shape.as_ref() {
            self.settle();
        }
        self.left.clone_from(&shape);
        self.recorded.extend(shape);
    }

    /// The person changes what stands there, or deletes it. Of several edits in a row only the last counts.
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut SyncedFields), deletes: bool) {
        if self.live().is_none() {
            return;
        }
        let (etag, number, former) = (self.etag(), self.edits.len(), self.unseen());
        let Some(event) = self.live() else { return };
        event.etag = etag;
        let before = event.shape.clone();
        if deletes {
            event.deleted = true;
        } else {
            change(&mut event.shape);
        }
        // Saved as it was, it has another version, and nothing was edited.
        if deletes || event.shape != before {
            event.author = VersionAuthor::Person(number);
            self.edits.push(EditFate::Unseen);
            if let Some(former) = former {
                self.edits[former] = EditFate::Settled;
            }
        }
    }

    /// What a page of changes or a look by id shows.
    pub(super) fn look(&self) -> Observation {
        match &self.event {
            Some(event) if !event.deleted || self.style == ProviderStyle::Google => {
                Observation::Found(ObservedEntry {
                    external_id: "abc".into(),
                    series: None,
                    etag: Some(event.etag.to_string()),
                    deleted: event.deleted,
                    busy: true,
                    tentative: false,
                    title: event.shape.title.clone(),
                    time: Some(event.shape.time.clone()),
                    entry: None,
                    updated_at: None,
                    unreadable: false,
                })
            }
            Some(_) | None => Observation::Missing,
        }
    }

    /// The version of what stands there, a deletion included.
    pub(super) fn version(&self) -> Option<u32> {
        self.event.as_ref().map(|event| event.etag)
    }

    /// Carries out a write of ours. Fails the test if it takes away an edit that nobody has seen.
    /// `desired`: what it should say by now. `looked_at`: the version at which the writer has last looked at it, if it has.
    pub(super) fn write(
        &mut self,
        action: &EntryAction,
        shape: Option<&SyncedFields>,
        (desired, looked_at): (Option<&SyncedFields>, Option<u32>),
    ) -> Result<String, EntryWriteError> {
        let is_live = self.live().is_some();
        match action {
            EntryAction::Create if is_live && self.style == ProviderStyle::Caldav => {
                return Err(EntryWriteError::Precondition);
            }
            EntryAction::Create if self.event.is_some() && self.style == ProviderStyle::Google => {
                return Err(EntryWriteError::Precondition);
            }
            EntryAction::Update { if_match } => {
                let reachable = is_live || (self.style == ProviderStyle::Google && self.event.is_some());
                if !reachable {
                    return Err(EntryWriteError::NotFound);
                }
                if if_match.is_some() && *if_match != self.version().map(|etag| etag.to_string()) {
                    return Err(EntryWriteError::Precondition);
                }
            }
            EntryAction::Remove if !is_live => return Ok(String::new()),
            _ => {}
        }
        self.refuse_to_lose_an_edit(shape, (desired, looked_at));
        let etag = self.etag();
        let deleted = *action == EntryAction::Remove;
        self.left = shape.cloned();
        if let Some(shape) = shape {
            self.event = Some(ModelEvent { shape: shape.clone(), etag, deleted, author: VersionAuthor::Us });
        } else if let Some(event) = &mut self.event {
            (event.etag, event.deleted, event.author) = (etag, deleted, VersionAuthor::Us);
        }
        Ok(etag.to_string())
    }

    /// A removal takes an entry away whatever version it is at: what is edited between the look and the removal goes with it.
    fn refuse_to_lose_an_edit(
        &mut self,
        shape: Option<&SyncedFields>,
        (desired, looked_at): (Option<&SyncedFields>, Option<u32>),
    ) {
        let Some(edit) = self.unseen() else { return };
        let Some(event) = &self.event else { return };
        let is_moot = match (shape, event.deleted) {
            (None, _) => {
                looked_at.is_some_and(|version| version < event.etag) || self.says(&event.shape, None)
            }
            // Where deletions leave no trace a lost create cannot be told from one that was deleted.
            (Some(_), true) => {
                self.style != ProviderStyle::Google || self.ours.contains(&UnknownWrite::Removed)
            }
            (Some(shape), false) => self.says(&event.shape, Some(shape)) || self.is_moot(desired),
        };
        assert!(is_moot, "edit {edit} is overwritten: {:?} by {shape:?}", event.shape);
        self.edits[edit] = EditFate::Settled;
    }
}

impl ModelCalendar {
    /// Whether our write says what the person has changed, or that is nothing new: what they bring back of what we left or
    /// tried to leave, or of what they had changed before and was written down.
    fn says(&self, edited: &SyncedFields, written: Option<&SyncedFields>) -> bool {
        let left = self.left.as_ref();
        let is_moved = left.is_none_or(|left| !edited.is_when(left));
        let is_renamed = left.is_none_or(|left| !edited.says(left));
        let mut former = self.ours.iter().filter_map(|write| match write {
            UnknownWrite::Left(shape) => Some(shape),
            UnknownWrite::Removed => None,
        });
        let known: Vec<&SyncedFields> = former.by_ref().chain(&self.recorded).chain(written).collect();
        (!is_moved || known.iter().any(|shape| edited.is_when(shape)))
            && (!is_renamed || known.iter().any(|shape| edited.says(shape)))
    }

    /// Whether the edit that nobody has seen is of no concern: what it has changed says what the booking does.
    pub(super) fn is_moot(&self, desired: Option<&SyncedFields>) -> bool {
        match (self.shown(), desired) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(edited), Some(desired)) => self.says(edited, Some(desired)),
        }
    }
}

/// A day of the month in which the test takes place.
pub(super) fn hour(of: u32) -> EntryTime {
    let starts_at =
        chrono::NaiveDate::from_ymd_opt(2026, 12, of).unwrap().and_hms_opt(9, 0, 0).unwrap().and_utc();
    let ends_at = starts_at + chrono::Duration::hours(1);
    EntryTime::Timed { starts_at, ends_at, zone: chrono_tz::Europe::Lisbon }
}
