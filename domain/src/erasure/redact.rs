//! Records without the people in them, in the shape that they had.

use serde_json::{Map, Value};

use crate::people::Actor;

/// What says nothing of a person: ids, times, and words of closed sets.
const KEPT: [&str; 35] = [
    "answer",
    "answered_at",
    "booking",
    "channel",
    "check_in",
    "check_out",
    "created_at",
    "due_at",
    "ends_at",
    "entry",
    "id",
    "kind",
    "party_size",
    "quantity",
    "reference",
    "resource",
    "role",
    "rule",
    "source",
    "staff",
    "starts_at",
    "state",
    "status",
    "time",
    "type",
    "updated_at",
    "useful_until",
    "version",
    "schema_version",
    "provider",
    "platform",
    "notes_cut",
    "invited_guests",
    "bookings",
    "erasure",
];

/// A JSON value of the same shape, in which only what says nothing of a person has its text. Lists of objects are empty.
#[must_use]
pub fn redacted(value: &Value) -> Value {
    match value {
        Value::String(_) => Value::String(String::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| {
                    let kept = KEPT.contains(&name.as_str());
                    (name.clone(), if kept { value.clone() } else { redacted(value) })
                })
                .collect(),
        ),
        other => other.clone(),
    }
}

/// The detail of a line of the history: of what changed, only what says nothing of a person.
#[must_use]
pub fn redacted_history(detail: &Value) -> Value {
    let Value::Object(fields) = detail else { return redacted(detail) };
    let mut left = Map::new();
    for (name, value) in fields {
        match value {
            Value::Object(changes) if name == "changes" => {
                let kept = changes.iter().filter(|(field, _)| KEPT.contains(&field.as_str()));
                let kept = kept.map(|(field, change)| (field.clone(), change.clone())).collect();
                left.insert(name.clone(), Value::Object(kept));
            }
            value if KEPT.contains(&name.as_str()) || value.is_null() => {
                left.insert(name.clone(), value.clone());
            }
            _ => {}
        }
    }
    Value::Object(left)
}

/// Who did something, without the customer's name.
#[must_use]
pub fn redacted_actor(actor: &Actor) -> Actor {
    match actor {
        Actor::Customer { attendee, .. } => Actor::Customer { attendee: *attendee, name: String::new() },
        other => other.clone(),
    }
}
