//! What a calendar holds and what changed in it, page by page, by a delta query on its calendar view.
//!
//! The window is fixed in the links that the query gives (`calendarView/delta`), so a cursor never shows what only came
//! into a window that moved on; the full compare does.

use std::collections::HashMap;

use concord_domain::{entry::ObservedEntry, interval::Interval};
use graph_rs_sdk::ODataQuery;
use serde::Deserialize;
use serde_json::Value;

use super::{
    MicrosoftCalendar,
    entries::{GraphEvent, bound, fill, is_series, lacks_its_series, observed},
    errors::{GraphCallError, json},
    requests::{GraphPage, PAGE, segment},
};
use crate::{
    access::CalendarAccess,
    error::ProviderError,
    error_response::unless_gone,
    http::BufferedResponse,
    pages::{parse_items, read_page},
    provider::{ChangesPage, NextPage, SyncPosition, unclear},
};

/// What an occurrence shares with its series.
const SERIES_FIELDS: &[&str] = &[
    "id",
    "subject",
    "showAs",
    "isAllDay",
    "isCancelled",
    "responseStatus",
    "originalStartTimeZone",
    "lastModifiedDateTime",
];

/// What is asked for where a page takes too long: a mailbox with large invitations, or a busy server.
const SMALL_PAGE_SIZE: u32 = 50;

impl CalendarAccess<'_, MicrosoftCalendar> {
    pub(super) async fn list_changes(
        &self,
        window: Interval,
        from: &SyncPosition,
    ) -> Result<ChangesPage, ProviderError> {
        let microsoft = self.account.provider;
        let calendar = segment(self.calendar)?;
        let sizes = (PAGE, SMALL_PAGE_SIZE);
        let read = |size| self.page(window, from, size);
        let response = read_page(&microsoft.slow, calendar, microsoft.clock.now(), sizes, read).await;
        let response = match response {
            Err(GraphCallError::Refused(refusal))
                if *from != SyncPosition::Start && refusal.says_cursor_expired() =>
            {
                return Err(ProviderError::CursorExpired);
            }
            response => response?,
        };
        let page: GraphPage<Value> = json(&response)?;
        let next = self.after(&page)?;
        let is_first_read = matches!(from, SyncPosition::Start | SyncPosition::Page { cursor: None, .. });
        let (events, unreadable) = parse_items::<GraphEvent>(page.value);
        let series = if is_first_read { Vec::new() } else { complete_resources(&events) };
        let mut entries = self.entries(events, is_first_read).await?;
        entries.extend(unreadable.iter().filter_map(unclear_of));
        // Nothing says that a delta names what came and went between two of them, and what is moved out of a calendar and
        // into it again it is known not to name.
        Ok(ChangesPage {
            entries,
            resources: Vec::new(),
            series,
            may_miss: true,
            unreadable: unreadable.len(),
            next,
        })
    }

    async fn page(
        &self,
        window: Interval,
        from: &SyncPosition,
        size: u32,
    ) -> Result<BufferedResponse, GraphCallError> {
        match from {
            SyncPosition::Start => self.first_page(window, size).await,
            SyncPosition::Cursor(link) | SyncPosition::Page { page: link, .. } => {
                self.kept_link(link, size).await
            }
        }
    }

    async fn first_page(&self, window: Interval, size: u32) -> Result<BufferedResponse, GraphCallError> {
        let view = self.graph()?.calendar_views();
        let built = view
            .delta()
            .append_query_pair("startDateTime", &bound(window.start))
            .append_query_pair("endDateTime", &bound(window.end))
            .build()
            .await;
        self.account.call_for(built, size).await
    }

    /// A link that was kept since a former page. One that is not below our base any more, because that was configured
    /// anew, or never was a link, is a cursor that is no longer good.
    async fn kept_link(&self, link: &str, size: u32) -> Result<BufferedResponse, GraphCallError> {
        if self.account.own_link(link).is_err() {
            return Err(ProviderError::CursorExpired.into());
        }
        self.account.follow(link, size).await
    }

    fn after<T>(&self, page: &GraphPage<T>) -> Result<NextPage, ProviderError> {
        // Checked before it is kept, so that whoever runs it sees at once what the server says.
        match (&page.next_link, &page.delta_link) {
            (Some(link), _) => self.account.own_link(link).map(|_| NextPage::Page(link.clone())),
            (None, Some(link)) => self.account.own_link(link).map(|_| NextPage::Cursor(link.clone())),
            // Taken for complete, it would make everything that is missing look deleted.
            (None, None) => Err(ProviderError::Transient("its response was incomplete".to_owned())),
        }
    }

    /// The entries of a page: occurrences in place of their series, with what they share with it, which a delta query
    /// gives with the series alone.
    async fn entries(
        &self,
        mut events: Vec<GraphEvent>,
        is_first_read: bool,
    ) -> Result<Vec<ObservedEntry>, ProviderError> {
        let mut series: HashMap<String, Option<GraphEvent>> = HashMap::new();
        for event in events.iter().filter(|event| is_series(event)) {
            if let Some(id) = &event.id {
                series.insert(id.clone(), Some(event.clone()));
            }
        }
        for event in events.iter_mut().filter(|event| lacks_its_series(event)) {
            let Some(id) = event.series_master_id.clone() else { continue };
            if !series.contains_key(&id) {
                let found = self.series(&id).await?;
                series.insert(id.clone(), found);
            }
            if let Some(Some(of_series)) = series.get(&id) {
                fill(event, of_series);
            }
        }
        Ok(events.iter().filter_map(|event| entry_of(event, is_first_read)).collect())
    }

    async fn series(&self, id: &str) -> Result<Option<GraphEvent>, ProviderError> {
        let Ok(id) = segment(id) else { return Ok(None) };
        let built = self.graph()?.event(id).get_events().select(SERIES_FIELDS).build().await;
        let Some(response) = unless_gone(self.account.call(built).await)? else { return Ok(None) };
        // One that nobody understands is no reason to lose the rest of the page: its occurrences say when they are, and
        // count as busy.
        json::<Value>(&response).map(|item| GraphEvent::deserialize(&item).ok())
    }
}

/// What is known of an event that cannot be read; `None` for one without an id.
pub(super) fn unclear_of(item: &Value) -> Option<ObservedEntry> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(unclear(text("id")?, text("seriesMasterId"), text("@odata.etag")))
}

/// Ids of events that an incremental page reports completely, so anything else stored under them is stale: an occurrence
/// that was deleted, or has another id since the series was put to another time, is named by nothing (reported:
/// microsoftgraph/microsoft-graph-docs, "delta query deleted occurrence"). Occurrences come with their series.
fn complete_resources(events: &[GraphEvent]) -> Vec<String> {
    events
        .iter()
        .filter(|event| event.series_master_id.is_none())
        .filter_map(|event| event.id.clone())
        .collect()
}

/// A series stands for itself nowhere, its occurrences do. In a later read it may have been a single entry before, which
/// is there no longer; but one of ours that a person has made recurring is known by its occurrences' series.
fn entry_of(event: &GraphEvent, is_first_read: bool) -> Option<ObservedEntry> {
    let entry = observed(event)?;
    if !is_series(event) {
        return Some(entry);
    }
    let replaced = !is_first_read && entry.entry.is_none();
    replaced.then_some(ObservedEntry { deleted: true, busy: false, time: None, unreadable: false, ..entry })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(json: serde_json::Value) -> GraphEvent {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_series_is_told_in_whole_and_an_occurrence_is_not() {
        let events = [
            event(json!({ "id": "s", "type": "seriesMaster" })),
            event(json!({ "id": "o", "type": "occurrence", "seriesMasterId": "s" })),
            event(json!({ "id": "gone", "@removed": { "reason": "deleted" } })),
        ];
        assert_eq!(complete_resources(&events), ["s", "gone"]);
    }

    #[test]
    fn an_item_of_another_form_leaves_the_others_as_they_are() {
        let items = vec![
            json!({ "id": "a", "start": "soon", "@odata.etag": "e" }),
            json!({ "start": 7 }),
            json!({ "id": "b", "subject": "Dentist" }),
        ];
        let (events, unreadable) = parse_items::<GraphEvent>(items);
        assert_eq!((events.len(), unreadable.len()), (1, 2));
        let unclear: Vec<ObservedEntry> = unreadable.iter().filter_map(unclear_of).collect();
        assert_eq!(unclear.len(), 1);
        assert_eq!((unclear[0].external_id.as_str(), unclear[0].busy), ("a", true));
    }

    #[test]
    fn a_series_is_only_told_where_a_single_entry_may_have_stood() {
        let series = event(json!({ "id": "s", "type": "seriesMaster", "showAs": "busy" }));
        assert_eq!(entry_of(&series, true), None);
        let replaced = entry_of(&series, false).unwrap();
        assert!(replaced.deleted && !replaced.busy);
        let ours = event(json!({ "id": "s", "type": "seriesMaster",
            "transactionId": "concord:00000000-0000-0000-0000-000000000007" }));
        assert_eq!(entry_of(&ours, false), None);
    }
}
