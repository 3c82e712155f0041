//! What is wrong with a field of the form, in the words of its label.

use concord_domain::booking::FieldError;

/// For what is no number at all; the rule of the domain says the same of those that are out of bounds.
pub(super) const PEOPLE: &str = "The number of guests must be a whole number from 1 to 100000.";

/// As `PEOPLE`, for units.
pub(super) const UNITS: &str = "The number of units must be a whole number from 1 to 1000.";

/// The field of the form, and what is wrong with it: the API names its own fields, people read the labels.
pub(super) fn field_message(error: &FieldError) -> (&'static str, String) {
    let (field, label) = match error.field {
        "resource" => ("resource", "The resource"),
        "title" => ("title", "The title"),
        "customer.name" => ("name", "The name"),
        "customer.email" => ("email", "The email"),
        "customer.phone" => ("phone", "The phone number"),
        "party_size" => ("party_size", "The number of guests"),
        "quantity" => ("quantity", "The number of units"),
        "staff" => ("staff", "Staff"),
        "location" => ("location", "The location"),
        "notes" => ("notes", "The notes"),
        "meeting_url" => ("meeting_url", "The meeting link"),
        "guests" => ("guests", "The list of people to invite"),
        "reference" => ("reference", "The reference"),
        "check_in" => ("check_in", "The arrival"),
        "check_out" => ("check_out", "The departure"),
        "starts_at" => ("starts_at", "The start"),
        "ends_at" => ("ends_at", "The end"),
        _ => ("title", "The form"),
    };
    let message = error
        .message
        .replace("starts_at", "the start")
        .replace("check_in", "the arrival")
        .replace("must be between 1 and", "must be a whole number from 1 to");
    (field, format!("{label} {message}."))
}
