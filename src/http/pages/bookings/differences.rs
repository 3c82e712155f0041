//! A line of a booking's history, in words.

use chrono::NaiveDate;
use concord_domain::{
    booking::{BookingStatus, BookingTime, Guest},
    ids::{ResourceId, StaffId},
};
use concord_storage::{Db, StorageError, history::HistoryEntry};
use serde::Deserialize;
use serde_json::Value;

use crate::http::pages::{NameDirectory, span};

/// A field that changed.
pub(super) struct FieldDifference {
    pub field: &'static str,
    pub before: String,
    pub after: String,
}

/// What somebody did, as the second part of "Rita ...".
pub(super) fn action_label(line: &HistoryEntry) -> String {
    match line.action.as_str() {
        "created" => "created the booking".to_owned(),
        "changed" => "changed the booking".to_owned(),
        "cancelled" => "cancelled the booking".to_owned(),
        "answered" => format!("answered {}", answer_label(line).unwrap_or_default()).trim_end().to_owned(),
        "answered an earlier invitation" => with_answer("answered an earlier invitation", line),
        "answered by another address" => {
            let by = line.detail.get("by").and_then(Value::as_str).filter(|by| !by.is_empty());
            let noted = by.map_or_else(
                || "noted an answer from another address".to_owned(),
                |by| format!("noted an answer from {by}, who is not invited"),
            );
            with_answer(&noted, line)
        }
        other => other.replace('_', " "),
    }
}

fn with_answer(action: &str, line: &HistoryEntry) -> String {
    answer_label(line).map_or_else(|| action.to_owned(), |answer| format!("{action}: {answer}"))
}

fn answer_label(line: &HistoryEntry) -> Option<&'static str> {
    match line.detail.get("answer").and_then(Value::as_str)? {
        "accepted" => Some("yes"),
        "declined" => Some("no"),
        "tentative" => Some("maybe"),
        _ => None,
    }
}

/// Looks up the archived resources and people that the lines name.
pub(super) async fn load_names(
    names: &mut NameDirectory,
    db: &Db,
    lines: &[HistoryEntry],
) -> Result<(), StorageError> {
    for changes in lines.iter().filter_map(|line| line.detail.get("changes")) {
        for value in changes.get("resource").and_then(Value::as_array).into_iter().flatten() {
            if let Some(id) = parse_value::<ResourceId>(value) {
                names.load_resource(db, id).await?;
            }
        }
        for value in changes.get("staff").and_then(Value::as_array).into_iter().flatten() {
            for id in parse_value::<Vec<StaffId>>(value).unwrap_or_default() {
                names.load_staff(db, id).await?;
            }
        }
    }
    Ok(())
}

/// Which fields changed, and from what to what; `zone_of` is that of the booking as it stands.
pub(super) fn differences(
    line: &HistoryEntry,
    names: &NameDirectory,
    zone: chrono_tz::Tz,
    today: NaiveDate,
) -> Vec<FieldDifference> {
    let Some(changes) = line.detail.get("changes").and_then(Value::as_object) else { return Vec::new() };
    let mut all = Vec::new();
    for (field, pair) in changes {
        let (Some(before), Some(after)) = (pair.get(0), pair.get(1)) else { continue };
        if field == "customer" {
            all.extend(customer(before, after));
            continue;
        }
        let show = |value| display_value(field, value, names, zone, today);
        all.push(FieldDifference { field: field_label(field), before: show(before), after: show(after) });
    }
    all
}

fn customer(before: &Value, after: &Value) -> Vec<FieldDifference> {
    [("name", "Customer"), ("email", "Email"), ("phone", "Phone"), ("language", "Language")]
        .into_iter()
        .filter(|(field, _)| before.get(field) != after.get(field))
        .map(|(field, label)| FieldDifference {
            field: label,
            before: plain_text(before.get(field).unwrap_or(&Value::Null)),
            after: plain_text(after.get(field).unwrap_or(&Value::Null)),
        })
        .collect()
}

fn field_label(field: &str) -> &'static str {
    match field {
        "resource" => "Resource",
        "kind" => "Kind",
        "status" => "Status",
        "time" => "Time",
        "title" => "Title",
        "party_size" => "Guests",
        "quantity" => "Units",
        "staff" => "Staff",
        "location" => "Location",
        "notes" => "Notes",
        "source" => "Source",
        "meeting_url" => "Meeting link",
        "guests" => "Also invited",
        _ => "Other",
    }
}

fn display_value(
    field: &str,
    value: &Value,
    names: &NameDirectory,
    zone: chrono_tz::Tz,
    today: NaiveDate,
) -> String {
    let known = match field {
        "resource" => parse_value(value).map(|id| names.resource_name(id)),
        "staff" => parse_value::<Vec<StaffId>>(value).map(|ids| names.staff_names(&ids)),
        "status" => parse_value::<BookingStatus>(value).map(|status| status.label().to_owned()),
        "guests" => parse_value::<Vec<Guest>>(value)
            .map(|guests| guests.into_iter().map(|guest| guest.email).collect::<Vec<_>>().join(", ")),
        "time" => parse_value::<BookingTime>(value).map(|time| span(&time, zone, today).text),
        _ => None,
    };
    let text = known.unwrap_or_else(|| plain_text(value));
    if text.is_empty() { "nothing".to_owned() } else { text }
}

fn parse_value<'a, T: Deserialize<'a>>(value: &'a Value) -> Option<T> {
    T::deserialize(value).ok()
}

/// Long texts are cut: the history says that they changed.
fn plain_text(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
