//! Calendars that the provider calls by another id than before.

use concord_domain::connection::ProviderKind;
use concord_storage::calendars::{Calendar, ListedCalendar};

/// A calendar that is known, and what it is listed as now.
pub(super) struct RenumberedCalendar<'a> {
    pub(super) calendar: &'a Calendar,
    pub(super) listed: &'a ListedCalendar,
}

/// Those of `known` that are listed by another id.
///
/// Where ids of calendars change and those of events do not, all that stood in a calendar stands there still after a mailbox
/// was moved or restored. It is the one of the same name and owner, if there is one alone of each.
pub(super) fn renumbered<'a>(
    provider: ProviderKind,
    known: &'a [Calendar],
    listed: &'a [ListedCalendar],
) -> Vec<RenumberedCalendar<'a>> {
    if !provider.description().calendar_ids_change {
        return Vec::new();
    }
    let gone: Vec<&Calendar> =
        known.iter().filter(|one| listed.iter().all(|other| other.external_id != one.external_id)).collect();
    let new: Vec<&ListedCalendar> =
        listed.iter().filter(|one| known.iter().all(|other| other.external_id != one.external_id)).collect();
    gone.iter()
        .filter_map(|calendar| {
            let listed = only(new.iter().filter(|one| is_same(calendar, one)))?;
            only(gone.iter().filter(|other| is_same(other, listed)))?;
            Some(RenumberedCalendar { calendar, listed })
        })
        .collect()
}

fn is_same(known: &Calendar, listed: &ListedCalendar) -> bool {
    let is_same_owner = known.owner.is_none() || known.owner == listed.owner;
    known.name == listed.name && known.is_primary == listed.is_primary && is_same_owner
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use concord_domain::ids::{BusinessId, CalendarId, ConnectionId};
    use uuid::Uuid;

    use super::*;

    fn listed(external_id: &str, name: &str, owner: &str) -> ListedCalendar {
        ListedCalendar {
            external_id: external_id.to_owned(),
            name: name.to_owned(),
            colour: None,
            zone: None,
            owner: Some(owner.to_owned()),
            writable: true,
            is_primary: name == "Calendar",
        }
    }

    fn known(external_id: &str, name: &str, owner: Option<&str>) -> Calendar {
        Calendar {
            id: CalendarId(Uuid::from_u128(1)),
            business_id: BusinessId(Uuid::from_u128(1)),
            connection_id: ConnectionId(Uuid::from_u128(1)),
            external_id: external_id.to_owned(),
            name: name.to_owned(),
            colour: None,
            zone: None,
            owner: owner.map(str::to_owned),
            writable: true,
            is_primary: name == "Calendar",
            reads: true,
            writes: false,
            last_import_at: None,
            quarantine_reason: None,
            missing_since: None,
        }
    }

    /// `old id: new id` of each.
    fn pairs(known: &[Calendar], listed: &[ListedCalendar]) -> Vec<String> {
        let found = renumbered(ProviderKind::Microsoft, known, listed);
        found.iter().map(|one| format!("{}: {}", one.calendar.external_id, one.listed.external_id)).collect()
    }

    #[test]
    fn calendar_of_same_name_and_owner_is_found_again() {
        let before = [known("a1", "Calendar", Some("ana")), known("b1", "Rota", None)];
        let now = [listed("a2", "Calendar", "ana"), listed("b2", "Rota", "ana")];
        assert_eq!(pairs(&before, &now), ["a1: a2", "b1: b2"]);
        assert!(renumbered(ProviderKind::Google, &before, &now).is_empty());
    }

    #[test]
    fn another_owner_and_two_alike_are_not_guessed_at() {
        let rota = [known("b1", "Rota", Some("ana"))];
        assert!(pairs(&rota, &[listed("b2", "Rota", "rui")]).is_empty());
        assert!(pairs(&rota, &[listed("b2", "Rota", "ana"), listed("b3", "Rota", "ana")]).is_empty());
        assert!(pairs(&rota, &[listed("b1", "Rota", "ana"), listed("b2", "Rota", "ana")]).is_empty());
        let two = [known("b1", "Rota", None), known("c1", "Rota", None)];
        assert!(pairs(&two, &[listed("b2", "Rota", "ana")]).is_empty());
    }
}
