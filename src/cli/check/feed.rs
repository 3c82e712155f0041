//! `concord check feed`: what is wrong with a calendar, line by line.

use std::{collections::BTreeMap, fmt::Write};

use chrono_tz::Tz;
use concord_domain::{
    ical::{ParsedCalendar, lint::lint},
    mail::one_line,
};
use serde::Serialize;

use super::{CheckReport, count, source::CalendarSource};

/// What breaks one rule on every line is not said for every line.
const SHOWN_OF_A_RULE: usize = 20;

/// What our own reader did not understand, beside the rules of the judge.
const READER: &str = "reader";

/// What is wrong with a calendar.
#[derive(Serialize)]
pub(super) struct FeedReport {
    source: String,
    notes: Vec<String>,
    bytes: usize,
    events: usize,
    /// Its own, or the one that was given.
    zone: Tz,
    /// By line; of each rule the first ones.
    findings: Vec<FeedFinding>,
    /// Of all findings, by rule.
    counts: BTreeMap<&'static str, usize>,
    /// How many findings matter.
    matter: usize,
    /// How many break a rule that every reader forgives.
    forgiven: usize,
}

#[derive(Serialize)]
struct FeedFinding {
    /// From 1; 0 where it is about the whole.
    line: usize,
    rule: &'static str,
    text: String,
    matters: bool,
}

pub(super) fn check(source: &CalendarSource, calendar: &ParsedCalendar) -> FeedReport {
    let read = calendar.warnings.iter().map(|warning| FeedFinding {
        line: usize::try_from(warning.line).unwrap_or(usize::MAX),
        rule: READER,
        text: one_line(&warning.what),
        matters: true,
    });
    let judged = lint(&source.bytes).into_iter().map(|fault| FeedFinding {
        line: fault.line,
        rule: fault.rule.as_str(),
        text: one_line(&fault.text),
        matters: !fault.rule.is_tolerated(),
    });
    let mut findings: Vec<FeedFinding> = read.chain(judged).collect();
    let matter = findings.iter().filter(|finding| finding.matters).count();
    let forgiven = findings.len() - matter;
    let mut counts = BTreeMap::new();
    findings.retain(|finding| {
        let so_far = counts.entry(finding.rule).or_insert(0);
        *so_far += 1;
        *so_far <= SHOWN_OF_A_RULE
    });
    findings.sort_by_key(|finding| finding.line);
    FeedReport {
        source: source.name.clone(),
        notes: source.notes.clone(),
        bytes: source.bytes.len(),
        events: calendar.events.len(),
        zone: calendar.zone,
        findings,
        counts,
        matter,
        forgiven,
    }
}

impl CheckReport for FeedReport {
    fn user_message(&self) -> String {
        let Self { source, notes, bytes, events, zone, findings, counts, matter, forgiven } = self;
        let events = count(*events, "event", "events");
        let mut text = format!("{}: {events}, {bytes} bytes, zone {zone}\n", one_line(source));
        for note in notes {
            let _ = writeln!(text, "note: {note}");
        }
        for FeedFinding { line, rule, text: what, matters } in findings {
            let place = if *line == 0 { "whole".to_owned() } else { format!("line {line}") };
            let forgiven = if *matters { "" } else { ", minor" };
            let _ = writeln!(text, "{place}: {what} ({rule}{forgiven})");
        }
        for (rule, more) in counts.iter().filter(|(_, found)| **found > SHOWN_OF_A_RULE) {
            let _ = writeln!(text, "... and {} more ({rule})", more - SHOWN_OF_A_RULE);
        }
        let matter = count(*matter, "problem", "problems");
        let _ = write!(text, "{matter}; {forgiven} minor, which calendar apps ignore");
        text
    }

    fn is_fine(&self) -> bool {
        self.matter == 0
    }
}
