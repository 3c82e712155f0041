//! A line of a booking's history, in words.

use chrono::NaiveDate;
use concord_domain::{
    booking::{BookingStatus, BookingTime},
    ids::{ResourceId, StaffId},
};
use concord_storage::{Db, StorageError, history::Line};
use serde::Deserialize;
use serde_json::Value;

use super::super::{names::Names, when::span};

/// A field that changed.
pub(super) struct Difference {
    pub field: &'static str,
    pub before: String,
    pub after: String,
}

/// What somebody did, as the second part of "Rita ...".
pub(super) fn deed(line: &Line) -> String {
    match line.action.as_str() {
        "created" => "created the booking".to_owned(),
        "changed" => "changed the booking".to_owned(),
        "cancelled" => "cancelled the booking".to_owned(),
        other => other.replace('_', " "),
    }
}

/// Looks up the archived resources and people that the lines name.
pub(super) async fn learn(names: &mut Names, db: &Db, lines: &[Line]) -> Result<(), StorageError> {
    for changes in lines.iter().filter_map(|line| line.detail.get("changes")) {
        for value in changes.get("resource").and_then(Value::as_array).into_iter().flatten() {
            if let Some(id) = read::<ResourceId>(value) {
                names.learn_resource(db, id).await?;
            }
        }
        for value in changes.get("staff").and_then(Value::as_array).into_iter().flatten() {
            for id in read::<Vec<StaffId>>(value).unwrap_or_default() {
                names.learn_staff(db, id).await?;
            }
        }
    }
    Ok(())
}

/// Which fields changed, and from what to what; `zone_of` is that of the booking as it stands.
pub(super) fn differences(
    line: &Line,
    names: &Names,
    zone: chrono_tz::Tz,
    today: NaiveDate,
) -> Vec<Difference> {
    let Some(changes) = line.detail.get("changes").and_then(Value::as_object) else { return Vec::new() };
    let mut all = Vec::new();
    for (field, pair) in changes {
        let (Some(before), Some(after)) = (pair.get(0), pair.get(1)) else { continue };
        if field == "customer" {
            all.extend(customer(before, after));
            continue;
        }
        let show = |value| shown(field, value, names, zone, today);
        all.push(Difference { field: label(field), before: show(before), after: show(after) });
    }
    all
}

fn customer(before: &Value, after: &Value) -> Vec<Difference> {
    [("name", "Customer"), ("email", "Mail address"), ("phone", "Phone")]
        .into_iter()
        .filter(|(field, _)| before.get(field) != after.get(field))
        .map(|(field, label)| Difference {
            field: label,
            before: plain(before.get(field).unwrap_or(&Value::Null)),
            after: plain(after.get(field).unwrap_or(&Value::Null)),
        })
        .collect()
}

fn label(field: &str) -> &'static str {
    match field {
        "resource" => "Resource",
        "kind" => "Kind",
        "status" => "Status",
        "time" => "Time",
        "title" => "Title",
        "party_size" => "People",
        "quantity" => "Units",
        "staff" => "Staff",
        "location" => "Place",
        "notes" => "Notes",
        "source" => "Source",
        _ => "Other",
    }
}

fn shown(field: &str, value: &Value, names: &Names, zone: chrono_tz::Tz, today: NaiveDate) -> String {
    let known = match field {
        "resource" => read(value).map(|id| names.of_resource(id)),
        "staff" => read::<Vec<StaffId>>(value).map(|ids| names.of_all_staff(&ids)),
        "status" => read::<BookingStatus>(value).map(|status| status.label().to_owned()),
        "time" => read::<BookingTime>(value).map(|time| span(&time, zone, today).text),
        _ => None,
    };
    let text = known.unwrap_or_else(|| plain(value));
    if text.is_empty() { "nothing".to_owned() } else { text }
}

fn read<'a, T: Deserialize<'a>>(value: &'a Value) -> Option<T> {
    T::deserialize(value).ok()
}

/// Long texts are cut: the history says that they changed.
fn plain(value: &Value) -> String {
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
