//! By which words a platform's event is known.

use serde::Serialize;

use crate::words;

words! {
    /// Which text of an event is looked at.
    TextField {
        Summary = "summary",
        Description = "description",
    }
}

/// How the text is compared; never by case, nor by spaces around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TextMatch {
    /// It is this and nothing else.
    Equals(String),
    /// It begins with this.
    StartsWith(String),
    /// It has this somewhere.
    Contains(String),
}

/// One sign by which an event is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TextRule {
    pub field: TextField,
    /// What to look for.
    pub text: TextMatch,
    /// Whether what follows the beginning is the guest's name.
    pub guest: bool,
    /// Whether a reservation that is known by it is not agreed on yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tentative: bool,
}

impl TextRule {
    /// Whether an event with these texts has the sign.
    pub(super) fn matches(&self, summary: &str, description: &str) -> bool {
        let text = match self.field {
            TextField::Summary => summary,
            TextField::Description => description,
        };
        let text = text.trim();
        match &self.text {
            TextMatch::Equals(whole) => text.to_lowercase() == whole.to_lowercase(),
            TextMatch::StartsWith(start) => after(text, start).is_some(),
            TextMatch::Contains(part) => text.to_lowercase().contains(&part.to_lowercase()),
        }
    }

    /// The guest's name in a summary, if this rule is where it stands.
    pub(super) fn guest_in<'a>(&self, summary: &'a str) -> Option<&'a str> {
        match (&self.text, self.field, self.guest) {
            (TextMatch::StartsWith(start), TextField::Summary, true) => {
                after(summary.trim(), start).map(str::trim).filter(|name| !name.is_empty())
            }
            _ => None,
        }
    }
}

/// What follows `start`, which is compared without case. The two may differ in length when they differ in case.
fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let start = start.to_lowercase();
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let mut ends = ends.skip_while(|end| text[..*end].to_lowercase().len() < start.len());
    let end = ends.next().filter(|end| text[..*end].to_lowercase() == start)?;
    Some(&text[end..])
}
