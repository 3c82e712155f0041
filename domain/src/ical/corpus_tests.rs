//! Real calendars, and what libical and Python's recurring-ical-events make of them. They stand outside this
//! repository: in the folder that `CONCORD_CORPUS` names, or in one beside the repository.
//!
//! Each difference is listed in `corpus_differences` with its reason. One that is not listed fails, and so does one
//! that is listed and is no longer there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration as Elapsed, Instant},
};

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::Value;

use super::{
    ParsedCalendar, ReadError, ReadEvent, ReadLimits,
    corpus_differences::{Agreement, EVENTS, OCCURRENCES},
    feed::FeedStatus,
    read,
    values::LocalTime,
    writer::IcalTime,
    zones::{Zone, by_name},
};
use crate::{entry::EntryTime, interval::Interval};

pub(super) fn corpus() -> Option<PathBuf> {
    let named = std::env::var_os("CONCORD_CORPUS").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let folder = named.or_else(|| beside.is_dir().then_some(beside));
    if folder.is_none() {
        println!("CONCORD_CORPUS is not set: the real calendars are not read");
    }
    folder
}

/// The lines of a file of the corpus, with the bytes of the calendar that each is about.
pub(super) fn cases(folder: &Path, name: &str) -> Vec<(String, Value, Vec<u8>)> {
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

fn read_plain(bytes: &[u8]) -> Result<ParsedCalendar, ReadError> {
    read(bytes, Tz::UTC, &ReadLimits::default())
}

/// Holds what differs against what may.
pub(super) fn only_listed<'a>(found: &BTreeMap<String, String>, listed: impl Iterator<Item = &'a str>) {
    let mut may = BTreeSet::new();
    for file in listed {
        assert!(may.insert(file), "{file} is listed twice");
    }
    let unlisted = found.iter().filter(|(file, _)| !may.contains(file.as_str()));
    let equal = may.iter().filter(|file| !found.contains_key(**file));
    let wrong: Vec<String> = unlisted
        .map(|(file, difference)| format!("{file}: {difference}"))
        .chain(equal.map(|file| format!("{file}: listed, and no longer different")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn real_calendars_have_as_many_events_as_libical_finds() {
    let Some(folder) = corpus() else { return };
    let mut all = 0;
    for (file, case, bytes) in cases(&folder, "parsed.jsonl") {
        let calendar = read_plain(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        let found = calendar.events.len() + calendar.left_out;
        if case["status"] == "ok" {
            assert_eq!(found, case["events"].as_array().unwrap().len(), "{file}: {:?}", calendar.warnings);
            all += 1;
        } else {
            println!("{file}: libical fails, here {found} events");
        }
    }
    println!("all of {all} files have the same number of events");
}

/// Whatever stands between BEGIN and END is an event or is told of.
#[test]
fn nothing_of_a_real_calendar_is_lost_in_silence() {
    let Some(folder) = corpus() else { return };
    for (file, _, bytes) in cases(&folder, "parsed.jsonl") {
        let calendar = read_plain(&bytes).unwrap();
        let began = |line: &&[u8]| line.trim_ascii().eq_ignore_ascii_case(b"BEGIN:VEVENT");
        let begun = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).filter(began).count();
        assert_eq!(calendar.events.len() + calendar.left_out, begun, "{file}: {:?}", calendar.warnings);
        let told = calendar.warnings.iter().filter(|warning| warning.what.contains("left out")).count();
        assert!(told >= calendar.left_out.min(50), "{file}: {} left out, {told} told", calendar.left_out);
    }
}

/// What libical says of one event.
#[derive(Debug, PartialEq)]
struct LibicalEvent {
    uid: String,
    start: String,
    end: Option<String>,
    summary: String,
}

/// `20210527T103000Z` in UTC, without the Z on the clock of a zone, `20210527` a day.
fn shown(moment: NaiveDateTime, day: bool, utc: bool) -> String {
    match (day, utc) {
        (true, _) => moment.format("%Y%m%d").to_string(),
        (false, true) => moment.format("%Y%m%dT%H%M%SZ").to_string(),
        (false, false) => moment.format("%Y%m%dT%H%M%S").to_string(),
    }
}

impl LibicalEvent {
    fn by_libical(event: &Value) -> Self {
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        let time = |name: &str| text(name).map(|time| time.split('|').next().unwrap().to_owned());
        Self {
            uid: text("uid").unwrap_or_default(),
            start: time("dtstart").unwrap_or_default(),
            end: time("dtend"),
            summary: text("summary").unwrap_or_default().trim().to_owned(),
        }
    }

    /// Ours, its end as that of `other`: on the same clock, or not said.
    fn here(event: &ReadEvent, other: &Self, end_zone: Option<&Zone>) -> Self {
        let utc = |zone: &Zone| *zone == Zone::Named(Tz::UTC);
        let start = match &event.start {
            LocalTime::On(date) => shown(date.and_time(NaiveTime::MIN), true, false),
            LocalTime::At(wall, zone) => shown(*wall, false, utc(zone) && other.start.ends_with('Z')),
        };
        let end = other.end.as_ref().map(|other| match (event.length.end(&event.start), &event.start) {
            (Some(IcalTime::On(day)), _) => shown(day.and_time(NaiveTime::MIN), true, false),
            (Some(IcalTime::At(at)), _) if other.ends_with('Z') => shown(at.naive_utc(), false, true),
            (Some(IcalTime::At(at)), LocalTime::At(_, zone)) => {
                shown(end_zone.unwrap_or(zone).local(at), false, false)
            }
            _ => String::new(),
        });
        // libical leaves out the spaces around a value; here they are part of it.
        Self { uid: event.uid.clone(), start, end, summary: event.summary.trim().to_owned() }
    }
}

#[test]
fn real_events_say_what_libical_reads() {
    let Some(folder) = corpus() else { return };
    let mut differing = BTreeMap::new();
    let mut events = 0;
    for (file, case, bytes) in cases(&folder, "parsed.jsonl") {
        if case["status"] != "ok" {
            continue;
        }
        let calendar = read_plain(&bytes).unwrap();
        // Where something is left out here, it has no start on a day that exists.
        let exists = |event: &&Value| {
            let day = event["dtstart"].as_str().and_then(|start| start.get(..8));
            calendar.left_out == 0 || day.is_some_and(|day| NaiveDate::parse_from_str(day, "%Y%m%d").is_ok())
        };
        let theirs: Vec<&Value> = case["events"].as_array().unwrap().iter().filter(exists).collect();
        events += theirs.len();
        if theirs.len() != calendar.events.len() {
            let difference = format!("{} with a start here, {} there", calendar.events.len(), theirs.len());
            differing.insert(file, difference);
            continue;
        }
        for (event, theirs) in calendar.events.iter().zip(theirs) {
            let end_zone = theirs["dtend"].as_str().and_then(|end| by_name(end.split_once('|')?.1));
            let theirs = LibicalEvent::by_libical(theirs);
            let ours = LibicalEvent::here(event, &theirs, end_zone.as_ref());
            if ours != theirs {
                let difference = format!("here {ours:?}, there {theirs:?}");
                differing.entry(file.clone()).or_insert(difference);
            }
        }
    }
    println!("{events} events; {} files differ", differing.len());
    only_listed(&differing, EVENTS.iter().map(|(file, _)| *file));
}

/// When something takes place: by UTC, and as clocks where it takes place show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CorpusOccurrence {
    uid: String,
    instant: String,
    wall: String,
}

fn occurrences(calendar: &ParsedCalendar, year: i32) -> Vec<CorpusOccurrence> {
    let day = |year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_time(NaiveTime::MIN).and_utc();
    let window = Interval::new(day(year), day(year + 2)).unwrap();
    let found = calendar.occurrences(window, Tz::UTC, &ReadLimits::default()).unwrap();
    let found = found.iter().map(|one| {
        let (instant, wall) = match (&one.time, &one.event.start) {
            (EntryTime::Timed { starts_at, .. }, LocalTime::At(_, zone)) => {
                (shown(starts_at.naive_utc(), false, true), zone.local(*starts_at))
            }
            (EntryTime::AllDay { from, .. }, _) => {
                let wall = from.and_time(NaiveTime::MIN);
                (shown(wall, true, false), wall)
            }
            other => panic!("{other:?}"),
        };
        CorpusOccurrence { uid: one.event.uid.clone(), instant, wall: shown(wall, false, false) }
    });
    found.collect()
}

/// As they were recorded: `uid|wall time|instant`, the instant `D` and a date, or `F` where it floats.
fn recorded(case: &Value, own: Tz) -> Vec<CorpusOccurrence> {
    let form = |occurrence: &Value| {
        let mut parts = occurrence.as_str().unwrap().rsplitn(3, '|');
        let (instant, wall, uid) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let instant = match instant.split_at(1) {
            ("D", date) => date.to_owned(),
            ("F", wall) => {
                let wall = NaiveDateTime::parse_from_str(wall, "%Y%m%dT%H%M%S").unwrap();
                shown(crate::interval::instant_at(wall, own).naive_utc(), false, true)
            }
            _ => instant.to_owned(),
        };
        let wall = if wall.len() == 8 { format!("{wall}T000000") } else { wall.to_owned() };
        CorpusOccurrence { uid: uid.to_owned(), instant, wall }
    };
    case["occ"].as_array().unwrap().iter().map(form).collect()
}

/// Each once, in order.
fn set(found: &[CorpusOccurrence], form: impl Fn(&CorpusOccurrence) -> String) -> BTreeSet<String> {
    found.iter().map(|one| format!("{}|{}", one.uid, form(one))).collect()
}

/// Whether what differs agrees in what it should.
fn agrees(
    agreement: Agreement,
    calendar: &ParsedCalendar,
    ours: &[CorpusOccurrence],
    theirs: &[CorpusOccurrence],
) -> bool {
    match agreement {
        Agreement::None => true,
        Agreement::Walls => set(ours, |one| one.wall.clone()) == set(theirs, |one| one.wall.clone()),
        Agreement::Held => {
            let cancelled = calendar.events.iter().filter(|event| event.status == FeedStatus::Cancelled);
            let cancelled: BTreeSet<String> = cancelled
                .map(|event| format!("{}|{}", event.uid, shown(event.start.wall(), false, false)))
                .collect();
            let held = &set(theirs, |one| one.wall.clone()) - &cancelled;
            set(ours, |one| one.wall.clone()) == held
        }
    }
}

#[test]
fn real_series_take_place_when_recurring_ical_events_says() {
    let Some(folder) = corpus() else { return };
    let mut differing = BTreeMap::new();
    let (mut all, mut agreeing) = (0, 0);
    for (file, case, bytes) in cases(&folder, "expanded.jsonl") {
        all += 1;
        let calendar = read_plain(&bytes).unwrap();
        let year = i32::try_from(case["year"].as_i64().unwrap()).unwrap();
        let (ours, theirs) = (occurrences(&calendar, year), recorded(&case, calendar.zone));
        let instants = |found: &[CorpusOccurrence]| set(found, |one| one.instant.clone());
        let (here, there) = (instants(&ours), instants(&theirs));
        if here == there {
            continue;
        }
        let listed = OCCURRENCES.iter().find(|(listed, ..)| *listed == file);
        if let Some((_, agreement, _)) = listed {
            assert!(
                agrees(*agreement, &calendar, &ours, &theirs),
                "{file}: {agreement:?}\n{ours:#?}\n{theirs:#?}"
            );
            agreeing += usize::from(*agreement != Agreement::None);
        }
        let only =
            |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).take(4).cloned().collect::<Vec<_>>();
        differing.insert(
            file,
            format!("only here {:?}, only there {:?}", only(&here, &there), only(&there, &here)),
        );
    }
    let same = all - differing.len();
    println!("{same} of {all} files have the same occurrences, {agreeing} but for zone or status");
    only_listed(&differing, OCCURRENCES.iter().map(|(file, ..)| *file));
    assert!((same + agreeing) * 100 >= all * 95);
}

#[test]
fn no_real_calendar_takes_long() {
    let Some(folder) = corpus() else { return };
    let day = |text: &str| text.parse().unwrap();
    let window = Interval::new(day("2000-01-01T00:00:00Z"), day("2030-01-01T00:00:00Z")).unwrap();
    let mut slowest = (Elapsed::ZERO, String::new());
    for (file, _, bytes) in cases(&folder, "parsed.jsonl") {
        let began = Instant::now();
        let calendar = read_plain(&bytes).unwrap();
        let found = calendar.occurrences(window, Tz::UTC, &ReadLimits::default());
        // Steps end it, never the clock: the figure is for people.
        slowest = slowest.max((began.elapsed(), format!("{file}: {:?}", found.map(|found| found.len()))));
    }
    println!("the slowest, with thirty years of it: {:?} {}", slowest.0, slowest.1);
    assert!(!slowest.1.is_empty());
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
