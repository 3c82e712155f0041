//! What serde says is wrong with a request, as the field that it is about and words for whoever sent it.
//!
//! Serde names Rust's types, and tells a missing field in its text alone. Whatever is not one of its sentences, such as
//! the words of a type of ours, is passed on as it is.

use super::problem::FieldProblem;
use crate::spelling::nearest;

/// What only answers say. A body may repeat it, but nobody should be led to it.
const READ_ONLY_FIELDS: [&str; 6] = ["id", "version", "created_at", "updated_at", "sync", "overlaps"];

/// The fault at `path` (empty: the whole) of which serde says `words`.
pub(super) fn field_problem(path: &str, words: &str) -> FieldProblem {
    let problem = |field: String, message: String| FieldProblem { field, message };
    if let Some(name) = quoted_name(words, "missing field `") {
        return problem(field_path(path, name), "is required".to_owned());
    }
    if let Some(name) = quoted_name(words, "duplicate field `") {
        return problem(field_path(path, name), "is given twice".to_owned());
    }
    if let Some(rest) = words.strip_prefix("unknown field `") {
        let without_any = || (rest.trim_end_matches("`, there are no fields"), "");
        // The last one: the name may hold anything.
        let (name, known) = rest.rsplit_once("`, expected ").unwrap_or_else(without_any);
        return problem(field_path(path, name), unknown_field(name, known));
    }
    problem(path.to_owned(), message(words))
}

/// The name between `begins` and the closing mark.
fn quoted_name<'a>(words: &'a str, begins: &str) -> Option<&'a str> {
    words.strip_prefix(begins)?.strip_suffix('`')
}

/// A field of what stands at `path`. Some readers count the field itself as part of the path, others do not.
fn field_path(path: &str, name: &str) -> String {
    match path.strip_suffix(name) {
        Some(parent) if parent.is_empty() || parent.ends_with('.') => path.to_owned(),
        _ if path.is_empty() => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

fn unknown_field(name: &str, known: &str) -> String {
    let known = known.split('`').skip(1).step_by(2).filter(|known| !READ_ONLY_FIELDS.contains(known));
    match nearest(name, known) {
        Some(meant) => format!("is not a known field; did you mean `{meant}`?"),
        None => "is not a known field".to_owned(),
    }
}

/// To be read after the field's name.
fn message(words: &str) -> String {
    const NUMBER: &str = "must be a whole number";
    if words.starts_with("UUID parsing failed") {
        return "must be an id (a UUID)".to_owned();
    }
    // Of the query, where all values are texts.
    match words {
        "invalid digit found in string"
        | "cannot parse integer from empty string"
        | "number too large to fit in target type" => return NUMBER.to_owned(),
        "provided string was not `true` or `false`" => return "must be true or false".to_owned(),
        _ => {}
    }
    let is_serdes = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `"]
        .iter()
        .any(|begins| words.starts_with(begins));
    match words.rsplit_once(", expected ") {
        Some((_, expected)) if is_serdes => format!("must be {}", json_type_name(expected)),
        _ => words.to_owned(),
    }
}

/// What serde expected, as it is called in JSON.
fn json_type_name(expected: &str) -> &str {
    match expected {
        "a formatted UUID string" => "an id (a UUID)",
        "a string" | "string or map" => "a string",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "u32" => "a whole number between 0 and 4294967295",
        _ if expected.starts_with("struct ") => "a JSON object",
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, words: &str) -> String {
        let fault = field_problem(path, words);
        format!("{}|{}", fault.field, fault.message)
    }

    #[test]
    fn a_field_is_named_once() {
        for (path, words, expected) in [
            ("", "missing field `resource`", "resource|is required"),
            ("customer", "missing field `name`", "customer.name|is required"),
            ("staff[1]", "missing field `id`", "staff[1].id|is required"),
            ("", "duplicate field `title`", "title|is given twice"),
            ("title", "duplicate field `title`", "title|is given twice"),
            ("subtitle", "missing field `title`", "subtitle.title|is required"),
        ] {
            assert_eq!(told(path, words), expected);
        }
    }

    #[test]
    fn the_field_that_was_meant_is_named_and_no_other() {
        for (words, expected) in [
            (
                "unknown field `titel`, expected one of `id`, `title`, `notes`",
                "titel|is not a known field; did you mean `title`?",
            ),
            ("unknown field `colour`, expected `title` or `notes`", "colour|is not a known field"),
            (
                "unknown field `versoin`, expected one of `id`, `version`, `notes`",
                "versoin|is not a known field",
            ),
            (
                "unknown field `referense`, expected one of `id`, `reference`, `overlaps`",
                "referense|is not a known field; did you mean `reference`?",
            ),
            ("unknown field `overlap`, expected one of `id`, `overlaps`", "overlap|is not a known field"),
            ("unknown field `x`, there are no fields", "x|is not a known field"),
            ("unknown field `a`, expected `b`, expected `title`", "a`, expected `b|is not a known field"),
        ] {
            assert_eq!(told("", words), expected);
        }
    }

    #[test]
    fn types_are_those_of_json() {
        for (words, expected) in [
            ("UUID parsing failed: invalid length: found 6", "must be an id (a UUID)"),
            ("invalid type: integer `7`, expected a formatted UUID string", "must be an id (a UUID)"),
            ("unknown variant `a, expected b`, expected `on` or `off`", "must be `on` or `off`"),
            ("unknown variant `x`, expected one of `a`, `b`, `c`", "must be one of `a`, `b`, `c`"),
            ("invalid type: string \"x, expected y\", expected a string", "must be a string"),
            ("invalid value: integer `-1`, expected u32", "must be a whole number between 0 and 4294967295"),
            ("invalid length 0, expected struct BookingBody with 21 elements", "must be a JSON object"),
            ("invalid digit found in string", "must be a whole number"),
            ("must be a date, expected by whoever wrote it", "must be a date, expected by whoever wrote it"),
        ] {
            assert_eq!(message(words), expected);
        }
    }
}
