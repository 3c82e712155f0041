//! Real calendars, and what libical and Python's recurring-ical-events make of them. They stand outside this
//! repository, in the folder that `CONCORD_CORPUS` names.

use std::{collections::BTreeSet, fs, path::PathBuf};

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::Value;

use super::{Calendar, ReadError, ReadLimits, read};
use crate::{entry::EntryTime, interval::Interval};

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("CONCORD_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        println!("CONCORD_CORPUS is not set: the real calendars are not read");
    }
    folder
}

/// The lines of a file of the corpus, with the bytes of the calendar that each is about.
fn cases(folder: &std::path::Path, name: &str) -> Vec<(String, Value, Vec<u8>)> {
    let lines = fs::read_to_string(folder.join(name)).unwrap();
    lines
        .lines()
        .map(|line| {
            let case: Value = serde_json::from_str(line).unwrap();
            let file = case["file"].as_str().unwrap().to_owned();
            let bytes = fs::read(folder.join(&file)).unwrap();
            (file, case, bytes)
        })
        .collect()
}

fn read_plain(bytes: &[u8]) -> Result<Calendar, ReadError> {
    read(bytes, Tz::UTC, &ReadLimits::default())
}

#[test]
fn real_calendars_have_as_many_events_as_libical_finds() {
    let Some(folder) = corpus() else { return };
    let (mut same, mut all) = (0, 0);
    for (file, case, bytes) in cases(&folder, "parsed.jsonl") {
        let calendar = read_plain(&bytes);
        if case["status"] != "ok" {
            println!("{file}: libical fails, here {:?}", calendar.map(|calendar| calendar.events.len()));
            continue;
        }
        // What has no start takes place at no time: it is left out, with a warning.
        let starts = case["events"].as_array().unwrap().iter().map(|event| &event["dtstart"]);
        let expected = starts.filter(|start| start.is_string() && *start != "").count();
        let found = calendar.as_ref().map_or(0, |calendar| calendar.events.len());
        all += 1;
        same += usize::from(found == expected);
        if found != expected {
            println!(
                "{file}: libical {expected}, here {found} {:?}",
                calendar.map(|calendar| calendar.warnings)
            );
        }
    }
    println!("{same} of {all} files have the same number of events");
    assert!(same * 100 >= all * 99, "{same} of {all}");
}

/// The starts of a recorded occurrence and of ours in the same form: an instant, or a day.
fn starts(calendar: &Calendar, year: i32) -> BTreeSet<String> {
    let day = |year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_time(NaiveTime::MIN).and_utc();
    let window = Interval::new(day(year), day(year + 2)).unwrap();
    let found = calendar.occurrences(window, Tz::UTC, &ReadLimits::default()).unwrap();
    found
        .iter()
        .map(|one| {
            let start = match &one.time {
                EntryTime::Timed { starts_at, .. } => starts_at.format("%Y%m%dT%H%M%SZ").to_string(),
                EntryTime::AllDay { from, .. } => from.format("%Y%m%d").to_string(),
            };
            format!("{}|{start}", one.event.uid)
        })
        .collect()
}

fn recorded(case: &Value, own: Tz) -> BTreeSet<String> {
    let form = |occurrence: &Value| {
        let mut parts = occurrence.as_str().unwrap().rsplitn(3, '|');
        let (start, _, uid) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let start = match start.split_at(1) {
            ("D", date) => date.to_owned(),
            ("F", wall) => {
                let wall = chrono::NaiveDateTime::parse_from_str(wall, "%Y%m%dT%H%M%S").unwrap();
                crate::interval::instant_at(wall, own).format("%Y%m%dT%H%M%SZ").to_string()
            }
            _ => start.to_owned(),
        };
        format!("{uid}|{start}")
    };
    case["occ"].as_array().unwrap().iter().map(form).collect()
}

#[test]
fn real_series_take_place_when_recurring_ical_events_says() {
    let Some(folder) = corpus() else { return };
    let (mut same, mut all) = (0, 0);
    for (file, case, bytes) in cases(&folder, "expanded.jsonl") {
        all += 1;
        let Ok(calendar) = read_plain(&bytes) else {
            println!("{file}: not read");
            continue;
        };
        let year = i32::try_from(case["year"].as_i64().unwrap()).unwrap();
        let (ours, theirs) = (starts(&calendar, year), recorded(&case, calendar.zone));
        same += usize::from(ours == theirs);
        if ours != theirs {
            let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
                a.difference(b).take(4).cloned().collect::<Vec<_>>()
            };
            println!(
                "{file}: {} here, {} there; only here {:?}, only there {:?}; {:?}",
                ours.len(),
                theirs.len(),
                only(&ours, &theirs),
                only(&theirs, &ours),
                calendar.warnings
            );
        }
    }
    println!("{same} of {all} files have the same occurrences");
    assert!(same * 100 >= all * 88, "{same} of {all}");
}

#[test]
fn real_calendars_that_were_damaged_never_panic() {
    let Some(folder) = corpus() else { return };
    let files: Vec<Vec<u8>> = cases(&folder, "parsed.jsonl")
        .into_iter()
        .map(|(_, _, bytes)| bytes)
        .filter(|bytes| bytes.len() < 20_000)
        .collect();
    let damage = (
        prop::sample::select(files),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
    );
    let limits = ReadLimits { steps: 100_000, occurrences: 1_000, ..ReadLimits::default() };
    let day = |text: &str| text.parse().unwrap();
    let window = Interval::new(day("2020-01-01T00:00:00Z"), day("2020-07-01T00:00:00Z")).unwrap();
    TestRunner::new(ProptestConfig::with_cases(500))
        .run(&damage, |(mut bytes, changes, from, to)| {
            if !bytes.is_empty() {
                for (at, byte) in changes {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                bytes.drain(from.min(to)..from.max(to).min(from.min(to) + 200));
            }
            if let Ok(calendar) = read(&bytes, Tz::UTC, &limits) {
                let _ = calendar.occurrences(window, Tz::UTC, &limits);
            }
            Ok(())
        })
        .unwrap();
}
