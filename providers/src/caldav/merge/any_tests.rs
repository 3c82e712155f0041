//! Whatever stands there: real calendars, and what chance makes of an entry of ours.

use std::{fs, path::PathBuf};

use concord_domain::ical::lint::Rule;
use proptest::prelude::*;

use super::*;

/// What of an object is not ours to change, each line and component as it is written.
fn foreign(object: &RawComponent) -> Vec<String> {
    let ours = |name: &str| {
        let name = name.to_ascii_uppercase();
        let of_event = OURS.contains(&name.as_str()) || REPLACED_TIME_PROPERTIES.contains(&name.as_str());
        of_event
            || name.starts_with(OWN_PROPERTY_PREFIX)
            || ["UID", "SEQUENCE", "CATEGORIES"].contains(&name.as_str())
            || ALTERNATE_DESCRIPTIONS.contains(&name.as_str())
    };
    let mut left = Vec::new();
    for part in &object.parts {
        match part {
            RawPart::Line(line) if object.is("VEVENT") && ours(line.name()) => {}
            RawPart::Line(line) => left.push(format!("{line:?}")),
            RawPart::Component(one) if one.is("VTIMEZONE") => {}
            RawPart::Component(one) if one.is("VEVENT") && one.line("RECURRENCE-ID").is_some() => {}
            RawPart::Component(one) if one.is("VEVENT") => left.extend(foreign(one)),
            RawPart::Component(one) if one.is("VALARM") && alarm_is_ours(one) => {}
            RawPart::Component(one) => left.push(format!("{one:?}")),
        }
    }
    left
}

/// As this test writes them.
fn alarm_is_ours(alarm: &RawComponent) -> bool {
    alarm.line("TRIGGER").is_some_and(|line| line.minutes_before() == Some(30))
        && alarm.line("ACTION").is_some_and(|line| line.value() == "DISPLAY")
}

/// Real calendars, each as the object of an entry of ours.
#[test]
fn real_calendars_keep_all_that_is_not_ours() {
    let named = std::env::var_os("CONCORD_CORPUS").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let folder = named.unwrap_or(beside).join("ics");
    if !folder.is_dir() {
        println!("skipped: CONCORD_CORPUS does not name the real calendars");
        return;
    }
    let (mut folders, mut merged_into) = (vec![folder], 0);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(remote) = fs::read_to_string(&path) else { continue };
            let object = after(&remote, &content());
            assert_matches(&object, &content());
            assert_eq!(after(&object, &content()), object, "{}", path.display());
            if merge_into(&remote, &content(), now()).is_none() {
                continue;
            }
            merged_into += 1;
            let (before, after) =
                (RawComponent::read(&remote).unwrap(), RawComponent::read(&object).unwrap());
            let first = before.components().find(|one| is_own(one)).cloned();
            let mut single = before;
            single.parts.retain(|part| match part {
                RawPart::Component(one) if one.is("VEVENT") => Some(one) == first.as_ref(),
                _ => true,
            });
            assert_eq!(foreign(&after), foreign(&single), "{}", path.display());
        }
    }
    assert!(merged_into > 200, "{merged_into}");
}

prop_compose! {
    fn any_content()(
        title in "[ -~é🛎]{0,90}",
        lines in prop::collection::vec("[A-Z][a-z]{2,8}: [ -;=?-~]{0,30}[a-z]", 0..4),
        location in "[ -~]{0,30}[a-z]|",
        minutes in 0_i64..2_000_000,
        zone in prop::sample::select(vec![Tz::UTC, Tz::Europe__Lisbon, Tz::Asia__Kathmandu, Tz::America__New_York]),
        whole_days in any::<bool>(),
        tentative in any::<bool>(),
        colour in prop::sample::select(vec![None, Some("5"), Some("Blue category"), Some("Red, warm")]),
        reminds in any::<bool>(),
    ) -> EntryContent {
        let starts_at = DateTime::from_timestamp(1_767_225_600 + minutes * 60, 0).unwrap();
        let day = starts_at.date_naive();
        let time = if whole_days {
            EntryTime::AllDay { from: day, until: day + chrono::Duration::days(2) }
        } else {
            EntryTime::Timed { starts_at, ends_at: starts_at + chrono::Duration::hours(1), zone }
        };
        let reminders = if reminds { alarms(&[30]) } else { vec![] };
        EntryContent { title, description: lines.join("\n"), location, time, tentative, colour: colour.map(str::to_owned), reminders, ..content() }
    }
}

fn any_addition() -> impl Strategy<Value = String> {
    prop_oneof![
        "X-[A-Z]{1,9}(;[A-Z]{2,5}=(\"[a-z;:, ]{0,20}\"|[a-z]{1,9}))?:[ -~é予]{0,150}[!-~]",
        "(ATTENDEE|ATTACH|COLOR|COMMENT|CONTACT|URL|RELATED-TO)(;CN=[a-z]{1,5})?:[!-~]{1,90}",
        Just("BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT5M\r\nEND:VALARM".to_owned()),
        Just("BEGIN:X-OWN\r\nDTSTART:20200101T000000Z\r\nSUMMARY:theirs\r\nEND:X-OWN".to_owned()),
        Just("CATEGORIES:Own,Others".to_owned()),
        Just("SEQUENCE:7".to_owned()),
        Just("RRULE:FREQ=WEEKLY;COUNT=3".to_owned()),
    ]
}

proptest! {
    /// Whatever people add, none of it is lost, what is ours says ours, and writing it once more changes nothing.
    #[test]
    fn merging_keeps_what_is_not_ours(
        former in any_content(),
        next in any_content(),
        additions in prop::collection::vec(any_addition(), 0..6),
        blank_lines in 0_usize..3,
        words in "(Bring [a-z ]{1,20} towels\\.)?",
    ) {
        let mut remote = object(&former);
        for addition in &additions {
            remote = added(&remote, addition);
        }
        if !former.description.is_empty() && !words.is_empty() {
            remote = added(&remote.replacen("DESCRIPTION:", &format!("DESCRIPTION:{words}\\n"), 1), "X-LAST:1");
        }
        remote.push_str(&"\r\n".repeat(blank_lines));
        let object = after(&remote, &next);
        assert_matches(&object, &next);
        let faults = lint(object.as_bytes()).into_iter().filter(|fault| matches!(fault.rule, Rule::Nesting | Rule::LineEnd | Rule::BlankLine | Rule::Fold | Rule::End | Rule::Zone | Rule::Time));
        prop_assert_eq!(faults.collect::<Vec<_>>(), [], "{}", &object);
        prop_assert_eq!(after(&object, &next), object.clone());
        let (before, now) = (RawComponent::read(&remote).unwrap(), RawComponent::read(&object).unwrap());
        prop_assert_eq!(foreign(&now), foreign(&before), "{}", &object);
        if !former.description.is_empty() {
            prop_assert!(event(&object).line("DESCRIPTION").map(RawLine::text).unwrap_or_default().ends_with(&words));
        }
    }
}
