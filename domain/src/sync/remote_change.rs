//! What a person did to an entry of ours in their own calendar, and what follows from it.
//!
//! Three things are compared: what the entry said after our last write (`base`), what it should say now (`desired`) and
//! what it says (`RemoteEntry`). So our own writes are known again whatever became of their answers, a person's change is
//! found though one of ours is under way, and where both sides changed the same thing the booking stands.
//!
//! What is to be followed may still be refused by whoever writes the booking, when the time is taken: the entry is then
//! put back, as for every other [`Refusal`].

use std::mem::discriminant;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{
    plan::Desired,
    synced_fields::{RemoteEntry, SyncedFields},
};
use crate::{
    booking::{Booking, BookingDraft, BookingStatus, BookingTime},
    entry::EntryTime,
    platform::Platforms,
    privacy::title_in_entry,
    words,
};

words! {
    /// What becomes of what people do to entries of ours.
    RemoteChangePolicy "Policy for remote changes." {
        Follow = "follow",
        /// Somebody is asked first; until then both stay as they are.
        Ask = "ask",
        /// The booking stands, and the entry is put back.
        Revert = "revert",
    }
}

words! {
    /// What a person did.
    RemoteChangeKind "Remote change type." {
        /// It begins at another time.
        Moved = "moved",
        /// It begins when it did and ends at another time.
        Resized = "resized",
        /// It has other words.
        Renamed = "renamed",
        Deleted = "deleted",
        /// It is there again, after it had been removed.
        Restored = "restored",
        /// It now takes place many times.
        MadeRecurring = "made_recurring",
    }
}

words! {
    /// Why a booking does not follow, or why nobody is asked any more whether it should.
    Refusal "Why a remote change was not followed." {
        /// The business, or the connection, wants it so.
        Policy = "policy",
        /// The booking is over.
        Over = "over",
        /// It has been served.
        Completed = "completed",
        /// It does not take place.
        Cancelled = "cancelled",
        /// It would begin or end in the past.
        IntoThePast = "into_the_past",
        /// Nights are whole days, and hours are not.
        WholeDays = "whole_days",
        /// A booking takes place once.
        Recurring = "recurring",
        /// It was changed here as well, and the booking stands.
        ChangedHere = "changed_here",
        /// These words are made from the resource and the customer, and not for this calendar to change.
        TextNotEditable = "text_not_editable",
        /// The person is not on the booking.
        NotAssigned = "not_assigned",
        /// There is no room at that time.
        Taken = "taken",
        /// The booking would say what it may not say.
        Invalid = "invalid",
    }
}

words! {
    /// What became of a person's change.
    RemoteChangeState "Remote change status." {
        /// Somebody is asked; both sides stay as they are.
        Open = "open",
        /// The booking has followed.
        Followed = "followed",
        /// The booking stands, and the entry is put back.
        Revert = "revert",
        /// Nobody is asked any more: the booking was changed here or is over, or the entry was changed again.
        Overtaken = "overtaken",
        /// The booking had followed, and a person took that back.
        Undone = "undone",
    }
}

/// A booking and its entry.
#[derive(Clone, Copy, Debug)]
pub struct LinkedBooking<'a> {
    /// As it is now.
    pub booking: &'a Booking,
    /// What the guests of platforms are called.
    pub platforms: &'a Platforms,
    /// The resource's name, which stands in the title.
    pub resource: &'a str,
    pub zone: Tz,
    /// What the entry said after our last write, or when a person's change to it was last dealt with; `None` if it was
    /// removed, or is not known.
    pub base: Option<&'a SyncedFields>,
    /// What it should say.
    pub desired: &'a Desired,
}

/// What the business, or the connection, wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteChangeRules {
    /// Of what is moved, resized or renamed.
    pub moves: RemoteChangePolicy,
    /// Of what is deleted or brought back.
    pub deletions: RemoteChangePolicy,
}

impl Default for RemoteChangeRules {
    /// An outside delete never cancels a booking by itself.
    fn default() -> Self {
        Self { moves: RemoteChangePolicy::Follow, deletions: RemoteChangePolicy::Ask }
    }
}

/// So many live bookings at once are not deleted one by one by somebody who means each of them.
const MASS_DELETE_THRESHOLD: usize = 5;

/// For [`RemoteChangeRules::with_deleted_count`], where one entry alone was looked at.
pub const NOT_COUNTED: usize = usize::MAX;

impl RemoteChangeRules {
    /// The same, but that nothing follows without being asked about where many entries are gone at once: a calendar that
    /// was emptied, or a provider in trouble, cancels no bookings.
    #[must_use]
    pub fn with_deleted_count(self, gone: usize) -> Self {
        let many = gone > MASS_DELETE_THRESHOLD && self.deletions == RemoteChangePolicy::Follow;
        Self { deletions: if many { RemoteChangePolicy::Ask } else { self.deletions }, ..self }
    }
}

/// What a booking would become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookingEdit {
    /// The most that was done: who moves and renames has moved.
    pub kind: RemoteChangeKind,
    /// `None`: as it is.
    pub time: Option<BookingTime>,
    /// `None`: as it is.
    pub title: Option<String>,
    /// `None`: as it is.
    pub status: Option<BookingStatus>,
}

impl BookingEdit {
    fn of(kind: RemoteChangeKind) -> Self {
        Self { kind, time: None, title: None, status: None }
    }

    /// The draft with what was changed.
    #[must_use]
    pub fn applied(&self, draft: &BookingDraft) -> BookingDraft {
        let mut draft = draft.clone();
        draft.time = self.time.unwrap_or(draft.time);
        draft.status = self.status.unwrap_or(draft.status);
        if let Some(title) = &self.title {
            draft.title.clone_from(title);
        }
        draft
    }
}

/// What is done about a remote change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteChangePlan {
    /// Nothing: it is as we left it, or as it should be.
    Echo,
    /// Change the booking; where that is refused, put the entry back.
    Follow(BookingEdit),
    Ask(BookingEdit),
    /// The booking stands. Write the entry again.
    Revert(RemoteChangeKind, Refusal),
    /// The booking is over or does not take place: the entry may stay as it is, and nobody is told.
    LetBe,
}

/// What follows from what stands at the provider.
pub fn plan_remote_change(
    linked: &LinkedBooking<'_>,
    sight: &RemoteEntry,
    rules: RemoteChangeRules,
    now: DateTime<Utc>,
) -> RemoteChangePlan {
    match (linked.desired, sight) {
        (_, RemoteEntry::Unreadable) | (Desired::Absent, RemoteEntry::Gone) => RemoteChangePlan::Echo,
        (Desired::Absent, RemoteEntry::There { .. } | RemoteEntry::Recurring) => {
            plan_restored(linked, sight, rules, now)
        }
        (Desired::Present(_), RemoteEntry::Gone) => plan_deleted(linked, rules, now),
        (Desired::Present(_), RemoteEntry::Recurring) => {
            RemoteChangePlan::Revert(RemoteChangeKind::MadeRecurring, Refusal::Recurring)
        }
        (Desired::Present(content), RemoteEntry::There { .. }) => {
            let desired = SyncedFields::from(content);
            // Not known: what it should say now is as good a guess as any, and never makes a change of nothing.
            let base = linked.base.unwrap_or(&desired);
            let Some(seen) = sight.synced_fields(Some(base)) else { return RemoteChangePlan::Echo };
            plan_edited(linked, (base, &desired, &seen), rules, now)
        }
    }
}

/// With what an entry is compared about which somebody is asked, `noted` being what it said then: of several edits the
/// question is to name the sum, so with what it should say, unless nothing was edited since.
pub fn base_while_open(
    noted: Option<SyncedFields>,
    desired: &Desired,
    sight: &RemoteEntry,
) -> Option<SyncedFields> {
    match desired {
        Desired::Present(content) if !noted.as_ref().is_some_and(|noted| sight.is(noted)) => {
            matches!(sight, RemoteEntry::There { .. }).then(|| SyncedFields::from(content)).or(noted)
        }
        Desired::Present(_) | Desired::Absent => noted,
    }
}

/// While our removal is under way that it is there is no person's doing, but what they have edited is: the booking stands,
/// and it is said why that was not followed.
fn revert_edit(linked: &LinkedBooking<'_>, base: &SyncedFields, sight: &RemoteEntry) -> RemoteChangePlan {
    let Some(seen) = sight.synced_fields(Some(base)).filter(|seen| !seen.tells(base)) else {
        return RemoteChangePlan::Echo;
    };
    let refusal = match linked.booking.draft.status {
        status if status.occupies() => Refusal::NotAssigned,
        _ => Refusal::Cancelled,
    };
    RemoteChangePlan::Revert(change_kind(base, &seen), refusal)
}

fn change_kind(base: &SyncedFields, seen: &SyncedFields) -> RemoteChangeKind {
    if seen.is_when(base) {
        RemoteChangeKind::Renamed
    } else if same_start(&seen.time, &base.time) {
        RemoteChangeKind::Resized
    } else {
        RemoteChangeKind::Moved
    }
}

fn plan_restored(
    linked: &LinkedBooking<'_>,
    sight: &RemoteEntry,
    rules: RemoteChangeRules,
    now: DateTime<Utc>,
) -> RemoteChangePlan {
    if let Some(base) = linked.base {
        return revert_edit(linked, base, sight);
    }
    if linked.booking.draft.status.occupies() {
        return RemoteChangePlan::Revert(RemoteChangeKind::Restored, Refusal::NotAssigned);
    }
    if linked.booking.interval.end <= now {
        return RemoteChangePlan::LetBe;
    }
    let edit =
        BookingEdit { status: Some(BookingStatus::Confirmed), ..BookingEdit::of(RemoteChangeKind::Restored) };
    apply_policy(rules.deletions, edit)
}

fn plan_deleted(
    linked: &LinkedBooking<'_>,
    rules: RemoteChangeRules,
    now: DateTime<Utc>,
) -> RemoteChangePlan {
    let booking = linked.booking;
    // Never written: it is still to come.
    if linked.base.is_none() {
        return RemoteChangePlan::Echo;
    }
    let is_over = booking.interval.end <= now || booking.draft.status == BookingStatus::Completed;
    if is_over || !booking.draft.status.occupies() {
        return RemoteChangePlan::LetBe;
    }
    apply_policy(
        rules.deletions,
        BookingEdit { status: Some(BookingStatus::Cancelled), ..BookingEdit::of(RemoteChangeKind::Deleted) },
    )
}

fn plan_edited(
    linked: &LinkedBooking<'_>,
    (base, desired, seen): (&SyncedFields, &SyncedFields, &SyncedFields),
    rules: RemoteChangeRules,
    now: DateTime<Utc>,
) -> RemoteChangePlan {
    let moved = !seen.is_when(base) && !seen.is_when(desired);
    let renamed = !seen.says(base) && !seen.says(desired);
    let kind = match (moved, renamed) {
        (false, false) => return RemoteChangePlan::Echo,
        (true, _) => change_kind(base, seen),
        (false, true) => RemoteChangeKind::Renamed,
    };
    let (moved_here, renamed_here) = (!desired.is_when(base), !desired.says(base));
    if (moved && moved_here) || (!moved && renamed_here) {
        return RemoteChangePlan::Revert(kind, Refusal::ChangedHere);
    }
    // Words that were changed here do not keep a move from being followed.
    match booking_edit(linked, kind, (moved, renamed && !renamed_here), seen, now) {
        Ok(edit) => apply_policy(rules.moves, edit),
        Err(refusal) => RemoteChangePlan::Revert(kind, refusal),
    }
}

fn booking_edit(
    linked: &LinkedBooking<'_>,
    kind: RemoteChangeKind,
    (moved, renamed): (bool, bool),
    seen: &SyncedFields,
    now: DateTime<Utc>,
) -> Result<BookingEdit, Refusal> {
    let booking = linked.booking;
    match booking.draft.status {
        BookingStatus::Completed => return Err(Refusal::Completed),
        status if !status.occupies() => return Err(Refusal::Cancelled),
        _ if booking.interval.end <= now => return Err(Refusal::Over),
        _ => {}
    }
    let mut edit = BookingEdit::of(kind);
    if moved {
        edit.time = Some(moved_time(linked, &seen.time, now)?);
    }
    if renamed {
        let title = title_in_entry(&seen.title, booking, linked.platforms, linked.resource);
        // With a move the words do not matter so much that it is refused for them.
        if title != linked.platforms.title_of(booking) {
            edit.title = Some(title);
        } else if !moved {
            return Err(Refusal::TextNotEditable);
        }
    }
    Ok(edit)
}

/// What has begun may end sooner or later, but nothing is moved into the past.
fn moved_time(
    linked: &LinkedBooking<'_>,
    seen: &EntryTime,
    now: DateTime<Utc>,
) -> Result<BookingTime, Refusal> {
    let time = BookingTime::from(seen);
    if discriminant(&time) != discriminant(&linked.booking.draft.time) {
        return Err(Refusal::WholeDays);
    }
    let interval = time.interval(linked.zone).ok_or(Refusal::Invalid)?;
    let begins_anew = interval.start != linked.booking.interval.start;
    if interval.end <= now || (begins_anew && interval.start < now) {
        return Err(Refusal::IntoThePast);
    }
    Ok(time)
}

fn apply_policy(policy: RemoteChangePolicy, edit: BookingEdit) -> RemoteChangePlan {
    match policy {
        RemoteChangePolicy::Follow => RemoteChangePlan::Follow(edit),
        RemoteChangePolicy::Ask => RemoteChangePlan::Ask(edit),
        RemoteChangePolicy::Revert => RemoteChangePlan::Revert(edit.kind, Refusal::Policy),
    }
}

fn same_start(one: &EntryTime, other: &EntryTime) -> bool {
    match (one, other) {
        (EntryTime::Timed { starts_at: one, .. }, EntryTime::Timed { starts_at: other, .. }) => one == other,
        (EntryTime::AllDay { from: one, .. }, EntryTime::AllDay { from: other, .. }) => one == other,
        _ => false,
    }
}

#[cfg(test)]
#[path = "remote_change_tests.rs"]
mod tests;
