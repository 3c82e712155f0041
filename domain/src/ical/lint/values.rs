//! One value at a time: is it of its property's type?

use chrono::{NaiveDate, NaiveDateTime};

use super::{LintErrors, Rule, content::LintProperty};

/// Checks a line's value and the words of its parameters.
pub(super) fn check(line: &LintProperty, faults: &mut LintErrors) {
    parameter_words(line, faults);
    let fault = match line.name.as_str() {
        "SUMMARY" | "DESCRIPTION" | "LOCATION" | "COMMENT" | "CONTACT" | "UID" | "NAME" | "PRODID"
        | "TZID" | "TZNAME" | "X-WR-CALNAME" | "X-WR-CALDESC" | "X-WR-TIMEZONE" => {
            text(&line.value, &[',', ';'])
        }
        "CATEGORIES" | "RESOURCES" => text(&line.value, &[';']),
        "DTSTAMP" | "CREATED" | "LAST-MODIFIED" => utc(&line.value),
        "DTSTART" | "DTEND" | "DUE" | "RECURRENCE-ID" | "EXDATE" => times(line),
        "DURATION" | "REFRESH-INTERVAL" | "X-PUBLISHED-TTL" => duration(line),
        "TRIGGER" => trigger(line),
        "SEQUENCE" | "REPEAT" => number(&line.value, i64::from(i32::MAX)),
        "PRIORITY" => number(&line.value, 9),
        "CLASS" => keyword(&line.value, &["PUBLIC", "PRIVATE", "CONFIDENTIAL"]),
        "TRANSP" => keyword(&line.value, &["OPAQUE", "TRANSPARENT"]),
        "CALSCALE" => keyword(&line.value, &["GREGORIAN"]),
        "ACTION" => keyword(&line.value, &["AUDIO", "DISPLAY", "EMAIL"]),
        "METHOD" => keyword(
            &line.value,
            &["PUBLISH", "REQUEST", "REPLY", "ADD", "CANCEL", "REFRESH", "COUNTER", "DECLINECOUNTER"],
        ),
        "ORGANIZER" | "ATTENDEE" | "URL" => uri(&line.value),
        "RRULE" => recurrence(&line.value),
        _ => Ok(()),
    };
    if let Err((rule, reason)) = fault {
        faults.add(line.line, rule, format!("{}: {reason}", line.name));
    }
}

type LintResult = Result<(), (Rule, String)>;

fn text(value: &str, bare: &[char]) -> LintResult {
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        if bare.contains(&c) {
            return Err((Rule::Escape, format!("{c:?} is not escaped")));
        }
        if c == '\\' {
            match characters.next() {
                Some('\\' | ';' | ',' | 'n' | 'N') => {}
                Some(other) => return Err((Rule::Escape, format!("\\{other} is no escape"))),
                None => return Err((Rule::Escape, "ends in a backslash".to_owned())),
            }
        }
    }
    Ok(())
}

/// A date, if it is one.
pub(super) fn date(value: &str) -> Option<NaiveDate> {
    let digits = value.len() == 8 && value.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| NaiveDate::parse_from_str(value, "%Y%m%d").ok()).flatten()
}

/// A local time and whether it is in UTC, if it is one.
pub(super) fn date_time(value: &str) -> Option<(NaiveDateTime, bool)> {
    let (local, utc) = value.strip_suffix('Z').map_or((value, false), |local| (local, true));
    let (day, time) = local.split_once('T')?;
    let digits = time.len() == 6 && time.bytes().all(|octet| octet.is_ascii_digit());
    let time = digits.then(|| chrono::NaiveTime::parse_from_str(time, "%H%M%S").ok()).flatten()?;
    Some((date(day)?.and_time(time), utc))
}

fn utc(value: &str) -> LintResult {
    match date_time(value) {
        Some((_, true)) => Ok(()),
        Some((_, false)) => Err((Rule::Utc, format!("{value} is not in UTC"))),
        None => Err((Rule::Time, format!("{value} is no time"))),
    }
}

fn times(line: &LintProperty) -> LintResult {
    let dates = line.value_type().as_deref() == Some("DATE");
    for value in line.value.split(',') {
        if dates {
            if date(value).is_none() {
                return Err((Rule::Time, format!("{value} is no date")));
            }
            if line.parameter("TZID").is_some() {
                return Err((Rule::Zone, "a date has no zone".to_owned()));
            }
        } else {
            match date_time(value) {
                None => return Err((Rule::Time, format!("{value} is no time"))),
                Some((_, true)) if line.parameter("TZID").is_some() => {
                    return Err((Rule::Zone, "a time in UTC has no other zone".to_owned()));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

fn duration(line: &LintProperty) -> LintResult {
    if line.name == "REFRESH-INTERVAL" && line.value_type().as_deref() != Some("DURATION") {
        return Err((Rule::Duration, "needs VALUE=DURATION".to_owned()));
    }
    if is_duration(&line.value) && !line.value.starts_with('-') {
        Ok(())
    } else {
        Err((Rule::Duration, format!("{} is no length of time", line.value)))
    }
}

fn trigger(line: &LintProperty) -> LintResult {
    if line.value_type().as_deref() == Some("DATE-TIME") {
        return utc(&line.value);
    }
    let good = is_duration(&line.value);
    good.then_some(()).ok_or_else(|| (Rule::Duration, format!("{} is no length of time", line.value)))
}

/// `P15DT5H0M20S`, `P7W`: units in order, at least one of them.
fn is_duration(value: &str) -> bool {
    let Some(rest) = value.trim_start_matches(['+', '-']).strip_prefix('P') else { return false };
    let (days, time) = rest.split_once('T').map_or((rest, None), |(days, time)| (days, Some(time)));
    let in_order = |text: &str, units: &str| {
        let mut left = units;
        let mut digits = 0;
        for c in text.chars() {
            if c.is_ascii_digit() {
                digits += 1;
            } else {
                let Some((_, after)) = left.split_once(c) else { return false };
                if digits == 0 {
                    return false;
                }
                left = after;
                digits = 0;
            }
        }
        digits == 0
    };
    match time {
        Some(time) => !time.is_empty() && in_order(days, "D") && in_order(time, "HMS"),
        None => !days.is_empty() && (in_order(days, "W") || in_order(days, "D")),
    }
}

fn number(value: &str, most: i64) -> LintResult {
    match value.parse::<i64>() {
        Ok(number) if (0..=most).contains(&number) => Ok(()),
        _ => Err((Rule::Number, format!("{value} is no number from 0 to {most}"))),
    }
}

fn keyword(value: &str, allowed: &[&str]) -> LintResult {
    let known = allowed.iter().any(|word| word.eq_ignore_ascii_case(value));
    known.then_some(()).ok_or_else(|| (Rule::Keyword, format!("{value} is none of {}", allowed.join(", "))))
}

fn uri(value: &str) -> LintResult {
    let scheme = value.split_once(':').map_or("", |(scheme, _)| scheme);
    let good_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet));
    if !good_scheme {
        return Err((Rule::Uri, format!("{value} has no scheme")));
    }
    if value.bytes().any(|octet| !octet.is_ascii_graphic() || b"\"<>\\^`{|}".contains(&octet)) {
        return Err((Rule::Uri, format!("{value} holds what no URI may")));
    }
    Ok(())
}

fn recurrence(value: &str) -> LintResult {
    const PARTS: [&str; 14] = [
        "FREQ",
        "UNTIL",
        "COUNT",
        "INTERVAL",
        "BYSECOND",
        "BYMINUTE",
        "BYHOUR",
        "BYDAY",
        "BYMONTHDAY",
        "BYYEARDAY",
        "BYWEEKNO",
        "BYMONTH",
        "BYSETPOS",
        "WKST",
    ];
    const FREQUENCIES: [&str; 7] = ["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"];
    let mut seen: Vec<&str> = Vec::new();
    for part in value.split(';') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let good = match name {
            "FREQ" => FREQUENCIES.contains(&value),
            "UNTIL" => date(value).is_some() || date_time(value).is_some(),
            "COUNT" | "INTERVAL" => value.parse::<u32>().is_ok_and(|number| number > 0),
            _ => PARTS.contains(&name) && !value.is_empty(),
        };
        if !good || seen.contains(&name) {
            return Err((Rule::Recurrence, format!("{part} is wrong or stands twice")));
        }
        seen.push(name);
    }
    if !seen.contains(&"FREQ") || (seen.contains(&"UNTIL") && seen.contains(&"COUNT")) {
        return Err((Rule::Recurrence, "needs FREQ, and not both UNTIL and COUNT".to_owned()));
    }
    Ok(())
}

/// Words that are not of the standard begin with `X-`.
fn parameter_words(line: &LintProperty, faults: &mut LintErrors) {
    for (name, allowed) in [
        ("PARTSTAT", &["NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED"][..]),
        ("ROLE", &["CHAIR", "REQ-PARTICIPANT", "OPT-PARTICIPANT", "NON-PARTICIPANT"]),
        ("CUTYPE", &["INDIVIDUAL", "GROUP", "RESOURCE", "ROOM", "UNKNOWN"]),
        ("RSVP", &["TRUE", "FALSE"]),
    ] {
        let Some(value) = line.parameter(name) else { continue };
        let known = allowed.iter().any(|word| word.eq_ignore_ascii_case(value));
        if !known && !value.to_ascii_uppercase().starts_with("X-") {
            let text = format!("{name}={value} is none of {}", allowed.join(", "));
            faults.add(line.line, Rule::ParameterWord, text);
        }
    }
}
