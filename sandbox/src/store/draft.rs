//! What an entry is to become, whoever wants it: read and checked.

use serde_json::{Map, Value};

use super::entry::{EntryStatus, EventTime};
use crate::recurrence::RecurrenceSet;

#[derive(Debug, Clone)]
pub(crate) struct EntryDraft {
    pub(crate) start: EventTime,
    pub(crate) end: EventTime,
    pub(crate) recurrence: Vec<String>,
    pub(crate) series: Option<RecurrenceSet>,
    /// As asked for; a tombstone that is replaced without a status stays one.
    pub(crate) status: Option<EntryStatus>,
    pub(crate) sequence: Option<i64>,
    /// Everything else that a client may set, as the provider writes it.
    pub(crate) fields: Map<String, Value>,
}

/// What a person wants an entry to be; what is not said stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct EntryEdit {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) starts_at: Option<String>,
    pub(crate) ends_at: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) transparency: Option<String>,
    pub(crate) recurrence: Option<Vec<String>>,
    /// Addresses of whom they invite.
    pub(crate) guests: Option<Vec<String>>,
    /// Google's number of a colour, the name of a category at Microsoft.
    pub(crate) colour: Option<String>,
}

/// Takes members out that are `null`, at any depth of objects.
pub(crate) fn drop_nulls(object: &mut Map<String, Value>) {
    object.retain(|_, value| !value.is_null());
    for value in object.values_mut() {
        if let Value::Object(inner) = value {
            drop_nulls(inner);
        }
    }
}

/// Merges a PATCH body: members of objects one by one, arrays as a whole, `null` clears.
pub(crate) fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match (target.get_mut(name), value) {
            (_, Value::Null) => {
                target.remove(name);
            }
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            _ => {
                target.insert(name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::merge;
    use serde_json::json;

    #[test]
    fn a_patch_clears_with_null_and_merges_objects() {
        let mut target =
            json!({ "summary": "a", "extendedProperties": { "private": { "x": "1", "y": "2" } } });
        let patch = json!({ "summary": null, "extendedProperties": { "private": { "x": null, "z": "3" } } });
        merge(target.as_object_mut().unwrap(), patch.as_object().unwrap());
        assert_eq!(target, json!({ "extendedProperties": { "private": { "y": "2", "z": "3" } } }));
    }
}
