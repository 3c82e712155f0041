//! The alarms of an entry: ours brought up to date among those that people have set.

use std::collections::BTreeSet;

use concord_domain::{
    entry::EntryContent,
    ical::{
        entry_object::{ENTRY_PROPERTY, REMINDERS_PROPERTY, WORDS_PROPERTY},
        raw::{RawComponent, RawLine, RawPart},
    },
};

/// Which of the alarms that stand in an event are ours.
struct WrittenAlarms<'a> {
    /// How many minutes before it those are that we wrote last; `None`: from before we kept that.
    minutes: Option<BTreeSet<u64>>,
    /// The title that stands there.
    title: &'a str,
}

/// `parts`, those of an event, with our alarms as they should be. `remote` is the event as it was.
///
/// An alarm is known by when it goes off: applications write alarms anew, without marks of ours in them (Android's, with
/// the event's title as ours have it). One that goes off when ours should is left as it is, and what it knows with it, such
/// as that somebody has put it off.
pub(super) fn merged_alarms(
    parts: Vec<RawPart>,
    remote: &RawComponent,
    ours: &RawComponent,
    content: &EntryContent,
) -> Vec<RawPart> {
    let title = remote.line("SUMMARY").map(RawLine::text).unwrap_or_default();
    let former = WrittenAlarms::of(remote, &title);
    let mut present = BTreeSet::new();
    let mut merged = Vec::with_capacity(parts.len());
    for part in parts {
        let RawPart::Component(mut alarm) = part else {
            merged.push(part);
            continue;
        };
        if alarm.is("VALARM") {
            let minutes = minutes_before(&alarm);
            if former.holds(&alarm) {
                // Nobody is reminded by us of what does not take place.
                if !content.busy {
                    continue;
                }
                let Some(our) = ours.components().find(|our| minutes_before(our) == minutes) else {
                    continue;
                };
                update_description(&mut alarm, &title, our);
            }
            present.extend(minutes);
        }
        merged.push(RawPart::Component(alarm));
    }
    for alarm in ours.components().filter(|one| content.busy && one.is("VALARM")) {
        if minutes_before(alarm).is_none_or(|minutes| present.insert(minutes)) {
            merged.push(RawPart::Component(alarm.clone()));
        }
    }
    merged
}

impl<'a> WrittenAlarms<'a> {
    fn of(remote: &RawComponent, title: &'a str) -> Self {
        let has = |name| remote.line(name).is_some();
        let written = remote.line(REMINDERS_PROPERTY).map(RawLine::text);
        // Who has written no alarm has marked its words all the same; and what is not marked as ours holds none of ours.
        let is_old = has(ENTRY_PROPERTY) && !has(WORDS_PROPERTY);
        let written = written.or_else(|| (!is_old).then(String::new));
        let minutes = written.map(|all| all.split_whitespace().filter_map(|one| one.parse().ok()).collect());
        Self { minutes, title }
    }

    fn holds(&self, alarm: &RawComponent) -> bool {
        match (&self.minutes, minutes_before(alarm)) {
            (_, None) => false,
            (Some(written), Some(minutes)) => written.contains(&minutes),
            // Letter by letter what we wrote.
            (None, Some(_)) => alarm.parts.len() == 3 && has_description(alarm, self.title),
        }
    }
}

/// How many minutes before the start it shows something.
fn minutes_before(alarm: &RawComponent) -> Option<u64> {
    let shows = alarm.line("ACTION")?.value().trim().eq_ignore_ascii_case("DISPLAY");
    alarm.line("TRIGGER").filter(|_| shows)?.minutes_before()
}

fn has_description(alarm: &RawComponent, text: &str) -> bool {
    alarm.line("DESCRIPTION").is_some_and(|line| line.text() == text)
}

/// What it shows is the title as ours has it, unless a person has chosen other words.
fn update_description(alarm: &mut RawComponent, from: &str, our: &RawComponent) {
    if !has_description(alarm, from) {
        return;
    }
    for part in &mut alarm.parts {
        if let (RawPart::Line(line), Some(our)) = (part, our.line("DESCRIPTION"))
            && line.is("DESCRIPTION")
            && line.text() != our.text()
        {
            *line = our.clone();
        }
    }
}
