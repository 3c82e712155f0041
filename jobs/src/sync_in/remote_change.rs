//! What a person did to an entry of ours in their own calendar: what follows is planned by
//! `concord_domain::sync::remote_change`, and done here. The booking changes, or a question is asked, or the entry is put back;
//! whichever it is, it is written down in the transaction that does it.
//!
//! It is found in two ways: by the reading of a calendar (`import_availability`), and by whoever is about to write an entry
//! and finds it at another version (`entry`). What was seen is noted only while nobody has
//! written since.

use concord_domain::{
    booking::{Booking, BookingTime},
    connection::EntryState,
    ids::{RemoteChangeId, StaffId},
    people::Actor,
    sync::{
        plan::{Desired, Observation},
        remote_change::{
            BookingEdit, LinkedBooking, Refusal, RemoteChangeKind, RemoteChangePlan, RemoteChangePolicy,
            RemoteChangeRules, RemoteChangeState, base_while_open, plan_remote_change,
        },
        remote_change_text::RemoteChangeText,
        synced_fields::{RemoteEntry, SyncedFields},
        unknown_writes::{ResolvedBase, resolve_base},
    },
};
use concord_storage::{
    ChangeContext, StorageError, Tx,
    bookings::{self, LinkedWrite, PutError},
    connections,
    entries::{self, Entry},
    jobs::JobRef,
    notices,
    occupancy::OccupiedInterval,
    people,
    remote_changes::{self, NewRemoteChange},
};

use super::desired_booking::DesiredBooking;
use crate::{Context, job::JobError, notify::RemoteChangeNotice};

/// What has come of a look at an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RemoteChangeOutcome {
    /// No person has done anything that matters.
    Echo,
    /// A write of ours may explain it, or a person has done it: the answer says which, if it comes.
    Unclear,
    /// The booking has followed.
    Followed,
    /// The booking stands, and the entry is to be written again.
    Revert(RemoteChangeKind, Refusal),
    /// Somebody is asked; until they answer nothing is written.
    Asked,
    /// The entry may stay as it is.
    LetBe,
    /// It was written while it was looked at: what was seen is no more.
    Outdated,
    /// It cannot be understood, and is left alone until it can.
    Unreadable,
}

/// Deals with what stands at the provider under the entry's id. `gone_at_once`: how many entries of the calendar are seen
/// to be gone together with it. Of `entry` is known afterwards what this has stored, and nothing of what others have.
pub(crate) async fn handle(
    context: &Context,
    entry: &mut Entry,
    observation: &Observation,
    gone_at_once: usize,
) -> Result<(RemoteChangeOutcome, Vec<JobRef>), JobError> {
    let nothing = |outcome| (outcome, Vec::new());
    let (remote, etag) = match observation {
        Observation::Missing => (RemoteEntry::Gone, None),
        Observation::Found(seen) => (RemoteEntry::from(seen), seen.etag.as_deref()),
    };
    // At the version that is known nobody has done anything since. What recurs is seen by one of many, with its own.
    if remote != RemoteEntry::Recurring && etag.is_some() && etag == entry.etag.as_deref() {
        return Ok(nothing(RemoteChangeOutcome::Echo));
    }
    if remote == RemoteEntry::Unreadable {
        return Ok(nothing(RemoteChangeOutcome::Unreadable));
    }
    let has_tombstone = matches!(observation, Observation::Found(seen) if seen.deleted);
    let base = match resolve_base(entry.base.as_ref(), &entry.unknown_writes, &remote, has_tombstone) {
        // Whose doing it is is for the next writer to settle.
        ResolvedBase::Ours => return Ok(nothing(RemoteChangeOutcome::Unclear)),
        ResolvedBase::With(base) => base,
    };
    let standing = DesiredBooking::load(context, entry).await?;
    let base = if entry.is_asked_about { base_while_open(base, &standing.desired, &remote) } else { base };
    let rules = rules_of(context, entry).await?.with_deleted_count(gone_at_once);
    let linked = LinkedBooking {
        booking: &standing.booking,
        platforms: &context.platforms,
        resource: &standing.resource,
        zone: standing.zone,
        base: base.as_ref(),
        desired: &standing.desired,
    };
    let plan = plan_remote_change(&linked, &remote, rules, context.clock.now());
    // What takes place many times is seen by one of them, whose version says nothing of the entry's.
    let (etag, shape) = match remote {
        RemoteEntry::Recurring => (entry.etag.as_deref(), entry.base.clone()),
        _ => (etag, remote.synced_fields(base.as_ref())),
    };
    let run = RemoteChangeRun { context, entry, standing: &standing, etag, shape };
    let HandledChange { outcome, enqueued, stored } = run.carry_out(plan).await?;
    if let Some(stored) = stored {
        (entry.etag, entry.base) = (stored.etag, stored.base);
        entry.revision += stored.times;
        entry.unknown_writes.clear();
    }
    Ok((outcome, enqueued))
}

/// A calendar that is not read has nothing to say.
async fn rules_of(context: &Context, entry: &Entry) -> Result<RemoteChangeRules, JobError> {
    let connection = connections::find(&context.db, entry.business_id, entry.connection_id)
        .await?
        .ok_or(StorageError::NotFound)?;
    if connection.direction.reads() {
        return Ok(remote_changes::rules(&context.db, entry.business_id, entry.connection_id).await?);
    }
    Ok(RemoteChangeRules { moves: RemoteChangePolicy::Revert, deletions: RemoteChangePolicy::Revert })
}

/// What was done about what was seen.
struct HandledChange {
    outcome: RemoteChangeOutcome,
    enqueued: Vec<JobRef>,
    /// If the entry is to be written on.
    stored: Option<StoredObservation>,
}

/// What is known of an entry from now on.
struct StoredObservation {
    /// How many stores that took, each of which raised the revision.
    times: i64,
    etag: Option<String>,
    base: Option<SyncedFields>,
}

impl HandledChange {
    fn with(outcome: RemoteChangeOutcome, enqueued: Vec<JobRef>) -> Self {
        Self { outcome, enqueued, stored: None }
    }
}

/// An entry and what was seen of it.
struct RemoteChangeRun<'a> {
    context: &'a Context,
    entry: &'a Entry,
    standing: &'a DesiredBooking,
    /// The version that was seen.
    etag: Option<&'a str>,
    /// What it said; `None` if it is gone.
    shape: Option<SyncedFields>,
}

impl RemoteChangeRun<'_> {
    async fn carry_out(&self, plan: RemoteChangePlan) -> Result<HandledChange, JobError> {
        match plan {
            RemoteChangePlan::Echo if !self.entry.unknown_writes.is_empty() => {
                Ok(HandledChange::with(RemoteChangeOutcome::Unclear, vec![]))
            }
            RemoteChangePlan::Echo => {
                let (outcome, stored) = self.echo().await?;
                Ok(HandledChange { outcome, enqueued: vec![], stored })
            }
            RemoteChangePlan::LetBe => {
                self.let_be().await.map(|outcome| HandledChange::with(outcome, vec![]))
            }
            RemoteChangePlan::Ask(edit) => {
                let noted = self.write_down(&edit, RemoteChangeState::Open, (None, "")).await?;
                Ok(HandledChange::with(
                    noted.map_or(RemoteChangeOutcome::Outdated, |_| RemoteChangeOutcome::Asked),
                    vec![],
                ))
            }
            RemoteChangePlan::Revert(kind, refusal) => self.revert(&self.wanted(kind), refusal, "").await,
            RemoteChangePlan::Follow(edit) => self.follow(&edit).await,
        }
    }

    /// Somebody may have changed what a booking does not follow, such as a colour: the next write names that version. Or
    /// they have taken back themselves what somebody is asked about.
    async fn echo(&self) -> Result<(RemoteChangeOutcome, Option<StoredObservation>), JobError> {
        let seen =
            StoredObservation { times: 1, etag: self.etag.map(str::to_owned), base: self.shape.clone() };
        if self.entry.is_asked_about && self.shape.is_some() {
            return Ok((RemoteChangeOutcome::Echo, self.note(seen, (false, self.matches_desired())).await?));
        }
        let is_known = self.etag.is_some() && self.etag == self.entry.etag.as_deref();
        let Some(base) = self.entry.base.as_ref().filter(|_| !is_known) else {
            return Ok((RemoteChangeOutcome::Echo, None));
        };
        if self.entry.content_hash.is_none() {
            return Ok((RemoteChangeOutcome::Echo, None));
        }
        let is_as_left = self.shape.as_ref().is_some_and(|shape| shape.tells(base));
        // What is about to be removed may be wanted again: what its owner did to it meanwhile comes to light then.
        let known = StoredObservation { times: 1, etag: self.entry.etag.clone(), base: Some(base.clone()) };
        let noted = self.note(if is_as_left { seen } else { known }, (is_as_left, false)).await?;
        Ok(noted.map_or((RemoteChangeOutcome::Outdated, None), |stored| {
            (RemoteChangeOutcome::Echo, Some(stored))
        }))
    }

    /// `is_as_written`: nothing that we write was changed. `is_answered`: nobody is asked about it any more. `None`: something
    /// else was stored meanwhile.
    async fn note(
        &self,
        stored: StoredObservation,
        (is_as_written, is_answered): (bool, bool),
    ) -> Result<Option<StoredObservation>, JobError> {
        let mut tx = self.context.db.begin().await?;
        let (at, seen) =
            ((self.entry.id, self.entry.revision), (stored.etag.as_deref(), stored.base.as_ref()));
        let noted = entries::note_seen(&mut tx, at, seen, is_as_written).await?;
        if noted && is_answered {
            let now = self.context.clock.now();
            remote_changes::overtake_question(&mut tx, self.entry.id, now).await?;
        }
        tx.commit().await?;
        Ok(noted.then_some(stored))
    }

    /// What somebody wanted of a booking that does not follow, to be told: when it would be, or what its entry was called.
    fn wanted(&self, kind: RemoteChangeKind) -> BookingEdit {
        let shape = self.shape.as_ref();
        let (time, title) = match kind {
            RemoteChangeKind::Moved | RemoteChangeKind::Resized => {
                (shape.map(|shape| BookingTime::from(&shape.time)), None)
            }
            RemoteChangeKind::Renamed => (None, shape.map(|shape| shape.title.clone())),
            RemoteChangeKind::Deleted | RemoteChangeKind::Restored | RemoteChangeKind::MadeRecurring => {
                (None, None)
            }
        };
        BookingEdit { kind, time, title, status: None }
    }

    /// Whether it says again what it should.
    fn matches_desired(&self) -> bool {
        match (&self.shape, &self.standing.desired) {
            (Some(shape), Desired::Present(content)) => shape.tells(&SyncedFields::from(content)),
            _ => false,
        }
    }

    async fn let_be(&self) -> Result<RemoteChangeOutcome, JobError> {
        if self.entry.state == EntryState::Removed {
            return Ok(RemoteChangeOutcome::LetBe);
        }
        let mut tx = self.context.db.begin().await?;
        if !self.lock_unchanged_booking(&mut tx).await? {
            return Ok(RemoteChangeOutcome::Outdated);
        }
        entries::let_be(&mut tx, self.entry.id).await?;
        tx.commit().await?;
        Ok(RemoteChangeOutcome::LetBe)
    }

    /// Whether the booking is as this was planned for, which it stays until the end of the transaction: else nobody would be
    /// asked about what somebody has just changed here as well.
    async fn lock_unchanged_booking(&self, tx: &mut Tx) -> Result<bool, StorageError> {
        bookings::hold(tx, self.standing.booking.id, self.standing.booking.version).await
    }

    async fn revert(
        &self,
        edit: &BookingEdit,
        refusal: Refusal,
        detail: &str,
    ) -> Result<HandledChange, JobError> {
        let noted = self.write_down(edit, RemoteChangeState::Revert, (Some(refusal), detail)).await?;
        let Some(enqueued) = noted else {
            return Ok(HandledChange::with(RemoteChangeOutcome::Outdated, vec![]));
        };
        // Noted as seen, and enqueued again.
        let stored =
            StoredObservation { times: 2, etag: self.etag.map(str::to_owned), base: self.shape.clone() };
        Ok(HandledChange {
            outcome: RemoteChangeOutcome::Revert(edit.kind, refusal),
            enqueued,
            stored: Some(stored),
        })
    }

    async fn follow(&self, edit: &BookingEdit) -> Result<HandledChange, JobError> {
        let booking = &self.standing.booking;
        let (before, owner) = (inverse(edit, booking), self.owner().await?);
        let change = self.change(edit, &before, RemoteChangeState::Followed, (None, ""));
        let news = self.news(&change, &owner);
        let along = LinkedWrite::Followed {
            change: &change,
            revision: self.entry.revision,
            etag: self.etag,
            shape: self.shape.as_ref(),
            notices: &news.notices(self.context),
        };
        let actor = Actor::Calendar { staff: self.entry.staff_id, name: owner };
        let by = ChangeContext { business: booking.business, actor, now: self.context.clock.now() };
        let draft = edit.applied(&booking.draft);
        let put =
            bookings::follow(&self.context.db, &by, &booking.reference, &draft, booking.version, along).await;
        match put {
            Ok(put) => Ok(HandledChange::with(RemoteChangeOutcome::Followed, put.jobs)),
            Err(PutError::Stale { .. }) => Ok(HandledChange::with(RemoteChangeOutcome::Outdated, vec![])),
            Err(PutError::Taken(taken)) => {
                self.revert(edit, Refusal::Taken, &obstacles_message(&taken.obstacles, self.entry.staff_id))
                    .await
            }
            Err(PutError::Invalid(faults)) => {
                self.revert(edit, Refusal::Invalid, &PutError::Invalid(faults).to_string()).await
            }
            Err(PutError::Storage(error)) => Err(error.into()),
        }
    }

    async fn owner(&self) -> Result<String, JobError> {
        let staff = people::find_staff(&self.context.db, self.entry.business_id, self.entry.staff_id).await?;
        Ok(staff.map(|staff| staff.name).unwrap_or_default())
    }

    fn news(&self, change: &NewRemoteChange<'_>, owner: &str) -> RemoteChangeNotice {
        let (booking, zone) = (&self.standing.booking, self.standing.zone);
        let told = RemoteChangeText {
            who: owner,
            entry: &format!("the entry of booking {}", booking.reference),
            provider: self.entry.provider,
            kind: change.edit.kind,
            state: change.state,
            refusal: change.refusal,
            detail: change.detail,
            edit: change.edit,
            before: change.before,
            decided_by: None,
            zone,
            today: self.context.clock.now().with_timezone(&zone).date_naive(),
        };
        RemoteChangeNotice::of(change, self.entry.staff_id, &told)
    }

    /// Returns what it enqueues; `None`: the entry was written, or the booking changed, since it was seen.
    async fn write_down(
        &self,
        edit: &BookingEdit,
        state: RemoteChangeState,
        (refusal, detail): (Option<Refusal>, &str),
    ) -> Result<Option<Vec<JobRef>>, JobError> {
        let before = inverse(edit, &self.standing.booking);
        let change = self.change(edit, &before, state, (refusal, detail));
        let news = self.news(&change, &self.owner().await?);
        let now = self.context.clock.now();
        let mut tx = self.context.db.begin().await?;
        let (at, seen) = ((self.entry.id, self.entry.revision), (self.etag, self.shape.as_ref()));
        if !self.lock_unchanged_booking(&mut tx).await?
            || !entries::note_seen(&mut tx, at, seen, false).await?
        {
            return Ok(None);
        }
        remote_changes::record(&mut tx, &change, now).await?;
        for new in news.notices(self.context) {
            notices::raise(&mut tx, &new, now).await?;
        }
        let mut enqueued = Vec::new();
        if state == RemoteChangeState::Revert {
            enqueued
                .push(entries::enqueue_rewrite(&mut tx, self.entry.business_id, self.entry.id, now).await?);
        }
        tx.commit().await?;
        Ok(Some(enqueued))
    }

    fn change<'b>(
        &'b self,
        edit: &'b BookingEdit,
        before: &'b BookingEdit,
        state: RemoteChangeState,
        (refusal, detail): (Option<Refusal>, &'b str),
    ) -> NewRemoteChange<'b> {
        NewRemoteChange {
            id: RemoteChangeId::new(self.context.clock.now()),
            business: self.entry.business_id,
            booking: self.entry.booking_id,
            entry: self.entry.id,
            connection: self.entry.connection_id,
            state,
            edit,
            before,
            refusal,
            detail,
            booking_version: None,
        }
    }
}

/// What takes an edit back.
fn inverse(edit: &BookingEdit, booking: &Booking) -> BookingEdit {
    BookingEdit {
        kind: edit.kind,
        time: edit.time.map(|_| booking.draft.time),
        title: edit.title.as_ref().map(|_| booking.draft.title.clone()),
        status: edit.status.map(|_| booking.draft.status),
    }
}

/// Names what stands there, for people: "Sea View: SV-2; Ana: an entry in Private". What calendars are called is told to
/// their owner alone.
fn obstacles_message(obstacles: &[OccupiedInterval], owner: StaffId) -> String {
    let name = |one: &OccupiedInterval| {
        let calendar = one.calendar.as_ref().filter(|_| one.subject_id == owner.0);
        let what = match (&one.reference, calendar) {
            (Some(reference), _) => reference.clone(),
            (None, Some(calendar)) => format!("an entry in {calendar}"),
            (None, None) => one.source.to_string(),
        };
        format!("{}: {what}", one.subject_name.as_deref().unwrap_or_default())
    };
    obstacles.iter().map(name).collect::<Vec<_>>().join("; ")
}
