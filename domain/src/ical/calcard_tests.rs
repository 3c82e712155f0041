//! Our way with content lines beside that of calcard's parser, over all real calendars: the same events, and in each the
//! same texts, times and numbers of values.

use std::collections::BTreeMap;

use calcard::{
    Entry, Parser,
    icalendar::{
        ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarProperty as P, ICalendarValue,
    },
};
use chrono::{NaiveDate, NaiveDateTime};

use super::{
    super::corpus_tests::{cases, corpus, only_listed},
    *,
};
use crate::ical::{date_time::DateTimeText, objects::ObjectIndex};

/// What differs, and why.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "ics/jens-maus+node-ical/test__fixtures__festival-multiday-rrule.ics",
        "an hour in what VALUE calls a date is kept here",
    ),
    (
        "ics/jens-maus+node-ical/test__fixtures__ms_timezones.ics",
        "the quotes of a TZID go on to the end of the line",
    ),
    ("ics/libical+libical/src__Net-ICal-Libical__test-data__rfc2445.ics", FEW_DIGITS),
    ("ics/libical+libical/src__test__2445.ics", FEW_DIGITS),
    ("ics/libical+libical/test-data__2.ics", FEW_DIGITS),
    ("ics/libical+libical/test-data__incoming.ics", FEW_DIGITS),
    (
        "ics/libical+libical/test-data__malloc.ics",
        "`;\";` begins quotes that mean nothing, and calcard finds no value behind them",
    ),
    ("ics/libical+libical/test-data__process-calendar.ics", FEW_DIGITS),
    ("ics/libical+libical/test-data__process-incoming.ics", FEW_DIGITS),
    ("ics/libical+libical/test-data__restriction.ics", FEW_DIGITS),
];

const FEW_DIGITS: &str = "a time with too few digits: the Z behind it is read here";

fn text(component: &ICalendarComponent, name: &P) -> String {
    let value =
        component.property(name).and_then(|entry| entry.values.first()).and_then(ICalendarValue::as_text);
    value.unwrap_or_default().to_owned()
}

/// The wall time of the first value, and whether it is told in UTC; a day has no hour.
fn time(component: &ICalendarComponent, name: &P) -> Option<(NaiveDateTime, bool, bool)> {
    let ICalendarValue::PartialDateTime(at) = component.property(name)?.values.first()? else { return None };
    let date = NaiveDate::from_ymd_opt(at.year?.into(), at.month?.into(), at.day?.into())?;
    let clock = date.and_hms_opt(
        at.hour.unwrap_or(0).into(),
        at.minute.unwrap_or(0).into(),
        at.second.unwrap_or(0).into(),
    );
    Some((clock?, at.hour.is_none(), at.tz_hour == Some(0)))
}

fn values(component: &ICalendarComponent, name: &P) -> usize {
    component.properties(name).map(|entry| entry.values.len()).sum()
}

/// What is compared, in words.
fn theirs(component: &ICalendarComponent) -> Vec<String> {
    let texts = [P::Uid, P::Summary, P::Description, P::Location].map(|name| text(component, &name));
    let times = [P::Dtstart, P::Dtend, P::RecurrenceId, P::Dtstamp, P::LastModified]
        .map(|name| format!("{:?}", time(component, &name)));
    let counts =
        [P::Rrule, P::Exdate, P::Rdate, P::Attendee].map(|name| values(component, &name).to_string());
    texts.into_iter().chain(times).chain(counts).collect()
}

fn ours(parts: &EventProperties<'_>) -> Vec<String> {
    let text = |content: Option<PropertyLine<'_>>| content.map(|content| content.text()).unwrap_or_default();
    let time = |content: Option<PropertyLine<'_>>| {
        let read = content.and_then(|content| DateTimeText::of(content.value));
        format!("{:?}", read.map(|read| (read.wall, read.is_date, read.offset == Some(0))))
    };
    let values = |contents: &[PropertyLine<'_>]| {
        contents.iter().map(|content| content.value.split(',').count()).sum::<usize>().to_string()
    };
    let texts = [parts.uid, parts.summary, parts.description, parts.location].map(text);
    let times = [parts.start, parts.end, parts.replaces, parts.stamp, parts.last_modified].map(time);
    let counts = [
        parts.rules.len().to_string(),
        values(&parts.except),
        values(&parts.extra),
        parts.attendees.len().to_string(),
    ];
    texts.into_iter().chain(times).chain(counts).collect()
}

fn parsed(text: &str) -> Vec<ICalendar> {
    let mut parser = Parser::new(text);
    let mut found = Vec::new();
    loop {
        match parser.entry() {
            Entry::ICalendar(object) => found.push(object),
            Entry::Eof => return found,
            _ => {}
        }
    }
}

#[test]
fn real_lines_say_what_calcard_reads() {
    let Some(folder) = corpus() else { return };
    let mut differing = BTreeMap::new();
    let mut events = 0;
    for (file, _, bytes) in cases(&folder, "parsed.jsonl") {
        let limits = ReadLimits::default();
        let bytes = plain(&bytes);
        let lines = lines(&bytes, &limits, &mut Vec::new()).unwrap();
        let ObjectIndex { all, .. } = objects(lines.all(), &limits).unwrap();
        let unfolded: String = lines.all().iter().map(|line| line.text.to_owned() + "\n").collect();
        let calendars = parsed(&unfolded);
        let there = calendars
            .iter()
            .flat_map(|object| &object.components)
            .filter(|component| component.component_type == ICalendarComponentType::VEvent)
            .map(theirs);
        let spans = all.iter().filter(|object| !object.is_card).flat_map(|object| &object.events);
        let here = spans.map(|span| ours(&EventProperties::of(lines.all().part(span.clone()))));
        let (here, there): (Vec<_>, Vec<_>) = (here.collect(), there.collect());
        events += here.len();
        if here.len() != there.len() {
            differing.insert(file, format!("{} events here, {} there", here.len(), there.len()));
        } else if let Some((here, there)) = here.iter().zip(&there).find(|(here, there)| here != there) {
            let fields: Vec<_> = here.iter().zip(there).filter(|(here, there)| here != there).collect();
            differing.insert(file, format!("{fields:?}"));
        }
    }
    println!("{events} events; {} files differ", differing.len());
    only_listed(&differing, DIFFERENCES.iter().map(|(file, _)| *file));
}
