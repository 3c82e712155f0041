//! What a compare found, for the log: figures in one line, and a line for each entry that is otherwise than it should be.

use chrono::{DateTime, Utc};
use concord_domain::{
    entry::{EntryTime, ObservedEntry},
    ids::BookingId,
    record::SyncOutcome,
    sync::{drift::Drift, remote_change::RemoteChangeKind},
};
use concord_storage::{
    StorageError, Tx,
    connections::Connection,
    sync_log::{self, NewLine},
};

use crate::remote_change::Met;

/// So many are named one by one; what is more than these is a figure.
const NAMED: usize = 100;

/// How an entry differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Differs {
    Missing,
    Changed,
    Unwanted,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// A second look comes first.
    Doubted,
    /// It is looked at and written again.
    Anew,
    /// Its owner has changed what a booking does not follow.
    Left,
    /// It was dealt with as with what a person did.
    Met(Met),
}

/// An entry that differs.
#[derive(Debug)]
pub(super) struct Difference {
    /// `None`: nobody here knows what it was of.
    booking: Option<BookingId>,
    detail: String,
    outcome: SyncOutcome,
}

impl Difference {
    pub(super) fn of(booking: BookingId, calendar: &str, how: Differs, fate: Fate) -> Self {
        let detail = match how {
            Differs::Missing => format!("missing from {calendar}"),
            Differs::Changed => format!("not as it was left in {calendar}"),
            Differs::Unwanted => format!("still in {calendar}, though it should be gone"),
        };
        let outcome = if fate == Fate::Doubted { SyncOutcome::Held } else { SyncOutcome::Ok };
        Self { booking: Some(booking), detail: format!("{detail}; {}", fate.in_words()), outcome }
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
            "an entry{when} in {calendar} carries Concord's mark, and no booking here knows it; it is left as it is"
        );
        Self { booking: None, detail, outcome: SyncOutcome::Nothing }
    }
}

impl Fate {
    fn in_words(self) -> &'static str {
        match self {
            Self::Doubted => "looked for a second time before anything is done",
            Self::Anew => "written anew",
            Self::Left => "left as its owner has it until the next write",
            Self::Met(Met::Followed) => "the booking follows",
            Self::Met(Met::Revert(RemoteChangeKind::Restored, _)) => "removed again",
            Self::Met(Met::Revert(..)) => "put back",
            Self::Met(Met::Asked) => "somebody is asked",
            Self::Met(Met::LetBe) => "the booking is over, so it is left",
            Self::Met(Met::Unreadable) => "it cannot be understood, so it is left",
            Self::Met(Met::Echo | Met::Unclear | Met::Outdated) => "it was written meanwhile",
        }
    }
}

/// Writes a line for each of the first ones.
pub(super) async fn write_down(
    tx: &mut Tx,
    connection: &Connection,
    differences: &[Difference],
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    for difference in differences.iter().take(NAMED) {
        let line = NewLine {
            business: connection.business_id,
            connection: Some(connection.id),
            booking: difference.booking,
            channel: None,
            operation: "difference",
            outcome: difference.outcome,
            detail: &difference.detail,
            duration_ms: 0,
            at,
        };
        sync_log::append(tx, &line).await?;
    }
    Ok(())
}

/// The figures.
pub(super) fn in_words(drift: &Drift, believed: bool) -> String {
    let mut words = vec![format!("{} of {} in agreement", drift.standing, drift.wanted())];
    for (count, what) in [
        (drift.missing.len(), "missing"),
        (drift.different.len(), "different"),
        (drift.unwanted.len(), "that should be gone"),
        (drift.unknown.len(), "with Concord's mark that nobody here knows"),
    ] {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    }
    if !believed {
        words.push("so many at once are looked for a second time before anything is done".to_owned());
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
        assert_eq!(in_words(&calm, true), "212 of 212 in agreement");
        let id = EntryId(uuid::Uuid::nil());
        let lost = Drift { standing: 1, missing: vec![id, id], unwanted: vec![id], ..Drift::default() };
        assert_eq!(
            in_words(&lost, false),
            "1 of 3 in agreement; 2 missing; 1 that should be gone; so many at once are looked for a second time \
             before anything is done"
        );
    }

    #[test]
    fn an_entry_is_told_with_its_calendar_and_what_becomes_of_it() {
        let of = |how, fate| Difference::of(BookingId(uuid::Uuid::nil()), "Work", how, fate).detail;
        assert_eq!(of(Differs::Missing, Fate::Met(Met::Asked)), "missing from Work; somebody is asked");
        assert_eq!(of(Differs::Changed, Fate::Anew), "not as it was left in Work; written anew");
        assert_eq!(
            of(
                Differs::Unwanted,
                Fate::Met(Met::Revert(
                    RemoteChangeKind::Restored,
                    concord_domain::sync::remote_change::Refusal::NotAssigned,
                ))
            ),
            "still in Work, though it should be gone; removed again"
        );
    }
}
