//! The rows of one booking and its entry: what is stored, and in which transactions. The same as in the crates `storage` and
//! `jobs`, whose tests hold them to it on real databases.

use super::calendar::{EditFate, ModelCalendar};
use crate::{
    booking::{Booking, BookingStatus, BookingTime},
    ical::fixtures::PLATFORMS,
    ids::EntryId,
    privacy::TextContext,
    sync::{
        entry_content::{EntryContext, EntrySettings, desired_entry},
        plan::{Desired, EntryAction, EntryWriteState, Observation, REMOVED},
        read_sequence::ReadSequence,
        remote_change::{
            LinkedBooking, NOT_COUNTED, RemoteChangeKind, RemoteChangePlan, RemoteChangeRules,
            base_while_open, plan_remote_change,
        },
        synced_fields::{RemoteEntry, SyncedFields},
        unknown_writes::{ResolvedBase, UnknownWrite, push_unknown_write, resolve_base},
    },
};

pub(super) const LISBON: chrono_tz::Tz = chrono_tz::Europe::Lisbon;
const RESOURCE: &str = "Sea View";

/// What is stored of the entry.
#[derive(Clone, Debug)]
pub(super) struct ModelEntry {
    pub(super) known: EntryWriteState,
    pub(super) base: Option<SyncedFields>,
    pub(super) unknown: Vec<UnknownWrite>,
    pub(super) revision: u32,
    pub(super) reading: ReadSequence,
}

impl ModelEntry {
    /// What was seen has been stored since it was loaded, and so many stores of our own with it.
    fn stored(&mut self, times: u32, (etag, shape): (Option<String>, Option<SyncedFields>)) {
        self.revision += times;
        self.unknown.clear();
        (self.known.etag, self.base) = (etag, shape);
    }
}

#[derive(Debug)]
pub(super) struct ModelRows {
    pub(super) booking: Booking,
    pub(super) entry: ModelEntry,
    pub(super) readings: ReadSequence,
    /// What somebody is asked about.
    pub(super) question: Option<crate::sync::remote_change::BookingEdit>,
    /// Whether a write waits.
    pub(super) is_due: bool,
    pub(super) rules: RemoteChangeRules,
}

/// What has come of a look, as `jobs::sync_in::remote_change::RemoteChangeOutcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReconcileOutcome {
    Echo,
    /// A write of ours may explain it, or a person has done it: the answer says which, if it comes.
    Unclear,
    Recorded,
    Revert,
    LetBe,
    Outdated,
}

impl ModelRows {
    pub(super) fn new(booking: Booking, rules: RemoteChangeRules) -> Self {
        let entry = ModelEntry {
            known: EntryWriteState::new("abc"),
            base: None,
            unknown: Vec::new(),
            revision: 0,
            reading: ReadSequence(0),
        };
        Self { booking, entry, readings: ReadSequence(0), question: None, is_due: true, rules }
    }

    pub(super) fn desired(&self) -> Desired {
        let names = EntryContext {
            names: TextContext { resource: RESOURCE, business: "Casa", platforms: &PLATFORMS },
            zone: LISBON,
            round: None,
        };
        desired_entry(&self.booking, EntryId(uuid::Uuid::from_u128(9)), &names, &EntrySettings::default())
    }

    pub(super) fn desired_shape(&self) -> Option<SyncedFields> {
        match self.desired() {
            Desired::Present(content) => Some(SyncedFields::from(&content)),
            Desired::Absent => None,
        }
    }

    /// Somebody changes the booking here, which overtakes a question.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Booking)) {
        change(&mut self.booking);
        self.booking.version += 1;
        self.booking.interval = self.booking.draft.time.interval(LISBON).unwrap();
        self.question = None;
        self.is_due = true;
    }

    fn stored_anew(&mut self) {
        self.entry.revision += 1;
        self.entry.reading = self.readings;
    }

    pub(super) fn begin_reading(&mut self) -> ReadSequence {
        self.readings.0 += 1;
        self.readings
    }

    /// `version`: of the booking, as it was when the write was planned.
    pub(super) fn begin_write(
        &mut self,
        revision: u32,
        version: i64,
        action: &EntryAction,
        unknown: &[UnknownWrite],
    ) -> bool {
        if self.entry.revision != revision || self.booking.version != version {
            return false;
        }
        self.entry.known = self.entry.known.begun(action);
        self.entry.unknown = unknown.to_vec();
        self.stored_anew();
        true
    }

    pub(super) fn refuse_write(&mut self, revision: u32, unknown: &[UnknownWrite]) -> bool {
        if self.entry.revision != revision {
            return false;
        }
        self.entry.known = self.entry.known.refused(!unknown.is_empty());
        self.entry.unknown = unknown.to_vec();
        self.stored_anew();
        true
    }

    /// After a run that got to its end: `version` of the booking was written, `shape` stands there.
    pub(super) fn record(
        &mut self,
        revision: u32,
        known: &EntryWriteState,
        (version, shape): (i64, Option<&SyncedFields>),
        write: Option<UnknownWrite>,
    ) {
        if self.entry.revision != revision {
            self.look_again(write);
            return;
        }
        self.entry.known = known.clone();
        self.entry.known.has_unknown = false;
        self.entry.unknown.clear();
        self.entry.base = shape.filter(|_| known.etag.is_some()).cloned();
        self.is_due = version < self.booking.version;
        self.stored_anew();
    }

    fn look_again(&mut self, write: Option<UnknownWrite>) {
        let was_removed = self.entry.known.hash.as_deref() == Some(REMOVED);
        let removed = (was_removed && write.is_some()).then_some(UnknownWrite::Removed);
        if !was_removed {
            self.entry.known.hash = None;
        }
        self.entry.known.attempted = true;
        self.entry.unknown =
            write.into_iter().chain(removed).fold(self.entry.unknown.clone(), push_unknown_write);
        self.entry.known.has_unknown = !self.entry.unknown.is_empty();
        self.is_due = true;
        self.stored_anew();
    }

    fn note_seen(
        &mut self,
        revision: u32,
        (etag, shape): (Option<String>, Option<SyncedFields>),
        as_written: bool,
    ) -> bool {
        if self.entry.revision != revision {
            return false;
        }
        let known = &mut self.entry.known;
        (known.etag, known.has_unknown) = (etag, false);
        if !as_written {
            known.hash = None;
        }
        self.entry.base = shape;
        self.entry.unknown.clear();
        self.stored_anew();
        true
    }

    /// What `jobs::sync_in::remote_change::handle` does with what was seen when the entry was as in `entry`.
    pub(super) fn meet(
        &mut self,
        calendar: &mut ModelCalendar,
        entry: &mut ModelEntry,
        observation: &Observation,
    ) -> ReconcileOutcome {
        let (sight, etag, has_tombstone) = match observation {
            Observation::Missing => (RemoteEntry::Gone, None, false),
            Observation::Found(seen) => (RemoteEntry::from(seen), seen.etag.clone(), seen.deleted),
        };
        if etag.is_some() && etag == entry.known.etag {
            return ReconcileOutcome::Echo;
        }
        let base = match resolve_base(entry.base.as_ref(), &entry.unknown, &sight, has_tombstone) {
            ResolvedBase::Ours => return ReconcileOutcome::Unclear,
            ResolvedBase::With(base) => base,
        };
        let desired = self.desired();
        let base = if self.question.is_some() { base_while_open(base, &desired, &sight) } else { base };
        let linked = LinkedBooking {
            booking: &self.booking,
            resource: RESOURCE,
            platforms: &PLATFORMS,
            zone: LISBON,
            base: base.as_ref(),
            desired: &desired,
        };
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let plan = plan_remote_change(&linked, &sight, self.rules.with_deleted_count(NOT_COUNTED), now);
        let seen = (etag, sight.synced_fields(base.as_ref()));
        match plan {
            RemoteChangePlan::Echo if !entry.unknown.is_empty() => ReconcileOutcome::Unclear,
            RemoteChangePlan::Echo => self.echo(entry, seen),
            RemoteChangePlan::LetBe => {
                calendar.settle();
                ReconcileOutcome::LetBe
            }
            RemoteChangePlan::Follow(edit) => self.recorded(calendar, entry, seen, |rows| {
                rows.change(|booking| booking.draft = edit.applied(&booking.draft));
                ReconcileOutcome::Recorded
            }),
            RemoteChangePlan::Ask(edit) => self.recorded(calendar, entry, seen, |rows| {
                rows.question = Some(edit);
                ReconcileOutcome::Recorded
            }),
            RemoteChangePlan::Revert(kind, _) => {
                assert_ne!(kind, RemoteChangeKind::MadeRecurring);
                let met = self.recorded(calendar, entry, seen.clone(), |rows| {
                    rows.write_again();
                    ReconcileOutcome::Revert
                });
                if met == ReconcileOutcome::Revert {
                    entry.stored(2, seen);
                }
                met
            }
        }
    }

    fn echo(
        &mut self,
        entry: &mut ModelEntry,
        seen: (Option<String>, Option<SyncedFields>),
    ) -> ReconcileOutcome {
        let as_wanted = seen.1.is_some() && seen.1 == self.desired_shape();
        if self.question.is_some() && seen.1.is_some() {
            if self.note_seen(entry.revision, seen.clone(), false) {
                entry.stored(1, seen);
                if as_wanted {
                    self.question = None;
                }
            }
            return ReconcileOutcome::Echo;
        }
        let is_known = entry.base.is_none() || (seen.0.is_some() && seen.0 == entry.known.etag);
        if is_known || entry.known.hash.is_none() {
            return ReconcileOutcome::Echo;
        }
        let is_as_left = matches!((&seen.1, &entry.base), (Some(shape), Some(base)) if shape.tells(base));
        let stored = if is_as_left { seen } else { (entry.known.etag.clone(), entry.base.clone()) };
        if !self.note_seen(entry.revision, stored.clone(), is_as_left) {
            return ReconcileOutcome::Outdated;
        }
        entry.stored(1, stored);
        ReconcileOutcome::Echo
    }

    fn recorded(
        &mut self,
        calendar: &mut ModelCalendar,
        entry: &ModelEntry,
        seen: (Option<String>, Option<SyncedFields>),
        then: impl FnOnce(&mut Self) -> ReconcileOutcome,
    ) -> ReconcileOutcome {
        let shape = seen.1.clone();
        if !self.note_seen(entry.revision, seen, false) {
            return ReconcileOutcome::Outdated;
        }
        let is_a_persons = calendar.edits.contains(&EditFate::Unseen);
        assert!(is_a_persons, "nobody caused this: {entry:?} {calendar:?}");
        calendar.record(shape);
        then(self)
    }

    pub(super) fn write_again(&mut self) {
        self.entry.known.hash = None;
        self.is_due = true;
        self.stored_anew();
    }

    /// Somebody answers the question.
    pub(super) fn answer(&mut self, follow: bool) {
        let Some(edit) = self.question.take() else { return };
        if follow {
            self.change(|booking| booking.draft = edit.applied(&booking.draft));
        } else {
            self.write_again();
        }
    }

    pub(super) fn cancel(&mut self) {
        self.change(|booking| booking.draft.status = BookingStatus::Cancelled);
    }

    pub(super) fn move_to(&mut self, time: BookingTime) {
        self.change(|booking| {
            booking.draft.time = time;
            booking.draft.status = BookingStatus::Confirmed;
        });
    }

    pub(super) fn rename(&mut self, title: &str) {
        self.change(|booking| booking.draft.title = title.to_owned());
    }
}
