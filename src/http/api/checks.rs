//! What people and programs may enter as names, addresses and numbers of resources, staff and feeds.

use chrono_tz::Tz;
use concord_domain::booking::{MAX_LINE, looks_like_mail_address};
use serde::{Deserialize, Deserializer};

use super::problem::{ApiError, FieldProblem};

/// Faults, gathered so that all are told at once.
#[derive(Debug, Default)]
pub struct Faults(Vec<FieldProblem>);

impl Faults {
    /// Notes a fault.
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldProblem { field: field.to_owned(), message: message.into() });
    }

    /// A name: one line, not empty.
    pub fn name(&mut self, field: &str, text: &str) {
        let length = text.chars().count();
        if text.trim().is_empty() {
            self.add(field, "must not be empty");
        } else if length > MAX_LINE {
            self.add(field, format!("is {length} characters long; at most {MAX_LINE} are allowed"));
        }
        if text.chars().any(char::is_control) {
            self.add(field, "holds a control character or a line break");
        }
    }

    /// A mail address, or nothing.
    pub fn mail_address(&mut self, field: &str, text: &str) {
        if !text.is_empty() && (text.chars().count() > MAX_LINE || !looks_like_mail_address(text)) {
            self.add(field, "is not a mail address");
        }
    }

    /// A number within bounds.
    pub fn within(&mut self, field: &str, number: u32, least: u32, most: u32) {
        if !(least..=most).contains(&number) {
            self.add(field, format!("must be between {least} and {most}"));
        }
    }

    /// A time zone by its IANA name.
    pub fn zone(&mut self, field: &str, name: &str) -> Option<Tz> {
        let zone = name.parse().ok();
        if zone.is_none() {
            self.add(field, "is not a time zone; give an IANA name such as Europe/Lisbon");
        }
        zone
    }

    /// An error if there is any.
    pub fn into_result(self) -> Result<(), ApiError> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiError::invalid_fields(self.0)) }
    }
}

/// A field of a JSON merge patch that can be cleared. It needs `#[serde(default)]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Given<T> {
    /// It does not stand there: no change.
    #[default]
    Absent,
    /// Null: nothing from now on.
    Cleared,
    /// From now on this.
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Cleared, Self::Value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(check: impl FnOnce(&mut Faults)) -> usize {
        let mut faults = Faults::default();
        check(&mut faults);
        faults.0.len()
    }

    #[test]
    fn names_are_one_line() {
        assert_eq!(faults(|it| it.name("name", "Sea View")), 0);
        for bad in ["", "  ", "a\nb", &"x".repeat(301)] {
            assert_eq!(faults(|it| it.name("name", bad)), 1, "{bad:?}");
        }
    }

    #[test]
    fn zones_are_those_of_iana() {
        assert_eq!(faults(|it| _ = it.zone("zone", "Europe/Lisbon")), 0);
        for bad in ["Atlantis/Capital", "", "+01:00", "europe"] {
            assert_eq!(faults(|it| _ = it.zone("zone", bad)), 1, "{bad:?}");
        }
    }
}
