//! What a client wants an event to be: read from a request's body and checked as Google checks it.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SubsecRound};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::errors::GoogleApiError;
use crate::recurrence::RecurrenceSet;
use crate::store::{EntryDraft, EventTime, drop_nulls};
use crate::timing::{DateOrDateTime, resolve};

const TEXTS: [&str; 3] = ["summary", "description", "location"];
const BOOLEAN_FIELDS: [&str; 4] =
    ["anyoneCanAddSelf", "guestsCanInviteOthers", "guestsCanModify", "guestsCanSeeOtherGuests"];

/// Reads a whole event. Members that clients may not set are passed over; `null` is as good as absent.
pub(crate) fn read(body: &Map<String, Value>, calendar_zone: Tz) -> Result<EntryDraft, GoogleApiError> {
    let mut body = body.clone();
    drop_nulls(&mut body);
    let start = event_time(body.get("start"), "start")?;
    let end = event_time(body.get("end"), "end")?;
    let length = start.when.until(end.when);
    let length = length
        .ok_or_else(|| GoogleApiError::invalid("Start and end times must both be date or dateTime."))?;
    if length <= chrono::Duration::zero() {
        return Err(GoogleApiError::time_range_empty());
    }
    let recurrence = recurrence(&body)?;
    let series = if recurrence.is_empty() {
        None
    } else {
        if !start.when.is_day() && start.zone.is_none() {
            return Err(GoogleApiError::required("Missing time zone definition for start time."));
        }
        let zone = start.zone.unwrap_or(calendar_zone);
        Some(
            RecurrenceSet::parse(&recurrence, zone)
                .map_err(|why| GoogleApiError::invalid(format!("Invalid recurrence rule: {why}")))?,
        )
    };
    let status = one_of(&body, "status", &["confirmed", "tentative", "cancelled"])?;
    let sequence = match body.get("sequence") {
        None => None,
        Some(value) => {
            Some(value.as_i64().ok_or_else(|| GoogleApiError::invalid("Invalid sequence value."))?)
        }
    };
    Ok(EntryDraft {
        start,
        end,
        recurrence,
        series,
        status: status.and_then(|text| text.parse().ok()),
        sequence,
        fields: fields(&body)?,
    })
}

/// Reads `{"date"}` or `{"dateTime", "timeZone"}`. A time without an offset needs a zone.
fn event_time(value: Option<&Value>, name: &str) -> Result<EventTime, GoogleApiError> {
    let missing = || GoogleApiError::required(&format!("Missing {name} time."));
    let invalid = || GoogleApiError::invalid(format!("Invalid {name} time."));
    let object = value.ok_or_else(missing)?.as_object().ok_or_else(invalid)?;
    let zone = match object.get("timeZone") {
        None => None,
        Some(zone) => Some(zone_named(zone.as_str().ok_or_else(invalid)?, name)?),
    };
    let when = match (object.get("date"), object.get("dateTime")) {
        (Some(day), None) => {
            let day = day.as_str().and_then(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok());
            DateOrDateTime::On(day.ok_or_else(invalid)?)
        }
        (None, Some(time)) => {
            let text = time.as_str().ok_or_else(invalid)?;
            if let Ok(at) = DateTime::parse_from_rfc3339(text) {
                DateOrDateTime::At(at.to_utc().trunc_subsecs(0))
            } else {
                let local =
                    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map_err(|_| invalid())?;
                let zone = zone.ok_or_else(|| {
                    GoogleApiError::required(&format!("Missing time zone definition for {name} time."))
                })?;
                DateOrDateTime::At(resolve(local.trunc_subsecs(0), zone))
            }
        }
        (None, None) => return Err(missing()),
        (Some(_), Some(_)) => return Err(invalid()),
    };
    Ok(EventTime { when, zone })
}

fn zone_named(name: &str, of: &str) -> Result<Tz, GoogleApiError> {
    name.parse().map_err(|_| GoogleApiError::invalid(format!("Invalid time zone definition for {of} time.")))
}

fn recurrence(body: &Map<String, Value>) -> Result<Vec<String>, GoogleApiError> {
    let invalid = || GoogleApiError::invalid("Invalid recurrence rule.");
    let Some(lines) = body.get("recurrence") else { return Ok(Vec::new()) };
    let lines = lines.as_array().ok_or_else(invalid)?;
    lines.iter().map(|line| line.as_str().map(String::from).ok_or_else(invalid)).collect()
}

/// The text of member `name`, if it is there and one of `allowed`.
fn one_of(body: &Map<String, Value>, name: &str, allowed: &[&str]) -> Result<Option<String>, GoogleApiError> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if allowed.contains(&text.as_str()) => Ok(Some(text.clone())),
        Some(value) => Err(GoogleApiError::invalid(format!("Invalid value for {name}: {value}"))),
    }
}

fn fields(body: &Map<String, Value>) -> Result<Map<String, Value>, GoogleApiError> {
    let mut fields = Map::new();
    for name in TEXTS {
        copy_field(body, &mut fields, name, Value::is_string)?;
    }
    for name in BOOLEAN_FIELDS {
        copy_field(body, &mut fields, name, Value::is_boolean)?;
    }
    let choices: [(&str, &[&str]); 3] = [
        ("transparency", &["opaque", "transparent"]),
        ("visibility", &["default", "public", "private", "confidential"]),
        // Focus time, out of office and the like have properties of their own that the sandbox does not know.
        ("eventType", &["default"]),
    ];
    for (name, allowed) in choices {
        if let Some(text) = one_of(body, name, allowed)? {
            fields.insert(name.into(), text.into());
        }
    }
    // Events have the colours "1" to "11".
    let is_color = |value: &Value| {
        value.as_str().and_then(|id| id.parse().ok()).is_some_and(|id: u8| (1..=11).contains(&id))
    };
    copy_field(body, &mut fields, "colorId", is_color)?;
    copy_field(body, &mut fields, "source", |source| {
        source["url"].as_str().is_some_and(|url| url.starts_with("http"))
    })?;
    copy_field(body, &mut fields, "reminders", reminders_are_valid)?;
    copy_field(body, &mut fields, "extendedProperties", properties_are_valid)?;
    if let Some(attendees) = body.get("attendees") {
        fields.insert("attendees".into(), read_attendees(attendees)?);
    }
    Ok(fields)
}

fn copy_field(
    body: &Map<String, Value>,
    fields: &mut Map<String, Value>,
    name: &str,
    valid: impl Fn(&Value) -> bool,
) -> Result<(), GoogleApiError> {
    match body.get(name) {
        None => Ok(()),
        Some(value) if valid(value) => {
            fields.insert(name.into(), value.clone());
            Ok(())
        }
        Some(_) => Err(GoogleApiError::invalid(format!("Invalid value for {name}."))),
    }
}

/// At most five overrides, by popup or mail, up to four weeks before.
fn reminders_are_valid(reminders: &Value) -> bool {
    let one = |reminder: &Value| {
        matches!(reminder["method"].as_str(), Some("popup" | "email"))
            && reminder["minutes"].as_i64().is_some_and(|minutes| (0..=40_320).contains(&minutes))
    };
    let overrides = match reminders.get("overrides") {
        None => &[],
        Some(Value::Array(overrides)) => overrides.as_slice(),
        Some(_) => return false,
    };
    let default = reminders.get("useDefault").is_none_or(Value::is_boolean);
    // With the calendar's defaults in force there is nothing to override.
    let contradiction = reminders["useDefault"] == true && !overrides.is_empty();
    reminders.is_object() && default && !contradiction && overrides.len() <= 5 && overrides.iter().all(one)
}

/// Names of at most 44 characters, values of at most 1,024, all text.
fn properties_are_valid(properties: &Value) -> bool {
    let valid = |(name, value): (&String, &Value)| {
        name.chars().count() <= 44 && value.as_str().is_some_and(|text| text.chars().count() <= 1024)
    };
    properties.as_object().is_some_and(|kinds| {
        kinds.iter().all(|(kind, map)| {
            matches!(kind.as_str(), "private" | "shared")
                && map.as_object().is_some_and(|map| map.iter().all(valid))
        })
    })
}

fn read_attendees(attendees: &Value) -> Result<Value, GoogleApiError> {
    let invalid = || GoogleApiError::invalid("Invalid attendee email.");
    let mut read = Vec::new();
    for attendee in attendees.as_array().ok_or_else(invalid)? {
        let mut attendee = attendee.as_object().ok_or_else(invalid)?.clone();
        drop_nulls(&mut attendee);
        attendee
            .get("email")
            .and_then(Value::as_str)
            .filter(|email| email.contains('@'))
            .ok_or_else(invalid)?;
        let answers = ["needsAction", "declined", "tentative", "accepted"];
        if one_of(&attendee, "responseStatus", &answers)?.is_none() {
            attendee.insert("responseStatus".into(), "needsAction".into());
        }
        attendee.retain(|name, _| {
            matches!(
                name.as_str(),
                "email"
                    | "displayName"
                    | "optional"
                    | "resource"
                    | "responseStatus"
                    | "comment"
                    | "additionalGuests"
            )
        });
        read.push(Value::Object(attendee));
    }
    Ok(Value::Array(read))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(body: &Value) -> Result<EntryDraft, GoogleApiError> {
        read(body.as_object().unwrap(), chrono_tz::Europe::Lisbon)
    }

    fn valid() -> Value {
        json!({ "start": { "date": "2026-01-05" }, "end": { "date": "2026-01-06" } })
    }

    #[test]
    fn each_mistake_has_google_s_reason() {
        let cases = [
            (json!({ "end": null }), "required"),
            (json!({ "end": { "date": "2026-01-05" } }), "timeRangeEmpty"),
            (json!({ "end": { "dateTime": "2026-01-06T10:00:00Z" } }), "invalid"),
            (json!({ "start": { "date": "2026-01-05", "dateTime": "2026-01-05T10:00:00Z" } }), "invalid"),
            (json!({ "start": { "dateTime": "2026-01-05T10:00:00" } }), "required"),
            (json!({ "start": { "dateTime": "2026-01-05T10:00:00", "timeZone": "Mars/Base" } }), "invalid"),
            (json!({ "colorId": "12" }), "invalid"),
            (json!({ "colorId": 3 }), "invalid"),
            (json!({ "summary": 3 }), "invalid"),
            (json!({ "status": "booked" }), "invalid"),
            (json!({ "recurrence": ["RRULE:FREQ=SECONDLY"] }), "invalid"),
            (json!({ "attendees": [{ "email": "nobody" }] }), "invalid"),
            (json!({ "extendedProperties": { "private": { "n": 1 } } }), "invalid"),
            (
                json!({ "reminders": { "useDefault": false, "overrides": [{ "method": "sms", "minutes": 5 }] } }),
                "invalid",
            ),
        ];
        checked(&valid()).unwrap();
        for (wrong, reason) in cases {
            let mut body = valid();
            let body = body.as_object_mut().unwrap();
            body.extend(wrong.as_object().unwrap().clone());
            let error = read(body, chrono_tz::UTC).unwrap_err();
            assert_eq!(error.reason, reason, "{wrong}: {}", error.message);
        }
    }

    #[test]
    fn a_recurring_time_needs_its_zone() {
        let mut body = json!({
            "start": { "dateTime": "2026-01-05T10:00:00Z" }, "end": { "dateTime": "2026-01-05T11:00:00Z" },
            "recurrence": ["RRULE:FREQ=DAILY"]
        });
        assert_eq!(checked(&body).unwrap_err().reason, "required");
        body["start"]["timeZone"] = "Europe/Lisbon".into();
        assert!(checked(&body).unwrap().series.is_some());
    }
}
