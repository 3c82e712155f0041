//! What a compare found, for the log: figures in one line, and a line for each entry that is otherwise than it should be.

use chrono::{DateTime, Utc};
use concord_domain::{
    audit::SyncOutcome,
    entry::{EntryTime, ObservedEntry},
    ids::BookingId,
    sync::{drift::Drift, remote_change::RemoteChangeKind},
};
use concord_storage::{
    StorageError, Tx,
    sync_log::{self, NewSyncLogEntry},
};

use crate::{job::ConnectionAccount, sync_in::remote_change::RemoteChangeOutcome};

/// So many are named one by one; what is more than these is a figure.
const MAX_RECORDED: usize = 100;

/// How an entry differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DriftKind {
    Missing,
    Changed,
    Unwanted,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DriftResolution {
    /// A second look comes first.
    Recheck,
    /// It is looked at and written again.
    Anew,
    /// Its owner has changed what a booking does not follow.
    Left,
    /// It was dealt with as with what a person did.
    Handled(RemoteChangeOutcome),
}

/// An entry that differs.
#[derive(Debug)]
pub(super) struct EntryDifference {
    /// `None`: nobody here knows what it was of.
    booking: Option<BookingId>,
    detail: String,
    outcome: SyncOutcome,
}

impl EntryDifference {
    pub(super) fn of(booking: BookingId, calendar: &str, how: DriftKind, fate: DriftResolution) -> Self {
        let detail = match how {
            DriftKind::Missing => format!("missing from {calendar}"),
            DriftKind::Changed => format!("changed in {calendar}"),
            DriftKind::Unwanted => format!("still in {calendar}, but should be deleted"),
        };
        let outcome = if fate == DriftResolution::Recheck { SyncOutcome::Held } else { SyncOutcome::Ok };
        Self { booking: Some(booking), detail: format!("{detail}; {}", fate.outcome_message()), outcome }
    }

    /// An entry with our mark of which no row knows.
    pub(super) fn unknown(seen: &ObservedEntry, calendar: &str) -> Self {
        let when = match &seen.time {
            Some(EntryTime::Timed { starts_at, zone, .. }) => {
                format!(" of {}", starts_at.with_timezone(zone).format("%-d %b %Y, %H:%M"))
            }
            Some(EntryTime::AllDay { from, .. }) => format!(" of {}", from.format("%-d %b %Y")),
            None => String::new(),
        };
        let detail = format!(
            "an entry{when} in {calendar} has Concord's mark but no booking here; it was not changed"
        );
        Self { booking: None, detail, outcome: SyncOutcome::Nothing }
    }
}

impl DriftResolution {
    fn outcome_message(self) -> &'static str {
        match self {
            Self::Recheck => "checked again before anything is changed",
            Self::Anew => "written again",
            Self::Left => "left unchanged until the next write",
            Self::Handled(RemoteChangeOutcome::Followed) => "followed",
            Self::Handled(RemoteChangeOutcome::Revert(RemoteChangeKind::Restored, _)) => "deleted again",
            Self::Handled(RemoteChangeOutcome::Revert(..)) => "reverted",
            Self::Handled(RemoteChangeOutcome::Asked) => "needs a decision",
            Self::Handled(RemoteChangeOutcome::LetBe) => "the booking is over, so it was not changed",
            Self::Handled(RemoteChangeOutcome::Unreadable) => "it could not be read, so it was not changed",
            Self::Handled(
                RemoteChangeOutcome::Echo | RemoteChangeOutcome::Unclear | RemoteChangeOutcome::Outdated,
            ) => "it was updated in the meantime",
        }
    }
}

/// Writes a line for each of the first ones.
pub(super) async fn write_down(
    tx: &mut Tx,
    account: ConnectionAccount,
    differences: &[EntryDifference],
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    for difference in differences.iter().take(MAX_RECORDED) {
        let what = ("difference", difference.outcome);
        let line = NewSyncLogEntry {
            booking: difference.booking,
            ..account.log_entry(what, &difference.detail, at)
        };
        sync_log::append(tx, &line).await?;
    }
    Ok(())
}

pub(super) fn summary_message(drift: &Drift, believed: bool) -> String {
    let mut words = vec![format!("{} of {} in sync", drift.standing, drift.wanted())];
    for (count, what) in [
        (drift.missing.len(), "missing"),
        (drift.different.len(), "different"),
        (drift.unwanted.len(), "to delete"),
        (drift.unknown.len(), "with Concord's mark but no booking"),
    ] {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    }
    if !believed {
        words.push("checked again before anything is changed, because there are so many".to_owned());
    }
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use concord_domain::ids::EntryId;

    use super::*;

    #[test]
    fn what_was_found_is_said_in_a_line() {
        let calm = Drift { standing: 212, ..Drift::default() };
        assert_eq!(summary_message(&calm, true), "212 of 212 in sync");
        let id = EntryId(uuid::Uuid::nil());
        let lost = Drift { standing: 1, missing: vec![id, id], unwanted: vec![id], ..Drift::default() };
        assert_eq!(
            summary_message(&lost, false),
            "1 of 3 in sync; 2 missing; 1 to delete; checked again before anything is changed, \
             because there are so many"
        );
    }

    #[test]
    fn an_entry_is_told_with_its_calendar_and_what_becomes_of_it() {
        let of = |how, fate| EntryDifference::of(BookingId(uuid::Uuid::nil()), "Work", how, fate).detail;
        assert_eq!(
            of(DriftKind::Missing, DriftResolution::Handled(RemoteChangeOutcome::Asked)),
            "missing from Work; needs a decision"
        );
        assert_eq!(of(DriftKind::Changed, DriftResolution::Anew), "changed in Work; written again");
        assert_eq!(
            of(
                DriftKind::Unwanted,
                DriftResolution::Handled(RemoteChangeOutcome::Revert(
                    RemoteChangeKind::Restored,
                    concord_domain::sync::remote_change::Refusal::NotAssigned,
                ))
            ),
            "still in Work, but should be deleted; deleted again"
        );
    }
}
