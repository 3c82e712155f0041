//! What a client wants an event to be: read from a request's body and checked as Graph checks it.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::errors::GraphApiError;
use super::prefer::unknown_zone;
use super::recurrence_patterns;
use super::zones;
use crate::recurrence::RecurrenceSet;
use crate::store::{EntryDraft, EventTime, StoredEntry};
use crate::timing::{DateOrDateTime, resolve};

/// What a client may set.
const WRITABLE: [&str; 23] = [
    "subject",
    "body",
    "start",
    "end",
    "location",
    "locations",
    "attendees",
    "categories",
    "importance",
    "sensitivity",
    "showAs",
    "isAllDay",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "recurrence",
    "responseRequested",
    "allowNewTimeProposals",
    "hideAttendees",
    "isOnlineMeeting",
    "onlineMeetingProvider",
    "transactionId",
    "singleValueExtendedProperties",
    "iCalUId",
];

/// What an event has besides, which a client may send back and which is passed over.
const READ_ONLY: [&str; 18] = [
    "id",
    "changeKey",
    "createdDateTime",
    "lastModifiedDateTime",
    "bodyPreview",
    "hasAttachments",
    "isCancelled",
    "isDraft",
    "isOrganizer",
    "onlineMeeting",
    "onlineMeetingUrl",
    "organizer",
    "originalEndTimeZone",
    "originalStartTimeZone",
    "responseStatus",
    "seriesMasterId",
    "type",
    "webLink",
];

const BOOLEAN_FIELDS: [&str; 6] = [
    "isReminderOn",
    "responseRequested",
    "allowNewTimeProposals",
    "hideAttendees",
    "isOnlineMeeting",
    "isCancelled",
];

/// The body of an application's request, without what it may not set.
///
/// # Errors
/// 400 for a member that an event does not have, and for a recurrence without its first day.
pub(crate) fn check_application_body(body: Map<String, Value>) -> Result<Map<String, Value>, GraphApiError> {
    for name in body.keys().filter(|name| !name.contains('@')) {
        if !WRITABLE.contains(&name.as_str()) && !READ_ONLY.contains(&name.as_str()) {
            let message = format!("The property '{name}' does not exist on type 'microsoft.graph.event'.");
            return Err(GraphApiError::body(message));
        }
    }
    if let Some(recurrence) = body.get("recurrence").filter(|recurrence| !recurrence.is_null()) {
        let first = recurrence["range"]["startDate"].as_str();
        if first.is_none_or(|day| day.parse::<NaiveDate>().is_err()) {
            return Err(GraphApiError::property("The recurrence range needs a startDate."));
        }
        let starts = body.get("start").and_then(|start| start["dateTime"].as_str());
        // "Must be the same value as the start property of the recurring event" (recurrenceRange).
        if starts.zip(first).is_some_and(|(starts, first)| !starts.starts_with(first)) {
            return Err(GraphApiError::property(
                "The startDate of the recurrence must be the day of the start.",
            ));
        }
    }
    Ok(body.into_iter().filter(|(name, _)| WRITABLE.contains(&name.as_str()) && name != "iCalUId").collect())
}

/// Reads a whole event.
///
/// # Errors
/// 400 with a code that says what is wrong.
pub(crate) fn read(body: &Map<String, Value>) -> Result<EntryDraft, GraphApiError> {
    let all_day = body.get("isAllDay").is_some_and(|all_day| all_day == true);
    let (start, start_name) = event_time(body.get("start"), "Start", all_day)?;
    let (end, end_name) = event_time(body.get("end"), "End", all_day)?;
    if all_day && start_name != end_name {
        let message = "Event.Start and Event.End of an all-day event need to be in the same time zone.";
        return Err(GraphApiError::property(message));
    }
    let length = start.when.until(end.when).unwrap_or_default();
    if length < Duration::zero() {
        let message = "The end of the event has to be later than its start.";
        return Err(GraphApiError::bad("ErrorCalendarEndDateIsEarlierThanStartDate", message));
    }
    if all_day && length.is_zero() {
        return Err(GraphApiError::property(
            "The duration of an all-day event needs to be at least 24 hours.",
        ));
    }
    let mut fields = fields(body)?;
    fields.insert("originalStartTimeZone".into(), start_name.into());
    fields.insert("originalEndTimeZone".into(), end_name.into());
    let recurrence = recurrence(body, start, &mut fields)?;
    let series = if recurrence.is_empty() {
        None
    } else {
        let zone = start.zone.unwrap_or(Tz::UTC);
        Some(RecurrenceSet::parse(&recurrence, zone).map_err(GraphApiError::property)?)
    };
    // A person fetches an event back by this; an application cannot say it.
    let status = body.get("status").and_then(Value::as_str).and_then(|text| text.parse().ok());
    Ok(EntryDraft { start, end, recurrence, series, status, sequence: None, fields })
}

/// Graph's recurrence, or the lines that a person's wish has.
fn recurrence(
    body: &Map<String, Value>,
    start: EventTime,
    fields: &mut Map<String, Value>,
) -> Result<Vec<String>, GraphApiError> {
    let day = start.when.local(start.zone.unwrap_or(Tz::UTC)).date();
    let recurrence = match body.get("recurrence") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(lines)) if lines.is_empty() => return Ok(Vec::new()),
        Some(Value::Array(lines)) => {
            let line = lines.first().and_then(Value::as_str).filter(|_| lines.len() == 1);
            let recurrence = line.and_then(|line| recurrence_patterns::from_line(line, day));
            recurrence.ok_or_else(|| GraphApiError::property("Outlook has no such recurrence."))?
        }
        Some(recurrence) => recurrence.clone(),
    };
    let line = recurrence_patterns::to_line(&recurrence, day).map_err(GraphApiError::property)?;
    fields.insert("recurrence".into(), recurrence);
    Ok(vec![line])
}

/// Reads `{"dateTime", "timeZone"}`, and the zone's name as it was written.
fn event_time(
    value: Option<&Value>,
    name: &str,
    all_day: bool,
) -> Result<(EventTime, String), GraphApiError> {
    let missing = || GraphApiError::property(format!("Event.{name} is needed, with dateTime and timeZone."));
    let value = value.filter(|value| value.is_object()).ok_or_else(missing)?;
    let zone_name = value["timeZone"].as_str().ok_or_else(|| unknown_zone(""))?;
    let zone = zones::zone(zone_name).ok_or_else(|| unknown_zone(zone_name))?;
    let text = value["dateTime"].as_str().ok_or_else(missing)?;
    let invalid = || {
        GraphApiError::bad(
            "ErrorInvalidParameter",
            format!("The value '{text}' of Event.{name} is not a valid date and time."),
        )
    };
    let local = match DateTime::parse_from_rfc3339(text) {
        // With an offset it is an instant, whatever the zone beside it.
        Ok(at) => at.with_timezone(&zone).naive_local(),
        Err(_) => ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .ok_or_else(invalid)?,
    };
    let when = if all_day {
        if local.time() != NaiveTime::MIN {
            let message = format!("Event.{name} of an all-day event needs to be set to midnight.");
            return Err(GraphApiError::property(message));
        }
        DateOrDateTime::On(local.date())
    } else {
        DateOrDateTime::At(resolve(local.trunc_subsecs(0), zone))
    };
    Ok((EventTime { when, zone: Some(zone) }, zone_name.into()))
}

fn fields(body: &Map<String, Value>) -> Result<Map<String, Value>, GraphApiError> {
    let mut fields = Map::new();
    let mut keep = |name: &str, valid: &dyn Fn(&Value) -> bool| match body.get(name) {
        None | Some(Value::Null) => Ok(()),
        Some(value) if valid(value) => {
            fields.insert(name.into(), value.clone());
            Ok(())
        }
        Some(_) => Err(GraphApiError::property(format!("The value of the property '{name}' is not valid."))),
    };
    keep("subject", &|value| value.as_str().is_some_and(|text| text.chars().count() <= 255))?;
    keep("transactionId", &|value| value.as_str().is_some_and(|text| !text.is_empty()))?;
    for name in BOOLEAN_FIELDS {
        keep(name, &Value::is_boolean)?;
    }
    keep("reminderMinutesBeforeStart", &|value| value.as_i64().is_some_and(|minutes| minutes >= 0))?;
    keep("categories", &|value| {
        value
            .as_array()
            .is_some_and(|all| all.iter().all(|one| one.as_str().is_some_and(|one| one.len() <= 255)))
    })?;
    let choices: [(&str, &[&str]); 3] = [
        ("showAs", &["unknown", "free", "tentative", "busy", "oof", "workingElsewhere"]),
        ("importance", &["low", "normal", "high"]),
        ("sensitivity", &["normal", "personal", "private", "confidential"]),
    ];
    for (name, allowed) in choices {
        keep(name, &|value| value.as_str().is_some_and(|text| allowed.contains(&text)))?;
    }
    keep("body", &|value| {
        let kind = value["contentType"].as_str().unwrap_or("text");
        ["text", "html"].iter().any(|known| kind.eq_ignore_ascii_case(known))
            && value.is_object()
            && (value["content"].is_string() || value["content"].is_null())
    })?;
    keep("location", &|value| {
        value.is_object() && (value["displayName"].is_null() || value["displayName"].is_string())
    })?;
    keep("singleValueExtendedProperties", &extended_properties_are_valid)?;
    keep("attendees", &|value| {
        value.as_array().is_some_and(|all| all.iter().all(|one| one["emailAddress"]["address"].is_string()))
    })?;
    Ok(fields)
}

/// Each has a value, and an id of a type, a namespace and a name: `String {GUID} Name Booking`.
fn extended_properties_are_valid(properties: &Value) -> bool {
    let is_id = |id: &str| {
        let mut words = id.splitn(4, ' ');
        let kinds = ["String", "Integer", "Boolean", "Double", "SystemTime"];
        let kind = words.next().is_some_and(|kind| kinds.contains(&kind));
        let namespace = words.next().and_then(|word| word.strip_prefix('{')?.strip_suffix('}'));
        kind && namespace.is_some_and(|guid| guid.parse::<uuid::Uuid>().is_ok())
            && matches!(words.next(), Some("Name" | "Id"))
            && words.next().is_some_and(|name| !name.is_empty())
    };
    let one = |one: &Value| one["id"].as_str().is_some_and(is_id) && one["value"].is_string();
    properties.as_array().is_some_and(|all| all.iter().all(one))
}

/// What a client may set of `entry`, as it would send it.
pub(crate) fn writable(entry: &StoredEntry) -> Map<String, Value> {
    let mut body = entry.fields.clone();
    let zone_name = |name: &str| entry.fields.get(name).and_then(Value::as_str).unwrap_or("UTC");
    body.insert("start".into(), written_time(entry.start, zone_name("originalStartTimeZone")));
    body.insert("end".into(), written_time(entry.end, zone_name("originalEndTimeZone")));
    body.insert("isAllDay".into(), entry.start.when.is_day().into());
    if entry.occurrence_of.is_some() {
        body.remove("recurrence");
    }
    body
}

/// A time as a client writes it, by the wall clock of its zone.
pub(crate) fn written_time(time: EventTime, zone_name: &str) -> Value {
    let local = time.when.local(time.zone.unwrap_or(Tz::UTC));
    json!({ "dateTime": local.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": zone_name })
}

/// Takes a PATCH body in: each member as a whole, extended properties one by one, `null` clears.
pub(crate) fn patch(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match (name.as_str(), value) {
            // It is only for the creation.
            ("transactionId", _) => {}
            (_, Value::Null) => {
                target.remove(&name);
            }
            ("singleValueExtendedProperties", Value::Array(new)) => {
                let old = target.remove(&name);
                let mut all = old.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
                all.retain(|one| new.iter().all(|other| other["id"] != one["id"]));
                all.extend(new);
                target.insert(name, all.into());
            }
            (_, value) => {
                target.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> Value {
        let at =
            |hour| json!({ "dateTime": format!("2026-02-02T{hour}:00:00"), "timeZone": "GMT Standard Time" });
        json!({ "subject": "a", "start": at("09"), "end": at("10") })
    }

    #[test]
    fn each_mistake_has_its_code() {
        let at = |text: &str, zone: &str| json!({ "dateTime": text, "timeZone": zone });
        for (name, wrong, code) in [
            ("start", json!(null), "ErrorPropertyValidationFailure"),
            ("start", json!("2026-02-02T09:00:00"), "ErrorPropertyValidationFailure"),
            ("start", json!({ "dateTime": "2026-02-02T09:00:00" }), "TimeZoneNotSupportedException"),
            ("start", at("2026-02-02T09:00:00", "Mars"), "TimeZoneNotSupportedException"),
            ("start", at("soon", "UTC"), "ErrorInvalidParameter"),
            ("end", at("2026-02-02T08:00:00", "UTC"), "ErrorCalendarEndDateIsEarlierThanStartDate"),
            ("isAllDay", json!(true), "ErrorPropertyValidationFailure"),
            ("subject", json!(7), "ErrorPropertyValidationFailure"),
            ("subject", json!("x".repeat(256)), "ErrorPropertyValidationFailure"),
            ("showAs", json!("away"), "ErrorPropertyValidationFailure"),
            ("body", json!("text"), "ErrorPropertyValidationFailure"),
            ("recurrence", json!({ "pattern": {} }), "ErrorPropertyValidationFailure"),
            (
                "singleValueExtendedProperties",
                json!([{ "id": "Booking", "value": "1" }]),
                "ErrorPropertyValidationFailure",
            ),
        ] {
            let mut body = valid();
            body[name] = wrong.clone();
            assert_eq!(read(body.as_object().unwrap()).unwrap_err().code, code, "{name}: {wrong}");
        }
        read(valid().as_object().unwrap()).unwrap();
    }

    #[test]
    fn whole_days_go_from_midnight_to_midnight_in_one_zone() {
        let at = |text: &str, zone: &str| json!({ "dateTime": text, "timeZone": zone });
        let days = |start: Value, end: Value| {
            let body = json!({ "isAllDay": true, "start": start, "end": end });
            read(body.as_object().unwrap()).map(|draft| (draft.start.when, draft.end.when))
        };
        let (first, last) = ("2026-02-02T00:00:00.0000000", "2026-02-04T00:00:00");
        let expected = (
            DateOrDateTime::On("2026-02-02".parse().unwrap()),
            DateOrDateTime::On("2026-02-04".parse().unwrap()),
        );
        assert_eq!(days(at(first, "UTC"), at(last, "UTC")).unwrap(), expected);
        assert!(days(at(first, "UTC"), at(last, "Europe/Lisbon")).is_err());
        assert!(days(at(first, "UTC"), at("2026-02-04T00:30:00", "UTC")).is_err());
        assert!(days(at(first, "UTC"), at(first, "UTC")).is_err());
    }

    #[test]
    fn an_application_may_not_name_what_is_not_there() {
        let body = |extra: Value| extra.as_object().unwrap().clone();
        assert_eq!(
            check_application_body(body(json!({ "title": "x" }))).unwrap_err().code,
            "RequestBodyRead"
        );
        assert_eq!(
            check_application_body(body(json!({ "status": "confirmed" }))).unwrap_err().code,
            "RequestBodyRead"
        );
        let kept =
            check_application_body(body(json!({ "id": "1", "@odata.etag": "x", "subject": "a" }))).unwrap();
        assert_eq!(Value::Object(kept), json!({ "subject": "a" }));
    }
}
