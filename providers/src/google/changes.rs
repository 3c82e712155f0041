//! What a calendar holds and what changed in it, page by page.

use chrono_tz::Tz;
use concord_domain::{entry::ObservedEntry, ids::EntryId, interval::Interval};
use google_calendar3::{api::Event, common::serde::datetime_to_string};
use serde::Deserialize;
use serde_json::Value;

use super::{GoogleCalendar, entries::observed, errors::GoogleCallError, requests::segment};
use crate::{
    access::CalendarAccess,
    error::ProviderError,
    error_response::{parse_json, unless_gone, unreadable},
    pages::{parse_items, read_page},
    provider::{ChangesPage, NextPage, SyncPosition, is_unclear, unclear},
};

const PAGE_SIZE: u32 = 2_500;

/// What is asked for where such a page takes too long: Google's own default.
const SMALL_PAGE_SIZE: u32 = 250;

/// The crate's `Events`, its items unread: it would lose a page for one item that nobody understands.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventsPage {
    #[serde(default)]
    items: Vec<Value>,
    time_zone: Option<String>,
    next_page_token: Option<String>,
    next_sync_token: Option<String>,
}

impl CalendarAccess<'_, GoogleCalendar> {
    pub(super) async fn list_changes(
        &self,
        window: Interval,
        from: &SyncPosition,
    ) -> Result<ChangesPage, ProviderError> {
        let google = self.account.provider;
        let sizes = (PAGE_SIZE, SMALL_PAGE_SIZE);
        let read = |size| self.page(window, from, size);
        match read_page(&google.slow, self.calendar, google.clock.now(), sizes, read).await {
            Ok(page) => to_changes_page(page),
            Err(GoogleCallError::Refused(refusal))
                if *from != SyncPosition::Start && refusal.says_cursor_expired() =>
            {
                Err(ProviderError::CursorExpired)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn page(
        &self,
        window: Interval,
        from: &SyncPosition,
        size: u32,
    ) -> Result<EventsPage, GoogleCallError> {
        let (page, cursor) = match from {
            SyncPosition::Start => (None, None),
            SyncPosition::Cursor(cursor) => (None, Some(cursor)),
            SyncPosition::Page { page, cursor } => (Some(page), cursor.as_ref()),
        };
        let path = format!("calendars/{}/events", segment(self.calendar)?);
        let mut query = vec![("singleEvents", true.to_string()), ("maxResults", size.to_string())];
        // The window belongs to the cursor; to repeat it beside a sync token is refused. All else is to be as it was in
        // the first read. Deleted entries come beside a sync token without being asked for.
        match cursor {
            Some(cursor) => query.push(("syncToken", cursor.clone())),
            None => query.extend([
                ("timeMin", datetime_to_string(&window.start)),
                ("timeMax", datetime_to_string(&window.end)),
            ]),
        }
        query.extend(page.map(|page| ("pageToken", page.clone())));
        Ok(parse_json(&self.account.get(&path, &query).await?, "Google")?)
    }

    /// An event keeps its id when it is moved (Events: move), and copies have another.
    pub(super) async fn read_moved(
        &self,
        entry: EntryId,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        let found = self.read_entry(external_id).await?;
        if found.as_ref().is_some_and(is_unclear) {
            return Err(ProviderError::Transient("the event cannot be read".into()));
        }
        Ok(found.filter(|found| !found.deleted && found.entry == Some(entry)))
    }

    /// An entry by its id, tombstones included.
    pub(super) async fn read_entry(&self, external_id: &str) -> Result<Option<ObservedEntry>, ProviderError> {
        let path = format!("calendars/{}/events/{}", segment(self.calendar)?, segment(external_id)?);
        let Some(response) = unless_gone(self.account.get(&path, &[]).await)? else { return Ok(None) };
        let item: Value = parse_json(&response, "Google")?;
        match Event::deserialize(&item) {
            Ok(event) => Ok(observed(event, Tz::UTC)),
            Err(error) => unclear_of(&item).map(Some).ok_or_else(|| unreadable(&error, "Google")),
        }
    }
}

/// What is known of an event that cannot be read; `None` for one without an id.
fn unclear_of(item: &Value) -> Option<ObservedEntry> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(unclear(text("id")?, text("recurringEventId"), text("etag")))
}

fn to_changes_page(page: EventsPage) -> Result<ChangesPage, ProviderError> {
    let next = match (page.next_page_token, page.next_sync_token) {
        (Some(page), _) => NextPage::Page(page),
        (None, Some(cursor)) => NextPage::Cursor(cursor),
        // Taken for complete, it would make everything that is missing look deleted.
        (None, None) => return Err(ProviderError::Transient("its response was incomplete".to_owned())),
    };
    let zone = page.time_zone.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC);
    let (events, unreadable) = parse_items::<Event>(page.items);
    let read = events.into_iter().filter_map(|event| observed(event, zone));
    let entries = read.chain(unreadable.iter().filter_map(unclear_of)).collect();
    let unreadable = unreadable.len();
    Ok(ChangesPage { entries, resources: Vec::new(), series: Vec::new(), may_miss: false, unreadable, next })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(json: serde_json::Value) -> Result<ChangesPage, ProviderError> {
        to_changes_page(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn a_page_names_what_follows() {
        assert_eq!(page(json!({ "nextPageToken": "p" })).unwrap().next, NextPage::Page("p".to_owned()));
        assert_eq!(page(json!({ "nextSyncToken": "c" })).unwrap().next, NextPage::Cursor("c".to_owned()));
    }

    #[test]
    fn a_list_without_an_end_is_not_taken_for_complete() {
        assert_eq!(page(json!({ "items": [] })).unwrap_err().code(), "transient");
    }

    #[test]
    fn an_item_of_another_form_leaves_the_others_as_they_are() {
        let found = page(json!({ "nextSyncToken": "c", "items": [
            { "id": "odd", "start": "soon" }, { "id": "fine", "summary": "Dentist" } ] }));
        let found = found.unwrap();
        let ids: Vec<&str> = found.entries.iter().map(|entry| entry.external_id.as_str()).collect();
        assert_eq!((ids, found.unreadable), (vec!["fine", "odd"], 1));
    }

    #[test]
    fn an_item_without_an_id_is_left_out() {
        let found =
            page(json!({ "items": [{}, { "id": "abcde", "status": "cancelled" }], "nextSyncToken": "c" }));
        let found = found.unwrap();
        assert_eq!(found.entries.len(), 1);
        assert!(found.entries[0].deleted);
    }
}
