//! Filters that cannot be read: the list is not narrowed by them, and the page says so at the field and above the list.

use super::{SelectOption, join_names};

/// The filters of a list that cannot be read.
#[derive(Default)]
pub(super) struct InvalidFilters(Vec<InvalidFilter>);

struct InvalidFilter {
    field: &'static str,
    label: &'static str,
    text: &'static str,
}

impl InvalidFilters {
    /// Notes one, by the name and the label of its field, with a sentence that says what is wrong.
    pub(crate) fn add(&mut self, field: &'static str, label: &'static str, text: &'static str) {
        self.0.push(InvalidFilter { field, label, text });
    }

    /// As `add`, for a field in which one chooses: what was asked for becomes a choice, so that it is seen.
    pub(crate) fn add_choice(
        &mut self,
        (field, label): (&'static str, &'static str),
        text: &'static str,
        asked: &str,
        choices: &mut Vec<SelectOption>,
    ) {
        choices.push(SelectOption::new(asked, asked, asked));
        self.add(field, label, text);
    }

    /// What is wrong with a field.
    pub(crate) fn fault(&self, field: &str) -> Option<&'static str> {
        self.0.iter().find(|filter| filter.field == field).map(|filter| filter.text)
    }

    /// What it means for the list; `None`: all could be read.
    pub(crate) fn notice(&self) -> Option<String> {
        let labels: Vec<String> = self.0.iter().map(|filter| format!("“{}”", filter.label)).collect();
        match labels.as_slice() {
            [] => None,
            [label] => Some(format!("{label} is not valid, so this filter was ignored.")),
            labels => Some(format!("{} are not valid, so these filters were ignored.", join_names(labels))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named_and_stays_a_choice() {
        let mut unread = InvalidFilters::default();
        assert_eq!(unread.notice(), None);
        unread.add("from", "From", "This is not a date.");
        assert_eq!(unread.notice().as_deref(), Some("“From” is not valid, so this filter was ignored."));
        let mut choices = Vec::new();
        unread.add_choice(("status", "Status"), "Unknown status.", "gone", &mut choices);
        assert!(choices[0].chosen && choices[0].label == "gone");
        assert_eq!(unread.fault("status"), Some("Unknown status."));
        assert_eq!(unread.fault("until"), None);
        assert_eq!(
            unread.notice().as_deref(),
            Some("“From” and “Status” are not valid, so these filters were ignored.")
        );
    }
}
