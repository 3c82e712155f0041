//! Fields of a change, by what stands there.

use serde::{Deserialize, Deserializer};

/// A field of a JSON merge patch that can be cleared. It needs `#[serde(default)]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum PatchField<T> {
    /// It does not stand there: no change.
    #[default]
    Absent,
    /// Null: nothing from now on.
    Null,
    /// From now on this.
    Value(T),
}

impl<T> PatchField<T> {
    /// What stands there afterwards, where it was `before`.
    pub(super) fn apply_to(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Absent => before,
            Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    /// What shall stand there; `None`: nothing is said of it.
    #[expect(clippy::option_option, reason = "nothing said, cleared, or a value: the three of a merge patch")]
    pub(super) fn into_change(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for PatchField<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Null, Self::Value))
    }
}
