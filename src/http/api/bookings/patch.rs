//! Changing a part of a booking: a JSON merge patch (RFC 7396) over what programs are answered.

use serde_json::{Map, Value};

use super::body::{BookingBody, BookingResponse};
use crate::http::api::{
    problem::{ApiError, FieldProblem, Kind},
    request::from_value,
};

/// Fields without which there is no booking.
const NON_NULLABLE: [&str; 4] = ["resource", "kind", "status", "quantity"];
const INSTANTS: [&str; 2] = ["starts_at", "ends_at"];
const DATES: [&str; 2] = ["check_in", "check_out"];

/// What the booking says after `patch`: fields that stand in it change, null clears, all others stay.
pub(crate) fn apply_patch(booking: BookingResponse, patch: Value) -> Result<BookingBody, ApiError> {
    let Value::Object(mut patch) = patch else {
        return Err(ApiError::new(
            Kind::Malformed,
            "The body must be a JSON object with the fields to change.",
        ));
    };
    let nulls: Vec<FieldProblem> = NON_NULLABLE
        .iter()
        .filter(|field| patch.get(**field).is_some_and(Value::is_null))
        .map(|field| FieldProblem { field: (*field).to_owned(), message: "cannot be cleared".to_owned() })
        .collect();
    if !nulls.is_empty() {
        return Err(ApiError::invalid_fields(nulls));
    }
    clear_other_time_pair(&mut patch);
    let mut value = serde_json::to_value(booking).map_err(ApiError::internal)?;
    merge(&mut value, Value::Object(patch));
    from_value(value)
}

/// Who says a stay's dates of a booking by the hour, or the other way round, need not clear the pair that was there.
fn clear_other_time_pair(patch: &mut Map<String, Value>) {
    let names = |patch: &Map<String, Value>, pair: [&str; 2]| {
        pair.iter().any(|field| patch.get(*field).is_some_and(|value| !value.is_null()))
    };
    for (pair, other) in [(INSTANTS, DATES), (DATES, INSTANTS)] {
        if names(patch, pair) && !names(patch, other) {
            for field in other {
                patch.insert(field.to_owned(), Value::Null);
            }
        }
    }
}

fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(&name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merging_is_that_of_the_rfc() {
        // RFC 7396, appendix A.
        for (mut target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            merge(&mut target, patch);
            assert_eq!(target, result);
        }
    }

    #[test]
    fn the_pair_that_is_named_stays() {
        let mut patch = json!({"check_in": "2026-12-01"}).as_object().cloned().unwrap();
        clear_other_time_pair(&mut patch);
        assert_eq!(patch["starts_at"], Value::Null);
        assert_eq!(patch["ends_at"], Value::Null);
        assert!(!patch.contains_key("check_out"));
    }
}
