//! Where a read of a calendar stands, as the text that is kept of it.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::ProviderError;

/// Where the calendar stood when all of it had been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CaldavCursor {
    /// The calendar's own zone, where it tells it.
    pub(super) zone: Option<Tz>,
    /// The zone in which its floating times were read, where it tells none.
    #[serde(default, rename = "otherwise")]
    pub(super) fallback_zone: Option<Tz>,
    /// The owner's mail addresses, in lower case.
    #[serde(default)]
    pub(super) owner: Vec<String>,
    /// The names of objects that the server would not give: the next read asks for them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) withheld: Vec<String>,
    #[serde(rename = "mark")]
    pub(super) version: CollectionVersion,
}

/// How its changes are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CollectionVersion {
    /// By a token of the server (RFC 6578).
    Token(String),
    /// By comparing the versions of all objects, where a server knows no tokens.
    Versions {
        /// The version of the collection, which spares the comparison while it stays the same.
        collection: Option<String>,
        /// Of each object, by its name.
        objects: BTreeMap<String, String>,
    },
}

/// Between two pages of one read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CaldavPageToken {
    /// What the read ends with.
    pub(super) cursor: CaldavCursor,
    /// Objects that are still to be fetched.
    pub(super) names: Vec<String>,
    /// Whether the server holds back further changes after the token.
    pub(super) more: bool,
}

impl CaldavCursor {
    /// The zone of floating times and whole days.
    pub(super) fn read_in(&self) -> Tz {
        self.zone.or(self.fallback_zone).unwrap_or(Tz::UTC)
    }

    /// Whether the cursor is still valid if the owner's zone is `zone`.
    pub(super) fn holds_in(&self, zone: Tz) -> bool {
        self.zone.is_some() || self.fallback_zone == Some(zone)
    }
}

/// Errors with `CursorExpired` if the text isn't a cursor.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ProviderError> {
    serde_json::from_str(text).map_err(|_| ProviderError::CursorExpired)
}

pub(super) fn to_text(cursor: &impl Serialize) -> Result<String, ProviderError> {
    serde_json::to_string(cursor)
        .map_err(|_| ProviderError::Rejected("the cursor cannot be written as JSON".to_owned()))
}

/// Which objects have come or changed, and which are gone. One without a version may have changed.
pub(super) fn differences(
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> (Vec<String>, Vec<String>) {
    let changed = now.iter().filter(|(name, etag)| etag.is_empty() || before.get(*name) != Some(etag));
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    (changed.map(|(name, _)| name.clone()).collect(), gone.cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_and_any_other_text_has_expired() {
        let objects = BTreeMap::from([("a".to_owned(), "\"1\"".to_owned())]);
        for version in [
            CollectionVersion::Token("urn:x\"<&".to_owned()),
            CollectionVersion::Versions { collection: Some("c".to_owned()), objects: objects.clone() },
        ] {
            let owner = vec!["ana@example.org".to_owned()];
            let withheld = vec!["a.ics".to_owned()];
            let zone = Some(Tz::Europe__Lisbon);
            let cursor = CaldavCursor { zone, fallback_zone: None, owner, withheld, version };
            assert_eq!(parse::<CaldavCursor>(&to_text(&cursor).unwrap()).unwrap(), cursor);
        }
        for text in ["", "never", "{}", "{\"zone\":null}"] {
            assert!(matches!(parse::<CaldavCursor>(text), Err(ProviderError::CursorExpired)), "{text}");
        }
    }

    #[test]
    fn what_differs_is_fetched_or_gone() {
        let of = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, etag)| ((*name).to_owned(), (*etag).to_owned())).collect()
        };
        let (changed, gone) = differences(
            &of(&[("a", "1"), ("b", "1"), ("c", "1")]),
            &of(&[("a", "1"), ("b", "2"), ("d", "1")]),
        );
        assert_eq!((changed, gone), (vec!["b".to_owned(), "d".to_owned()], vec!["c".to_owned()]));
        assert_eq!(
            differences(&of(&[("a", "")]), &of(&[("a", "")])).0,
            ["a"],
            "nobody tells whether it changed"
        );
    }

    #[test]
    fn floating_times_that_were_read_in_another_zone_are_read_again() {
        let cursor = |zone, fallback_zone| CaldavCursor {
            zone,
            fallback_zone,
            owner: Vec::new(),
            withheld: Vec::new(),
            version: CollectionVersion::Token("t".to_owned()),
        };
        assert!(cursor(None, Some(Tz::America__New_York)).holds_in(Tz::America__New_York));
        assert!(!cursor(None, Some(Tz::America__New_York)).holds_in(Tz::Europe__Lisbon));
        // Written by a former release, which took them for UTC.
        assert!(!cursor(None, None).holds_in(Tz::UTC));
        let own = cursor(Some(Tz::Asia__Tokyo), None);
        assert!(own.holds_in(Tz::Europe__Lisbon) && own.read_in() == Tz::Asia__Tokyo);
    }
}
