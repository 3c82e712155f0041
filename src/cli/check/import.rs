//! `concord check import`: what would be imported from a calendar. Nothing is stored.

use std::fmt::Write;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::BookingTime,
    channel::snapshot::{SnapshotEvent, told_by},
    clock::Clock,
    ical::{FeedStatus, ParsedCalendar, ReadError, ReadEvent},
    interval::Interval,
    mail::one_line,
    platform::{Platform, Platforms},
    time_text::span,
};
use concord_jobs::channels::snapshot::take_snapshot;
use serde::Serialize;

use super::{
    CheckReport, count,
    source::{CalendarSource, SourceError},
};

/// What a calendar is of which no platform is known.
const ANY: &str = "generic";

/// What would be imported.
#[derive(Serialize)]
pub(super) struct ImportReport {
    source: String,
    notes: Vec<String>,
    /// By whose file it was understood.
    platform: String,
    /// Whether it ends as a calendar ends; otherwise nothing would be imported.
    whole: bool,
    /// In which days begin.
    zone: Tz,
    items: Vec<ImportReportItem>,
    nights: i64,
    left_out: SkippedEvents,
    warnings: Vec<ParseWarning>,
    #[serde(skip)]
    today: NaiveDate,
    /// No platform is known of it.
    #[serde(skip)]
    is_any: bool,
}

#[derive(Serialize)]
struct ImportReportItem {
    kind: &'static str,
    #[serde(flatten)]
    time: BookingTime,
    nights: i64,
    /// One line; may be empty.
    summary: String,
    /// Who comes, where the platform tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    guest: Option<String>,
    /// By which it is known when it is read again.
    key: String,
}

/// Events that are not imported.
#[derive(Serialize)]
struct SkippedEvents {
    /// They have ended by now.
    over: usize,
    /// They begin in more than three years.
    later: usize,
    /// They were called off.
    cancelled: usize,
    /// They leave their time free.
    free: usize,
}

/// What our reader did not understand.
#[derive(Serialize)]
struct ParseWarning {
    /// From 1; 0 where it is about the whole.
    line: u32,
    text: String,
}

/// The platform that was named, or whose address it is, or any other calendar.
pub(super) fn platform_of<'p>(
    platforms: &'p Platforms,
    named: Option<&str>,
    source: &CalendarSource,
) -> Result<&'p Platform, SourceError> {
    let found = match (named, &source.url) {
        (Some(name), _) => platforms.find(name),
        (None, Some(url)) => platforms.of_address(url).or_else(|| platforms.find(ANY)),
        (None, None) => platforms.find(ANY),
    };
    found.ok_or_else(|| SourceError::NoPlatform {
        name: one_line(named.unwrap_or(ANY)),
        known: platforms.iter().map(|platform| platform.id.as_str()).collect::<Vec<_>>().join(", "),
    })
}

pub(super) fn preview_import(
    source: &CalendarSource,
    calendar: &ParsedCalendar,
    zone: Tz,
    platform: &Platform,
) -> Result<ImportReport, ReadError> {
    let now = Clock::system().now();
    let (found, window) = take_snapshot(calendar, platform, zone, now)?;
    // What is cut off is not taken over: what is missing in it may be there all the same.
    let events = found.events.iter().filter(|event| calendar.whole && event.interval.end > now);
    let told = calendar.warnings.iter();
    let mut warnings: Vec<ParseWarning> =
        told.map(|warning| ParseWarning { line: warning.line, text: one_line(&warning.what) }).collect();
    warnings.sort_by_key(|warning| warning.line);
    let items: Vec<ImportReportItem> = events.map(|event| item(event, zone)).collect();
    Ok(ImportReport {
        source: source.name.clone(),
        notes: source.notes.clone(),
        is_any: platform.id.as_str() == ANY,
        platform: platform.name.clone(),
        whole: calendar.whole,
        zone,
        nights: items.iter().map(|item| item.nights).sum(),
        left_out: skipped_events(&calendar.events, Interval { start: now, ..window }, zone, platform),
        items,
        warnings,
        today: now.with_timezone(&zone).date_naive(),
    })
}

fn item(event: &SnapshotEvent, zone: Tz) -> ImportReportItem {
    let kind = event.told.as_str();
    let date = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
    ImportReportItem {
        kind,
        time: event.time,
        nights: (date(event.interval.end) - date(event.interval.start)).num_days(),
        summary: one_line(&event.summary),
        guest: event.guest.as_deref().map(one_line),
        key: event.key.clone(),
    }
}

/// What of a calendar would not be imported; `window`: from now on.
fn skipped_events(events: &[ReadEvent], window: Interval, zone: Tz, platform: &Platform) -> SkippedEvents {
    let mut counts = SkippedEvents { over: 0, later: 0, cancelled: 0, free: 0 };
    for event in events {
        let interval = BookingTime::from(&event.time).interval(zone);
        if event.status == FeedStatus::Cancelled {
            counts.cancelled += 1;
        } else if told_by(platform, event).is_none() {
            counts.free += 1;
        } else if event.recurrence.is_none() && interval.is_some_and(|it| it.end <= window.start) {
            counts.over += 1;
        } else if interval.is_some_and(|it| it.start >= window.end) {
            counts.later += 1;
        }
    }
    counts
}

impl CheckReport for ImportReport {
    fn user_message(&self) -> String {
        let Self { source, notes, platform, whole, zone, items, nights, left_out, warnings, today, is_any } =
            self;
        let mut text = format!("{}, read as {platform}, days in {zone}", one_line(source));
        text += if *is_any { "; --platform reads it as another's\n" } else { "\n" };
        for note in notes {
            let _ = writeln!(text, "note: {note}");
        }
        for ParseWarning { line, text: what } in warnings {
            let place = if *line == 0 { "whole".to_owned() } else { format!("line {line}") };
            let _ = writeln!(text, "{place}: {what}");
        }
        for item in items {
            let time = span(&item.time, *zone, *today);
            let _ = writeln!(text, "{}  {} ({})  {}", item.kind, time.text, time.length, item.summary);
        }
        let SkippedEvents { over, later, cancelled, free } = left_out;
        let left_out =
            [(over, "over"), (later, "in more than three years"), (cancelled, "cancelled"), (free, "free")];
        let left_out: Vec<String> = left_out
            .iter()
            .filter(|(number, _)| **number > 0)
            .map(|(number, why)| format!("{number} {why}"))
            .collect();
        if !whole {
            text += "nothing would be imported: the calendar is incomplete";
            return text;
        }
        let items = count(items.len(), "item", "items");
        let _ = write!(text, "{items} with {nights} nights would be imported");
        if !left_out.is_empty() {
            let _ = write!(text, "; left out: {}", left_out.join(", "));
        }
        text
    }

    fn is_fine(&self) -> bool {
        self.whole && self.warnings.is_empty()
    }
}
