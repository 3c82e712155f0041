//! Recurrence as Graph writes it, a pattern and a range, from and to the lines of iCalendar that are stored
//! (<https://learn.microsoft.com/en-us/graph/api/resources/patternedrecurrence>).

use std::fmt::Write;

use chrono::{Datelike, NaiveDate};
use serde_json::{Map, Value, json};

/// Graph's days with iCalendar's, in Graph's order.
const DAYS: [(&str, &str); 7] = [
    ("sunday", "SU"),
    ("monday", "MO"),
    ("tuesday", "TU"),
    ("wednesday", "WE"),
    ("thursday", "TH"),
    ("friday", "FR"),
    ("saturday", "SA"),
];

const INDEXES: [(&str, &str); 5] =
    [("first", "1"), ("second", "2"), ("third", "3"), ("fourth", "4"), ("last", "-1")];

/// The line of a recurrence.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn to_line(recurrence: &Value, start: NaiveDate) -> Result<String, String> {
    let (pattern, range) = (&recurrence["pattern"], &recurrence["range"]);
    let kind = pattern["type"].as_str().ok_or("The recurrence pattern needs a type.")?;
    let interval = pattern["interval"].as_i64().filter(|interval| *interval >= 1);
    let interval = interval.ok_or("The recurrence pattern needs an interval of at least 1.")?;
    let mut line = match kind {
        "daily" => format!("RRULE:FREQ=DAILY;INTERVAL={interval}"),
        "weekly" => {
            let week_start = day(pattern["firstDayOfWeek"].as_str().unwrap_or("sunday"))?;
            format!(
                "RRULE:FREQ=WEEKLY;INTERVAL={interval};BYDAY={};WKST={week_start}",
                days(pattern)?.join(",")
            )
        }
        "absoluteMonthly" => {
            let number = pattern["dayOfMonth"].as_i64().filter(|day| (1..=31).contains(day));
            let number = number.ok_or("An absoluteMonthly pattern needs dayOfMonth.")?;
            format!("RRULE:FREQ=MONTHLY;INTERVAL={interval};BYMONTHDAY={number}")
        }
        "relativeMonthly" => {
            let index = pattern["index"].as_str().unwrap_or("first");
            let index = INDEXES.iter().find(|(name, _)| *name == index).ok_or("The index is not known.")?.1;
            let days: Vec<_> = days(pattern)?.into_iter().map(|day| format!("{index}{day}")).collect();
            if days.len() > 1 {
                return Err("The sandbox knows relativeMonthly with one day of the week only.".into());
            }
            format!("RRULE:FREQ=MONTHLY;INTERVAL={interval};BYDAY={}", days.join(","))
        }
        "absoluteYearly" => {
            let on = (pattern["month"].as_i64(), pattern["dayOfMonth"].as_i64());
            if on != (Some(start.month().into()), Some(start.day().into())) {
                return Err("An absoluteYearly pattern must fall on the day of the start.".into());
            }
            format!("RRULE:FREQ=YEARLY;INTERVAL={interval}")
        }
        _ => return Err(format!("The sandbox does not know the recurrence pattern {kind}.")),
    };
    match range["type"].as_str() {
        Some("noEnd") => {}
        Some("numbered") => {
            let count = range["numberOfOccurrences"].as_i64().filter(|count| *count >= 1);
            let count = count.ok_or("A numbered range needs numberOfOccurrences.")?;
            let _infallible = write!(line, ";COUNT={count}");
        }
        Some("endDate") => {
            let last = range["endDate"].as_str().and_then(|text| text.parse::<NaiveDate>().ok());
            let last = last.filter(|last| *last >= start);
            let last = last.ok_or("An endDate range needs an endDate that is not before the start.")?;
            let _infallible = write!(line, ";UNTIL={}", last.format("%Y%m%d"));
        }
        _ => return Err("The recurrence range needs a type.".into()),
    }
    Ok(line)
}

fn days(pattern: &Value) -> Result<Vec<&'static str>, String> {
    let named = pattern["daysOfWeek"].as_array().filter(|days| !days.is_empty());
    let named = named.ok_or("The recurrence pattern needs daysOfWeek.")?;
    named.iter().map(|name| day(name.as_str().unwrap_or_default())).collect()
}

fn day(name: &str) -> Result<&'static str, String> {
    let known = DAYS.iter().find(|(graph, _)| graph.eq_ignore_ascii_case(name));
    known.map(|(_, ical)| *ical).ok_or_else(|| format!("There is no day of the week {name:?}."))
}

/// The recurrence of a line, as a person's calendar would have made it; `None` for what Outlook cannot say.
pub(crate) fn from_line(line: &str, start: NaiveDate) -> Option<Value> {
    let parts: Map<String, Value> = line
        .strip_prefix("RRULE:")?
        .split(';')
        .map(|part| part.split_once('=').map(|(name, value)| (name.to_owned(), value.into())))
        .collect::<Option<_>>()?;
    let part = |name: &str| parts.get(name).and_then(Value::as_str);
    let interval: i64 = part("INTERVAL").unwrap_or("1").parse().ok()?;
    let own_day = DAYS[start.weekday().num_days_from_sunday() as usize].0;
    let pattern = match (part("FREQ")?, part("BYDAY"), part("BYMONTHDAY")) {
        ("DAILY", None, None) => json!({ "type": "daily" }),
        ("WEEKLY", named, None) => {
            let graph = |ical: &str| DAYS.iter().find(|(_, one)| *one == ical).map(|(name, _)| *name);
            let days = match named {
                None => vec![own_day],
                Some(named) => named.split(',').map(graph).collect::<Option<_>>()?,
            };
            json!({ "type": "weekly", "daysOfWeek": days, "firstDayOfWeek": "monday" })
        }
        ("MONTHLY", None, day) => {
            let day: u32 = day.map_or(Some(start.day()), |day| day.parse().ok())?;
            json!({ "type": "absoluteMonthly", "dayOfMonth": day })
        }
        ("YEARLY", None, None) => {
            json!({ "type": "absoluteYearly", "dayOfMonth": start.day(), "month": start.month() })
        }
        _ => return None,
    };
    let mut range = json!({ "type": "noEnd", "startDate": start });
    if let Some(count) = part("COUNT") {
        range["type"] = "numbered".into();
        range["numberOfOccurrences"] = count.parse::<i64>().ok()?.into();
    } else if let Some(until) = part("UNTIL") {
        let last = NaiveDate::parse_from_str(until.get(..8)?, "%Y%m%d").ok()?;
        range["type"] = "endDate".into();
        range["endDate"] = last.to_string().into();
    }
    let mut recurrence = json!({ "pattern": pattern, "range": range });
    recurrence["pattern"]["interval"] = interval.into();
    Some(recurrence)
}

/// A recurrence as Graph gives it back: every member there, those that say nothing empty.
pub(crate) fn in_full(recurrence: &Value, start: NaiveDate, zone: &str) -> Value {
    let (pattern, range) = (&recurrence["pattern"], &recurrence["range"]);
    let or = |value: &Value, default: Value| if value.is_null() { default } else { value.clone() };
    json!({
        "pattern": {
            "type": pattern["type"],
            "interval": pattern["interval"],
            "month": or(&pattern["month"], 0.into()),
            "dayOfMonth": or(&pattern["dayOfMonth"], 0.into()),
            "daysOfWeek": or(&pattern["daysOfWeek"], json!([])),
            "firstDayOfWeek": or(&pattern["firstDayOfWeek"], "sunday".into()),
            "index": or(&pattern["index"], "first".into()),
        },
        "range": {
            "type": range["type"],
            "startDate": start.to_string(),
            "endDate": or(&range["endDate"], "0001-01-01".into()),
            "recurrenceTimeZone": or(&range["recurrenceTimeZone"], zone.into()),
            "numberOfOccurrences": or(&range["numberOfOccurrences"], 0.into()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_pattern_and_the_same_line_again() {
        let start = "2026-02-02".parse().unwrap();
        for (line, again) in [
            ("RRULE:FREQ=DAILY;COUNT=3", "RRULE:FREQ=DAILY;INTERVAL=1;COUNT=3"),
            ("RRULE:FREQ=WEEKLY", "RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=MO;WKST=MO"),
            ("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,FR", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,FR;WKST=MO"),
            (
                "RRULE:FREQ=MONTHLY;UNTIL=20261231",
                "RRULE:FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=2;UNTIL=20261231",
            ),
            ("RRULE:FREQ=YEARLY", "RRULE:FREQ=YEARLY;INTERVAL=1"),
        ] {
            assert_eq!(to_line(&from_line(line, start).unwrap(), start).unwrap(), again);
        }
        assert_eq!(from_line("RRULE:FREQ=MONTHLY;BYDAY=-1FR", start), None);
    }

    #[test]
    fn what_is_not_understood_is_refused_in_a_sentence() {
        let start = "2026-02-02".parse().unwrap();
        let range = json!({ "type": "noEnd", "startDate": "2026-02-02" });
        for pattern in [
            json!({ "interval": 1 }),
            json!({ "type": "daily" }),
            json!({ "type": "daily", "interval": 0 }),
            json!({ "type": "weekly", "interval": 1 }),
            json!({ "type": "weekly", "interval": 1, "daysOfWeek": ["Mo"] }),
            json!({ "type": "absoluteMonthly", "interval": 1, "dayOfMonth": 32 }),
            json!({ "type": "relativeYearly", "interval": 1 }),
        ] {
            assert!(
                to_line(&json!({ "pattern": pattern, "range": range }), start).unwrap_err().ends_with('.')
            );
        }
        let daily = json!({ "type": "daily", "interval": 1 });
        for range in
            [json!({}), json!({ "type": "numbered" }), json!({ "type": "endDate", "endDate": "2026-02-01" })]
        {
            assert!(to_line(&json!({ "pattern": daily, "range": range }), start).is_err());
        }
    }
}
