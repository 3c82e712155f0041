//! How our own entries are known again.
//!
//! Two marks, since Microsoft lets none serve for both. Extended properties can be asked for by value, which finds an
//! entry whose id we never heard; but a delta query brings none and cannot be made to
//! (<https://learn.microsoft.com/graph/api/event-delta>, OData query parameters). It does bring `transactionId`, which
//! is set once and never changes; but nobody can ask for it.

use concord_domain::ids::EntryId;
use uuid::Uuid;

/// The namespace of Concord's extended properties.
const NAMESPACE: &str = "6f0d7d4e-2b3c-4a53-9d7c-0c0c0dc0ca1e";

/// What our transaction ids begin with: others write theirs too (Outlook on the web `localevent:` and a UUID).
const TRANSACTION_PREFIX: &str = "concord:";

/// An extended property of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(prefix = "concord-", serialize_all = "kebab-case")]
pub(super) enum EntryProperty {
    /// The mapping that the event belongs to.
    Entry,
    /// The booking that it stands for.
    Booking,
    /// The IANA name of its zone, where Microsoft's own may be coarser.
    Zone,
    /// Of the text that we wrote last, so that a later write knows what people added to it.
    Words,
}

impl EntryProperty {
    pub(super) const ALL: [Self; 4] = [Self::Entry, Self::Booking, Self::Zone, Self::Words];

    /// As Graph writes it: type, namespace and name.
    pub(super) fn id(self) -> String {
        format!("String {{{NAMESPACE}}} Name {self}")
    }
}

/// The transaction of an entry's first write. `gone`: the id that the entry had before somebody deleted it, so that the
/// write that brings it back is another one, but the same one however often it is made.
pub(super) fn transaction(entry: EntryId, gone: Option<&str>) -> String {
    match gone {
        None => format!("{TRANSACTION_PREFIX}{entry}"),
        Some(id) => format!("{TRANSACTION_PREFIX}{entry}:{}", Uuid::new_v5(&entry.0, id.as_bytes()).simple()),
    }
}

/// The entry that a transaction id names, if it is one of ours.
pub(super) fn entry_of_transaction(id: &str) -> Option<EntryId> {
    id.strip_prefix(TRANSACTION_PREFIX)?.split(':').next()?.parse().ok()
}

/// Asks for our properties beside an event.
pub(super) fn expand() -> String {
    let ids = EntryProperty::ALL.map(|mark| format!("id eq '{}'", mark.id()));
    format!("singleValueExtendedProperties($filter={})", ids.join(" or "))
}

/// Asks for the events of an entry.
pub(super) fn entry_filter(entry: EntryId) -> String {
    format!(
        "singleValueExtendedProperties/Any(ep: ep/id eq '{}' and ep/value eq '{entry}')",
        EntryProperty::Entry.id()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: EntryId = EntryId(Uuid::from_u128(7));

    #[test]
    fn a_transaction_names_its_entry_and_is_made_again_the_same() {
        let first = transaction(ENTRY, None);
        let back = transaction(ENTRY, Some("AAMk="));
        assert_eq!(back, transaction(ENTRY, Some("AAMk=")));
        assert_ne!(back, transaction(ENTRY, Some("AAMl=")));
        assert_ne!(back, first);
        for id in [first, back] {
            assert_eq!(entry_of_transaction(&id), Some(ENTRY), "{id}");
        }
    }

    #[test]
    fn a_transaction_of_others_is_none_of_ours() {
        let uuid = Uuid::from_u128(7);
        for id in [uuid.to_string(), format!("localevent:{uuid}"), "concord:".to_owned(), String::new()] {
            assert_eq!(entry_of_transaction(&id), None, "{id}");
        }
    }

    #[test]
    fn a_property_has_the_form_that_graph_wants() {
        let id = EntryProperty::Entry.id();
        assert_eq!(id, "String {6f0d7d4e-2b3c-4a53-9d7c-0c0c0dc0ca1e} Name concord-entry");
        NAMESPACE.parse::<Uuid>().unwrap();
    }
}
