//! Finding entries again: by the id that Microsoft gave out, or by the property that marks them as ours.

use concord_domain::{entry::ObservedEntry, ids::EntryId};
use graph_rs_sdk::ODataQuery;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    MicrosoftCalendar,
    changes::unclear_of,
    entries::{GraphEvent, bound, display_interval, marked, observed},
    errors::{GraphCallError, json},
    extended_properties::{entry_filter, entry_of_transaction, expand},
    requests::segment,
};
use crate::{
    access::CalendarAccess,
    error::ProviderError,
    error_response::{unless_gone, unreadable},
};

/// Nobody has that many copies of one entry.
const MAX_PAGES: usize = 5;

/// What storage calls an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventIdKind<'a> {
    /// Ours, decided before the first call: the entry's UUID.
    Ours(EntryId),
    Given(&'a str),
}

/// What a list is asked for where it only has to name an event: no other of them need be understood.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedEventId {
    id: Option<String>,
    series_master_id: Option<String>,
}

pub(super) fn event_id_kind(external_id: &str) -> EventIdKind<'_> {
    external_id.parse().map_or(EventIdKind::Given(external_id), EventIdKind::Ours)
}

impl CalendarAccess<'_, MicrosoftCalendar> {
    /// The entry in a calendar into which a person has put it: under its id, or as what Outlook has made in its place.
    pub(super) async fn read_moved(
        &self,
        entry: EntryId,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        if segment(self.calendar).is_err() {
            return Ok(None);
        }
        let Some(events) = unless_gone(self.with_mark(entry).await)? else { return Ok(None) };
        let live = live(events);
        let same = live.iter().find(|event| event.id.as_deref() == Some(external_id));
        Ok(same.or_else(|| first_made(&live, entry)).and_then(observed))
    }

    pub(super) async fn read_entry(&self, external_id: &str) -> Result<Option<ObservedEntry>, ProviderError> {
        if segment(self.calendar).is_err() {
            return Ok(None);
        }
        let found = match event_id_kind(external_id) {
            EventIdKind::Ours(entry) => self.ours(entry).await,
            EventIdKind::Given(id) => match self.item(id).await {
                Ok(Some(item)) => match GraphEvent::deserialize(&item) {
                    Ok(event) => self.if_listed(event).await,
                    Err(error) => {
                        return unclear_of(&item).map(Some).ok_or_else(|| unreadable(&error, "Microsoft"));
                    }
                },
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            },
        };
        Ok(unless_gone(found)?.flatten().as_ref().and_then(observed))
    }

    /// The event with that id, if the calendar shows it. An immutable id survives the move to the deleted items, where it
    /// is still answered for (<https://learn.microsoft.com/graph/outlook-immutable-id>).
    pub(super) async fn find_live(&self, id: &str) -> Result<Option<GraphEvent>, GraphCallError> {
        match unless_gone(self.by_id(id).await)?.flatten() {
            Some(event) => self.if_listed(event).await,
            None => Ok(None),
        }
    }

    async fn if_listed(&self, event: GraphEvent) -> Result<Option<GraphEvent>, GraphCallError> {
        Ok(self.is_listed(&event).await?.then_some(event))
    }

    /// Whether the calendar itself names an event: by our mark, and where it does not by that, among what it shows at that
    /// time.
    async fn is_listed(&self, event: &GraphEvent) -> Result<bool, GraphCallError> {
        if let Some(entry) = marked(event) {
            let there: Vec<ListedEventId> = self.with_mark(entry).await?;
            if there.iter().any(|one| one.id == event.id) {
                return Ok(true);
            }
        }
        let Some(shown) = display_interval(event) else { return Ok(false) };
        let view = self.graph()?.calendar_views().list_calendar_view();
        let built = view
            .append_query_pair("startDateTime", &bound(shown.start))
            .append_query_pair("endDateTime", &bound(shown.end))
            .select(&["id", "seriesMasterId"])
            .build()
            .await;
        let there: Vec<ListedEventId> = self.account.all(built, MAX_PAGES).await?;
        Ok(there.iter().any(|one| one.id == event.id || one.series_master_id == event.id))
    }

    pub(super) async fn by_id(&self, id: &str) -> Result<Option<GraphEvent>, GraphCallError> {
        let Some(item) = self.item(id).await? else { return Ok(None) };
        Ok(Some(GraphEvent::deserialize(&item).map_err(|error| unreadable(&error, "Microsoft"))?))
    }

    /// The event with that id as it comes, whether it can be understood or not.
    async fn item(&self, id: &str) -> Result<Option<Value>, GraphCallError> {
        let Ok(id) = segment(id) else { return Ok(None) };
        let event = self.graph()?.event(id);
        let built = event.get_events().expand(&[&expand()]).build().await;
        Ok(Some(json(&self.account.call(built).await?)?))
    }

    /// The live event of an entry. Of several (a person's copies carry our properties too) the one that a write of ours
    /// made, or else the oldest.
    pub(super) async fn ours(&self, entry: EntryId) -> Result<Option<GraphEvent>, GraphCallError> {
        let live = live(self.with_mark(entry).await?);
        Ok(first_made(&live, entry).cloned())
    }

    async fn with_mark<T: DeserializeOwned>(&self, entry: EntryId) -> Result<Vec<T>, GraphCallError> {
        let events = self.graph()?.events().list_events();
        let built = events.filter(&[&entry_filter(entry)]).expand(&[&expand()]).build().await;
        self.account.all(built, MAX_PAGES).await
    }
}

fn live(events: Vec<GraphEvent>) -> Vec<GraphEvent> {
    events.into_iter().filter(|event| event.is_cancelled != Some(true)).collect()
}

/// The one that a write of ours made, or else the oldest.
fn first_made(events: &[GraphEvent], entry: EntryId) -> Option<&GraphEvent> {
    events.iter().min_by_key(|event| {
        let by_us = event.transaction_id.as_deref().and_then(entry_of_transaction) == Some(entry);
        (!by_us, event.created_date_time.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_our_own_name_and_anything_else_is_microsofts() {
        let entry: EntryId = "0197f0c2-6b1e-7d3a-9a4e-2f6d2f1f8b10".parse().unwrap();
        let ours = concord_domain::provider::ProviderKind::Microsoft.external_id(entry);
        assert_eq!(event_id_kind(&ours), EventIdKind::Ours(entry));
        assert_eq!(event_id_kind("AAMkADk0MGFk="), EventIdKind::Given("AAMkADk0MGFk="));
    }
}
