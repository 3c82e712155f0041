//! What a person did to an entry of ours, and what became of it, in sentences: the same ones on pages, in mails and in the
//! API.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::remote_change::{BookingEdit, Refusal, RemoteChangeKind, RemoteChangeState};
use crate::{booking::BookingTime, connection::ProviderKind, time_text::span};

/// A person's change, as it is told.
#[derive(Clone, Copy, Debug)]
pub struct RemoteChangeText<'a> {
    pub who: &'a str,
    /// What its entry is called there, in the middle of a sentence: `“Sea View — Maria”`, `the entry of booking A-1`.
    pub entry: &'a str,
    /// In which calendar of theirs.
    pub provider: ProviderKind,
    pub kind: RemoteChangeKind,
    /// What became of it.
    pub state: RemoteChangeState,
    /// Why the booking stands.
    pub refusal: Option<Refusal>,
    /// What stood in the way; may be empty.
    pub detail: &'a str,
    /// What the booking would become, or became.
    pub edit: &'a BookingEdit,
    /// What of it was before.
    pub before: &'a BookingEdit,
    /// Who decided about it, if somebody did.
    pub decided_by: Option<&'a str>,
    /// In which times are told.
    pub zone: Tz,
    /// Decides whether the year is named.
    pub today: NaiveDate,
}

impl RemoteChangeText<'_> {
    /// All of it: what was done, from what to what, and what became of it.
    pub fn user_message(&self) -> String {
        let parts: Vec<String> = [self.deed()].into_iter().chain(self.times()).chain(self.titles()).collect();
        format!("{}. {}", parts.join(", "), self.outcome())
    }

    /// What was done, without a full stop: "Ana moved “Sea View — Maria” in their Google calendar".
    pub fn deed(&self) -> String {
        let Self { who, entry, .. } = self;
        let deed = match self.kind {
            RemoteChangeKind::Moved => format!("moved {entry}"),
            RemoteChangeKind::Resized => format!("changed the length of {entry}"),
            RemoteChangeKind::Renamed => format!("renamed {entry}"),
            RemoteChangeKind::Deleted => format!("deleted {entry}"),
            RemoteChangeKind::Restored => format!("restored {entry}"),
            RemoteChangeKind::MadeRecurring => format!("made {entry} recurring"),
        };
        format!("{who} {deed} in their {} calendar", self.provider.name())
    }

    /// "from Sat 21 Nov, 14:00–15:00 to Sun 22 Nov, 14:00–15:00"; `None`: the time is not known to have changed.
    pub fn times(&self) -> Option<String> {
        let told = |time: BookingTime| span(&time, self.zone, self.today).text;
        Some(format!("from {} to {}", told(self.before.time?), told(self.edit.time?)))
    }

    /// "from “Massage” to “Hot stones”"; `None`: the title is not known to have changed.
    pub fn titles(&self) -> Option<String> {
        let told =
            |title: &str| if title.is_empty() { "nothing".to_owned() } else { format!("“{title}”") };
        Some(format!("from {} to {}", told(self.before.title.as_deref()?), told(self.edit.title.as_deref()?)))
    }

    /// What became of it, or what is asked: a sentence.
    pub fn outcome(&self) -> String {
        match self.state {
            RemoteChangeState::Open => self.question().to_owned(),
            RemoteChangeState::Followed => format!("{}{}.", self.followed(), self.decided_by_suffix()),
            RemoteChangeState::Revert => {
                let reason = self.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
                format!("The booking is unchanged, and the entry is {}{reason}.", self.revert_verb())
            }
            RemoteChangeState::Overtaken => format!("{} before anyone decided.", self.overtaken()),
            RemoteChangeState::Undone => match self.decided_by {
                Some(name) => format!("{}, then {name} undid it.", self.followed()),
                None => format!("{}, then this was undone.", self.followed()),
            },
        }
    }

    fn question(&self) -> &'static str {
        match self.kind {
            RemoteChangeKind::Moved => "Move the booking too, or revert the entry?",
            RemoteChangeKind::Resized => "Change the booking's length too, or revert the entry?",
            RemoteChangeKind::Renamed => "Rename the booking too, or revert the entry?",
            RemoteChangeKind::Deleted => "Cancel the booking, or revert the entry?",
            RemoteChangeKind::Restored => "Confirm the booking again, or delete the entry?",
            RemoteChangeKind::MadeRecurring => "Change the booking too, or revert the entry?",
        }
    }

    fn followed(&self) -> &'static str {
        match self.kind {
            RemoteChangeKind::Deleted => "The booking was cancelled",
            RemoteChangeKind::Restored => "The booking was confirmed again",
            RemoteChangeKind::Renamed => "The booking was renamed too",
            RemoteChangeKind::Moved | RemoteChangeKind::Resized | RemoteChangeKind::MadeRecurring => {
                "The booking was changed too"
            }
        }
    }

    fn overtaken(&self) -> &'static str {
        match self.refusal {
            Some(Refusal::Over) => "The booking was over",
            Some(Refusal::Completed) => "The booking was completed in Concord",
            Some(Refusal::Cancelled) => "The booking was cancelled in Concord",
            Some(Refusal::ChangedHere) => "The booking was changed in Concord",
            _ => "The booking or its entry was changed again",
        }
    }

    fn revert_verb(&self) -> &'static str {
        match self.kind {
            RemoteChangeKind::Restored => "deleted again",
            _ => "reverted",
        }
    }

    fn decided_by_suffix(&self) -> String {
        self.decided_by.map(|name| format!(", decided by {name}")).unwrap_or_default()
    }

    fn reason(&self) -> Option<String> {
        let reason = match self.refusal {
            None => return self.decided_by.map(|name| format!("decided by {name}")),
            Some(Refusal::Policy) => "this is your setting",
            Some(Refusal::Over) => "the booking is over",
            Some(Refusal::Completed) => "the booking is completed",
            Some(Refusal::Cancelled) => "the booking is cancelled",
            Some(Refusal::IntoThePast) => "bookings cannot be moved into the past",
            Some(Refusal::WholeDays) => "stays are booked by night, appointments by time",
            Some(Refusal::Recurring) => "bookings cannot repeat",
            Some(Refusal::ChangedHere) => "the booking was also changed in Concord",
            Some(Refusal::TextNotEditable) => {
                "this part of the title comes from the resource and customer, which are changed in Concord"
            }
            Some(Refusal::NotAssigned) => {
                return Some(format!("{} is not assigned to this booking", self.who));
            }
            Some(Refusal::Taken) => "the time is taken",
            Some(Refusal::Invalid) => "the change is not valid for a booking",
        };
        Some(if self.detail.is_empty() { reason.to_owned() } else { format!("{reason} ({})", self.detail) })
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::booking::BookingStatus;

    const TODAY: &str = "2026-11-21";

    fn hours(day: u32) -> BookingTime {
        let at = |hour: u32| -> DateTime<Utc> { format!("2026-11-{day}T{hour}:00:00Z").parse().unwrap() };
        BookingTime::Timed { starts_at: at(14), ends_at: at(15) }
    }

    fn edit(kind: RemoteChangeKind, time: Option<BookingTime>, title: Option<&str>) -> BookingEdit {
        BookingEdit { kind, time, title: title.map(str::to_owned), status: None::<BookingStatus> }
    }

    fn told<'a>(
        state: RemoteChangeState,
        refusal: Option<Refusal>,
        edit: &'a BookingEdit,
        before: &'a BookingEdit,
    ) -> RemoteChangeText<'a> {
        RemoteChangeText {
            who: "Ana",
            entry: "“Sea View — Maria”",
            provider: ProviderKind::Google,
            kind: edit.kind,
            state,
            refusal,
            detail: "",
            edit,
            before,
            decided_by: None,
            zone: chrono_tz::UTC,
            today: TODAY.parse().unwrap(),
        }
    }

    #[test]
    fn what_matters_most_reads_well() {
        let moved = (
            edit(RemoteChangeKind::Moved, Some(hours(23)), None),
            edit(RemoteChangeKind::Moved, Some(hours(22)), None),
        );
        let renamed = (
            edit(RemoteChangeKind::Renamed, None, Some("Hot stones")),
            edit(RemoteChangeKind::Renamed, None, Some("")),
        );
        let deleted = edit(RemoteChangeKind::Deleted, None, None);
        let restored = edit(RemoteChangeKind::Restored, None, None);
        let taken = RemoteChangeText {
            detail: "Ana: A-2",
            ..told(RemoteChangeState::Revert, Some(Refusal::Taken), &moved.0, &moved.1)
        };
        let rita = |told| RemoteChangeText { decided_by: Some("Rita"), ..told };
        for (told, words) in [
            (
                told(RemoteChangeState::Open, None, &deleted, &deleted),
                "Ana deleted “Sea View — Maria” in their Google calendar. Cancel the booking, or revert the entry?",
            ),
            (
                told(RemoteChangeState::Followed, None, &moved.0, &moved.1),
                "Ana moved “Sea View — Maria” in their Google calendar, from Sun 22 Nov, 14:00–15:00 to Mon 23 Nov, \
                 14:00–15:00. The booking was changed too.",
            ),
            (
                taken,
                "Ana moved “Sea View — Maria” in their Google calendar, from Sun 22 Nov, 14:00–15:00 to Mon 23 Nov, \
                 14:00–15:00. The booking is unchanged, and the entry is reverted: the time is taken (Ana: A-2).",
            ),
            (
                rita(told(RemoteChangeState::Undone, None, &renamed.0, &renamed.1)),
                "Ana renamed “Sea View — Maria” in their Google calendar, from nothing to “Hot stones”. The booking \
                 was renamed too, then Rita undid it.",
            ),
            (
                rita(told(RemoteChangeState::Revert, None, &restored, &restored)),
                "Ana restored “Sea View — Maria” in their Google calendar. The booking is unchanged, and the \
                 entry is deleted again: decided by Rita.",
            ),
            (
                told(RemoteChangeState::Overtaken, Some(Refusal::Over), &deleted, &deleted),
                "Ana deleted “Sea View — Maria” in their Google calendar. The booking was over before anyone decided.",
            ),
            (
                told(RemoteChangeState::Overtaken, Some(Refusal::Cancelled), &deleted, &deleted),
                "Ana deleted “Sea View — Maria” in their Google calendar. The booking was cancelled in Concord before \
                 anyone decided.",
            ),
            (
                rita(told(RemoteChangeState::Followed, None, &deleted, &deleted)),
                "Ana deleted “Sea View — Maria” in their Google calendar. The booking was cancelled, decided by Rita.",
            ),
        ] {
            assert_eq!(told.user_message(), words);
        }
    }

    #[test]
    fn whatever_happened_is_told_in_whole_sentences() {
        let refusals = || [None].into_iter().chain(Refusal::ALL.iter().copied().map(Some));
        let mut all = std::collections::BTreeSet::new();
        for &kind in RemoteChangeKind::ALL {
            for (time, title) in
                [(None, None), (Some(22), None), (None, Some("Massage")), (Some(22), Some(""))]
            {
                let edit = edit(kind, time.map(hours), title);
                for &state in RemoteChangeState::ALL {
                    for refusal in refusals() {
                        for (detail, decided_by) in [("", None), ("Ana: A-2", Some("Rita"))] {
                            let told =
                                RemoteChangeText { detail, decided_by, ..told(state, refusal, &edit, &edit) };
                            let words = told.user_message();
                            check(&told, &words);
                            all.insert(words);
                        }
                    }
                }
            }
        }
        // Reasons are told of what was put back alone, each in words of its own, with what stood in the way or without.
        let each_kind = RemoteChangeKind::ALL.len() * 4;
        let revert = all.iter().filter(|words| words.contains("is unchanged")).count();
        let without_more = 1; // That it is not Ana's booking needs no detail.
        assert_eq!(revert, each_kind * (2 * refusals().count() - without_more));
    }

    fn check(told: &RemoteChangeText<'_>, words: &str) {
        assert!(words.starts_with("Ana ") && !words.contains("  ") && !words.contains(" ."), "{words}");
        let ending = if told.state == RemoteChangeState::Open { '?' } else { '.' };
        assert!(words.ends_with(ending) && !words.contains(".."), "{words}");
        assert_eq!(words.contains("from Sun 22 Nov"), told.edit.time.is_some(), "{words}");
        assert_eq!(
            words.contains("from “Massage”"),
            told.edit.title.as_deref() == Some("Massage"),
            "{words}"
        );
        let is_revert = told.state == RemoteChangeState::Revert;
        let has_detail = told.refusal.is_some_and(|refusal| refusal != Refusal::NotAssigned);
        assert_eq!(
            words.contains("(Ana: A-2)"),
            is_revert && has_detail && !told.detail.is_empty(),
            "{words}"
        );
    }
}
